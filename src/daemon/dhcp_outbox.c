/* See daemon/dhcp_outbox.h. */
#include "daemon/dhcp_outbox.h"
#include "base/cleanup.h"
#include "daemon/clock.h"
#include "proto/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

/* ROOM: replies in one batch. FULL_MS: how long a full send buffer may stop us, once a batch. */
enum { ROOM = 256, FULL_MS = 5 };

struct reply {
    struct dhcp_outcome outcome;
    int fd;
    unsigned generation;
    uint16_t port;
    union {
        struct sockaddr_ll link;
        struct sockaddr_in in;
    } to;
    union {
        struct cmsghdr header;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    uint8_t headers[UDP4_HEADERS_SIZE];
    struct iovec parts[2];
};

struct outbox {
    struct dhcp_server *server;
    int link_fd;
    uint64_t unsent;
    size_t n;
    struct mmsghdr messages[ROOM];
    size_t which[ROOM]; /* the reply of each message */
    struct reply replies[ROOM];
};

struct outbox *outbox_new(struct dhcp_server *server, int link_fd)
{
    struct outbox *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->server = server;
    b->link_fd = link_fd;
    return b;
}

void outbox_free(struct outbox *b)
{
    free(b);
}

/* To a client that has no address yet and so answers no ARP: straight to its hardware address. */
static void address_link(struct reply *r, struct msghdr *m)
{
    const struct dhcp_outcome *o = &r->outcome;
    struct writer w = writer_of(r->headers, sizeof(r->headers));
    struct udp4 udp = {
        .source = o->local, .destination = o->address, .source_port = r->port, .destination_port = o->port};
    udp4_write_headers(&w, &udp, o->packet, o->size);
    r->to.link = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                      .sll_protocol = htons(ETH_P_IP),
                                      .sll_ifindex = o->ifindex,
                                      .sll_halen = sizeof(o->mac.b)};
    memcpy(r->to.link.sll_addr, o->mac.b, sizeof(o->mac.b));
    r->parts[0] = (struct iovec){r->headers, w.used};
    r->parts[1] = (struct iovec){r->outcome.packet, o->size};
    *m = (struct msghdr){
        .msg_name = &r->to.link, .msg_namelen = sizeof(r->to.link), .msg_iov = r->parts, .msg_iovlen = 2};
}

/* By the kernel's own routing, from our address on the interface. */
static void address_ip(struct reply *r, struct msghdr *m)
{
    const struct dhcp_outcome *o = &r->outcome;
    ipv4_t address = o->route == ROUTE_BROADCAST ? INADDR_BROADCAST : o->address;
    struct in_pktinfo info = {.ipi_ifindex = o->ifindex, .ipi_spec_dst.s_addr = htonl(o->local)};
    r->to.in = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(o->port), .sin_addr.s_addr = htonl(address)};
    r->parts[0] = (struct iovec){r->outcome.packet, o->size};
    r->control.header = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
    memcpy(CMSG_DATA(&r->control.header), &info, sizeof(info));
    *m = (struct msghdr){.msg_name = &r->to.in,
                         .msg_namelen = sizeof(r->to.in),
                         .msg_iov = r->parts,
                         .msg_iovlen = 1,
                         .msg_control = r->control.b,
                         .msg_controllen = sizeof(r->control.b)};
}

struct dhcp_outcome *outbox_next(struct outbox *b)
{
    if (b->n == ROOM)
        outbox_flush(b);
    return &b->replies[b->n].outcome;
}

void outbox_add(struct outbox *b, int fd, uint16_t port, unsigned generation)
{
    struct reply *r = &b->replies[b->n++];
    r->fd = r->outcome.route == ROUTE_LINK ? b->link_fd : fd;
    r->port = port;
    r->generation = generation;
}

static void tell(struct outbox *b, const struct moment *now, size_t from, size_t n, bool sent)
{
    for (size_t i = from; i < from + n; i++) {
        const struct reply *r = &b->replies[b->which[i]];
        if (sent)
            dhcp_server_sent(b->server, now, &r->outcome, r->generation);
        else
            dhcp_server_unsent(b->server, &r->outcome); /* the client asks again */
    }
    b->unsent += sent ? 0 : n;
}

/* Sends the messages that were made. What came in before `now` is older than our reply to it. */
static void send_messages(struct outbox *b, int fd, size_t n)
{
    const struct moment now = moment_now();
    bool waited = false;
    for (size_t done = 0; done < n;) {
        int r = sendmmsg(fd, b->messages + done, (unsigned)(n - done), MSG_DONTWAIT);
        if (r > 0) {
            tell(b, &now, done, (size_t)r, true);
            done += (size_t)r;
        } else if (errno == EINTR) {
            continue;
        } else if ((errno == EAGAIN || errno == ENOBUFS) && !waited) {
            waited = true;
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, FULL_MS);
        } else { /* of this one: an address without a route, a neighbour that does not answer */
            tell(b, &now, done++, 1, false);
        }
    }
}

void outbox_flush(struct outbox *b)
{
    bool done[ROOM] = {false};
    for (size_t first = 0; first < b->n; first++) {
        size_t n = 0;
        for (size_t i = first; i < b->n && !done[first]; i++) {
            struct reply *r = &b->replies[i];
            if (done[i] || r->fd != b->replies[first].fd)
                continue;
            (r->fd == b->link_fd ? address_link : address_ip)(r, &b->messages[n].msg_hdr);
            b->which[n++] = i;
        }
        for (size_t i = 0; i < n; i++)
            done[b->which[i]] = true;
        if (n)
            send_messages(b, b->replies[first].fd, n);
    }
    b->n = 0;
}

uint64_t outbox_unsent(const struct outbox *b)
{
    return b->unsent;
}
