/* See daemon/daemon.h. The order of the start: definitions, ports, confinement, store, services; then the
 * loop. */
#include "daemon/daemon.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "config/config.h"
#include "daemon/binding.h"
#include "daemon/clock.h"
#include "daemon/confine.h"
#include "daemon/control.h"
#include "daemon/events.h"
#include "daemon/learning.h"
#include "daemon/sockets.h"
#include "daemon/tls_keeper.h"
#include "daemon/watch.h"
#include "serve/bootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/* SETTLE_MS: changes of interfaces come in bursts. RETRY_MS: until a port is tried again. BOOTS_CHECK_MS:
 * between looks for programs that did not start. BOOTS_LOADED: boots put back after a restart. */
enum {
    SETTLE_MS = 200,
    RETRY_MS = 5000,
    BOOTS_CHECK_MS = 5000,
    BOOTS_LOADED = 10000,
    LOADERS_MAX = 16,
    OLD_GENERATIONS = 4
};

struct daemon {
    const struct daemon_options *options;
    uv_loop_t loop;
    struct site *site;                      /* of the configuration, until a generation is there; else NULL */
    const struct server_settings *settings; /* of the generation, else of `site` */
    char *state_dir;                        /* as it was at start */
    struct store *store;
    struct committer *committer;
    struct generations generations;
    struct counters counters;
    struct boot_table *boots;
    struct events events;
    struct learning *learning;
    struct artifact_source artifacts; /* to publish from */
    struct dhcp_server *dhcp_server;
    struct probe_service *probes;
    struct files *files;
    int artifacts_fd, loader_fds[LOADERS_MAX];
    size_t loader_fds_n;
    struct http_server http_server;
    struct control *control;
    int64_t since_us; /* when it started */
    struct bindings bindings;
    struct watch *watch;
    bool started, stopping, store_failing;
    int netlink_fd;
    uv_poll_t netlink;
    uv_timer_t rebind_timer, tls_timer, boots_timer, watchdog;
    uv_signal_t signals[3];
    char *last_warning, *last_error; /* about interfaces and their sockets; said once */
    char *loader_dir, *user;         /* `loaders:` and `user:` as they were at start; NULL: not set */
};

static uint64_t random_bits(void *user)
{
    uint64_t bits = 0;
    (void)user;
    while (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        ;
    return bits;
}

static unsigned generation_number(const struct daemon *d)
{
    return d->generations.current ? d->generations.current->number : 0;
}

/* Every problem as a line of the log; the program goes on. */
static void log_diags(const struct diags *diags)
{
    static const enum log_level levels[] = {
        [DIAG_ERROR] = LOG_LEVEL_ERROR, [DIAG_WARNING] = LOG_LEVEL_WARNING, [DIAG_NOTE] = LOG_LEVEL_INFO};
    VEC_EACH(diag, &diags->list) {
        if (diag->file && diag->line)
            log_line(levels[diag->severity], "%s:%u:%u: %s", diag->file, diag->line, diag->column,
                     diag->text);
        else if (diag->file)
            log_line(levels[diag->severity], "%s: %s", diag->file, diag->text);
        else
            log_line(levels[diag->severity], "%s", diag->text);
    }
}

static void pass_on(const struct diags *from, struct diags *to)
{
    VEC_EACH(diag, &from->list)
        diag_add(to, diag->severity, diag->file ? &(struct pos){diag->file, diag->line, diag->column} : NULL,
                 "%s", diag->text);
}

/* As log_diags, unless *last says that they were the last ones told; they are then. */
static void log_diags_once(const struct diags *diags, char **last)
{
    struct str said = {0};
    VEC_EACH(diag, &diags->list)
        str_printf(&said, "%s\n", diag->text);
    if (!str_eq(str_text(&said), *last))
        log_diags(diags);
    free(*last);
    *last = str_steal(&said);
}

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

/* What is served and where: for systemctl status, the log and the event stream. */
static void tell_serving(struct daemon *d)
{
    cleanup_str struct str where = {0};
    VEC(const char *) names = {0};
    char ip[IPV4_TEXT_MAX];
    unsigned number = generation_number(d);
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

/* The interfaces that are to be served. The caller's, to VEC_FREE. Warnings that were said are not repeated.
 */
static int choose_interfaces(struct daemon *d, struct ifaces *ifaces, struct diags *diags,
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

/* Opens and closes sockets as the interfaces and the settings want it. Without an identity all but TLS is
 * served.
 */
static int rebind(struct daemon *d, struct diags *diags, bool *ret_changed)
{
    __attribute__((cleanup(ifaces_cleanup))) struct ifaces ifaces = {0};
    struct served_ifaces served = {0};
    *ret_changed = false;
    int r = choose_interfaces(d, &ifaces, diags, &served);
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

/* While the process runs: what cannot be opened is tried again, and said once. True when something changed.
 */
static bool rebind_or_retry(struct daemon *d)
{
    cleanup_diags struct diags diags = {0};
    bool changed;
    if (rebind(d, &diags, &changed) < 0)
        uv_timer_start(&d->rebind_timer, on_rebind, RETRY_MS, 0);
    log_diags_once(&diags, &d->last_error);
    return changed;
}

static void on_rebind(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (rebind_or_retry(d))
        tell_serving(d);
}

/* Certificates are renewed, by us or by others. */
static void on_tls_timer(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (d->settings->https_port)
        (void)rebind_or_retry(d);
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

static int watch_interfaces(struct daemon *d, struct diags *diags)
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

/* Generations. */

static struct tftp_settings tftp_settings_of(const struct server_settings *s)
{
    return (struct tftp_settings){.per_source = s->tftp_per_source,
                                  .cps = s->tftp_cps,
                                  .pause_s = s->tftp_pause_s,
                                  .max_blksize = s->tftp_max_blksize,
                                  .max_window = s->tftp_max_window,
                                  .rollover = s->tftp_rollover};
}

static void use_generation(struct daemon *d, struct generation *generation)
{
    generations_publish(&d->generations, generation);
    d->settings = &generation->site->server;
    site_free(TAKE_PTR(d->site));
    if (!str_eq(d->settings->state_dir, d->state_dir))
        log_warning("server: state is now %s; restart rambox to move there from %s", d->settings->state_dir,
                    d->state_dir);
}

/* Settings that the process cannot change while it runs. */
static void tell_fixed(const struct daemon *d)
{
    const struct server_settings *s = d->settings;
    if (!str_eq(s->loader_dir, d->loader_dir))
        log_warning("server: loaders is now %s; restart rambox to serve boot files from there instead of %s",
                    s->loader_dir ? s->loader_dir : "the usual folders",
                    d->loader_dir ? d->loader_dir : "the usual folders");
    if (!str_eq(s->user, d->user))
        log_warning("server: user is now %s; restart rambox to serve as that user",
                    s->user ? s->user : "not said");
}

/* P1: which boot programs there are decides what firmware is told; what a profile wants and is not there is
 * said before a node asks. */
static void look_for_programs(struct daemon *d)
{
    cleanup_diags struct diags diags = {0};
    unsigned found = bootfile_found(d->loader_fds, d->loader_fds_n);
    dhcp_server_set_programs(d->dhcp_server, found);
    boot_paths_check(d->generations.current->site, found, &diags);
    log_diags(&diags);
}

static void on_generation(void *user, struct generation *generation)
{
    struct daemon *d = user;
    use_generation(d, generation);
    look_for_programs(d);
    struct tftp_settings tftp = tftp_settings_of(d->settings);
    tftp_service_set_settings(d->bindings.services.tftp, &tftp, d->settings->tftp_own_ports);
    http_service_set_limits(d->bindings.services.http, &d->settings->http);
    log_info("generation %u is served from now on", generation->number);
    tell_fixed(d);
    (void)rebind_or_retry(d);
    if (d->started)
        tell_serving(d);
}

static void on_attempt(void *user, int r, const struct diags *diags, bool repeated)
{
    struct daemon *d = user;
    unsigned number = generation_number(d);
    if (!repeated)
        log_diags(diags);
    if ((r == -EACCES || r == -EPERM) && !d->options->unconfined && !repeated)
        log_warning(
            "the server may read only beneath the folders that it started with (docs/security.md): when "
            "%s was replaced as a whole, or has links to files elsewhere, restart rambox, or put the "
            "files there",
            d->options->config_dir);
    if (r < 0 && number && !repeated)
        log_error("the configuration in %s was not published; generation %u stays", d->options->config_dir,
                  number);
    else if (r < 0 && !repeated)
        log_error(
            "nothing is published yet, so no machine is answered; when the above is corrected (what is not "
            "built: `rambox build`) it is published by itself");
    if (!d->started) {
        d->started = true;
        tell_serving(d);
    }
    sd_notify(0, "READY=1");
}

/* True when something in the configuration folder changed after the current generation was chosen: an edit
 * made while no server ran. A roll back is younger than the edits it undoes, so it is kept. */
static bool edited_since_publish(const struct daemon *d)
{
    static const char *const places[] = {"", "/nodes.d", "/images", "/kernels"};
    cleanup_free char *current = xasprintf("%s/generations/current", d->state_dir);
    struct stat chosen, st;
    if (lstat(current, &chosen) < 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        cleanup_free char *folder = xasprintf("%s%s", d->options->config_dir, places[i]);
        char **names = NULL;
        bool newer = false;
        if (dir_names(folder, NULL, &names) < 0)
            continue;
        for (char **name = names; *name && !newer; name++) {
            cleanup_free char *path = xasprintf("%s/%s", folder, *name);
            newer =
                stat(path, &st) == 0 &&
                (st.st_mtim.tv_sec > chosen.st_mtim.tv_sec ||
                 (st.st_mtim.tv_sec == chosen.st_mtim.tv_sec && st.st_mtim.tv_nsec > chosen.st_mtim.tv_nsec));
        }
        names_free(names);
        if (newer)
            return true;
    }
    return false;
}

/* The settings the server begins with. A configuration that cannot be read does not keep nodes from booting:
 * the last generation is served, from the usual place. */
static int load_definitions(struct daemon *d, struct diags *diags)
{
    cleanup_diags struct diags edits = {0}, none = {0};
    const struct daemon_options *o = d->options;
    struct generation *g = NULL;
    int r = config_load(o->config_dir, o->share_dir, &edits, &d->site);
    bool readable = r == 0;
    if (!readable)
        d->site = site_new();
    d->settings = &d->site->server;
    d->state_dir = xstrdup(d->settings->state_dir);
    d->loader_dir = xstrdup(d->settings->loader_dir);
    d->user = xstrdup(d->settings->user);
    int loaded = generation_load(d->state_dir, 0, &none, &g);
    if (!readable) {
        pass_on(&edits, diags);
        if (loaded < 0) {
            diag_note(diags, NULL,
                      "nothing was published to %s either, so there is nothing to serve; `rambox init` "
                      "writes a configuration to begin with",
                      d->state_dir);
            return r;
        }
        log_diags(diags);
        log_error("the configuration in %s cannot be read; generation %u is served", o->config_dir,
                  g->number);
        diags_free(diags);
    }
    if (loaded != -ENOENT)
        log_diags(&none); /* also what it does without */
    if (loaded == 0)
        use_generation(d, g);
    return 0;
}

/* Those before the current one: nodes that were told to fetch from them just before a restart still can. */
static void load_old_generations(struct daemon *d)
{
    unsigned *numbers = NULL, current = 0, n = 0;
    if (generation_list(d->state_dir, &numbers, &current) < 0)
        return;
    while (numbers[n])
        n++;
    for (unsigned i = n, held = 0; i-- > 0 && held < OLD_GENERATIONS;) {
        cleanup_diags struct diags diags = {0};
        struct generation *g;
        if (numbers[i] >= generation_number(d) || generation_load(d->state_dir, numbers[i], &diags, &g) < 0)
            continue;
        generations_hold(&d->generations, g);
        held++;
    }
    free(numbers);
}

/* The store. */

static int load_lease(void *user, const struct lease *lease)
{
    struct daemon *d = user;
    struct moment now = moment_now();
    int r = dhcp_server_load_lease(d->dhcp_server, &now, lease);
    return r == -EEXIST ? 0 : r;
}

static int load_boot(void *user, const struct boot *boot)
{
    struct daemon *d = user;
    struct moment now = moment_now();
    return boot_table_load(d->boots, &now, boot);
}

static void on_store_failure(void *user, int r)
{
    struct daemon *d = user;
    if (r < 0 && !d->store_failing)
        log_error("the store in %s cannot be written: %s; machines without a fixed address get no new lease "
                  "until it "
                  "can, all others are served",
                  d->state_dir, strerror(-r));
    else if (r == 0 && d->store_failing)
        log_info("the store can be written again");
    d->store_failing = r < 0;
}

static const struct site *current_site(const struct daemon *d)
{
    return d->generations.current ? d->generations.current->site : NULL;
}

static int open_store(struct daemon *d, struct diags *diags)
{
    struct moment now = moment_now();
    cleanup_free char *path = xasprintf("%s/rambox.db", d->state_dir);
    int r = store_open(path, diags, &d->store);
    if (r == 0) {
        r = store_each_lease(d->store, load_lease, d);
        if (r == 0)
            r = store_each_boot(d->store, NULL, BOOTS_LOADED, load_boot, d);
        if (r == 0)
            r = learning_load(d->learning, d->store, &now, current_site(d));
        if (r < 0)
            diag_errno(diags, r, "cannot read the store %s", path);
    }
    if (r == 0) {
        r = committer_new(&d->loop, d->store, &d->committer);
        if (r < 0)
            diag_errno(diags, r, "cannot start the thread that writes the store");
    }
    if (r == 0) {
        committer_on_failure(d->committer, on_store_failure, d);
        d->events.committer = d->committer;
    }
    return r;
}

/* HTTP's view of us. */

static bool is_ready(void *user, const char **ret_why)
{
    struct daemon *d = user;
    *ret_why = d->stopping             ? "stopping"
               : !generation_number(d) ? "no generation is published"
               : !d->bindings.list.n   ? "no interface is served"
               : d->store_failing      ? "the store cannot be written"
                                       : NULL;
    return !*ret_why;
}

static bool write_metrics(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to)
{
    struct daemon *d = user;
    struct committer_stats stats = committer_stats(d->committer);
    struct dhcp_service_stats dhcp = dhcp_service_stats(d->bindings.services.dhcp);
    struct probe_stats probes = probe_service_stats(d->probes);
    struct dhcp_figures leases;
    dhcp_server_figures(d->dhcp_server, &leases);
    write(to, "rambox_generation", generation_number(d));
    write(to, "rambox_interfaces", d->bindings.list.n);
    write(to, "rambox_leases{state=\"offered\"}", leases.offered);
    write(to, "rambox_leases{state=\"bound\"}", leases.bound);
    write(to, "rambox_leases{state=\"declined\"}", leases.declined);
    write(to, "rambox_boots_held", boot_table_count(d->boots));
    write(to, "rambox_tftp_transfers", tftp_service_transfers(d->bindings.services.tftp));
    struct http_figures http = http_service_figures(d->bindings.services.http);
    write(to, "rambox_http_connections", http.connections);
    write(to, "rambox_http_downloads", http.downloads);
    write(to, "rambox_dhcp_unsent_total", dhcp.unsent);
    write(to, "rambox_dhcp_dropped_by_kernel_total", dhcp.dropped);
    write(to, "rambox_dhcp_batches_total", dhcp.batches);
    write(to, "rambox_probes_total", probes.sent);
    write(to, "rambox_probes_in_use_total", probes.used);
    write(to, "rambox_probes_shed_total", probes.shed);
    write(to, "rambox_router_advertisements_total", ndp_service_answers());
    write(to, "rambox_store_commits_total", stats.commits);
    write(to, "rambox_store_operations_total", stats.operations);
    write(to, "rambox_store_failures_total", stats.failures);
    write(to, "rambox_store_dropped_total", stats.dropped);
    write(to, "rambox_store_waiting", stats.waiting);
    write(to, "rambox_store_waiting_later", stats.later);
    return true;
}

/* The control socket's. */

static json_t *control_status(void *user)
{
    const struct daemon *d = user;
    json_t *names = json_array();
    VEC_EACH(b, &d->bindings.list)
        json_array_append_new(names, json_string(b->key.iface.name));
    return json_pack("{s:I, s:o, s:I, s:s}", "generation", (json_int_t)generation_number(d), "interfaces",
                     names, "since", (json_int_t)(d->since_us / 1000000), "version", RAMBOX_VERSION);
}

static int open_control(struct daemon *d, struct diags *diags)
{
    d->since_us = moment_now().unix_us;
    return control_new(&(struct control_host){.loop = &d->loop,
                                              .state_dir = d->state_dir,
                                              .dhcp_server = d->dhcp_server,
                                              .committer = d->committer,
                                              .fitted = learning_fitted(d->learning),
                                              .generations = &d->generations,
                                              .http = &d->http_server,
                                              .status = control_status,
                                              .user = d},
                       diags, &d->control);
}

/* Start. */

static void add_loader_folder(struct daemon *d, const char *path)
{
    int fd = d->loader_fds_n < LOADERS_MAX ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        d->loader_fds[d->loader_fds_n++] = fd;
}

static int open_files(struct daemon *d, struct diags *diags)
{
    cleanup_free char *artifacts = xasprintf("%s/artifacts", d->state_dir);
    int r = dir_make(artifacts);
    d->artifacts_fd = r == 0 ? open(artifacts, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (d->artifacts_fd < 0)
        return diag_errno(diags, r < 0 ? r : -errno, "cannot use %s", artifacts);
    if (d->loader_dir)
        add_loader_folder(d, d->loader_dir);
    for (const char *const *folder = bootfile_folders; *folder && !d->loader_dir; folder++)
        add_loader_folder(d, *folder);
    if (!d->loader_fds_n)
        log_warning(
            "there is no folder with pxelinux.0; install the packages pxelinux and syslinux-common, or set "
            "server: loaders: in rambox.yaml, and restart");
    d->files = files_new(&(struct files_config){.artifacts_fd = d->artifacts_fd,
                                                .loader_fds = d->loader_fds,
                                                .loader_fds_n = d->loader_fds_n,
                                                .generations = generations_source(&d->generations),
                                                .boots = d->boots,
                                                .fitted = learning_fitted(d->learning)});
    return d->files ? 0 : -ENOMEM;
}

static int start_services(struct daemon *d, struct diags *diags)
{
    struct services *s = &d->bindings.services;
    s->loop = &d->loop;
    s->generations = &d->generations;
    int r = probe_service_new(&d->loop, random_bits(NULL), diags, &d->probes);
    if (r < 0)
        return r;
    s->dhcp = dhcp_service_new(&(struct dhcp_service_config){.loop = &d->loop,
                                                             .server = d->dhcp_server,
                                                             .generations = &d->generations,
                                                             .committer = d->committer,
                                                             .probes = d->probes,
                                                             .sink = &d->events.sink,
                                                             .link_fd = s->link_fd});
    d->http_server = (struct http_server){.boots = d->boots,
                                          .files = d->files,
                                          .sink = &d->events.sink,
                                          .counters = &d->counters,
                                          .ready = is_ready,
                                          .metrics = write_metrics,
                                          .user = d};
    r = s->dhcp ? http_service_new(&d->loop, &d->http_server, &d->settings->http, &s->http) : -ENOMEM;
    if (r == 0)
        r = tftp_service_new(&(struct tftp_service_config){.settings = tftp_settings_of(d->settings),
                                                           .port_per_transfer = d->settings->tftp_own_ports,
                                                           .workers = d->settings->tftp_workers,
                                                           .files = d->files,
                                                           .sink = &d->events.sink,
                                                           .counters = &d->counters,
                                                           .seed = random_bits(NULL)},
                             &s->tftp);
    return r < 0 ? diag_errno(diags, r, "cannot start the services") : 0;
}

static int make_servers(struct daemon *d, struct diags *diags)
{
    d->boots = boot_table_new(&(struct boot_table_config){
        .random = random_bits, .sink = &d->events.sink, .counters = &d->counters});
    d->events.boots = d->boots;
    if (d->boots)
        d->dhcp_server = dhcp_server_new(&(struct dhcp_server_config){
            .random = random_bits, .sink = &d->events.sink, .counters = &d->counters, .boots = d->boots});
    if (d->dhcp_server)
        d->learning = learning_new(
            &(struct learning_config){.boots = d->boots, .sink = &d->events.sink, .random = random_bits});
    if (!d->learning)
        return diag_errno(diags, -ENOMEM, "cannot start");
    d->events.learning = d->learning;
    d->artifacts = learning_source(d->learning, d->options->artifacts);
    return 0;
}

/* What takes the privileges of the start. The services take the ports over when they begin, see rebind. */
static int open_sockets(struct daemon *d, struct diags *diags)
{
    __attribute__((cleanup(ifaces_cleanup))) struct ifaces ifaces = {0};
    struct served_ifaces served = {0};
    struct services *s = &d->bindings.services;
    s->link_fd = socket_open_link(diags);
    if (s->link_fd < 0)
        return s->link_fd;
    int r = choose_interfaces(d, &ifaces, diags, &served);
    if (r == 0)
        sockets_ahead(&served, d->settings, tftp_service_workers(d->settings->tftp_workers));
    VEC_FREE(&served.list);
    return r;
}

/* Of a file that may be replaced by another of its name, so that the file itself says nothing. NULL stays
 * NULL. */
static char *folder_of(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return !slash ? NULL : slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* No thread runs yet, and no packet was read. */
static int confine(struct daemon *d, struct diags *diags)
{
    CLEANUP(confine_free) struct confine *confine = NULL;
    cleanup_diags struct diags said = {0};
    VEC(const char *) read = {0};
    if (d->options->unconfined) {
        log_warning(
            "UNCONFINED: the server keeps all its privileges, as --unconfined says; use this to find a "
            "fault, not to serve");
        return 0;
    }
    cleanup_free char *certificate = folder_of(d->settings->tls_certificate);
    cleanup_free char *key = folder_of(d->settings->tls_key);
    const char *const folders[] = {d->options->config_dir, d->options->share_dir, d->loader_dir, certificate,
                                   key};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (folders[i])
            VEC_PUSH(&read, folders[i]);
    for (const char *const *folder = bootfile_folders; *folder && !d->loader_dir; folder++)
        VEC_PUSH(&read, *folder);
    VEC_PUSH(&read, NULL);
    int r = confine_prepare(
        &(struct confine_spec){.user = d->user, .state_dir = d->state_dir, .read = read.items}, &said,
        &confine);
    VEC_FREE(&read);
    if (r == 0)
        r = confine_enter(confine, &said);
    if (r < 0) {
        pass_on(&said, diags);
        return r;
    }
    log_diags(&said);
    log_info("%s", confine_text(confine));
    return r;
}

static int start(struct daemon *d, struct diags *diags)
{
    int r = load_definitions(d, diags);
    if (r == 0 && d->options->events)
        r = event_stream_open(d->options->events, diags, &d->events.stream);
    if (r == 0)
        r = open_sockets(d, diags);
    if (r == 0)
        r = confine(d, diags);
    if (r == 0 && d->events.stream)
        r = event_stream_start(d->events.stream, diags);
    if (r == 0)
        r = make_servers(d, diags);
    if (r == 0)
        r = open_store(d, diags);
    if (r < 0)
        return r;
    load_old_generations(d);
    r = open_files(d, diags);
    if (r == 0 && d->generations.current)
        look_for_programs(d);
    if (r == 0)
        r = start_services(d, diags);
    if (r == 0)
        r = open_control(d, diags);
    if (r == 0)
        r = watch_interfaces(d, diags);
    bool changed;
    if (r == 0)
        r = rebind(d, diags, &changed);
    sockets_ahead_done();
    return r;
}

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
    uv_timer_start(&d->tls_timer, on_tls_timer, TLS_CHECK_MS, TLS_CHECK_MS);
    uv_timer_start(&d->boots_timer, on_boots_timer, BOOTS_CHECK_MS, BOOTS_CHECK_MS);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], table[i].call, table[i].number);
    }
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        uv_timer_start(&d->watchdog, on_watchdog, 0, watchdog_us / 2000);
}

static int start_watch(struct daemon *d)
{
    cleanup_diags struct diags warnings = {0};
    struct watch_config config = {.loop = &d->loop,
                                  .config_dir = d->options->config_dir,
                                  .share_dir = d->options->share_dir,
                                  .state_dir = d->state_dir,
                                  .artifacts = &d->artifacts,
                                  .incomplete = d->generations.current &&
                                                generation_lacks_kernels(d->generations.current),
                                  .on_generation = on_generation,
                                  .on_attempt = on_attempt,
                                  .user = d};
    int r = watch_new(&config, generation_number(d), &warnings, &d->watch);
    log_diags(&warnings);
    if (r < 0)
        return r;
    /* Where the last generation cannot be served, the definitions may make another. */
    if (!d->generations.current || edited_since_publish(d)) {
        watch_publish(d->watch);
        return 0;
    }
    d->started = true;
    tell_serving(d);
    sd_notify(0, "READY=1");
    return 0;
}

/* Stop: what was read is answered, what was answered is stored, then everything is closed. */

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void stop(struct daemon *d)
{
    struct services *s = &d->bindings.services;
    watch_free(d->watch);
    if (s->dhcp)
        dhcp_service_drain(s->dhcp);
    tftp_service_free(TAKE_PTR(s->tftp));
    http_service_free(TAKE_PTR(s->http));
    d->events.committer = NULL; /* the last replies below have no timeline any more */
    committer_free(d->committer);
    probe_service_free(d->probes);
    control_free(d->control);
    bindings_clear(&d->bindings);
    dhcp_service_free(s->dhcp);
    /* Timers and signals too, before the loop runs again: what they would call is not there any more. */
    uv_walk(&d->loop, close_handle, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT); /* also waits for an attempt to publish that runs */
    uv_loop_close(&d->loop);
    sockets_end();
    store_close(d->store);
    files_free(d->files);
    dhcp_server_free(d->dhcp_server);
    event_stream_close(d->events.stream);
    learning_free(d->learning);
    boot_table_free(d->boots);
    generations_clear(&d->generations);
    site_free(d->site);
    for (size_t i = 0; i < d->loader_fds_n; i++)
        close(d->loader_fds[i]);
    int fds[] = {s->link_fd, d->artifacts_fd, d->netlink_fd};
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(d->state_dir);
    free(d->loader_dir);
    free(d->user);
    free(d->last_warning);
    free(d->last_error);
    free(d);
    log_stop();
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
    r = start(d, diags);
    if (r == 0) {
        log_diags(diags); /* warnings */
        diags_free(diags);
        (void)log_start(); /* without it lines are written at once */
        start_handles(d);
        r = start_watch(d);
    }
    if (r == 0) {
        uv_run(&d->loop, UV_RUN_DEFAULT);
        sd_notify(0, "STATUS=Stopped");
    }
    stop(d);
    return r;
}
