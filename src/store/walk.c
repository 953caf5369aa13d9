/* Reading: the rows of each table back to values, one at a time. */
#include "store/internal.h"

#include <errno.h>

/* A blob of exactly `size` bytes; -EUCLEAN for any other. */
static int column_blob(sqlite3_stmt *st, int i, void *ret_data, size_t size)
{
    const void *data = sqlite3_column_blob(st, i);
    if (!data || (size_t)sqlite3_column_bytes(st, i) != size)
        return -EUCLEAN;
    memcpy(ret_data, data, size);
    return 0;
}

/* Text into a fixed field, always terminated; longer text is cut. */
static void column_text(sqlite3_stmt *st, int i, char *ret_text, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    size_t n = text ? strnlen(text, size - 1) : 0;
    if (n)
        memcpy(ret_text, text, n);
    ret_text[n] = '\0';
}

/* The way back from mac_number of commit.c. */
static void column_mac(sqlite3_stmt *st, int i, struct mac *ret_mac)
{
    int64_t n = sqlite3_column_int64(st, i);
    for (size_t at = sizeof(ret_mac->b); at-- > 0; n >>= 8)
        ret_mac->b[at] = (uint8_t)n;
}

/* Walks the rows of a statement whose parameters are bound. `row` reads one and calls the caller's function.
 */
static int walk(struct store *s, enum statement which, int (*row)(sqlite3_stmt *st, void *user), void *user)
{
    sqlite3_stmt *st = s->statement[which];
    int code, r = 0;
    while (r >= 0 && (code = sqlite3_step(st)) == SQLITE_ROW)
        r = row(st, user);
    if (r >= 0)
        r = code == SQLITE_DONE ? 0 : store_errno(s->db, code);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r;
}

struct lease_walk {
    int (*each)(void *user, const struct lease *lease);
    void *user;
};

static int lease_row(sqlite3_stmt *st, void *user)
{
    struct lease_walk *w = user;
    struct lease l = {
        .ip = (ipv4_t)sqlite3_column_int64(st, 0),
        .state = (enum lease_state)sqlite3_column_int(st, 1),
        .start = sqlite3_column_int64(st, 4),
        .expires = sqlite3_column_int64(st, 5),
        .since = sqlite3_column_int64(st, 7),
    };
    int size = sqlite3_column_bytes(st, 2);
    const void *client = sqlite3_column_blob(st, 2);
    if (size < 0 || size > CLIENT_KEY_MAX || column_blob(st, 3, l.mac.b, sizeof(l.mac.b)) < 0)
        return -EUCLEAN;
    l.client.size = (uint16_t)size;
    if (size)
        memcpy(l.client.b, client, (size_t)size);
    column_text(st, 6, l.hostname, sizeof(l.hostname));
    return w->each(w->user, &l);
}

int store_each_lease(struct store *s, int (*each)(void *user, const struct lease *lease), void *user)
{
    return walk(s, SQL_LEASES, lease_row, &(struct lease_walk){each, user});
}

struct past_walk {
    int (*each)(void *user, const struct lease_past *past);
    void *user;
};

static int past_row(sqlite3_stmt *st, void *user)
{
    struct past_walk *w = user;
    struct lease_past p = {
        .ip = (ipv4_t)sqlite3_column_int64(st, 0),
        .since = sqlite3_column_int64(st, 2),
        .until = sqlite3_column_int64(st, 3),
        .end = (enum lease_end)sqlite3_column_int(st, 4),
    };
    if (column_blob(st, 1, p.mac.b, sizeof(p.mac.b)) < 0)
        return -EUCLEAN;
    column_text(st, 5, p.hostname, sizeof(p.hostname));
    return w->each(w->user, &p);
}

int store_each_lease_past(struct store *s, int (*each)(void *user, const struct lease_past *past), void *user)
{
    return walk(s, SQL_LEASES_PAST, past_row, &(struct past_walk){each, user});
}

struct candidate_walk {
    int (*each)(void *user, const struct candidate *candidate);
    void *user;
};

static int candidate_row(sqlite3_stmt *st, void *user)
{
    struct candidate_walk *w = user;
    struct candidate c = {
        .ip = (ipv4_t)sqlite3_column_int64(st, 1),
        .first_us = sqlite3_column_int64(st, 3),
        .last_us = sqlite3_column_int64(st, 4),
        .has_arch = sqlite3_column_type(st, 7) != SQLITE_NULL,
        .arch = (uint16_t)sqlite3_column_int(st, 7),
        .has_uuid = sqlite3_column_type(st, 8) != SQLITE_NULL,
    };
    column_mac(st, 0, &c.mac);
    if (c.has_uuid && column_blob(st, 8, c.uuid, sizeof(c.uuid)) < 0)
        return -EUCLEAN;
    column_text(st, 2, c.subnet, sizeof(c.subnet));
    column_text(st, 5, c.hostname, sizeof(c.hostname));
    column_text(st, 6, c.vendor_class, sizeof(c.vendor_class));
    column_text(st, 9, c.circuit_id, sizeof(c.circuit_id));
    return w->each(w->user, &c);
}

int store_each_candidate(struct store *s, int (*each)(void *user, const struct candidate *candidate),
                         void *user)
{
    return walk(s, SQL_CANDIDATES, candidate_row, &(struct candidate_walk){each, user});
}

struct boot_walk {
    int (*each)(void *user, const struct boot *boot);
    void *user;
};

static int boot_row(sqlite3_stmt *st, void *user)
{
    struct boot_walk *w = user;
    struct boot b = {
        .id = (uint64_t)sqlite3_column_int64(st, 0),
        .ip = (ipv4_t)sqlite3_column_int64(st, 3),
        .generation = (unsigned)sqlite3_column_int64(st, 4),
        .started_us = sqlite3_column_int64(st, 5),
    };
    if (column_blob(st, 1, b.mac.b, sizeof(b.mac.b)) < 0)
        return -EUCLEAN;
    column_text(st, 2, b.node, sizeof(b.node));
    return w->each(w->user, &b);
}

int store_each_boot(struct store *s, const char *node, unsigned limit,
                    int (*each)(void *user, const struct boot *boot), void *user)
{
    enum statement which = node ? SQL_BOOTS_OF_NODE : SQL_BOOTS;
    sqlite3_bind_int64(s->statement[which], 1, limit);
    if (node)
        sqlite3_bind_text(s->statement[which], 2, node, -1, SQLITE_STATIC);
    return walk(s, which, boot_row, &(struct boot_walk){each, user});
}

struct event_walk {
    int (*each)(void *user, const struct boot_event *event);
    void *user;
};

static int event_row(sqlite3_stmt *st, void *user)
{
    struct event_walk *w = user;
    struct boot_event e = {
        .boot = (uint64_t)sqlite3_column_int64(st, 0),
        .at_us = sqlite3_column_int64(st, 1),
    };
    column_text(st, 2, e.what, sizeof(e.what));
    column_text(st, 3, e.detail, sizeof(e.detail));
    return w->each(w->user, &e);
}

int store_each_boot_event(struct store *s, uint64_t boot,
                          int (*each)(void *user, const struct boot_event *event), void *user)
{
    sqlite3_bind_int64(s->statement[SQL_BOOT_EVENTS], 1, (int64_t)boot);
    return walk(s, SQL_BOOT_EVENTS, event_row, &(struct event_walk){each, user});
}

struct machine_walk {
    int (*each)(void *user, const struct store_machine *machine);
    void *user;
};

static int machine_row(sqlite3_stmt *st, void *user)
{
    struct machine_walk *w = user;
    const char *json = (const char *)sqlite3_column_text(st, 5);
    struct store_machine m = {
        .at_us = sqlite3_column_int64(st, 3),
        .boot = (uint64_t)sqlite3_column_int64(st, 4),
        .json = (char *)(uintptr_t)(json ? json : ""), /* SQLite's, for as long as the row is looked at */
    };
    column_mac(st, 0, &m.mac);
    column_text(st, 1, m.node, sizeof(m.node));
    column_text(st, 2, m.class, sizeof(m.class));
    return w->each(w->user, &m);
}

int store_each_machine(struct store *s, int (*each)(void *user, const struct store_machine *machine),
                       void *user)
{
    return walk(s, SQL_MACHINES, machine_row, &(struct machine_walk){each, user});
}

struct trial_walk {
    int (*each)(void *user, const struct trial *trial);
    void *user;
};

static int trial_row(sqlite3_stmt *st, void *user)
{
    struct trial_walk *w = user;
    int state = sqlite3_column_int(st, 2);
    struct trial t = {
        .state = (enum trial_state)state,
        .boot = (uint64_t)sqlite3_column_int64(st, 5),
        .begun_us = sqlite3_column_int64(st, 6),
        .ended_us = sqlite3_column_int64(st, 7),
    };
    if (state < TRIAL_RUNNING || state > TRIAL_WITHDRAWN ||
        column_blob(st, 1, t.kernel.b, sizeof(t.kernel.b)) < 0)
        return -EUCLEAN;
    column_text(st, 0, t.class, sizeof(t.class));
    column_mac(st, 3, &t.mac);
    column_text(st, 4, t.node, sizeof(t.node));
    column_text(st, 8, t.stage, sizeof(t.stage));
    return w->each(w->user, &t);
}

int store_each_trial(struct store *s, int (*each)(void *user, const struct trial *trial), void *user)
{
    return walk(s, SQL_TRIALS, trial_row, &(struct trial_walk){each, user});
}
