/* See daemon/probe_service.h. */
#include "daemon/probe_service.h"
#include "daemon/clock.h"
#include "daemon/sockets.h"
#include "proto/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PACKETS_A_TURN = 64, PACKET_MAX = 256, SECOND_US = 1000000 };

struct under_way {
    struct probe probe;
    uint64_t until_us;
    probe_done *done; /* NULL: the place is free */
    void *user;
};

struct probe_service {
    uv_poll_t arp, echo;
    uv_timer_t timer;
    int arp_fd, echo_fd;
    unsigned open_handles;
    uint64_t secret, second_us; /* when the second began that `begun` is of */
    unsigned begun;
    struct probe_stats stats;
    struct under_way places[PROBES_MAX];
};

static void on_timer(uv_timer_t *timer);

/* Sets the clock for what ends first. */
static void set_timer(struct probe_service *s, uint64_t now_us)
{
    uint64_t first = UINT64_MAX;
    for (const struct under_way *u = s->places; u < s->places + PROBES_MAX; u++)
        if (u->done && u->until_us < first)
            first = u->until_us;
    if (first == UINT64_MAX)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, first > now_us ? (first - now_us) / 1000 + 1 : 0, 0);
}

/* The place is free before `done` is called, which may begin another probe. */
static void finish(struct under_way *u, int r, const struct mac *by)
{
    probe_done *done = u->done;
    u->done = NULL;
    done(u->user, r, by);
}

static void on_timer(uv_timer_t *timer)
{
    static const struct mac nobody;
    struct probe_service *s = timer->data;
    uint64_t now_us = moment_now().mono_us;
    for (struct under_way *u = s->places; u < s->places + PROBES_MAX; u++)
        if (u->done && u->until_us <= now_us)
            finish(u, 0, &nobody);
    set_timer(s, now_us);
}

/* Somebody has `ip`. */
static void on_answer(struct probe_service *s, bool relayed, int ifindex, ipv4_t ip, const struct mac *by)
{
    for (struct under_way *u = s->places; u < s->places + PROBES_MAX; u++) {
        const struct probe *p = &u->probe;
        if (!u->done || p->ip != ip || p->relayed != relayed || (!relayed && p->ifindex != ifindex) ||
            mac_equal(by, &p->client))
            continue;
        s->stats.used++;
        finish(u, 1, by);
    }
}

/* libuv stops watching a socket with an error; reading the error clears it. */
static void watch_again(uv_poll_t *poll, int fd, uv_poll_cb call)
{
    int error;
    socklen_t size = sizeof(error);
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    uv_poll_start(poll, UV_READABLE, call);
}

static void on_arp(uv_poll_t *poll, int status, int events)
{
    struct probe_service *s = poll->data;
    (void)events;
    if (status < 0)
        watch_again(poll, s->arp_fd, on_arp);
    for (int i = 0; status == 0 && i < PACKETS_A_TURN; i++) {
        uint8_t packet[PACKET_MAX];
        struct sockaddr_ll from = {0};
        socklen_t from_size = sizeof(from);
        struct mac mac;
        ipv4_t ip;
        ssize_t n = recvfrom(s->arp_fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_size);
        if (n < 0)
            return;
        if (arp_read(packet, (size_t)n, &ip, &mac) == 0)
            on_answer(s, false, from.sll_ifindex, ip, &mac);
    }
}

static uint16_t echo_id(const struct probe_service *s)
{
    return (uint16_t)(s->secret >> 48);
}

static void on_echo(uv_poll_t *poll, int status, int events)
{
    static const struct mac unknown;
    struct probe_service *s = poll->data;
    (void)events;
    if (status < 0)
        watch_again(poll, s->echo_fd, on_echo);
    for (int i = 0; status == 0 && i < PACKETS_A_TURN; i++) {
        uint8_t packet[PACKET_MAX];
        ipv4_t from;
        ssize_t n = recv(s->echo_fd, packet, sizeof(packet), 0);
        if (n < 0)
            return;
        if (echo_read_reply(packet, (size_t)n, echo_id(s), s->secret, &from) == 0)
            on_answer(s, true, 0, from, &unknown);
    }
}

static int send_arp(const struct probe_service *s, const struct probe *p)
{
    static const struct mac none;
    uint8_t packet[ARP_SIZE];
    struct writer w = writer_of(packet, sizeof(packet));
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ARP),
                             .sll_ifindex = p->ifindex,
                             .sll_halen = sizeof(p->own.b),
                             .sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    if (mac_equal(&p->own, &none))
        return -EOPNOTSUPP;
    arp_write_probe(&w, &p->own, p->ip);
    return sendto(s->arp_fd, packet, w.used, 0, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* From our address on the interface, so that the answer finds its way. */
static int send_echo(const struct probe_service *s, const struct probe *p, uint16_t sequence)
{
    union {
        struct cmsghdr header;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {0};
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(p->local)};
    uint8_t packet[ECHO_SIZE];
    struct writer w = writer_of(packet, sizeof(packet));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(p->ip)};
    struct iovec part = {packet, sizeof(packet)};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = sizeof(to),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    control.header = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
    memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
    echo_write_request(&w, echo_id(s), sequence, s->secret);
    return sendmsg(s->echo_fd, &m, 0) < 0 ? -errno : 0;
}

/* A free place, if the limits allow one more. */
static int find_place(struct probe_service *s, ipv4_t ip, uint64_t now_us, struct under_way **ret_place)
{
    struct under_way *place = NULL;
    for (struct under_way *u = s->places; u < s->places + PROBES_MAX; u++) {
        if (u->done && u->probe.ip == ip)
            return -EALREADY;
        if (!u->done && !place)
            place = u;
    }
    if (now_us - s->second_us >= SECOND_US) {
        s->second_us = now_us;
        s->begun = 0;
    }
    if (!place || s->begun == PROBES_A_SECOND) {
        s->stats.shed++;
        return -EBUSY;
    }
    *ret_place = place;
    return 0;
}

int probe_start(struct probe_service *s, const struct probe *probe, uint64_t timeout_us, probe_done *done,
                void *user)
{
    uint64_t now_us = moment_now().mono_us;
    struct under_way *place;
    int r = find_place(s, probe->ip, now_us, &place);
    if (r == 0)
        r = probe->relayed ? send_echo(s, probe, (uint16_t)(place - s->places)) : send_arp(s, probe);
    if (r < 0)
        return r;
    s->begun++;
    s->stats.sent++;
    *place = (struct under_way){.probe = *probe, .until_us = now_us + timeout_us, .done = done, .user = user};
    set_timer(s, now_us);
    return 0;
}

int probe_service_new(uv_loop_t *loop, uint64_t secret, struct diags *diags,
                      struct probe_service **ret_service)
{
    struct probe_service *s = calloc(1, sizeof(*s));
    if (!s)
        return diag_errno(diags, -ENOMEM, "cannot start probes");
    s->secret = secret;
    s->arp_fd = socket_open_arp(diags);
    s->echo_fd = s->arp_fd < 0 ? -1 : socket_open_echo(diags);
    int r = s->arp_fd < 0 ? s->arp_fd : s->echo_fd;
    if (r < 0) {
        if (s->arp_fd >= 0)
            close(s->arp_fd);
        free(s);
        return r;
    }
    uv_poll_init(loop, &s->arp, s->arp_fd);
    uv_poll_init(loop, &s->echo, s->echo_fd);
    uv_timer_init(loop, &s->timer);
    s->arp.data = s->echo.data = s->timer.data = s;
    s->open_handles = 3;
    uv_poll_start(&s->arp, UV_READABLE, on_arp);
    uv_poll_start(&s->echo, UV_READABLE, on_echo);
    *ret_service = s;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct probe_service *s = handle->data;
    if (--s->open_handles == 0)
        free(s);
}

void probe_service_free(struct probe_service *s)
{
    static const struct mac nobody;
    if (!s)
        return;
    for (struct under_way *u = s->places; u < s->places + PROBES_MAX; u++)
        if (u->done)
            finish(u, -ECANCELED, &nobody);
    uv_poll_stop(&s->arp);
    uv_poll_stop(&s->echo);
    close(s->arp_fd);
    close(s->echo_fd);
    uv_close((uv_handle_t *)&s->arp, on_closed);
    uv_close((uv_handle_t *)&s->echo, on_closed);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}

struct probe_stats probe_service_stats(const struct probe_service *s)
{
    return s->stats;
}
