/* See cli/store.h. */
#include "cli/store.h"
#include "base/str.h"
#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static char *store_path(const char *state_dir)
{
    return xasprintf("%s/rambox.db", state_dir);
}

struct store *open_reader(const struct context *context, const char *state_dir, bool *ret_none)
{
    cleanup_diags struct diags diags = {0};
    cleanup_free char *path = store_path(state_dir);
    struct store *store = NULL;
    int r = store_open_reader(path, &diags, &store);
    *ret_none = r == -ENOENT;
    report_diags(context, &diags);
    return store;
}

int change_begin(const char *state_dir, struct change *ret_change)
{
    cleanup_diags struct diags diags = {0};
    cleanup_free char *path = store_path(state_dir);
    *ret_change = (struct change){0};
    int r = control_connect(state_dir, &ret_change->server);
    if (r == 0)
        return 0;
    if (r != -ENOENT) {
        fprintf(stderr, "rambox: error: cannot ask the server by %s/control: %s\n", state_dir, strerror(-r));
        return 1;
    }
    r = store_open(path, &diags, &ret_change->store);
    diags_print(&diags, stderr);
    if (r == -EBUSY)
        fprintf(stderr, "rambox: note: it does not answer on %s/control; restart it, then try again\n",
                state_dir);
    return r < 0;
}

void change_end(struct change *change)
{
    control_disconnect(change->server);
    store_close(change->store);
}

int change_do(struct change *change, json_t *request, const struct store_op *op)
{
    json_t *answer = NULL;
    cleanup_free char *reason = NULL;
    int r;
    if (change->server) {
        r = control_ask(change->server, request, &answer, &reason);
        json_decref(answer);
    } else {
        json_decref(request);
        r = store_commit(change->store, op, 1);
    }
    if (r == 0)
        return 0;
    fprintf(stderr, "rambox: error: %s%s\n", change->server && r < 0 ? "the server does not answer: " : "",
            reason ? reason : strerror(-r));
    return 1;
}

struct site *load_names(const struct context *context)
{
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    if (config_load(context->config_dir, context->share_dir, &diags, &site) < 0)
        fprintf(
            stderr,
            "rambox: warning: the configuration in %s cannot be read (`rambox check` says why); machines are "
            "shown by MAC address\n",
            context->config_dir);
    return site;
}

const char *machine_name(const struct site *site, const struct mac *mac, char buf[static MAC_TEXT_MAX])
{
    const struct node *node = site ? site_node_by_mac(site, mac) : NULL;
    return node ? node->name : mac_format(mac, buf);
}

const char *when_format(int64_t at, int64_t now, char buf[static WHEN_TEXT_MAX])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t span = at < now ? now - at : at - now;
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(units) && span < 2 * units[i].seconds) /* 90 min says more than 1 h */
        i++;
    if (span == 0)
        snprintf(buf, WHEN_TEXT_MAX, "now");
    else
        snprintf(buf, WHEN_TEXT_MAX, at < now ? "%" PRId64 " %s ago" : "in %" PRId64 " %s",
                 span / units[i].seconds, units[i].name);
    return buf;
}

const char *time_format(int64_t at, char buf[static WHEN_TEXT_MAX])
{
    struct tm tm;
    time_t t = at;
    if (!localtime_r(&t, &tm) || !strftime(buf, WHEN_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(buf, WHEN_TEXT_MAX, "%" PRId64, at);
    return buf;
}

const char *iso_format(int64_t at, char buf[static WHEN_TEXT_MAX])
{
    struct tm tm;
    time_t t = at;
    if (!gmtime_r(&t, &tm) || !strftime(buf, WHEN_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(buf, WHEN_TEXT_MAX, "%" PRId64, at);
    return buf;
}
