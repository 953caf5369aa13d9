/* Which sockets the process has: one set for each interface that is served, opened and closed as interfaces,
 * addresses and settings come and go. Part of daemon.c, see daemon/daemon_internal.h. */
#include "base/log.h"
#include "base/str.h"
#include "daemon/clock.h"
#include "daemon/daemon_internal.h"
#include "daemon/log_diags.h"
#include "daemon/tls_keeper.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/* SETTLE_MS: changes of interfaces come in bursts. RETRY_MS: until a port is tried again. */
enum { SETTLE_MS = 200, RETRY_MS = 5000 };

/* Interfaces. */

static void tell_addresses(struct daemon *d, const struct ifaces *ifaces)
{
    VEC(ipv4_t) own = {0};
    VEC_EACH(iface, &ifaces->list)
        VEC_EACH(address, &iface->addresses)
            VEC_PUSH(&own, address->address);
    (void)dhcp_server_set_addresses(d->dhcp_server, own.items, own.n);
    VEC_FREE(&own);
}

void daemon_tell_serving(struct daemon *d)
{
    cleanup_str struct str where = {0};
    VEC(const char *) names = {0};
    char ip[IPV4_TEXT_MAX];
    unsigned number = daemon_generation_number(d);
    struct moment now = moment_now();
    VEC_EACH(b, &d->bindings.list) {
        str_printf(&where, "%s%s (%s)", where.len ? ", " : "", b->key.iface.name,
                   ipv4_format(b->key.iface.address, ip));
        VEC_PUSH(&names, b->key.iface.name);
    }
    cleanup_free char *what = number ? xasprintf("generation %u", number) : xstrdup("no generation yet");
    const char *on = where.len ? where.s : "no interface yet";
    sd_notifyf(0, "STATUS=Serving %s on %s", what, on);
    log_info("serving %s on %s", what, on);
    event_stream_serving(d->events.stream, &now, number, names.items, names.n);
    VEC_FREE(&names);
}

int daemon_choose_interfaces(struct daemon *d, struct ifaces *ifaces, struct diags *diags,
                             struct served_ifaces *ret_served)
{
    cleanup_diags struct diags warnings = {0};
    struct site empty = {0};
    const struct generation *g = d->generations.current;
    int r = ifaces_read(ifaces);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the network interfaces");
    ifaces_choose(ifaces,
                  g         ? g->site
                  : d->site ? d->site
                            : &empty,
                  d->options->interfaces, &warnings, ret_served);
    log_diags_once(&warnings, &d->last_warning);
    return 0;
}

int daemon_rebind(struct daemon *d, struct diags *diags, bool *ret_changed)
{
    __attribute__((cleanup(ifaces_cleanup))) struct ifaces ifaces = {0};
    struct served_ifaces served = {0};
    *ret_changed = false;
    int r = daemon_choose_interfaces(d, &ifaces, diags, &served);
    if (r < 0)
        return r;
    tell_addresses(d, &ifaces);
    struct server_settings settings = *d->settings;
    bool tls;
    int kept = tls_keep(d->bindings.services.http, &settings, d->state_dir, &served,
                        moment_now().unix_us / 1000000, diags, &tls);
    if (!tls)
        settings.https_port = 0;
    r = bindings_update(&d->bindings, &served, &settings, diags, ret_changed);
    VEC_FREE(&served.list);
    return r < 0 ? r : kept;
}

static void on_rebind(uv_timer_t *timer);

bool daemon_rebind_or_retry(struct daemon *d)
{
    cleanup_diags struct diags diags = {0};
    bool changed;
    if (daemon_rebind(d, &diags, &changed) < 0)
        uv_timer_start(&d->rebind_timer, on_rebind, RETRY_MS, 0);
    log_diags_once(&diags, &d->last_error);
    return changed;
}

static void on_rebind(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (daemon_rebind_or_retry(d))
        daemon_tell_serving(d);
}

void daemon_on_tls_timer(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (d->settings->https_port)
        (void)daemon_rebind_or_retry(d);
}

static void on_netlink(uv_poll_t *poll, int status, int events)
{
    struct daemon *d = poll->data;
    char buffer[8192];
    (void)status;
    (void)events;
    while (recv(d->netlink_fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        errno = 0;
    /* Not put off by each of them: where interfaces come and go all the time it would never happen. */
    if (!uv_is_active((uv_handle_t *)&d->rebind_timer) || uv_timer_get_due_in(&d->rebind_timer) > SETTLE_MS)
        uv_timer_start(&d->rebind_timer, on_rebind, SETTLE_MS, 0);
}

int daemon_watch_interfaces(struct daemon *d, struct diags *diags)
{
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
    d->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (d->netlink_fd < 0 || bind(d->netlink_fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return diag_errno(diags, -errno, "cannot watch the network interfaces");
    uv_poll_init(&d->loop, &d->netlink, d->netlink_fd);
    d->netlink.data = d;
    return uv_poll_start(&d->netlink, UV_READABLE, on_netlink);
}
