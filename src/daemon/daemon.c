/* See daemon/daemon.h: the loop, its timers and its signals. What it is about is in daemon_*.c. */
#include "daemon/daemon.h"
#include "base/log.h"
#include "daemon/clock.h"
#include "daemon/daemon_internal.h"
#include "daemon/log_diags.h"
#include "daemon/tls_keeper.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

enum { BOOTS_CHECK_MS = 5000 }; /* between looks for programs that did not start, and trials that are over */

/* Signals. */

static void on_reload(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    (void)number;
    log_info("reloading %s", d->options->config_dir);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
    watch_publish(d->watch); /* on_attempt says READY=1 again */
}

static void on_stop(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    log_info("stopping: %s", strsignal(number));
    sd_notify(0, "STOPPING=1");
    d->stopping = true;
    uv_stop(&d->loop);
}

static void on_boots_timer(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    struct moment now = moment_now();
    boot_table_tick(d->boots, &now);
    learning_tick(d->learning, &now);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

static void start_handles(struct daemon *d)
{
    static const struct {
        int number;
        uv_signal_cb call;
    } table[] = {{SIGHUP, on_reload}, {SIGTERM, on_stop}, {SIGINT, on_stop}};
    uint64_t watchdog_us = 0;
    uv_timer_start(&d->tls_timer, daemon_on_tls_timer, TLS_CHECK_MS, TLS_CHECK_MS);
    uv_timer_start(&d->boots_timer, on_boots_timer, BOOTS_CHECK_MS, BOOTS_CHECK_MS);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], table[i].call, table[i].number);
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        uv_timer_start(&d->watchdog, on_watchdog, 0, watchdog_us / 2000);
}

/* A descriptor for each HTTP client and each file that is read: as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int daemon_run(const struct daemon_options *options, struct diags *diags)
{
    struct daemon *d = xcalloc(1, sizeof(*d));
    int r = uv_loop_init(&d->loop);
    if (r < 0) {
        free(d);
        return diag_errno(diags, r, "cannot start the event loop");
    }
    d->options = options;
    d->artifacts_fd = d->netlink_fd = d->bindings.services.link_fd = -1;
    events_init(&d->events);
    generations_init(&d->generations);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    uv_timer_init(&d->loop, &d->rebind_timer);
    uv_timer_init(&d->loop, &d->tls_timer);
    uv_timer_init(&d->loop, &d->boots_timer);
    uv_timer_init(&d->loop, &d->watchdog);
    d->rebind_timer.data = d->tls_timer.data = d->boots_timer.data = d->watchdog.data = d;
    for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
        uv_signal_init(&d->loop, &d->signals[i]);
    r = daemon_start(d, diags);
    if (r == 0) {
        log_diags(diags); /* warnings */
        diags_free(diags);
        (void)log_start(); /* without it lines are written at once */
        start_handles(d);
        r = daemon_watch_definitions(d);
    }
    if (r == 0) {
        uv_run(&d->loop, UV_RUN_DEFAULT);
        sd_notify(0, "STATUS=Stopped");
    }
    daemon_stop(d);
    return r;
}
