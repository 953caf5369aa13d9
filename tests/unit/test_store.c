/* store/: what was committed is there again, whatever happens to the process, the disk or the file. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int take_lease(void *user, const struct lease *lease)
{
    *(struct lease *)user = *lease;
    return 0;
}

/* H3: a lease comes back as it was, by its address; a new one for the address replaces it. */
static void lease_round_trip(void **state)
{
    (void)state;
    struct store_op op = lease_op(0xc0a80711), again;
    op.lease.client.size = CLIENT_KEY_MAX;
    memset(op.lease.client.b, 0xff, CLIENT_KEY_MAX);
    op.lease.state = LEASE_DECLINED;
    op.lease.ip = 0xfffffffe;
    op.lease.expires = INT64_MAX;
    memset(op.lease.hostname, 'a', 63);
    struct store *store = open_store();
    assert_int_equal(store_commit(store, &op, 1), 0);
    store_close(store);

    store = open_store();
    struct lease got = {0};
    assert_int_equal(store_each_lease(store, take_lease, &got), 0);
    assert_memory_equal(&got.client, &op.lease.client, sizeof(got.client));
    assert_memory_equal(&got.mac, &op.lease.mac, sizeof(got.mac));
    assert_int_equal(got.ip, op.lease.ip);
    assert_int_equal(got.state, op.lease.state);
    assert_int_equal(got.start, op.lease.start);
    assert_true(got.expires == INT64_MAX);
    assert_string_equal(got.hostname, op.lease.hostname);

    again = lease_op(0xfffffffe);
    assert_int_equal(store_commit(store, &again, 1), 0);
    assert_int_equal(lease_count(store), 1);
    assert_int_equal(store_each_lease(store, take_lease, &got), 0);
    assert_int_equal(got.state, LEASE_BOUND);
    store_close(store);
}

static int count_past(void *user, const struct lease_past *past)
{
    (void)past;
    ++*(unsigned *)user;
    return 0;
}

static int add_past(void *user, const struct lease_past *p)
{
    static const char *const ends[] = {"?", "expired", "released", "declined", "replaced", "quarantine"};
    char ip[IPV4_TEXT_MAX];
    str_printf(user, "%s %02x %ld-%ld %s; ", ipv4_format(p->ip, ip), p->mac.b[5], (long)p->since,
               (long)p->until, ends[p->end]);
    return 0;
}

static struct lease lease_at(struct store *store)
{
    struct lease lease = {0};
    assert_int_equal(store_each_lease(store, take_lease, &lease), 0);
    return lease;
}

/* What an address goes through, one row at a time: what has ended is told, newest first, and `since` is the
 * start of what goes on. */
static void lease_history(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum lease_state state;
        uint8_t client;
        int64_t start, expires, since;
        const char *past; /* the newest row; NULL: none more */
    } steps[] = {
        {"a new lease", LEASE_BOUND, 1, 1000, 1100, 1000, NULL},
        {"renewed", LEASE_BOUND, 1, 1050, 1150, 1000, NULL},
        {"renewed in its last second", LEASE_BOUND, 1, 1150, 1250, 1000, NULL},
        {"back after it had expired", LEASE_BOUND, 1, 1300, 1400, 1300, "10.0.0.1 01 1000-1250 expired; "},
        {"released", LEASE_RELEASED, 1, 1300, 1350, 1350, "10.0.0.1 01 1300-1350 released; "},
        {"released once more", LEASE_RELEASED, 1, 1300, 1360, 1350, NULL},
        {"back after its release", LEASE_BOUND, 1, 1370, 1470, 1370, NULL},
        {"another client's", LEASE_BOUND, 2, 1500, 1600, 1500, "10.0.0.1 01 1370-1470 expired; "},
        {"taken from its client", LEASE_BOUND, 3, 1550, 1650, 1550, "10.0.0.1 02 1500-1550 replaced; "},
        {"declined", LEASE_DECLINED, 3, 1600, 5200, 1600, "10.0.0.1 03 1550-1600 declined; "},
        {"declined again", LEASE_DECLINED, 3, 1700, 5300, 1600, NULL},
        {"freed by a person", LEASE_RELEASED, 3, 1700, 1800, 1800, "10.0.0.1 03 1600-1800 quarantine; "},
        {"a clock set back", LEASE_BOUND, 4, 500, 600, 500, NULL},
        {"a clock set back more", LEASE_BOUND, 5, 100, 200, 100, "10.0.0.1 04 500-500 replaced; "},
    };
    struct store *store = open_store();
    unsigned rows = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct store_op op = lease_op(0x0a000001);
        cleanup_str struct str past = {0};
        unsigned n = 0;
        op.lease.state = steps[i].state;
        op.lease.client.b[6] = op.lease.mac.b[5] = steps[i].client;
        op.lease.start = steps[i].start;
        op.lease.expires = steps[i].expires;
        assert_int_equal(store_commit(store, &op, 1), 0);
        if (lease_at(store).since != steps[i].since)
            fail_msg("%s: since %ld", steps[i].what, (long)lease_at(store).since);
        rows += steps[i].past != NULL;
        assert_int_equal(store_each_lease_past(store, count_past, &n), 0);
        if (n != rows)
            fail_msg("%s: %u past rows instead of %u", steps[i].what, n, rows);
        assert_int_equal(store_each_lease_past(store, add_past, &past), 0);
        if (steps[i].past)
            assert_true(str_starts(str_text(&past), steps[i].past));
    }
    store_close(store);
}

static struct store_op candidate_op(uint32_t n)
{
    return (struct store_op){
        .kind = STORE_CANDIDATE_PUT,
        .candidate = {.mac = {{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}},
                      .ip = 0x0a000001,
                      .first_us = n,
                      .last_us = n}};
}

struct candidates {
    unsigned n;
    struct candidate first, last;
};

static int take_candidate(void *user, const struct candidate *candidate)
{
    struct candidates *all = user;
    if (all->n++ == 0)
        all->first = *candidate;
    all->last = *candidate;
    return 0;
}

static struct candidates candidates_of(struct store *store)
{
    struct candidates all = {0};
    assert_int_equal(store_each_candidate(store, take_candidate, &all), 0);
    return all;
}

/* A machine that was discovered comes back as it was; when it is seen again, `first` stays; it can be
 * forgotten. */
static void candidate_round_trip(void **state)
{
    (void)state;
    struct store_op op = candidate_op(0xfffffff0), plain = candidate_op(1), old;
    struct candidate *c = &op.candidate;
    c->has_arch = c->has_uuid = true;
    c->arch = 7;
    memset(c->mac.b, 0xfe, sizeof(c->mac.b));
    memset(c->uuid, 0xff, sizeof(c->uuid));
    memset(c->subnet, 's', 63);
    memset(c->hostname, 'h', 63);
    memset(c->vendor_class, 'v', 63);
    memset(c->circuit_id, 'c', 63);
    struct store *store = open_store();
    assert_int_equal(store_commit(store, &op, 1), 0);
    assert_int_equal(store_commit(store, &plain, 1), 0);
    store_close(store);
    store = open_store();
    struct candidates all = candidates_of(store);
    assert_int_equal(all.n, 2); /* the one first seen first */
    assert_memory_equal(&all.first, &plain.candidate, sizeof(*c));
    assert_memory_equal(&all.last, c, sizeof(*c));
    old = op;
    old.candidate.first_us = old.candidate.last_us = 5; /* seen again, told late */
    old.candidate.has_uuid = false;
    old.candidate.ip = 9;
    assert_int_equal(store_commit(store, &old, 1), 0);
    all = candidates_of(store);
    assert_true(all.n == 2 && all.last.first_us == c->first_us && all.last.last_us == c->last_us);
    assert_true(all.last.ip == 9 && !all.last.has_uuid);
    op.kind = STORE_CANDIDATE_DELETE;
    assert_int_equal(store_commit(store, &op, 1), 0);
    assert_int_equal(candidates_of(store).n, 1);
    store_close(store);
}

/* Hostile: a machine that shows a new MAC address with every packet fills no disk, and those seen last stay.
 */
static void candidates_are_bounded(void **state)
{
    (void)state;
    enum { BATCH = 500 };
    struct store_op ops[BATCH];
    struct store *store = open_store();
    struct store_op often = candidate_op(1);
    for (unsigned n = 2; n < 3 * STORE_CANDIDATES_MAX; n += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            ops[i] = candidate_op(n + i);
        often.candidate.last_us = ops[BATCH - 1].candidate.last_us;
        ops[0] = often;
        assert_int_equal(store_commit(store, ops, BATCH), 0);
        assert_in_range(candidates_of(store).n, 1, STORE_CANDIDATES_MAX);
        if (n % 5000 < BATCH) { /* also across restarts */
            store_close(store);
            store = open_store();
        }
    }
    struct candidates all = candidates_of(store);
    assert_in_range(all.n, STORE_CANDIDATES_MAX / 2, STORE_CANDIDATES_MAX);
    assert_memory_equal(&all.first.mac, &often.candidate.mac, sizeof(struct mac));
    assert_memory_equal(&all.last.mac, &ops[BATCH - 1].candidate.mac, sizeof(struct mac));
    store_close(store);
}

static int count_new_past(void *user, const struct lease_past *past)
{
    *(unsigned *)user += past->ip == 1;
    return 0;
}

/* Hostile: two clients that take an address from each other for ever; the past is as long as it may be, and
 * the newest of it is kept. */
static void past_is_bounded(void **state)
{
    (void)state;
    enum { BATCH = 1000 };
    struct store_op *ops = xcalloc(BATCH, sizeof(*ops));
    store_close(open_store());
    run_sql("WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199000) INSERT INTO leases_past"
            " SELECT i, 2, zeroblob(6), 0, 0, 1, '' FROM n");
    struct store *store = open_store();
    unsigned n = 0, new = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        ops[i] = lease_op(1);
        ops[i].lease.client.b[1] = (uint8_t)i;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(store_commit(store, ops, BATCH), 0);
    assert_int_equal(store_each_lease_past(store, count_past, &n), 0);
    assert_int_equal(n, STORE_PAST_MAX);
    assert_int_equal(store_each_lease_past(store, count_new_past, &new), 0);
    assert_int_equal(new, 3 * BATCH - 1);
    free(ops);
    store_close(store);
}

struct boots {
    unsigned n;
    struct boot boot[8];
};

static int take_boot(void *user, const struct boot *boot)
{
    struct boots *boots = user;
    assert_true(boots->n < ARRAY_SIZE(boots->boot));
    boots->boot[boots->n++] = *boot;
    return 0;
}

static int add_event(void *user, const struct boot_event *event)
{
    str_printf(user, "%s(%s) ", event->what, event->detail);
    return 0;
}

static int stop_walk(void *user, const struct boot *boot)
{
    (void)boot;
    ++*(unsigned *)user;
    return -ECANCELED;
}

/* Boots come newest first, of all or of one node; their events in the order of time; ids use all 64 bits. */
static void boots_and_events(void **state)
{
    (void)state;
    uint64_t high = 0xfedcba9876543210u;
    struct store_op ops[] = {
        {.kind = STORE_BOOT_BEGIN,
         .boot = {.id = high, .node = "n1", .ip = 1, .generation = 7, .started_us = 10}},
        {.kind = STORE_BOOT_BEGIN, .boot = {.id = 2, .node = "n2", .started_us = 20}},
        {.kind = STORE_BOOT_BEGIN, .boot = {.id = 3, .node = "n1", .started_us = 30}},
        {.kind = STORE_BOOT_EVENT, .event = {.boot = high, .at_us = 12, .what = "offer", .detail = "x"}},
        {.kind = STORE_BOOT_EVENT, .event = {.boot = high, .at_us = 11, .what = "discover"}},
        {.kind = STORE_BOOT_EVENT, .event = {.boot = 3, .at_us = 1, .what = "other"}},
        {.kind = STORE_REPORT, .report = {.boot = high, .at_us = 13, .json = xstrdup("{}")}},
    };
    struct store *store = open_store();
    assert_int_equal(store_commit(store, ops, ARRAY_SIZE(ops)), 0);
    store_op_clear(&ops[6]);
    struct boots all = {0}, n1 = {0}, last = {0};
    unsigned walked = 0;
    assert_int_equal(store_each_boot(store, NULL, 8, take_boot, &all), 0);
    assert_int_equal(all.n, 3);
    assert_int_equal(all.boot[0].id, 3);
    assert_int_equal(all.boot[1].id, 2);
    assert_true(all.boot[2].id == high && all.boot[2].generation == 7);
    assert_int_equal(store_each_boot(store, "n1", 8, take_boot, &n1), 0);
    assert_int_equal(n1.n, 2);
    assert_int_equal(store_each_boot(store, NULL, 1, take_boot, &last), 0);
    assert_int_equal(last.n, 1);
    assert_int_equal(store_each_boot(store, NULL, 8, stop_walk, &walked), -ECANCELED);
    assert_int_equal(walked, 1);
    cleanup_str struct str text = {0};
    assert_int_equal(store_each_boot_event(store, high, add_event, &text), 0);
    assert_string_equal(str_text(&text), "discover() offer(x) ");
    store_close(store);
}

/* D20: a commit with one impossible operation does none of its operations. */
static void commit_is_all_or_nothing(void **state)
{
    (void)state;
    struct store_op ops[] = {lease_op(1), lease_op(2), {.kind = (enum store_op_kind)99}};
    struct store *store = open_store();
    assert_int_equal(store_commit(store, ops, 3), -EINVAL);
    assert_int_equal(lease_count(store), 0);
    assert_int_equal(store_commit(store, ops, 2), 0);
    assert_int_equal(lease_count(store), 2);
    store_close(store);
}

/* F14: a hundred thousand leases are written in groups and read back, each once, in order. */
static int check_order(void *user, const struct lease *lease)
{
    unsigned *n = user;
    assert_int_equal(lease->ip, 0x0a000000 + *n);
    ++*n;
    return 0;
}

static void hundred_thousand_leases(void **state)
{
    (void)state;
    enum { N = 100000, GROUP = 1000 };
    struct store_op *ops = xcalloc(GROUP, sizeof(*ops));
    struct store *store = open_store();
    for (unsigned i = 0; i < N; i += GROUP) {
        for (unsigned j = 0; j < GROUP; j++)
            ops[j] = lease_op(0x0a000000 + i + j);
        assert_int_equal(store_commit(store, ops, GROUP), 0);
    }
    free(ops);
    store_close(store);
    store = open_store();
    unsigned n = 0;
    assert_int_equal(store_each_lease(store, check_order, &n), 0);
    assert_int_equal(n, N);
    store_close(store);
}

static int tally_trial(void *user, const struct trial *t)
{
    ++*(unsigned *)user;
    return t->begun_us ? 0 : -EINVAL;
}

/* The writer of kill_loses_nothing: commits leases, machines and trials for ever and says each address once
 * it is committed. */
static _Noreturn void write_for_ever(int out)
{
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    if (store_open(file, &diags, &store) < 0)
        _exit(1);
    for (ipv4_t ip = 1;; ip++) {
        struct store_op ops[] = {lease_op(ip), machine_op(ip, 5000), trial_op("aaaaaaaaaaaa", 1, ip)};
        if (store_commit(store, ops, ARRAY_SIZE(ops)) < 0 || write(out, &ip, sizeof(ip)) != sizeof(ip))
            _exit(1);
        store_op_clear(&ops[1]);
    }
}

/* F1: kill -9 while leases are written: each one that was committed is there, and the store opens as if
 * nothing had been. */
static void kill_loses_nothing(void **state)
{
    (void)state;
    ipv4_t last = 0, ip;
    for (unsigned round = 1; round <= 5; round++) {
        int fds[2];
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0)
            write_for_ever(fds[1]);
        close(fds[1]);
        for (last = 0; last < 40 * round; last = ip)
            assert_int_equal(read(fds[0], &ip, sizeof(ip)), sizeof(ip));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(fds[0], &ip, sizeof(ip)) == sizeof(ip))
            last = ip;
        close(fds[0]);
        struct store *store = open_store();
        unsigned n = lease_count(store), trials = 0;
        assert_in_range(n, last, last + 1);
        assert_int_equal(machines_of(store).n, n); /* all of a commit, or nothing */
        assert_int_equal(machines_of(store).bytes, 5000 * n);
        assert_int_equal(store_each_trial(store, tally_trial, &trials), 0);
        assert_int_equal(trials, n);
        store_close(store);
        cleanup_free char *dir = xasprintf("%s/store", folder);
        assert_int_equal(dir_remove(dir), 0);
    }
}

/* F3: on a full disk a commit says -ENOSPC and leaves nothing of itself; with room again all goes on. */
static void full_disk(void **state)
{
    (void)state;
    enum { GROUP = 64 };
    cleanup_free char *disk = xasprintf("%s/disk", folder);
    cleanup_free char *on_disk = xasprintf("%s/rambox.db", disk);
    cleanup_free char *filler = xasprintf("%s/filler", disk);
    cleanup_free char *fill = xcalloc(1, 512 << 10);
    struct store_op ops[GROUP];
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip(); /* no namespaces here: there is no small disk to fill */
    assert_int_equal(dir_make(disk), 0);
    assert_int_equal(mount("tmpfs", disk, "tmpfs", 0, "size=1m"), 0);
    free(file);
    file = xstrdup(on_disk);
    assert_int_equal(file_write_atomic(filler, fill, 512 << 10, 0600), 0);
    struct store *store = open_store();
    unsigned committed = 0;
    int r = 0;
    while (r == 0 && committed < 1000000) {
        for (unsigned i = 0; i < GROUP; i++)
            ops[i] = lease_op(committed + i + 1);
        r = store_commit(store, ops, GROUP);
        committed += r == 0 ? GROUP : 0;
    }
    assert_int_equal(r, -ENOSPC);
    assert_in_range(committed, GROUP, 100000);
    assert_int_equal(lease_count(store), committed);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(store_commit(store, ops, GROUP), 0);
    assert_int_equal(lease_count(store), committed + GROUP);
    store_close(store);
    store = open_store();
    assert_int_equal(lease_count(store), committed + GROUP);
    store_close(store);
    assert_int_equal(umount(disk), 0);
}

static bool diags_mention(const struct diags *diags, const char *word)
{
    VEC_EACH(diag, &diags->list)
        if (strstr(diag->text, word))
            return true;
    return false;
}

static void damage(off_t at, size_t size)
{
    cleanup_close int fd = open(file, O_WRONLY | O_CLOEXEC);
    cleanup_free char *noise = xmalloc(size);
    memset(noise, 0xa5, size);
    assert_true(fd >= 0);
    if (at < 0)
        at += lseek(fd, 0, SEEK_END);
    assert_int_equal(pwrite(fd, noise, size, at), size);
}

static void fill_store(unsigned n)
{
    struct store *store = open_store();
    for (unsigned i = 0; i < n; i++) {
        struct store_op op = lease_op(i);
        assert_int_equal(store_commit(store, &op, 1), 0);
    }
    store_close(store);
}

/* F4: a damaged file is refused, a copy of each damage is kept once, and the message says how to go on. */
static void damaged_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        off_t at;
        size_t size;
    } wounds[] = {{0, 64}, {4096, 3000}, {-4096, 4096}}; /* header, first table's root, last page */
    for (size_t i = 0; i < ARRAY_SIZE(wounds); i++) {
        cleanup_diags struct diags diags = {0};
        struct store *store = NULL;
        cleanup_free char *dir = xasprintf("%s/store", folder);
        cleanup_free char *copy = xasprintf("%s.damaged-1", file);
        cleanup_free char *second = xasprintf("%s.damaged-2", file);
        fill_store(200);
        damage(wounds[i].at, wounds[i].size);
        assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
        assert_null(store);
        assert_true(diags_mention(&diags, copy));
        assert_true(diags_mention(&diags, ".recover"));
        assert_true(file_exists(copy));
        assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
        assert_false(file_exists(second)); /* a service that starts again and again does not fill the disk */
        damage(1000, 1);
        assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
        assert_true(file_exists(second));
        assert_int_equal(dir_remove(dir), 0);
    }
}

/* The page where a table or an index begins, counted from 1. */
static int root_page(const char *name)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1, &st, NULL),
        SQLITE_OK);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int page = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return page;
}

/* F4: damage in any table is found. */
static void damage_of_each_table(void **state)
{
    (void)state;
    static const char *const tables[] = {"leases",      "leases_past", "candidates", "boots",
                                         "boot_events", "reports",     "machines",   "trials"};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        cleanup_diags struct diags diags = {0};
        struct store *store = NULL;
        cleanup_free char *dir = xasprintf("%s/store", folder);
        fill_store(1);
        damage((off_t)4096 * (root_page(tables[i]) - 1), 64);
        assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
        assert_true(diags_mention(&diags, ".damaged-1"));
        assert_int_equal(dir_remove(dir), 0);
    }
}

/* F4: of a large store, a start looks at what answers depend on. Damage elsewhere is found by the write that
 * comes upon it, which promises nothing; the next start then looks at everything and refuses. */
static void damage_of_a_large_store(void **state)
{
    (void)state;
    static const char *const needed[] = {"leases", "candidates", "trials"};
    cleanup_diags struct diags diags = {0};
    cleanup_free char *data = NULL;
    size_t size;
    fill_store(10);
    run_sql("WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700)"
            " INSERT INTO reports SELECT i, 1, hex(zeroblob(50000)) FROM n");
    assert_int_equal(file_read(file, SIZE_MAX / 2, &data, &size), 0);
    assert_true(size > 64 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        struct store *store = NULL;
        damage((off_t)4096 * (root_page(needed[i]) - 1), 64);
        assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
        assert_int_equal(file_write_atomic(file, data, size, 0600), 0);
    }
    damage((off_t)4096 * (root_page("boot_events") - 1), 64);
    struct store *store = open_store();
    struct store_op ops[] = {lease_op(1000), {.kind = STORE_BOOT_EVENT, .event = {.boot = 1}}};
    assert_int_equal(lease_count(store), 10);
    assert_int_equal(store_commit(store, ops, 1), 0);
    ops[0] = lease_op(1001);
    assert_int_equal(store_commit(store, ops, 2), -EUCLEAN);
    assert_int_equal(lease_count(store), 11);
    store_close(store);
    assert_int_equal(store_open(file, &diags, &store), -EUCLEAN);
    assert_int_equal(file_write_atomic(file, data, size, 0600), 0); /* the backup */
    store_close(open_store());
    damage((off_t)4096 * (root_page("boot_events") - 1), 64);
    store_close(open_store()); /* looked at once */
}

static int count_boot(void *user, const struct boot *boot)
{
    ++*(unsigned *)user;
    return boot->id > 0 ? 0 : -1;
}

static int count_event(void *user, const struct boot_event *event)
{
    ++*(unsigned *)user;
    return event->boot > 0 ? 0 : -1;
}

static struct store_op boot_op(uint64_t id)
{
    return (struct store_op){.kind = STORE_BOOT_BEGIN,
                             .boot = {.id = id, .mac = {{2}}, .started_us = (int64_t)id}};
}

/* Hostile: what anybody on the network can add to does not grow for ever. */
static void floods_are_bounded(void **state)
{
    (void)state;
    enum { GROUP = 1000 };
    struct store_op *ops = xcalloc(GROUP, sizeof(*ops));
    struct store *store = open_store();
    unsigned n = 0;
    ops[0] = boot_op(1);
    assert_int_equal(store_commit(store, ops, 1), 0);
    for (unsigned i = 0; i < GROUP; i++)
        ops[i] = (struct store_op){.kind = STORE_BOOT_EVENT, .event = {.boot = 1, .at_us = i}};
    assert_int_equal(store_commit(store, ops, GROUP), 0);
    assert_int_equal(store_each_boot_event(store, 1, count_event, &n), 0);
    assert_int_equal(n, STORE_EVENTS_MAX);
    for (uint64_t id = 2; id < STORE_BOOTS_MAX + 2 * GROUP;) {
        for (unsigned i = 0; i < GROUP; i++)
            ops[i] = boot_op(id++);
        assert_int_equal(store_commit(store, ops, GROUP), 0);
    }
    n = 0;
    assert_int_equal(store_each_boot(store, NULL, UINT32_MAX, count_boot, &n), 0);
    assert_in_range(n, STORE_BOOTS_MAX, STORE_BOOTS_MAX + GROUP);
    n = 0; /* the oldest went, with its events */
    assert_int_equal(store_each_boot_event(store, 1, count_event, &n), 0);
    assert_int_equal(n, 0);
    free(ops);
    store_close(store);
}

/* A store of a newer rambox, and a database of another program, are refused and not touched. */
static void newer_and_foreign_files_are_refused(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    fill_store(1);
    run_sql("PRAGMA user_version = 1000");
    assert_int_equal(store_open(file, &diags, &store), -EPROTONOSUPPORT);
    assert_true(diags_mention(&diags, "newer rambox"));
    run_sql("PRAGMA user_version = 1; PRAGMA application_id = 42");
    assert_int_equal(store_open(file, &diags, &store), -EINVAL);
    assert_true(diags_mention(&diags, "another program"));
    assert_null(store);
}

/* The schema as SQL, one line an object. */
static char *read_schema(void)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    struct str text = {0};
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema ORDER BY name", -1, &st, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        str_printf(&text, "%s\n", sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    sqlite3_close(db);
    return str_steal(&text);
}

/* Stores of every older rambox get what is new, keep what they have, and are then like one that is new. */
static void older_schemas_are_migrated(void **state)
{
    static const char *const schemas[] = {SCHEMA_1 OLD_ROWS, SCHEMA_2 OLD_ROWS, SCHEMA_2 OLD_ROWS STEP_3};
    store_close(open_store());
    cleanup_free char *newest = read_schema();
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
        cleanup_str struct str events = {0};
        struct boots boots = {0};
        struct lease last = {0};
        unsigned n = 0;
        teardown(state);
        assert_int_equal(setup(state), 0);
        make_old_store(schemas[i]);
        struct store *store = open_store();
        assert_int_equal(lease_count(store), 3);
        assert_int_equal(store_each_lease(store, take_lease, &last), 0);
        assert_int_equal(last.ip, 0x0a000003);
        assert_int_equal(last.state, LEASE_DECLINED);
        assert_int_equal(last.since, 1500);
        assert_int_equal(store_each_boot(store, "n1", 8, take_boot, &boots), 0);
        assert_true(boots.n == 1 && boots.boot[0].id == (uint64_t)-5 && boots.boot[0].generation == 7);
        assert_int_equal(store_each_boot_event(store, (uint64_t)-5, add_event, &events), 0);
        assert_string_equal(str_text(&events), "offer(x) ");
        assert_int_equal(store_each_lease_past(store, count_past, &n), 0);
        assert_int_equal(n, 0);
        store_close(store);
        cleanup_free char *migrated = read_schema();
        assert_string_equal(migrated, newest);
    }
}

static int64_t log_size(void)
{
    cleanup_free char *log = xasprintf("%s-wal", file);
    struct stat st;
    return stat(log, &st) == 0 ? st.st_size : 0;
}

static void write_storm(struct store *store, unsigned *next)
{
    enum { GROUPS = 20, GROUP = 500 };
    struct store_op *ops = xcalloc(GROUP, sizeof(*ops));
    for (unsigned i = 0; i < GROUPS; i++) {
        for (unsigned j = 0; j < GROUP; j++) {
            ops[j] = lease_op(++*next);
            ops[j].lease.client.size = CLIENT_KEY_MAX; /* as long as a lease can be */
            memset(ops[j].lease.hostname, 'h', sizeof(ops[j].lease.hostname) - 1);
        }
        assert_int_equal(store_commit(store, ops, GROUP), 0);
    }
    free(ops);
}

/* The log does not grow with the storm; a reader that holds it open makes it grow only until it is gone. */
static void log_is_bounded(void **state)
{
    (void)state;
    struct store *store = open_store(), *reader = NULL;
    cleanup_diags struct diags diags = {0};
    unsigned next = 0;
    write_storm(store, &next);
    write_storm(store, &next);
    assert_in_range(log_size(), 1, 8 << 20);

    sqlite3 *db; /* somebody's shell that sits in a transaction */
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM leases;", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 0; i < 8; i++)
        write_storm(store, &next);
    assert_true(log_size() > 16 << 20);
    sqlite3_close(db);
    write_storm(store, &next);
    assert_in_range(log_size(), 1, 16 << 20);

    /* Ours holds nothing when its walk has ended. */
    assert_int_equal(store_open_reader(file, &diags, &reader), 0);
    assert_int_equal(lease_count(reader), next);
    for (unsigned i = 0; i < 8; i++)
        write_storm(store, &next);
    assert_in_range(log_size(), 1, 16 << 20);
    store_close(reader);
    store_close(store);
}

/* `rambox lease list` reads while the server writes, and cannot write; it makes nothing where nothing is, and
 * leaves a store of an older rambox to the server. */
static void reader_beside_writer(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    struct store_op op = lease_op(1);
    struct store *reader = NULL;
    assert_int_equal(store_open_reader(file, &diags, &reader), -ENOENT);
    assert_int_equal(diags.errors, 0);
    assert_false(file_exists(file));
    struct store *writer = open_store();
    assert_int_equal(store_commit(writer, &op, 1), 0);
    assert_int_equal(store_open_reader(file, &diags, &reader), 0);
    assert_int_equal(lease_count(reader), 1);
    op.lease.ip = 2;
    assert_int_equal(store_commit(writer, &op, 1), 0);
    assert_int_equal(lease_count(reader), 2);
    assert_int_equal(store_commit(reader, &op, 1), -EROFS);
    assert_int_equal(store_commit(writer, &op, 1), 0);
    store_close(reader);
    store_close(writer);

    teardown(state);
    assert_int_equal(setup(state), 0);
    make_old_store(SCHEMA_2);
    assert_int_equal(store_open_reader(file, &diags, &reader), -EPROTONOSUPPORT);
    assert_true(diags_mention(&diags, "restart the server"));
}

/* One process writes: a second server on the same store is refused, and says why. */
static void one_writer(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    struct store *second = NULL, *writer = open_store();
    assert_int_equal(store_open(file, &diags, &second), -EBUSY);
    assert_true(diags_mention(&diags, "in use by another process"));
    store_close(writer);
    store_close(open_store());
}

/* A folder that cannot be made is said, with its name. */
static void impossible_place(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    assert_int_equal(store_open("/dev/null/rambox.db", &diags, &store), -ENOTDIR);
    assert_true(diags_mention(&diags, "/dev/null/rambox.db"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lease_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(lease_history, setup, teardown),
        cmocka_unit_test_setup_teardown(past_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(candidate_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(candidates_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(boots_and_events, setup, teardown),
        cmocka_unit_test_setup_teardown(commit_is_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(hundred_thousand_leases, setup, teardown),
        cmocka_unit_test_setup_teardown(kill_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_of_each_table, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_of_a_large_store, setup, teardown),
        cmocka_unit_test_setup_teardown(log_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(floods_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(older_schemas_are_migrated, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_and_foreign_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(reader_beside_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(one_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(impossible_place, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown), /* last: it leaves the mount namespace */
    };
    return cmocka_run_group_tests_name("store", tests, make_folder, remove_folder);
}
