/* TFTP: a few workers (daemon/tftp_worker.h), so that a storm of transfers never delays a DHCP reply and can
 * use several processors. On each served address every worker has a socket of the same port, and the kernel
 * sends all packets of one source to the same one (daemon/sockets.h): limits per source hold, and nothing of
 * a transfer is shared. Calls come from the main loop's thread and return when the workers have done it. */
#pragma once

#include "base/diag.h"
#include "serve/tftp.h"

struct tftp_service;

struct tftp_service_config {
    struct tftp_settings settings;
    bool port_per_transfer; /* answers leave from a port of each transfer's own, not from the one asked at */
    unsigned workers;    /* 1..TFTP_SOCKETS_MAX; 0: half as many as processors, TFTP_WORKERS_USUAL at most */
    struct files *files; /* these three must outlive it and are used from the workers */
    struct event_sink *sink;
    struct counters *counters;
    uint64_t seed; /* unpredictable */
};
enum { TFTP_WORKERS_USUAL = 4 };

/* How many workers, and so sockets of each address, there are for this setting; 0: as many as is usual here.
 */
unsigned tftp_service_workers(unsigned wanted);

/* Starts the workers. 0 or -errno. */
int tftp_service_new(const struct tftp_service_config *config, struct tftp_service **ret_service);
/* Ends all transfers and the workers. NULL is allowed. */
void tftp_service_free(struct tftp_service *service);

/* Serves on one more of our addresses; `mtu` is its interface's. 0 or -errno with `diags`. */
int tftp_service_listen(struct tftp_service *service, ipv4_t address, uint16_t port, unsigned mtu,
                        struct diags *diags);
/* Closes those sockets. Transfers go on when the address is served again before they are given up. */
void tftp_service_unlisten(struct tftp_service *service, ipv4_t address, uint16_t port);
/* The number of workers stays. */
void tftp_service_set_settings(struct tftp_service *service, const struct tftp_settings *settings,
                               bool port_per_transfer);

/* Transfers that run now. Any thread. */
size_t tftp_service_transfers(const struct tftp_service *service);
