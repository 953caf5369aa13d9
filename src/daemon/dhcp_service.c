/* See daemon/dhcp_service.h. */
#include "daemon/dhcp_service.h"
#include "daemon/clock.h"
#include "daemon/sockets.h"
#include "proto/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Messages taken by one call of the kernel, and calls before the other handles of the loop have their turn.
 */
enum { BATCH = 32, BATCHES_A_TURN = 16 };

struct dhcp_listener {
    struct dhcp_service *service;
    struct dhcp_listener *next;
    struct served_iface iface;
    uint16_t port;
    int fd;
    uv_poll_t poll;
};

struct dhcp_service {
    uv_loop_t *loop;
    struct dhcp_server *server;
    struct generations *generations;
    struct committer *committer;
    int link_fd;
    struct dhcp_listener *listeners;
    uint64_t unsent;
    struct dhcp_outcome outcome; /* of the message in hand */
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    union {
        struct cmsghdr align;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control[BATCH];
    uint8_t data[BATCH][DHCP_PACKET_MAX + 1];
};

/* A reply that waits for its lease to be durable. */
struct waiting {
    struct dhcp_service *service;
    bool send;
    unsigned generation;
    struct dhcp_outcome outcome;
};

static struct dhcp_listener *listener_on(struct dhcp_service *s, int ifindex)
{
    struct dhcp_listener *l = s->listeners;
    while (l && l->iface.index != ifindex)
        l = l->next;
    return l;
}

/* To a client that has no address yet and so answers no ARP: straight to its hardware address. */
static int send_to_link(struct dhcp_service *s, const struct dhcp_listener *l, const struct dhcp_outcome *o)
{
    uint8_t headers[UDP4_HEADERS_SIZE];
    struct writer w = writer_of(headers, sizeof(headers));
    struct udp4 udp = {
        .source = o->local, .destination = o->address, .source_port = l->port, .destination_port = o->port};
    udp4_write_headers(&w, &udp, o->packet, o->size);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IP),
                             .sll_ifindex = o->ifindex,
                             .sll_halen = sizeof(o->mac.b)};
    memcpy(to.sll_addr, o->mac.b, sizeof(o->mac.b));
    struct iovec parts[] = {{headers, w.used}, {(void *)(uintptr_t)o->packet, o->size}};
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(s->link_fd, &m, 0) < 0 ? -errno : 0;
}

/* By the kernel's own routing, from our address on the interface. */
static int send_to_address(const struct dhcp_listener *l, const struct dhcp_outcome *o)
{
    union {
        struct cmsghdr header;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {0};
    ipv4_t address = o->route == ROUTE_BROADCAST ? INADDR_BROADCAST : o->address;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(o->port), .sin_addr.s_addr = htonl(address)};
    struct iovec part = {(void *)(uintptr_t)o->packet, o->size};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = sizeof(to),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    struct in_pktinfo info = {.ipi_ifindex = o->ifindex, .ipi_spec_dst.s_addr = htonl(o->local)};
    control.header = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
    memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
    return sendmsg(l->fd, &m, 0) < 0 ? -errno : 0;
}

static void send_reply(struct dhcp_service *s, const struct dhcp_outcome *o, unsigned generation)
{
    const struct dhcp_listener *l = listener_on(s, o->ifindex); /* gone when the interface went meanwhile */
    struct moment now = moment_now();
    int r = !l ? -ENODEV : o->route == ROUTE_LINK ? send_to_link(s, l, o) : send_to_address(l, o);
    if (r < 0) {
        s->unsent++; /* the client asks again */
        dhcp_server_unsent(s->server, o);
    } else
        dhcp_server_sent(s->server, &now, o, generation);
}

static void on_committed(void *user, int r)
{
    struct waiting *w = user;
    struct moment now = moment_now();
    dhcp_server_committed(w->service->server, &now, &w->outcome.lease, r == 0);
    if (r == 0 && w->send)
        send_reply(w->service, &w->outcome, w->generation);
    else if (w->send)
        dhcp_server_unsent(w->service->server, &w->outcome);
    free(w);
}

/* Puts the outcome's lease on its way to the store, and with `send` its reply behind it. */
static void commit_lease(struct dhcp_service *s, const struct dhcp_outcome *o, bool send, unsigned generation)
{
    struct store_op op = {.kind = STORE_LEASE_PUT, .lease = o->lease};
    struct waiting *w = malloc(sizeof(*w));
    if (w) {
        *w = (struct waiting){.service = s, .send = send, .generation = generation, .outcome = *o};
        if (committer_submit(s->committer, &op, 1, on_committed, w) == 0)
            return;
    }
    free(w);
    struct moment now = moment_now();
    dhcp_server_committed(s->server, &now, &o->lease, false);
    dhcp_server_unsent(s->server, o);
}

static void handle(struct dhcp_listener *l, const struct dhcp_arrival *arrival)
{
    struct dhcp_service *s = l->service;
    const struct generation *generation = s->generations->current;
    unsigned number = generation ? generation->number : 0;
    struct dhcp_outcome *o = &s->outcome;
    struct moment now = moment_now();
    enum dhcp_verdict verdict = dhcp_server_handle(s->server, generation, &now, arrival, o);
    if (o->store)
        commit_lease(s, o, verdict == DHCP_SEND_WHEN_DURABLE, number);
    if (verdict == DHCP_SEND || (verdict == DHCP_SEND_WHEN_DURABLE && !o->store))
        send_reply(s, o, number);
}

static ipv4_t destination_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct in_pktinfo info;
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO || c->cmsg_len < CMSG_LEN(sizeof(info)))
            continue;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        return ntohl(info.ipi_addr.s_addr);
    }
    return INADDR_BROADCAST;
}

static void prepare_batch(struct dhcp_service *s)
{
    for (size_t i = 0; i < BATCH; i++) {
        s->parts[i] = (struct iovec){s->data[i], sizeof(s->data[i])};
        s->messages[i].msg_hdr = (struct msghdr){.msg_name = &s->from[i],
                                                 .msg_namelen = sizeof(s->from[i]),
                                                 .msg_iov = &s->parts[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = s->control[i].b,
                                                 .msg_controllen = sizeof(s->control[i].b)};
    }
}

/* One batch. True when there may be more. */
static bool read_batch(struct dhcp_listener *l)
{
    struct dhcp_service *s = l->service;
    prepare_batch(s);
    int n = recvmmsg(l->fd, s->messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        handle(l, &(struct dhcp_arrival){.interface = l->iface.name,
                                         .ifindex = l->iface.index,
                                         .local = l->iface.address,
                                         .prefix = l->iface.prefix,
                                         .mtu = l->iface.mtu,
                                         .from = ntohl(s->from[i].sin_addr.s_addr),
                                         .from_port = ntohs(s->from[i].sin_port),
                                         .to = destination_of(&s->messages[i].msg_hdr),
                                         .data = s->data[i],
                                         .size = s->messages[i].msg_len});
    }
    return n == BATCH;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < BATCHES_A_TURN; i++)
        if (!read_batch(poll->data))
            return;
}

struct dhcp_service *dhcp_service_new(uv_loop_t *loop, struct dhcp_server *server,
                                      struct generations *generations, struct committer *committer,
                                      int link_fd)
{
    struct dhcp_service *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->loop = loop;
    s->server = server;
    s->generations = generations;
    s->committer = committer;
    s->link_fd = link_fd;
    return s;
}

void dhcp_service_free(struct dhcp_service *s)
{
    while (s && s->listeners)
        dhcp_service_unlisten(s->listeners);
    free(s);
}

int dhcp_service_listen(struct dhcp_service *s, const struct served_iface *iface, uint16_t port,
                        struct diags *diags, struct dhcp_listener **ret_listener)
{
    int fd = socket_open_dhcp(iface, port, diags);
    if (fd < 0)
        return fd;
    struct dhcp_listener *l = calloc(1, sizeof(*l));
    int r = l ? uv_poll_init(s->loop, &l->poll, fd) : -ENOMEM;
    if (r < 0) {
        close(fd);
        free(l);
        return diag_errno(diags, r, "cannot serve DHCP on %s", iface->name);
    }
    l->service = s;
    l->iface = *iface;
    l->port = port;
    l->fd = fd;
    l->poll.data = l;
    l->next = s->listeners;
    s->listeners = l;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    *ret_listener = l;
    return 0;
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void dhcp_service_unlisten(struct dhcp_listener *l)
{
    struct dhcp_listener **at = &l->service->listeners;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, free_closed);
}

void dhcp_service_drain(struct dhcp_service *s)
{
    for (struct dhcp_listener *l = s->listeners; l; l = l->next)
        uv_poll_stop(&l->poll);
}

uint64_t dhcp_service_unsent(const struct dhcp_service *s)
{
    return s->unsent;
}
