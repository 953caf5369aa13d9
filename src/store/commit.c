/* Writing: what each operation of store/store.h does to the tables, all of a call in one transaction; and
 * forgetting what is more than the limits. */
#include "base/cleanup.h"
#include "store/internal.h"

#include <errno.h>

/* FORGET_EVERY: boots that begin between two looks at how many there are. CANDIDATES_SPARE: how many the
 * longest unseen candidates go at once, so that a flood of them does not count the table for each one.
 * MACHINES_FORGET_BYTES: of machines that report between two looks at how many there are, each
 * counted MACHINE_FORGET_EACH more, so that small ones are looked at too. */
enum {
    FORGET_EVERY = 1000,
    CANDIDATES_SPARE = STORE_CANDIDATES_MAX / 16,
    MACHINES_FORGET_BYTES = 16 << 20,
    MACHINE_FORGET_EACH = MACHINES_FORGET_BYTES / FORGET_EVERY,
};

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

static int apply(struct store *s, enum statement which, void (*bind)(sqlite3_stmt *, const struct store_op *),
                 const struct store_op *op)
{
    bind(s->statement[which], op);
    return store_run(s, which);
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
    return store_run(s, SQL_BOOTS_FORGET);
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
        r = store_run(s, SQL_CANDIDATES_FORGET);
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
    int r = store_run(s, SQL_MACHINES_FORGET);
    if (r == 0)
        s->reported = 0;
    return r;
}

int store_commit(struct store *s, const struct store_op *ops, size_t n)
{
    int r = store_run(s, SQL_BEGIN);
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
        r = store_run(s, SQL_COMMIT);
    /* SQLite itself ends the transaction after some errors; then there is nothing to roll back. */
    if (r < 0 && !sqlite3_get_autocommit(s->db))
        (void)store_run(s, SQL_ROLLBACK);
    if (r == -EUCLEAN)
        store_suspect(s->db);
    return r;
}
