/* See daemon/tftp_socket.h. */
#include "daemon/tftp_socket.h"
#include "base/mix.h"

#include <stdlib.h>
#include <unistd.h>

static size_t bucket_of(const struct endpoint *e)
{
    return mix64((uint64_t)e->address << 16 | e->port) % TFTP_SOCKET_BUCKETS;
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    return a->address == b->address && a->port == b->port;
}

struct tftp_socket *tftp_sockets_add(struct tftp_sockets *s, int fd, const struct tftp_flow *flow,
                                     unsigned mtu)
{
    struct tftp_socket *socket = calloc(1, sizeof(*socket));
    if (!socket)
        return NULL;
    *socket = (struct tftp_socket){.fd = fd, .mtu = mtu, .flow = *flow};
    struct tftp_socket **place = &s->by_local[bucket_of(&flow->local)];
    socket->next_local = *place;
    *place = socket;
    if (tftp_socket_is_own(socket)) {
        place = &s->by_remote[bucket_of(&flow->remote)];
        socket->next_remote = *place;
        *place = socket;
    }
    return socket;
}

void tftp_sockets_remove(struct tftp_sockets *s, struct tftp_socket *socket)
{
    struct tftp_socket **at = &s->by_local[bucket_of(&socket->flow.local)];
    while (*at != socket)
        at = &(*at)->next_local;
    *at = socket->next_local;
    if (tftp_socket_is_own(socket)) {
        at = &s->by_remote[bucket_of(&socket->flow.remote)];
        while (*at != socket)
            at = &(*at)->next_remote;
        *at = socket->next_remote;
    }
    close(socket->fd);
    free(socket);
}

void tftp_sockets_clear(struct tftp_sockets *s)
{
    for (size_t i = 0; i < TFTP_SOCKET_BUCKETS; i++)
        for (struct tftp_socket *socket = s->by_local[i], *next; socket; socket = next) {
            next = socket->next_local;
            close(socket->fd);
            free(socket);
        }
    *s = (struct tftp_sockets){0};
}

struct tftp_socket *tftp_sockets_find(const struct tftp_sockets *s, const struct endpoint *local)
{
    struct tftp_socket *socket = s->by_local[bucket_of(local)];
    while (socket && !same(&socket->flow.local, local))
        socket = socket->next_local;
    return socket;
}

struct tftp_socket *tftp_sockets_of_client(const struct tftp_sockets *s, const struct endpoint *remote,
                                           ipv4_t local)
{
    struct tftp_socket *socket = s->by_remote[bucket_of(remote)];
    while (socket && !(same(&socket->flow.remote, remote) && socket->flow.local.address == local))
        socket = socket->next_remote;
    return socket;
}
