/* The sockets of one TFTP worker: those of the served addresses, which carry all transfers (T12), and those
 * that carry one transfer alone (port_per_transfer). Found by our end, and the latter by the client's too. */
#pragma once

#include "serve/tftp.h"

struct tftp_socket {
    int fd;
    unsigned mtu;
    struct tftp_flow flow; /* flow.remote.port 0: for everybody */
    struct tftp_socket *next_local, *next_remote;
    struct tftp_socket *next_idle; /* of the worker: what it is about to close */
    bool idle;
};

enum { TFTP_SOCKET_BUCKETS = 1024 };
struct tftp_sockets {
    struct tftp_socket *by_local[TFTP_SOCKET_BUCKETS], *by_remote[TFTP_SOCKET_BUCKETS];
};

static inline bool tftp_socket_is_own(const struct tftp_socket *socket)
{
    return socket->flow.remote.port != 0;
}

/* Takes over the descriptor on success. NULL: memory is gone. */
struct tftp_socket *tftp_sockets_add(struct tftp_sockets *sockets, int fd, const struct tftp_flow *flow,
                                     unsigned mtu);
/* Closes it. */
void tftp_sockets_remove(struct tftp_sockets *sockets, struct tftp_socket *socket);
void tftp_sockets_clear(struct tftp_sockets *sockets);
/* NULL: none. */
struct tftp_socket *tftp_sockets_find(const struct tftp_sockets *sockets, const struct endpoint *local);
/* The one for a transfer of this client, asked for at this address of ours. NULL: none. */
struct tftp_socket *tftp_sockets_of_client(const struct tftp_sockets *sockets, const struct endpoint *remote,
                                           ipv4_t local);
