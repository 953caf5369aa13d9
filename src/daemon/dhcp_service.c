/* See daemon/dhcp_service.h. */
#include "daemon/dhcp_service.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/clock.h"
#include "daemon/dhcp_outbox.h"
#include "daemon/sockets.h"
#include "daemon/store_pack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* BATCH: messages taken by one call of the kernel. BATCHES_A_TURN: calls before the other handles of the loop
 * have their turn: replies that a commit set free, above all. USUAL: bytes of a message that fits an Ethernet
 * frame. ENOUGH: messages at once that a receive buffer should hold. PROBES: of one message, each finding its
 * address in use. */
enum { BATCH = 256, BATCHES_A_TURN = 4, USUAL = 1536, ENOUGH = 10000, PROBES = 3 };
enum { DROPS_TOLD_S = 60 };
#define STAMP_AGE_MAX_US (60 * INT64_C(1000000))

/* A socket: one of the two of a listener. */
struct port {
    struct dhcp_listener *listener;
    uint16_t number;
    bool open;
    int fd;
    uint32_t dropped; /* by the kernel since the socket is open, modulo 2^32 */
    uv_poll_t poll;
};
enum { PORT_DHCP, PORT_PXE, PORTS };

struct dhcp_listener {
    struct dhcp_service *service;
    struct dhcp_listener *next;
    struct served_iface iface;
    struct port ports[PORTS];
    unsigned open_handles;
};

struct dhcp_service {
    struct dhcp_service_config config;
    struct outbox *outbox;
    struct dhcp_listener *listeners;
    struct dhcp_service_stats stats;
    uint64_t drops_told_us; /* not again before */
    bool told_buffer;
    struct moment round; /* of the commits that are told at the moment; mono_us 0: none */
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH][2];
    struct sockaddr_in from[BATCH];
    union {
        struct cmsghdr align;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct timespec)) +
                  CMSG_SPACE(sizeof(uint32_t))];
    } control[BATCH];
    uint8_t usual[BATCH][USUAL];
    uint8_t rest[BATCH][DHCP_PACKET_MAX + 1 - USUAL]; /* of a longer one; memory only when there is one */
    uint8_t whole[DHCP_PACKET_MAX + 1];
};

/* A reply that waits for its lease to be durable: what of the outcome is needed then. */
struct waiting {
    struct dhcp_service *service;
    unsigned generation;
    bool send;
    uint16_t size;    /* of the packet */
    uint8_t packed[]; /* the outcome up to its lease; the lease, as its operation; the packet */
};

/* A reply that waits for a probe, and the message that it answers, to be decided on again. */
struct held {
    struct dhcp_service *service;
    struct dhcp_arrival arrival;
    unsigned generation, probes;
    struct dhcp_outcome outcome;
    uint8_t data[];
};

static void handle(struct port *port, const struct moment *now, const struct dhcp_arrival *arrival,
                   unsigned probes);

/* NULL when the interface went meanwhile. */
static struct port *port_of(struct dhcp_service *s, int ifindex, uint16_t number)
{
    for (struct dhcp_listener *l = s->listeners; l; l = l->next) {
        struct port *port = &l->ports[number == DHCP_PXE_PORT ? PORT_PXE : PORT_DHCP];
        if (l->iface.index == ifindex && port->open)
            return port;
    }
    return NULL;
}

/* Sends what outbox_next gave. */
static void send_next(struct dhcp_service *s, const struct port *port, unsigned generation)
{
    outbox_add(s->outbox, port->fd, port->number, generation);
}

/* Leases on their way to the store. */

static const size_t head_size = offsetof(struct dhcp_outcome, lease);

static void on_committed(void *user, int r)
{
    struct waiting *w = user;
    struct dhcp_service *s = w->service;
    struct dhcp_outcome *o = outbox_next(s->outbox);
    struct store_op op;
    if (!s->round.mono_us)
        s->round = moment_now();
    memcpy(o, w->packed, head_size);
    const uint8_t *packet = store_unpack(w->packed + head_size, &op);
    dhcp_server_committed(s->config.server, &s->round, &op.lease, r == 0);
    const struct port *port = r == 0 && w->send ? port_of(s, o->ifindex, o->local_port) : NULL;
    if (port) {
        o->candidate = false;
        o->size = w->size;
        memcpy(o->packet, packet, w->size);
        o->note[0] = '\0';
        send_next(s, port, w->generation);
    } else if (w->send) {
        dhcp_server_unsent(s->config.server, o);
    }
    free(w);
}

static void on_round(void *user)
{
    struct dhcp_service *s = user;
    s->round = (struct moment){0};
    outbox_flush(s->outbox);
}

static struct waiting *new_waiting(const struct dhcp_outcome *o, const struct store_op *op)
{
    struct waiting *w = malloc(sizeof(*w) + head_size + store_packed_size(op) + o->size);
    if (!w)
        return NULL;
    w->size = (uint16_t)o->size;
    memcpy(w->packed, o, head_size);
    memcpy(store_pack(op, w->packed + head_size), o->packet, o->size);
    return w;
}

/* Puts the outcome's lease on its way to the store, and with `send` its reply behind it. */
static void commit_lease(struct dhcp_service *s, const struct moment *now, const struct dhcp_outcome *o,
                         bool send, unsigned generation)
{
    struct store_op op = {.kind = STORE_LEASE_PUT, .lease = o->lease};
    struct waiting *w = new_waiting(o, &op);
    if (w) {
        w->service = s;
        w->send = send;
        w->generation = generation;
        if (committer_submit(s->config.committer, &op, 1, on_committed, w) == 0)
            return;
    }
    free(w);
    dhcp_server_committed(s->config.server, now, &o->lease, false);
    if (send)
        dhcp_server_unsent(s->config.server, o);
}

/* Addresses that are asked for on the network first (D6). */

/* Somebody has the address: it is put aside, and that is said. -EBUSY: its own client has it by now. */
static int put_aside(struct dhcp_service *s, const struct moment *now, const struct dhcp_outcome *o,
                     const struct mac *by)
{
    static const struct mac unknown;
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], detail[160];
    struct store_op op = {.kind = STORE_LEASE_PUT};
    int r = dhcp_server_in_use(s->config.server, now, o->ip, &op.lease);
    if (r < 0)
        return r;
    int64_t minutes = (op.lease.expires - op.lease.start) / 60;
    (void)committer_submit(s->config.committer, &op, 1, NULL, NULL);
    int n = snprintf(detail, sizeof(detail), "%s is in use by %s, which has no lease", ipv4_format(o->ip, ip),
                     mac_equal(by, &unknown) ? "a machine that answers pings" : mac_format(by, mac));
    if (minutes > 0)
        snprintf(detail + n, sizeof(detail) - (size_t)n, ": quarantined for %d min", (int)minutes);
    s->config.sink->emit(s->config.sink, &(struct event){.kind = EVENT_DHCP_ALERT,
                                                         .at = *now,
                                                         .mac = o->mac,
                                                         .node = o->node[0] ? o->node : NULL,
                                                         .ip = o->ip,
                                                         .interface = o->interface,
                                                         .detail = detail});
    return 0;
}

static void on_probed(void *user, int r, const struct mac *by)
{
    struct held *h = user;
    struct dhcp_service *s = h->service;
    struct port *port = r < 0 ? NULL : port_of(s, h->outcome.ifindex, h->outcome.local_port);
    struct moment now = moment_now();
    if (port && r == 0) {
        *outbox_next(s->outbox) = h->outcome;
        send_next(s, port, h->generation);
    } else {
        dhcp_server_unsent(s->config.server, &h->outcome);
    }
    if (port && r > 0 && put_aside(s, &now, &h->outcome, by) != -EBUSY && h->probes < PROBES) {
        h->arrival.interface = port->listener->iface.name;
        handle(port, &now, &h->arrival, h->probes);
    }
    free(h);
    outbox_flush(s->outbox);
}

/* True when the reply waits; false when it is to be sent at once: no probe can be made, or too many run. */
static bool hold(struct port *port, const struct dhcp_arrival *arrival, const struct dhcp_outcome *o,
                 unsigned generation, unsigned probes)
{
    struct dhcp_service *s = port->listener->service;
    const struct served_iface *iface = &port->listener->iface;
    struct held *h = s->config.probes ? malloc(sizeof(*h) + arrival->size) : NULL;
    if (!h)
        return false;
    struct probe probe = {.ip = o->ip,
                          .client = o->mac,
                          .relayed = o->route == ROUTE_RELAY,
                          .ifindex = iface->index,
                          .own = iface->mac,
                          .local = iface->address};
    h->service = s;
    h->arrival = *arrival;
    h->arrival.data = h->data;
    h->generation = generation;
    h->probes = probes + 1;
    h->outcome = *o;
    memcpy(h->data, arrival->data, arrival->size);
    if (probe_start(s->config.probes, &probe, DHCP_PROBE_US, on_probed, h) == 0)
        return true;
    free(h);
    return false;
}

/* Messages. */

/* `probes` were made for this message already. */
static void handle(struct port *port, const struct moment *now, const struct dhcp_arrival *arrival,
                   unsigned probes)
{
    struct dhcp_service *s = port->listener->service;
    const struct generation *generation = s->config.generations->current;
    unsigned number = generation ? generation->number : 0;
    struct dhcp_outcome *o = outbox_next(s->outbox);
    enum dhcp_verdict verdict = dhcp_server_handle(s->config.server, generation, now, arrival, o);
    if (o->store)
        commit_lease(s, now, o, verdict == DHCP_SEND_WHEN_DURABLE, number);
    if (o->candidate)
        committer_submit_later(s->config.committer,
                               &(struct store_op){.kind = STORE_CANDIDATE_PUT, .candidate = o->found}, 1);
    if (verdict == DHCP_SEND_AFTER_PROBE && hold(port, arrival, o, number, probes))
        return;
    if (verdict == DHCP_SEND || verdict == DHCP_SEND_AFTER_PROBE ||
        (verdict == DHCP_SEND_WHEN_DURABLE && !o->store))
        send_next(s, port, number);
}

/* What the kernel says of a message besides its bytes. */
struct ancillary {
    ipv4_t to;
    int64_t unix_us; /* 0: not known */
    uint32_t dropped;
    bool has_dropped;
};

static struct ancillary read_ancillary(struct msghdr *m)
{
    struct ancillary a = {.to = INADDR_BROADCAST};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct in_pktinfo info;
        struct timespec stamp;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            c->cmsg_len >= CMSG_LEN(sizeof(info))) {
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            a.to = ntohl(info.ipi_addr.s_addr);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS &&
                   c->cmsg_len >= CMSG_LEN(sizeof(stamp))) {
            memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
            a.unix_us = (int64_t)stamp.tv_sec * 1000000 + stamp.tv_nsec / 1000;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL &&
                   c->cmsg_len >= CMSG_LEN(sizeof(a.dropped))) {
            memcpy(&a.dropped, CMSG_DATA(c), sizeof(a.dropped));
            a.has_dropped = true;
        }
    }
    return a;
}

/* The kernel stamps by the calendar; a clock that was set meanwhile gives times that cannot be. */
static uint64_t received_us(const struct moment *now, int64_t stamp_us)
{
    int64_t age = now->unix_us - stamp_us;
    return age >= 0 && age < STAMP_AGE_MAX_US && (uint64_t)age < now->mono_us ? now->mono_us - (uint64_t)age
                                                                              : now->mono_us;
}

static void count_drops(struct port *port, const struct moment *now, uint32_t dropped)
{
    struct dhcp_service *s = port->listener->service;
    uint32_t n = dropped - port->dropped;
    port->dropped = dropped;
    if (!n)
        return;
    s->stats.dropped += n;
    if (now->mono_us < s->drops_told_us)
        return;
    s->drops_told_us = now->mono_us + DROPS_TOLD_S * UINT64_C(1000000);
    log_warning("dhcp: the kernel dropped %u messages on %s, for which there was no room any more; their "
                "machines send them again",
                n, port->listener->iface.name);
}

static void prepare_batch(struct dhcp_service *s)
{
    for (size_t i = 0; i < BATCH; i++) {
        s->parts[i][0] = (struct iovec){s->usual[i], sizeof(s->usual[i])};
        s->parts[i][1] = (struct iovec){s->rest[i], sizeof(s->rest[i])};
        s->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &s->from[i], .msg_iov = s->parts[i], .msg_iovlen = 2, .msg_control = s->control[i].b};
    }
}

static const uint8_t *data_of(struct dhcp_service *s, int i, size_t size)
{
    if (size <= USUAL)
        return s->usual[i];
    memcpy(s->whole, s->usual[i], USUAL);
    memcpy(s->whole + USUAL, s->rest[i], size - USUAL);
    return s->whole;
}

static void handle_message(struct port *port, const struct moment *now, int i)
{
    struct dhcp_service *s = port->listener->service;
    const struct served_iface *iface = &port->listener->iface;
    const struct ancillary a = read_ancillary(&s->messages[i].msg_hdr);
    if (a.has_dropped)
        count_drops(port, now, a.dropped);
    handle(port, now,
           &(struct dhcp_arrival){.interface = iface->name,
                                  .ifindex = iface->index,
                                  .local = iface->address,
                                  .prefix = iface->prefix,
                                  .mtu = iface->mtu,
                                  .from = ntohl(s->from[i].sin_addr.s_addr),
                                  .from_port = ntohs(s->from[i].sin_port),
                                  .to = a.to,
                                  .to_port = port == &port->listener->ports[PORT_PXE] ? DHCP_PXE_PORT : 0,
                                  .received_us = a.unix_us ? received_us(now, a.unix_us) : 0,
                                  .data = data_of(s, i, s->messages[i].msg_len),
                                  .size = s->messages[i].msg_len},
           0);
}

/* One batch. True when there may be more. */
static bool read_batch(struct port *port)
{
    struct dhcp_service *s = port->listener->service;
    for (size_t i = 0; i < BATCH; i++) { /* the kernel shortened what it used */
        s->messages[i].msg_hdr.msg_namelen = sizeof(s->from[i]);
        s->messages[i].msg_hdr.msg_controllen = sizeof(s->control[i].b);
    }
    int n = recvmmsg(port->fd, s->messages, BATCH, MSG_DONTWAIT, NULL);
    if (n <= 0)
        return false;
    const struct moment now = moment_now();
    s->stats.batches++;
    for (int i = 0; i < n; i++)
        handle_message(port, &now, i);
    outbox_flush(s->outbox);
    return n == BATCH;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct port *port = poll->data;
    int error;
    socklen_t size = sizeof(error);
    (void)events;
    if (status < 0) { /* libuv stops watching a socket with an error; reading the error clears it */
        (void)getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        uv_poll_start(&port->poll, UV_READABLE, on_readable);
    }
    for (int i = 0; i < BATCHES_A_TURN; i++)
        if (!read_batch(port))
            return;
}

struct dhcp_service *dhcp_service_new(const struct dhcp_service_config *config)
{
    struct dhcp_service *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->config = *config;
    s->outbox = outbox_new(config->server, config->link_fd);
    if (!s->outbox) {
        free(s);
        return NULL;
    }
    prepare_batch(s);
    committer_on_round(config->committer, on_round, s);
    return s;
}

void dhcp_service_free(struct dhcp_service *s)
{
    if (!s)
        return;
    while (s->listeners)
        dhcp_service_unlisten(s->listeners);
    outbox_free(s->outbox);
    free(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct dhcp_listener *l = ((struct port *)handle->data)->listener;
    if (--l->open_handles == 0)
        free(l);
}

static void close_port(struct port *port)
{
    if (!port->open)
        return;
    port->open = false;
    uv_poll_stop(&port->poll);
    close(port->fd);
    uv_close((uv_handle_t *)&port->poll, on_closed);
}

/* Said once: the setting is the system's, and the same for all interfaces. */
static void check_queue(struct dhcp_service *s, const char *interface, int queue, struct diags *diags)
{
    char size[SIZE_TEXT_MAX];
    int messages = queue / DHCP_MESSAGE_MEMORY;
    if (messages >= ENOUGH || s->told_buffer)
        return;
    s->told_buffer = true;
    diag_warning(diags, NULL,
                 "the receive buffer for DHCP on %s is %s, room for %d machines that come in the same "
                 "instant; for %d give rambox CAP_NET_ADMIN, or set sysctl net.core.rmem_max=%d and restart "
                 "it",
                 interface, format_size((uint64_t)queue, size), messages, ENOUGH,
                 ENOUGH * DHCP_MESSAGE_MEMORY / 2);
}

static int open_port(struct dhcp_listener *l, unsigned which, uint16_t number, struct diags *diags)
{
    struct port *port = &l->ports[which];
    int queue = 0, fd = socket_open_dhcp(&l->iface, number, diags, &queue);
    if (fd < 0)
        return fd;
    int r = uv_poll_init(l->service->config.loop, &port->poll, fd);
    if (r < 0) {
        close(fd);
        return diag_errno(diags, r, "cannot serve DHCP on %s", l->iface.name);
    }
    port->listener = l;
    port->number = number;
    port->open = true;
    port->fd = fd;
    port->poll.data = port;
    l->open_handles++;
    uv_poll_start(&port->poll, UV_READABLE, on_readable);
    check_queue(l->service, l->iface.name, queue, diags);
    return 0;
}

/* P5. Without it all but the firmware that asks there is served. */
static void open_pxe_port(struct dhcp_listener *l, struct diags *diags)
{
    cleanup_diags struct diags refused = {0};
    if (open_port(l, PORT_PXE, DHCP_PXE_PORT, &refused) == 0)
        return;
    VEC_EACH(diag, &refused.list)
        diag_warning(diags, NULL, "firmware that asks for its boot file on port %d is not answered: %s",
                     DHCP_PXE_PORT, diag->text);
}

int dhcp_service_listen(struct dhcp_service *s, const struct served_iface *iface, uint16_t port,
                        struct diags *diags, struct dhcp_listener **ret_listener)
{
    struct dhcp_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return diag_errno(diags, -ENOMEM, "cannot serve DHCP on %s", iface->name);
    l->service = s;
    l->iface = *iface;
    int r = open_port(l, PORT_DHCP, port, diags);
    if (r < 0) {
        free(l);
        return r;
    }
    open_pxe_port(l, diags);
    l->next = s->listeners;
    s->listeners = l;
    *ret_listener = l;
    return 0;
}

void dhcp_service_unlisten(struct dhcp_listener *l)
{
    struct dhcp_listener **at = &l->service->listeners;
    outbox_flush(l->service->outbox);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    for (size_t i = 0; i < PORTS; i++)
        close_port(&l->ports[i]);
}

void dhcp_service_drain(struct dhcp_service *s)
{
    for (struct dhcp_listener *l = s->listeners; l; l = l->next)
        for (size_t i = 0; i < PORTS; i++)
            if (l->ports[i].open)
                uv_poll_stop(&l->ports[i].poll);
}

struct dhcp_service_stats dhcp_service_stats(const struct dhcp_service *s)
{
    struct dhcp_service_stats stats = s->stats;
    stats.unsent = outbox_unsent(s->outbox);
    return stats;
}
