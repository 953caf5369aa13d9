/* One of TFTP's threads: it waits at its sockets, decides by serve/tftp.h, and sends what came of it.
 * Datagrams come and go in batches (recvmmsg; daemon/tftp_queue.h). Nothing is allocated for a packet.
 *
 * All calls but the last come from one other thread; those that change something return when the worker has
 * done it. */
#pragma once

#include "serve/tftp.h"

struct tftp_worker;

/* What it uses must outlive it. */
struct tftp_worker_config {
    struct tftp_settings settings;
    struct files *files;
    struct event_sink *sink;
    struct counters *counters;
    struct tftp_quota *quota;
    uint64_t seed;
    bool port_per_transfer;
};

/* Starts the thread. 0 or -errno. */
int tftp_worker_new(const struct tftp_worker_config *config, struct tftp_worker **ret_worker);
/* Ends all its transfers and the thread. NULL is allowed. */
void tftp_worker_free(struct tftp_worker *worker);

/* Takes over a socket of this address, also when it fails; `mtu` is its interface's. 0 or -errno. */
int tftp_worker_listen(struct tftp_worker *worker, int fd, const struct endpoint *local, unsigned mtu);
/* Closes it. Transfers wait for another of the same address and port, as long as they wait for a client. */
void tftp_worker_unlisten(struct tftp_worker *worker, const struct endpoint *local);
void tftp_worker_set_settings(struct tftp_worker *worker, const struct tftp_settings *settings,
                              bool port_per_transfer);

/* Transfers that run now. Any thread. */
size_t tftp_worker_transfers(const struct tftp_worker *worker);
