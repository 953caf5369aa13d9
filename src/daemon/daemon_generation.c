/* Which definitions the process goes by: those it begins with, and each generation that is published while it
 * runs. Part of daemon.c, see daemon/daemon_internal.h. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "config/config.h"
#include "daemon/daemon_internal.h"
#include "daemon/log_diags.h"
#include "serve/bootpath.h"

#include <errno.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

enum { OLD_GENERATIONS = 4 }; /* before the current one, that a start loads */

unsigned daemon_generation_number(const struct daemon *d)
{
    return d->generations.current ? d->generations.current->number : 0;
}

/* Generations. */

struct tftp_settings daemon_tftp_settings(const struct server_settings *s)
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

void daemon_look_for_programs(struct daemon *d)
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
    daemon_look_for_programs(d);
    struct tftp_settings tftp = daemon_tftp_settings(d->settings);
    tftp_service_set_settings(d->bindings.services.tftp, &tftp, d->settings->tftp_own_ports);
    http_service_set_limits(d->bindings.services.http, &d->settings->http);
    log_info("generation %u is served from now on", generation->number);
    tell_fixed(d);
    (void)daemon_rebind_or_retry(d);
    if (d->started)
        daemon_tell_serving(d);
}

static void on_attempt(void *user, int r, const struct diags *diags, bool repeated)
{
    struct daemon *d = user;
    unsigned number = daemon_generation_number(d);
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
        daemon_tell_serving(d);
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

int daemon_load_definitions(struct daemon *d, struct diags *diags)
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
        diags_pass_on(&edits, diags);
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

void daemon_load_old_generations(struct daemon *d)
{
    unsigned *numbers = NULL, current = 0, n = 0;
    if (generation_list(d->state_dir, &numbers, &current) < 0)
        return;
    while (numbers[n])
        n++;
    for (unsigned i = n, held = 0; i-- > 0 && held < OLD_GENERATIONS;) {
        cleanup_diags struct diags diags = {0};
        struct generation *g;
        if (numbers[i] >= daemon_generation_number(d) ||
            generation_load(d->state_dir, numbers[i], &diags, &g) < 0)
            continue;
        generations_hold(&d->generations, g);
        held++;
    }
    free(numbers);
}

int daemon_watch_definitions(struct daemon *d)
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
    int r = watch_new(&config, daemon_generation_number(d), &warnings, &d->watch);
    log_diags(&warnings);
    if (r < 0)
        return r;
    /* Where the last generation cannot be served, the definitions may make another. */
    if (!d->generations.current || edited_since_publish(d)) {
        watch_publish(d->watch);
        return 0;
    }
    d->started = true;
    daemon_tell_serving(d);
    sd_notify(0, "READY=1");
    return 0;
}
