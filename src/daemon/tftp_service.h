/* TFTP's sockets, in a thread with a loop of its own, so that a storm of transfers never delays a DHCP reply.
 * One socket on each served address carries all its transfers (T12); datagrams come and go in batches
 * (recvmmsg, sendmmsg). The decisions are those of serve/tftp.h. Calls come from the main loop's thread;
 * those that change the sockets return when the thread has done it. */
#pragma once

#include "base/diag.h"
#include "serve/tftp.h"

struct tftp_service;

/* Starts the thread. What it is given must outlive it; files, sink and counters are used from the thread.
 * 0 or -errno. */
int tftp_service_new(const struct tftp_settings *settings, struct files *files, struct event_sink *sink,
                     struct counters *counters, uint64_t seed, struct tftp_service **ret_service);
/* Ends all transfers and the thread. NULL is allowed. */
void tftp_service_free(struct tftp_service *service);

/* Serves on one more of our addresses; `mtu` is its interface's. 0 or -errno with `diags`. */
int tftp_service_listen(struct tftp_service *service, ipv4_t address, uint16_t port, unsigned mtu,
                        struct diags *diags);
/* Closes that socket; its transfers end. */
void tftp_service_unlisten(struct tftp_service *service, ipv4_t address, uint16_t port);
void tftp_service_set_settings(struct tftp_service *service, const struct tftp_settings *settings);

/* Transfers that run now. Any thread. */
size_t tftp_service_transfers(const struct tftp_service *service);
