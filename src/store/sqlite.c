/* The store in one SQLite file. See store/store.h.
 *
 * Write-ahead logging with synchronous=FULL: a commit is one sequential write and one fsync of the log, so
 * what store_commit returned for survives a kill and a power cut, and readers (`rambox lease list`) never
 * wait for the server. Every statement is prepared once, at open. The schema's version is PRAGMA
 * user_version, see schema.c; what a start checks, damage.c. What SQLite would put into files in /tmp stays
 * in memory: the server may write nowhere but beside its database.
 */
#include "base/file.h"
#include "base/str.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

/* FORGET_EVERY: boots that begin between two looks at how many there are. CANDIDATES_SPARE: how many the
 * longest unseen candidates go at once, so that a flood of them does not count the table for each one.
 * MACHINES_FORGET_BYTES: of machines that report between two looks at how many there are, each
 * counted MACHINE_FORGET_EACH more, so that small ones are looked at too. LOCK_TRIES: for the lock, 50 ms
 * apart. */
enum {
    FORGET_EVERY = 1000,
    CANDIDATES_SPARE = STORE_CANDIDATES_MAX / 16,
    MACHINES_FORGET_BYTES = 16 << 20,
    MACHINE_FORGET_EACH = MACHINES_FORGET_BYTES / FORGET_EVERY,
    LOCK_TRIES = 40,
};

/* The log is written into the database whenever it has grown by so many pages, 4 MiB, and begun anew when no
 * reader looks at it; one that a reader made grow is cut to 16 MiB then. */
#define KEEP_LOG_SHORT "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;"

static const char *const statements[] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_LEASE_INSERT] = "INSERT INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                         " ON CONFLICT (ip) DO NOTHING",
    /* `since` goes on as long as nothing ends. */
    [SQL_LEASE_UPDATE] =
        "UPDATE leases SET state = ?2, client = ?3, mac = ?4, start = ?5, expires = ?6, hostname = ?7, since "
        "="
        " iif(state = ?2 AND client = ?3 AND (state = 2 OR ?5 <= expires), since, ?8) WHERE ip = ?1",
    /* A released lease is no lease any more: its past row was written when it was released. A bound or a
     * quarantined one ends when the address gets another state or client, or when its client comes back after
     * it had expired. */
    [SQL_LEASE_END] =
        "INSERT INTO leases_past (ip, mac, since, until, ending, hostname) SELECT ip, mac, since,"
        " max(since, min(expires, ?8)), CASE WHEN state = 3 THEN 5 WHEN expires <= ?8 THEN 1 WHEN ?2 = 2 THEN"
        " 2 WHEN ?2 = 3 THEN 3 ELSE 4 END, hostname FROM leases"
        " WHERE ip = ?1 AND state <> 2 AND (state <> ?2 OR client <> ?3 OR ?5 > expires)",
    [SQL_LEASES_PAST_FORGET] = "DELETE FROM leases_past WHERE id <= last_insert_rowid() - ?1",
    [SQL_BOOT_BEGIN] = "INSERT OR REPLACE INTO boots VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_BOOTS_FORGET] = "DELETE FROM boots WHERE id IN"
                         " (SELECT id FROM boots ORDER BY started_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
    [SQL_BOOT_EVENT] = "INSERT INTO boot_events SELECT ?1, ?2, ?3, ?4"
                       " WHERE (SELECT count(*) FROM boot_events WHERE boot = ?1) < ?5",
    [SQL_REPORT] = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3)",
    [SQL_CANDIDATE_PUT] =
        "INSERT INTO candidates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (mac) DO UPDATE"
        " SET ip = ?2, subnet = ?3, last_us = max(last_us, ?5), hostname = ?6, vendor_class = ?7, arch = ?8,"
        " uuid = ?9, circuit_id = ?10",
    [SQL_CANDIDATE_DELETE] = "DELETE FROM candidates WHERE mac = ?1",
    [SQL_CANDIDATES_FORGET] = "DELETE FROM candidates WHERE mac IN"
                              " (SELECT mac FROM candidates ORDER BY last_us LIMIT ?1)",
    [SQL_CANDIDATES_COUNT] = "SELECT count(*) FROM candidates",
    /* A kernel without DMI does not say what the machine is called: then what an earlier one said of the same
     * hardware stays. */
    [SQL_MACHINE_PUT] =
        "INSERT INTO machines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (mac) DO UPDATE SET node = ?2,"
        " class = ?3, at_us = ?4, boot = ?5, bytes = ?6, json = CASE WHEN class <> ?3 OR NOT json_valid(json)"
        " OR NOT json_valid(?7) THEN ?7 WHEN json_type(?7, '$.dmi') IS NULL AND json_type(json, '$.dmi') ="
        " 'object' THEN json_set(?7, '$.dmi', json_extract(json, '$.dmi')) ELSE ?7 END",
    [SQL_MACHINES_FORGET] =
        "DELETE FROM machines WHERE mac IN (SELECT mac FROM (SELECT mac, row_number() OVER newest AS place,"
        " sum(bytes) OVER newest AS total FROM machines WINDOW newest AS (ORDER BY at_us DESC, mac ROWS"
        " UNBOUNDED PRECEDING)) WHERE place > ?1 OR total > ?2)",
    [SQL_TRIAL_PUT] = "INSERT OR REPLACE INTO trials VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_TRIALS_FORGET] = "DELETE FROM trials WHERE rowid IN"
                          " (SELECT rowid FROM trials ORDER BY begun_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
    [SQL_LEASES] = "SELECT ip, state, client, mac, start, expires, hostname, since FROM leases ORDER BY ip",
    [SQL_LEASES_PAST] = "SELECT ip, mac, since, until, ending, hostname FROM leases_past ORDER BY id DESC",
    [SQL_CANDIDATES] = "SELECT mac, ip, subnet, first_us, last_us, hostname, vendor_class, arch, uuid,"
                       " circuit_id FROM candidates ORDER BY first_us, mac",
    [SQL_BOOTS] = "SELECT id, mac, node, ip, generation, started_us FROM boots"
                  " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOTS_OF_NODE] = "SELECT id, mac, node, ip, generation, started_us FROM boots WHERE node = ?2"
                          " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOT_EVENTS] = "SELECT boot, at_us, what, detail FROM boot_events WHERE boot = ?1"
                        " ORDER BY at_us, rowid",
    [SQL_MACHINES] = "SELECT mac, node, class, at_us, boot, json FROM machines ORDER BY class, node, mac",
    [SQL_TRIALS] = "SELECT class, kernel, state, mac, node, boot, begun_us, ended_us, stage FROM trials"
                   " ORDER BY class, begun_us DESC, rowid DESC",
};

/* What SQLite said, as -errno. */
int store_errno(sqlite3 *db, int code)
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
    int system = db ? sqlite3_system_errno(db) : 0;
    return (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system > 0 ? -system : -EIO;
}

int store_exec(sqlite3 *db, const char *sql)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : store_errno(db, code);
}

int store_query(sqlite3 *db, const char *sql, int64_t *ret_value)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(st, 0);
    int r = code == SQLITE_ROW ? 0 : store_errno(db, code);
    sqlite3_finalize(st);
    return r;
}

static int prepare(struct store *s)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        int code =
            sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i], NULL);
        if (code != SQLITE_OK)
            return store_errno(s->db, code);
    }
    return 0;
}

static int open_database(struct store *s, const char *path, struct diags *diags, char **ret_damage)
{
    /* Nobody asks SQLite how much memory it has, and counting takes a lock at each allocation. Only counts
     * before the first database is open; later it is refused, which is all right. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int code = sqlite3_open_v2(
        path, &s->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return store_errno(s->db, code);
    sqlite3_busy_timeout(s->db, 10000);
    int r = store_exec(
        s->db,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;" KEEP_LOG_SHORT);
    if (r == 0)
        r = store_check(s->db, ret_damage);
    if (r == 0)
        r = store_migrate(s->db, path, diags);
    if (r == 0)
        r = prepare(s);
    s->candidates = STORE_CANDIDATES_MAX; /* not counted yet */
    return r;
}

/* SQLite lets any number of processes write in turn. But the server has the leases in memory, so nobody else
 * may change them under it. The kernel gives the lock back when the process ends, however it ends. */
static int take_lock(struct store *s, const char *path, struct diags *diags)
{
    cleanup_free char *lock = xasprintf("%s.lock", path);
    s->lock_fd = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return -errno;
    for (unsigned i = 0; flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK)
            return -errno;
        if (i == LOCK_TRIES) {
            diag_error(diags, NULL, "the store %s is in use by another process: a rambox server runs on it",
                       path);
            return -EBUSY;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return 0;
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
    s->lock_fd = -1;
    if (r == 0)
        r = take_lock(s, path, diags);
    if (r == 0)
        r = open_database(s, path, diags, &damage);
    if (r == -EUCLEAN) {
        cleanup_free char *why = damage ? TAKE_PTR(damage) : xstrdup(sqlite3_errmsg(s->db));
        store_close(TAKE_PTR(s));
        return store_refuse(path, why, diags);
    }
    if (r < 0)
        return diags->errors > errors ? r : diag_errno(diags, r, "cannot open the store %s", path);
    *ret_store = TAKE_PTR(s);
    return 0;
}

int store_open_reader(const char *path, struct diags *diags, struct store **ret_store)
{
    CLEANUP(store_close) struct store *s = xcalloc(1, sizeof(*s));
    unsigned errors = diags->errors;
    s->lock_fd = -1;
    if (!file_exists(path))
        return -ENOENT;
    int code = sqlite3_open_v2(path, &s->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    int r = code == SQLITE_OK ? 0 : store_errno(s->db, code);
    sqlite3_busy_timeout(s->db, 10000);
    if (r == 0)
        r = store_check_version(s->db, path, diags);
    if (r == 0)
        r = prepare(s);
    if (r < 0)
        return diags->errors > errors ? r : diag_errno(diags, r, "cannot read the store %s", path);
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
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
}

void store_op_clear(struct store_op *op)
{
    if (op->kind == STORE_REPORT)
        free(TAKE_PTR(op->report.json));
    else if (op->kind == STORE_MACHINE_PUT)
        free(TAKE_PTR(op->machine.json));
}

size_t store_op_owned(const struct store_op *op)
{
    const char *json = op->kind == STORE_REPORT        ? op->report.json
                       : op->kind == STORE_MACHINE_PUT ? op->machine.json
                                                       : NULL;
    return json ? strlen(json) + 1 : 0;
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
    /* When this state of it began: a release leaves `start` alone, and sets the expiry. */
    sqlite3_bind_int64(st, 8, l->state == LEASE_RELEASED ? l->expires : l->start);
}

static void bind_past_limit(sqlite3_stmt *st, const struct store_op *op)
{
    (void)op;
    sqlite3_bind_int(st, 1, STORE_PAST_MAX);
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

/* The key of a candidate and of a machine: the address as a number, which is a third of the bytes and no
 * blob. */
static int64_t mac_number(const struct mac *mac)
{
    int64_t n = 0;
    for (size_t i = 0; i < sizeof(mac->b); i++)
        n = n << 8 | mac->b[i];
    return n;
}

static void bind_candidate(sqlite3_stmt *st, const struct store_op *op)
{
    const struct candidate *c = &op->candidate;
    sqlite3_bind_int64(st, 1, mac_number(&c->mac));
    sqlite3_bind_int64(st, 2, c->ip);
    bind_text(st, 3, c->subnet, sizeof(c->subnet));
    sqlite3_bind_int64(st, 4, c->first_us);
    sqlite3_bind_int64(st, 5, c->last_us);
    bind_text(st, 6, c->hostname, sizeof(c->hostname));
    bind_text(st, 7, c->vendor_class, sizeof(c->vendor_class));
    if (c->has_arch)
        sqlite3_bind_int(st, 8, c->arch);
    if (c->has_uuid)
        sqlite3_bind_blob(st, 9, c->uuid, sizeof(c->uuid), SQLITE_STATIC);
    bind_text(st, 10, c->circuit_id, sizeof(c->circuit_id));
}

static void bind_machine(sqlite3_stmt *st, const struct store_op *op)
{
    const struct store_machine *m = &op->machine;
    const char *json = m->json ? m->json : "";
    sqlite3_bind_int64(st, 1, mac_number(&m->mac));
    bind_text(st, 2, m->node, sizeof(m->node));
    bind_text(st, 3, m->class, sizeof(m->class));
    sqlite3_bind_int64(st, 4, m->at_us);
    sqlite3_bind_int64(st, 5, (int64_t)m->boot);
    sqlite3_bind_int64(st, 6, (int64_t)strlen(json));
    sqlite3_bind_text(st, 7, json, -1, SQLITE_STATIC);
}

static void bind_trial(sqlite3_stmt *st, const struct store_op *op)
{
    const struct trial *t = &op->trial;
    bind_text(st, 1, t->class, sizeof(t->class));
    sqlite3_bind_blob(st, 2, t->kernel.b, sizeof(t->kernel.b), SQLITE_STATIC);
    sqlite3_bind_int(st, 3, (int)t->state);
    sqlite3_bind_int64(st, 4, mac_number(&t->mac));
    bind_text(st, 5, t->node, sizeof(t->node));
    sqlite3_bind_int64(st, 6, (int64_t)t->boot);
    sqlite3_bind_int64(st, 7, t->begun_us);
    sqlite3_bind_int64(st, 8, t->ended_us);
    bind_text(st, 9, t->stage, sizeof(t->stage));
}

static void bind_trials_limit(sqlite3_stmt *st, const struct store_op *op)
{
    (void)op;
    sqlite3_bind_int(st, 1, STORE_TRIALS_MAX);
}

static void bind_candidate_key(sqlite3_stmt *st, const struct store_op *op)
{
    sqlite3_bind_int64(st, 1, mac_number(&op->candidate.mac));
}

/* Runs a statement that has no rows. What sqlite3_bind_* could not take shows as NULL, which no column takes.
 */
static int run(struct store *s, enum statement which)
{
    sqlite3_stmt *st = s->statement[which];
    int code = sqlite3_step(st);
    int r = code == SQLITE_DONE ? 0 : store_errno(s->db, code);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r;
}

static int apply(struct store *s, enum statement which, void (*bind)(sqlite3_stmt *, const struct store_op *),
                 const struct store_op *op)
{
    bind(s->statement[which], op);
    return run(s, which);
}

/* Inserts the lease. Where its address has a row already, that one is written to the past when it ends, and
 * changed: a new lease costs one insertion, and only what is there already is looked at. */
static int put_lease(struct store *s, const struct store_op *op)
{
    int r = apply(s, SQL_LEASE_INSERT, bind_lease, op);
    if (r < 0 || sqlite3_changes(s->db) > 0)
        return r;
    r = apply(s, SQL_LEASE_END, bind_lease, op);
    if (r == 0 && sqlite3_changes(s->db) > 0)
        r = apply(s, SQL_LEASES_PAST_FORGET, bind_past_limit, op);
    return r < 0 ? r : apply(s, SQL_LEASE_UPDATE, bind_lease, op);
}

static int begin_boot(struct store *s, const struct store_op *op)
{
    s->begun++;
    return apply(s, SQL_BOOT_BEGIN, bind_boot, op);
}

static int add_event(struct store *s, const struct store_op *op)
{
    return apply(s, SQL_BOOT_EVENT, bind_event, op);
}

static int put_report(struct store *s, const struct store_op *op)
{
    return apply(s, SQL_REPORT, bind_report, op);
}

static int put_candidate(struct store *s, const struct store_op *op)
{
    s->candidates++;
    return apply(s, SQL_CANDIDATE_PUT, bind_candidate, op);
}

static int delete_candidate(struct store *s, const struct store_op *op)
{
    return apply(s, SQL_CANDIDATE_DELETE, bind_candidate_key, op);
}

static int put_machine(struct store *s, const struct store_op *op)
{
    s->reported += MACHINE_FORGET_EACH + (op->machine.json ? strlen(op->machine.json) : 0);
    return apply(s, SQL_MACHINE_PUT, bind_machine, op);
}

static int put_trial(struct store *s, const struct store_op *op)
{
    int r = apply(s, SQL_TRIAL_PUT, bind_trial, op);
    return r < 0 ? r : apply(s, SQL_TRIALS_FORGET, bind_trials_limit, op);
}

static int (*const ops_table[])(struct store *s, const struct store_op *op) = {
    [STORE_LEASE_PUT] = put_lease,         [STORE_BOOT_BEGIN] = begin_boot,
    [STORE_BOOT_EVENT] = add_event,        [STORE_REPORT] = put_report,
    [STORE_CANDIDATE_PUT] = put_candidate, [STORE_CANDIDATE_DELETE] = delete_candidate,
    [STORE_MACHINE_PUT] = put_machine,     [STORE_TRIAL_PUT] = put_trial,
};

/* After so many new boots, forgets the oldest ones. */
static int forget_boots(struct store *s)
{
    if (s->begun < FORGET_EVERY)
        return 0;
    s->begun = 0;
    sqlite3_bind_int(s->statement[SQL_BOOTS_FORGET], 1, STORE_BOOTS_MAX);
    return run(s, SQL_BOOTS_FORGET);
}

/* Above the limit, the candidates that were not seen for the longest go, and some more. `s->candidates` is
 * their number or more: a candidate that was seen again is counted again, until the table is. */
static int forget_candidates(struct store *s)
{
    sqlite3_stmt *count = s->statement[SQL_CANDIDATES_COUNT];
    if (s->candidates <= STORE_CANDIDATES_MAX)
        return 0;
    int code = sqlite3_step(count);
    int r = code == SQLITE_ROW ? 0 : store_errno(s->db, code);
    unsigned n = r == 0 ? (unsigned)sqlite3_column_int64(count, 0) : 0;
    sqlite3_reset(count);
    if (r == 0 && n > STORE_CANDIDATES_MAX) {
        unsigned excess = n - (STORE_CANDIDATES_MAX - CANDIDATES_SPARE);
        sqlite3_bind_int64(s->statement[SQL_CANDIDATES_FORGET], 1, excess);
        r = run(s, SQL_CANDIDATES_FORGET);
        n -= excess;
    }
    if (r == 0)
        s->candidates = n;
    return r;
}

/* Every few megabytes, forgets the machines that reported longest ago. */
static int forget_machines(struct store *s)
{
    sqlite3_stmt *st = s->statement[SQL_MACHINES_FORGET];
    if (s->reported < MACHINES_FORGET_BYTES)
        return 0;
    sqlite3_bind_int(st, 1, STORE_MACHINES_MAX);
    sqlite3_bind_int64(st, 2, STORE_MACHINES_BYTES);
    int r = run(s, SQL_MACHINES_FORGET);
    if (r == 0)
        s->reported = 0;
    return r;
}

int store_commit(struct store *s, const struct store_op *ops, size_t n)
{
    int r = run(s, SQL_BEGIN);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = (size_t)ops[i].kind < ARRAY_SIZE(ops_table) ? ops_table[ops[i].kind](s, &ops[i]) : -EINVAL;
    if (r == 0)
        r = forget_boots(s);
    if (r == 0)
        r = forget_candidates(s);
    if (r == 0)
        r = forget_machines(s);
    if (r == 0)
        r = run(s, SQL_COMMIT);
    /* SQLite itself ends the transaction after some errors; then there is nothing to roll back. */
    if (r < 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, SQL_ROLLBACK);
    if (r == -EUCLEAN)
        store_suspect(s->db);
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

/* The way back from mac_number. */
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
