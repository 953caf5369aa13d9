/* See daemon/ndp_service.h. */
#include "daemon/ndp_service.h"
#include "base/log.h"
#include "daemon/sockets.h"
#include "proto/ndp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

enum { PACKETS_A_TURN = 64, PACKET_MAX = 2048 };

struct ndp_listener {
    const struct generations *generations;
    struct served_iface iface;
    int fd, link_fd;
    uv_poll_t poll;
};

static uint64_t answers; /* of the loop's thread */

static bool is_ours(const struct ndp_listener *l, const struct mac *mac)
{
    const struct generation *g = l->generations->current;
    if (!g)
        return false;
    const struct subnet *subnet = site_subnet_of(g->site, l->iface.address);
    return site_node_by_mac(g->site, mac) || (subnet && subnet->unknown != UNKNOWN_DENY);
}

static void answer(const struct ndp_listener *l, const struct mac *mac, const struct ipv6 *solicitor)
{
    uint8_t packet[NDP_ADVERTISEMENT_SIZE];
    struct writer w = writer_of(packet, sizeof(packet));
    struct ipv6 own = ipv6_link_local(&l->iface.mac);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_IPV6),
                             .sll_ifindex = l->iface.index,
                             .sll_halen = sizeof(mac->b)};
    char text[MAC_TEXT_MAX];
    memcpy(to.sll_addr, mac->b, sizeof(mac->b));
    ndp_write_advertisement(&w, &own, solicitor);
    if (sendto(l->link_fd, packet, w.used, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return;
    answers++;
    log_debug("router advertisement to %s on %s: no IPv6 router here", mac_format(mac, text), l->iface.name);
}

/* F6: an interface that goes down leaves an error on its packet sockets, and libuv stops watching a handle
 * with an error. The socket itself works again as soon as the interface does. */
static void watch_again(struct ndp_listener *l, uv_poll_cb call)
{
    int error;
    socklen_t size = sizeof(error);
    (void)getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size); /* reading it clears it */
    uv_poll_start(&l->poll, UV_READABLE, call);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct ndp_listener *l = poll->data;
    (void)events;
    if (status < 0)
        watch_again(l, on_readable);
    for (int i = 0; status == 0 && i < PACKETS_A_TURN; i++) {
        uint8_t packet[PACKET_MAX];
        struct sockaddr_ll from = {0};
        socklen_t from_size = sizeof(from);
        struct ipv6 solicitor;
        struct mac mac;
        ssize_t n = recvfrom(l->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_size);
        if (n < 0)
            return;
        memcpy(mac.b, from.sll_addr, sizeof(mac.b));
        if (from.sll_halen == sizeof(mac.b) && mac_is_unicast(&mac) && is_ours(l, &mac) &&
            ndp_read_solicitation(packet, (size_t)n, &solicitor) == 0)
            answer(l, &mac, &solicitor);
    }
}

int ndp_service_listen(uv_loop_t *loop, const struct served_iface *iface,
                       const struct generations *generations, int link_fd, struct diags *diags,
                       struct ndp_listener **ret_listener)
{
    int fd = socket_open_solicitations(iface, diags);
    if (fd < 0)
        return fd;
    struct ndp_listener *l = calloc(1, sizeof(*l));
    int r = l ? uv_poll_init(loop, &l->poll, fd) : -ENOMEM;
    if (r < 0) {
        close(fd);
        free(l);
        return diag_errno(diags, r, "cannot hear router solicitations on %s", iface->name);
    }
    l->generations = generations;
    l->iface = *iface;
    l->fd = fd;
    l->link_fd = link_fd;
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    *ret_listener = l;
    return 0;
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void ndp_service_unlisten(struct ndp_listener *l)
{
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, free_closed);
}

uint64_t ndp_service_answers(void)
{
    return answers;
}
