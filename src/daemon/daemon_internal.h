/* The process, for the files that daemon.c consists of: each has one part of what it does, and all of it runs
 * in the loop's thread. Nobody else includes this.
 *
 *     daemon.c              the loop: timers, signals, when it ends
 *     daemon_start.c        what is opened, in which order, with which powers; and how it is closed
 *     daemon_generation.c   which definitions count: at the start, and when something is published
 *     daemon_interfaces.c   which interfaces have sockets
 *     daemon_status.c       what it says of itself
 */
#pragma once

#include "daemon/binding.h"
#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/learning.h"
#include "daemon/watch.h"

enum { LOADERS_MAX = 16 };

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

/* ---- daemon_start.c ---- */

/* Everything up to sockets that answer. 0 or -errno with `diags`; then daemon_stop() frees what is there. */
int daemon_start(struct daemon *d, struct diags *diags);
/* What was read is answered, what was answered is stored, then everything is closed and freed. */
void daemon_stop(struct daemon *d);

/* ---- daemon_generation.c ---- */

/* Of the current generation; 0: there is none. */
unsigned daemon_generation_number(const struct daemon *d);
/* The settings the server begins with. A configuration that cannot be read does not keep nodes from booting:
 * the last generation is served, from the usual place. */
int daemon_load_definitions(struct daemon *d, struct diags *diags);
/* Those before the current one: nodes that were told to fetch from them just before a restart still can. */
void daemon_load_old_generations(struct daemon *d);
/* P1: which boot programs there are decides what firmware is told; what a profile wants and is not there is
 * said before a node asks. */
void daemon_look_for_programs(struct daemon *d);
struct tftp_settings daemon_tftp_settings(const struct server_settings *s);
/* From now on edits are published, and what others publish is served. Says that the server is ready, unless
 * there is something to publish first. */
int daemon_watch_definitions(struct daemon *d);

/* ---- daemon_interfaces.c ---- */

/* The interfaces that are to be served, among `ifaces`, which is read here. The caller's, to VEC_FREE.
 * Warnings that were said are not repeated. */
int daemon_choose_interfaces(struct daemon *d, struct ifaces *ifaces, struct diags *diags,
                             struct served_ifaces *ret_served);
/* Opens and closes sockets as the interfaces and the settings want it. Without an identity all but TLS is
 * served. */
int daemon_rebind(struct daemon *d, struct diags *diags, bool *ret_changed);
/* The same while the process runs: what cannot be opened is tried again, and said once. True when something
 * changed. */
bool daemon_rebind_or_retry(struct daemon *d);
/* What is served and where: for systemctl status, the log and the event stream. */
void daemon_tell_serving(struct daemon *d);
/* Follows what becomes of the machine's interfaces. */
int daemon_watch_interfaces(struct daemon *d, struct diags *diags);
/* Certificates are renewed, by us or by others: a timer's, every TLS_CHECK_MS. */
void daemon_on_tls_timer(uv_timer_t *timer);

/* ---- daemon_status.c; `user` is the struct daemon ---- */

/* Of struct http_server. */
bool daemon_is_ready(void *user, const char **ret_why);
bool daemon_write_metrics(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to);
/* Of struct control_host. */
json_t *daemon_status(void *user);
