/* The order of the start: definitions, ports, confinement, store, services; and of the end. Part of daemon.c,
 * see daemon/daemon_internal.h. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/clock.h"
#include "daemon/confine.h"
#include "daemon/daemon_internal.h"
#include "daemon/log_diags.h"
#include "daemon/sockets.h"
#include "serve/bootfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>

enum { BOOTS_LOADED = 10000 }; /* boots put back after a restart */

static uint64_t random_bits(void *user)
{
    uint64_t bits = 0;
    (void)user;
    while (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        ;
    return bits;
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
    if (r == 0)
        events_store_trials(&d->events);
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

/* The control socket. */

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
                                              .status = daemon_status,
                                              .user = d},
                       diags, &d->control);
}

/* Files and services. */

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
                                          .ready = daemon_is_ready,
                                          .metrics = daemon_write_metrics,
                                          .user = d};
    r = s->dhcp ? http_service_new(&d->loop, &d->http_server, &d->settings->http, &s->http) : -ENOMEM;
    if (r == 0)
        r = tftp_service_new(&(struct tftp_service_config){.settings = daemon_tftp_settings(d->settings),
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
    int r = daemon_choose_interfaces(d, &ifaces, diags, &served);
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
        diags_pass_on(&said, diags);
        return r;
    }
    log_diags(&said);
    log_info("%s", confine_text(confine));
    return r;
}

int daemon_start(struct daemon *d, struct diags *diags)
{
    int r = daemon_load_definitions(d, diags);
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
    daemon_load_old_generations(d);
    r = open_files(d, diags);
    if (r == 0 && d->generations.current)
        daemon_look_for_programs(d);
    if (r == 0)
        r = start_services(d, diags);
    if (r == 0)
        r = open_control(d, diags);
    if (r == 0)
        r = daemon_watch_interfaces(d, diags);
    bool changed;
    if (r == 0)
        r = daemon_rebind(d, diags, &changed);
    sockets_ahead_done();
    return r;
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void daemon_stop(struct daemon *d)
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
