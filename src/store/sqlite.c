/* The store in one SQLite file. See store/store.h.
 *
 * Write-ahead logging with synchronous=FULL: a commit is one sequential write and one fsync of the log, so
 * what store_commit returned for survives a kill and a power cut, and readers (`rambox lease list`) never
 * wait for the server. Every statement is prepared once, at open. The schema's version is PRAGMA
 * user_version; `migrations` is the list of steps that lead to the newest one.
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>

/* PRAGMA application_id: tells a store from any other SQLite file. The letters `ramb`. */
enum { APPLICATION_ID = 0x72616d62 };

/* Step i leads from schema i to schema i + 1. A step that was ever released is never changed: add one. */
static const char *const migrations[] = {
    "CREATE TABLE leases (ip INTEGER PRIMARY KEY, state INTEGER NOT NULL, client BLOB NOT NULL,"
    " mac BLOB NOT NULL, start INTEGER NOT NULL, expires INTEGER NOT NULL, hostname TEXT NOT NULL) STRICT;"
    "CREATE TABLE boots (id INTEGER PRIMARY KEY, mac BLOB NOT NULL, node TEXT NOT NULL, ip INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, started_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX boots_by_time ON boots (started_us);"
    "CREATE INDEX boots_by_node ON boots (node, started_us);"
    "CREATE TABLE boot_events (boot INTEGER NOT NULL, at_us INTEGER NOT NULL, what TEXT NOT NULL,"
    " detail TEXT NOT NULL) STRICT;"
    "CREATE INDEX boot_events_by_boot ON boot_events (boot);"
    "CREATE TABLE reports (boot INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, json TEXT NOT NULL) STRICT;",
    "CREATE TRIGGER boots_forget AFTER DELETE ON boots BEGIN"
    " DELETE FROM boot_events WHERE boot = OLD.id; DELETE FROM reports WHERE boot = OLD.id; END;",
};
enum { SCHEMA_NEWEST = ARRAY_SIZE(migrations) };

enum { FORGET_EVERY = 1000 }; /* boots that begin between two looks at how many there are */

enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_LEASE_PUT,
    SQL_LEASE_DELETE,
    SQL_BOOT_BEGIN,
    SQL_BOOTS_FORGET,
    SQL_BOOT_EVENT,
    SQL_REPORT,
    SQL_LEASES,
    SQL_BOOTS,
    SQL_BOOTS_OF_NODE,
    SQL_BOOT_EVENTS,
    SQL_COUNT,
};

static const char *const statements[] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_LEASE_PUT] = "INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_LEASE_DELETE] = "DELETE FROM leases WHERE ip = ?1",
    [SQL_BOOT_BEGIN] = "INSERT OR REPLACE INTO boots VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_BOOTS_FORGET] = "DELETE FROM boots WHERE id IN"
                         " (SELECT id FROM boots ORDER BY started_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
    [SQL_BOOT_EVENT] = "INSERT INTO boot_events SELECT ?1, ?2, ?3, ?4"
                       " WHERE (SELECT count(*) FROM boot_events WHERE boot = ?1) < ?5",
    [SQL_REPORT] = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3)",
    [SQL_LEASES] = "SELECT ip, state, client, mac, start, expires, hostname FROM leases ORDER BY ip",
    [SQL_BOOTS] = "SELECT id, mac, node, ip, generation, started_us FROM boots"
                  " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOTS_OF_NODE] = "SELECT id, mac, node, ip, generation, started_us FROM boots WHERE node = ?2"
                          " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOT_EVENTS] = "SELECT boot, at_us, what, detail FROM boot_events WHERE boot = ?1"
                        " ORDER BY at_us, rowid",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statement[SQL_COUNT];
    unsigned begun; /* boots, since old ones were forgotten */
};

/* What SQLite said, as -errno. */
static int store_errno(struct store *s, int code)
{
    static const struct {
        int code, errno_value;
    } table[] = {
        {SQLITE_FULL, ENOSPC},       {SQLITE_NOMEM, ENOMEM},   {SQLITE_BUSY, EBUSY},
        {SQLITE_LOCKED, EBUSY},      {SQLITE_READONLY, EROFS}, {SQLITE_PERM, EACCES},
        {SQLITE_CORRUPT, EUCLEAN},   {SQLITE_NOTADB, EUCLEAN}, {SQLITE_MISMATCH, EUCLEAN},
        {SQLITE_CONSTRAINT, EINVAL}, {SQLITE_TOOBIG, EINVAL},
    };
    int primary = code & 0xff;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].code == primary)
            return -table[i].errno_value;
    int system = s->db ? sqlite3_system_errno(s->db) : 0;
    return (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system > 0 ? -system : -EIO;
}

static int exec(struct store *s, const char *sql)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : store_errno(s, code);
}

/* A PRAGMA whose answer is one number. */
static int query_number(struct store *s, const char *sql, int64_t *ret_value)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(st, 0);
    int r = code == SQLITE_ROW ? 0 : store_errno(s, code);
    sqlite3_finalize(st);
    return r;
}

/* 0 when every page and row of the file is sound; -EUCLEAN with what is not in ret_text. That an index says
 * the same as its table is not looked at: this runs at every start, and must not take long. */
static int check_whole(struct store *s, char **ret_text)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    int r = code == SQLITE_ROW ? (str_eq(text, "ok") ? 0 : -EUCLEAN) : store_errno(s, code);
    if (r == -EUCLEAN)
        *ret_text = xstrdup(text ? text : sqlite3_errmsg(s->db));
    sqlite3_finalize(st);
    return r;
}

static bool same_content(const char *path, const char *other)
{
    struct digest a, b;
    return hash_file(path, &a) == 0 && hash_file(other, &b) == 0 && digest_equal(&a, &b);
}

/* F4: keeps a copy of a damaged file, and of the log beside it, under the first free number. Once: a service
 * that is started again and again must not fill the disk with copies. */
static char *keep_copy(const char *path)
{
    for (unsigned i = 1; i < 1000; i++) {
        cleanup_free char *copy = xasprintf("%s.damaged-%u", path, i);
        cleanup_free char *log = xasprintf("%s-wal", path);
        cleanup_free char *log_copy = xasprintf("%s-wal", copy);
        cleanup_free char *data = NULL;
        size_t size;
        if (same_content(path, copy))
            return TAKE_PTR(copy);
        if (file_exists(copy))
            continue;
        if (file_read(path, SIZE_MAX / 2, &data, &size) < 0 || file_write_atomic(copy, data, size, 0600) < 0)
            return NULL;
        free(TAKE_PTR(data));
        if (file_read(log, SIZE_MAX / 2, &data, &size) == 0)
            (void)file_write_atomic(log_copy, data, size, 0600);
        return TAKE_PTR(copy);
    }
    return NULL;
}

static int refuse_damaged(const char *path, const char *why, struct diags *diags)
{
    cleanup_free char *copy = keep_copy(path);
    diag_error(diags, NULL, "the store %s is damaged: %s", path, why);
    if (copy)
        diag_note(diags, NULL, "a copy of it is kept as %s", copy);
    else
        diag_note(diags, NULL, "it could not be copied; copy it before you try anything");
    diag_note(diags, NULL,
              "put your last backup in its place, or save what can be read with `sqlite3 %s .recover | "
              "sqlite3 NEW` and put NEW in its place; with no file at all rambox begins an empty store, and "
              "nodes with a fixed address are served as before",
              path);
    return -EUCLEAN;
}

static int migrate(struct store *s, const char *path, struct diags *diags)
{
    int64_t version = 0, application = 0;
    int r = query_number(s, "PRAGMA user_version", &version);
    if (r == 0)
        r = query_number(s, "PRAGMA application_id", &application);
    if (r < 0)
        return r;
    if (version > 0 && application != APPLICATION_ID)
        return diag_error(diags, NULL, "%s is a database of another program; name another state_dir", path);
    if (version > SCHEMA_NEWEST) {
        diag_error(diags, NULL,
                   "the store %s was written by a newer rambox (schema %" PRId64
                   "; this one knows up to %d): use that version, or another state_dir",
                   path, version, SCHEMA_NEWEST);
        return -EPROTONOSUPPORT;
    }
    if (version == SCHEMA_NEWEST)
        return 0;
    r = exec(s, "BEGIN IMMEDIATE");
    /* Another process may have done it while this one waited for the lock. */
    if (r == 0)
        r = query_number(s, "PRAGMA user_version", &version);
    for (; r == 0 && version < SCHEMA_NEWEST; version++)
        r = exec(s, migrations[version]);
    if (r == 0) {
        cleanup_free char *mark =
            xasprintf("PRAGMA user_version = %d; PRAGMA application_id = %d;", SCHEMA_NEWEST, APPLICATION_ID);
        r = exec(s, mark);
    }
    if (r == 0)
        r = exec(s, "COMMIT");
    if (r < 0)
        (void)exec(s, "ROLLBACK");
    return r;
}

static int prepare(struct store *s)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        int code =
            sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i], NULL);
        if (code != SQLITE_OK)
            return store_errno(s, code);
    }
    return 0;
}

static int open_database(struct store *s, const char *path, struct diags *diags, char **ret_damage)
{
    int code = sqlite3_open_v2(
        path, &s->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return store_errno(s, code);
    sqlite3_busy_timeout(s->db, 10000);
    int r = exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    if (r == 0)
        r = check_whole(s, ret_damage);
    if (r == 0)
        r = migrate(s, path, diags);
    if (r == 0)
        r = prepare(s);
    return r;
}

int store_open(const char *path, struct diags *diags, struct store **ret_store)
{
    CLEANUP(store_close) struct store *s = xcalloc(1, sizeof(*s));
    cleanup_free char *folder = xstrdup(path);
    cleanup_free char *damage = NULL;
    unsigned errors = diags->errors;
    char *slash = strrchr(folder, '/');
    int r = 0;
    if (slash && slash != folder) {
        *slash = '\0';
        r = dir_make(folder);
    }
    if (r == 0)
        r = open_database(s, path, diags, &damage);
    if (r == -EUCLEAN) {
        cleanup_free char *why = damage ? TAKE_PTR(damage) : xstrdup(sqlite3_errmsg(s->db));
        store_close(TAKE_PTR(s));
        return refuse_damaged(path, why, diags);
    }
    if (r < 0)
        return diags->errors > errors ? r : diag_errno(diags, r, "cannot open the store %s", path);
    *ret_store = TAKE_PTR(s);
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    free(s);
}

void store_op_clear(struct store_op *op)
{
    if (op->kind == STORE_REPORT)
        free(TAKE_PTR(op->report.json));
}

static void bind_text(sqlite3_stmt *st, int i, const char *text, size_t limit)
{
    sqlite3_bind_text(st, i, text, (int)strnlen(text, limit), SQLITE_STATIC);
}

static void bind_lease(sqlite3_stmt *st, const struct store_op *op)
{
    const struct lease *l = &op->lease;
    sqlite3_bind_int64(st, 1, l->ip);
    sqlite3_bind_int(st, 2, l->state);
    sqlite3_bind_blob(st, 3, l->client.b, l->client.size, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, l->mac.b, sizeof(l->mac.b), SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, l->start);
    sqlite3_bind_int64(st, 6, l->expires);
    bind_text(st, 7, l->hostname, sizeof(l->hostname));
}

static void bind_lease_key(sqlite3_stmt *st, const struct store_op *op)
{
    sqlite3_bind_int64(st, 1, op->lease.ip);
}

static void bind_boot(sqlite3_stmt *st, const struct store_op *op)
{
    const struct boot *b = &op->boot;
    sqlite3_bind_int64(st, 1, (int64_t)b->id);
    sqlite3_bind_blob(st, 2, b->mac.b, sizeof(b->mac.b), SQLITE_STATIC);
    bind_text(st, 3, b->node, sizeof(b->node));
    sqlite3_bind_int64(st, 4, b->ip);
    sqlite3_bind_int64(st, 5, b->generation);
    sqlite3_bind_int64(st, 6, b->started_us);
}

static void bind_event(sqlite3_stmt *st, const struct store_op *op)
{
    const struct boot_event *e = &op->event;
    sqlite3_bind_int64(st, 1, (int64_t)e->boot);
    sqlite3_bind_int64(st, 2, e->at_us);
    bind_text(st, 3, e->what, sizeof(e->what));
    bind_text(st, 4, e->detail, sizeof(e->detail));
    sqlite3_bind_int(st, 5, STORE_EVENTS_MAX);
}

static void bind_report(sqlite3_stmt *st, const struct store_op *op)
{
    sqlite3_bind_int64(st, 1, (int64_t)op->report.boot);
    sqlite3_bind_int64(st, 2, op->report.at_us);
    sqlite3_bind_text(st, 3, op->report.json ? op->report.json : "", -1, SQLITE_STATIC);
}

static const struct {
    enum statement statement;
    void (*bind)(sqlite3_stmt *st, const struct store_op *op);
} ops_table[] = {
    [STORE_LEASE_PUT] = {SQL_LEASE_PUT, bind_lease},
    [STORE_LEASE_DELETE] = {SQL_LEASE_DELETE, bind_lease_key},
    [STORE_BOOT_BEGIN] = {SQL_BOOT_BEGIN, bind_boot},
    [STORE_BOOT_EVENT] = {SQL_BOOT_EVENT, bind_event},
    [STORE_REPORT] = {SQL_REPORT, bind_report},
};

/* Runs a statement that has no rows. What sqlite3_bind_* could not take shows as NULL, which no column takes.
 */
static int run(struct store *s, enum statement which)
{
    sqlite3_stmt *st = s->statement[which];
    int code = sqlite3_step(st);
    int r = code == SQLITE_DONE ? 0 : store_errno(s, code);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r;
}

/* After so many new boots, forgets the oldest ones. */
static int forget_boots(struct store *s)
{
    if (s->begun < FORGET_EVERY)
        return 0;
    s->begun = 0;
    sqlite3_bind_int(s->statement[SQL_BOOTS_FORGET], 1, STORE_BOOTS_MAX);
    return run(s, SQL_BOOTS_FORGET);
}

int store_commit(struct store *s, const struct store_op *ops, size_t n)
{
    int r = run(s, SQL_BEGIN);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++) {
        if ((size_t)ops[i].kind >= ARRAY_SIZE(ops_table)) {
            r = -EINVAL;
            break;
        }
        enum statement which = ops_table[ops[i].kind].statement;
        ops_table[ops[i].kind].bind(s->statement[which], &ops[i]);
        r = run(s, which);
        s->begun += ops[i].kind == STORE_BOOT_BEGIN;
    }
    if (r == 0)
        r = forget_boots(s);
    if (r == 0)
        r = run(s, SQL_COMMIT);
    /* SQLite itself ends the transaction after some errors; then there is nothing to roll back. */
    if (r < 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, SQL_ROLLBACK);
    return r;
}

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

/* Walks the rows of a statement whose parameters are bound. `row` reads one and calls the caller's function.
 */
static int walk(struct store *s, enum statement which, int (*row)(sqlite3_stmt *st, void *user), void *user)
{
    sqlite3_stmt *st = s->statement[which];
    int code, r = 0;
    while (r >= 0 && (code = sqlite3_step(st)) == SQLITE_ROW)
        r = row(st, user);
    if (r >= 0)
        r = code == SQLITE_DONE ? 0 : store_errno(s, code);
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
