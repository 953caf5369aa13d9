/* store/ on a disk that loses, refuses or fails: what was promised is kept, and what failed left nothing. */
#include "power_vfs.h"
#include "store_fixture.h"

#include <errno.h>

/* One promise of the workload: one transaction of so many leases. */
enum { PROMISES = 60, GROUP = 500 };

static int setup_power(void **state)
{
    (void)state;
    power_begin(true);
    return setup(state);
}

static int teardown_power(void **state)
{
    power_end();
    power_forget();
    return teardown(state);
}

/* Leases of promise i: GROUP addresses of its own, every fourth of them a client that replaces the one before
 * it, so that past leases are written too. */
static int commit_promise(struct store *store, unsigned i)
{
    struct store_op *ops = xcalloc(GROUP, sizeof(*ops));
    for (unsigned j = 0; j < GROUP; j++) {
        ops[j] = lease_op((ipv4_t)(i * GROUP + j - (j % 4 == 3)));
        ops[j].lease.start += j;
        ops[j].lease.client.b[1] = (uint8_t)j;
    }
    int r = store_commit(store, ops, GROUP);
    free(ops);
    return r;
}
enum { ADDRESSES = GROUP - GROUP / 4, PAST = GROUP / 4 };

static void commit_single(struct store *store, ipv4_t ip)
{
    struct store_op op = lease_op(ip);
    assert_int_equal(store_commit(store, &op, 1), 0);
}

static int count_past(void *user, const struct lease_past *past)
{
    (void)past;
    ++*(unsigned *)user;
    return 0;
}

/* Every promise kept up to `promised` is there whole; the next one is whole or absent. */
static void check_promises(unsigned promised)
{
    struct store *store = open_store();
    unsigned leases = lease_count(store), past = 0;
    assert_int_equal(store_each_lease_past(store, count_past, &past), 0);
    assert_int_equal(leases % ADDRESSES, 0);
    assert_in_range(leases / ADDRESSES, promised, promised + 1);
    assert_int_equal(past, leases / ADDRESSES * PAST);
    commit_single(store, 0xc0000000); /* and it goes on */
    store_close(store);
}

/* F2: at whatever moment the power goes, before and after each fsync and between, and whatever of the
 * unsynced writes is lost or torn: each store_commit that had returned 0 is there. The workload is long
 * enough for the log to be written back and begun anew. */
static void power_cut_loses_nothing(void **state)
{
    (void)state;
    struct store *store = open_store();
    for (unsigned i = 0; i < PROMISES; i++) {
        assert_int_equal(commit_promise(store, i), 0);
        power_mark(i + 1);
    }
    store_close(store);
    power_end();

    unsigned cuts = 0, syncs = 0, truncated = 0;
    for (size_t at = 0; at < power.log.n; at++) {
        bool sync = power.log.items[at].kind == POWER_SYNC;
        bool base = power.log.items[at].file == 0; /* the database itself: the log is written back */
        syncs += sync;
        truncated += base && sync;
        if (!sync && at % 97 != 0)
            continue;
        for (uint64_t seed = 0; seed < 2; seed++) {
            check_promises(power_rebuild(at, seed * at));
            check_promises(power_rebuild(at + 1, seed * at));
            cuts += 2;
        }
    }
    assert_true(syncs > PROMISES && truncated > 1);
    assert_true(cuts > 4 * PROMISES);
}

/* The model itself: a store that syncs too little loses what it promised. */
static void model_finds_missing_syncs(void **state)
{
    (void)state;
    struct store *store = open_store();
    commit_single(store, 1);
    size_t before = power.log.n;
    commit_single(store, 2);
    size_t after = power.log.n;
    store_close(store);
    power_end();
    for (size_t i = before; i < after; i++)
        if (power.log.items[i].kind == POWER_SYNC)
            power.log.items[i] = (struct power_op){.kind = POWER_MARK};
    (void)power_rebuild(after, 0);
    store = open_store();
    assert_int_equal(lease_count(store), 1);
    store_close(store);
}

/* F3: a disk that is full or fails for a while: whichever write or sync it hits, that commit says so and has
 * done nothing, the one after it works, and what is there afterwards is what was promised. */
static void failed_writes_promise_nothing(void **state)
{
    (void)state;
    static const struct {
        int code, errno_value;
    } faults[] = {{SQLITE_FULL, ENOSPC}, {SQLITE_IOERR_WRITE, 0}, {SQLITE_IOERR_FSYNC, 0}};
    power.recording = false;
    for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
        cleanup_free char *dir = xasprintf("%s/store", folder);
        assert_int_equal(dir_remove(dir), 0);
        struct store *store = open_store();
        unsigned promised = 0, failed = 0, r_last = 1;
        /* The n-th write fails, until n is more than a commit has. */
        for (unsigned n = 1; r_last || n < 5; n++) {
            power_fail(n, 1, faults[f].code);
            int r = commit_promise(store, promised);
            assert_true(power.fail_n == 0 || r == 0);
            if (r < 0 && faults[f].errno_value)
                assert_int_equal(r, -faults[f].errno_value);
            promised += r == 0;
            failed += r < 0;
            r_last = power.fail_n == 0;
            power_fail(0, 0, SQLITE_OK);
            assert_int_equal(lease_count(store), promised * ADDRESSES);
            assert_int_equal(commit_promise(store, promised), 0);
            assert_int_equal(lease_count(store), ++promised * ADDRESSES);
        }
        assert_true(failed > 4);
        store_close(store);
        check_promises(promised);
    }
}

static int check_migrated(void *user, const struct lease *l)
{
    static const struct {
        enum lease_state state;
        int64_t since;
    } wanted[] = {{LEASE_BOUND, 1000}, {LEASE_RELEASED, 2000}, {LEASE_DECLINED, 1500}};
    unsigned *n = user;
    assert_true(*n < ARRAY_SIZE(wanted));
    assert_int_equal(l->ip, 0x0a000001 + *n);
    assert_int_equal(l->state, wanted[*n].state);
    assert_int_equal(l->since, wanted[*n].since);
    ++*n;
    return 0;
}

/* The version of the store as it lies there; its leases are there. */
static int read_version(void)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM leases", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 3);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return version;
}

/* A migration that is cut short, at whichever write, leaves the store as it was (or is whole, when only the
 * sync behind it failed); the next start does it. */
static void migration_is_all_or_nothing(void **state)
{
    (void)state;
    static const char *const schemas[] = {SCHEMA_1 OLD_ROWS, SCHEMA_2 OLD_ROWS, SCHEMA_2 OLD_ROWS STEP_3};
    power.recording = false;
    for (int version = 1; version <= 3; version++) {
        unsigned cut = 1, old = 0;
        for (bool whole = false; !whole; cut++) {
            cleanup_free char *dir = xasprintf("%s/store", folder);
            cleanup_diags struct diags diags = {0};
            struct store *store = NULL;
            unsigned n = 0;
            assert_int_equal(dir_remove(dir), 0);
            make_old_store(schemas[version - 1]);
            power_fail(cut, 1000000, SQLITE_IOERR_WRITE);
            int r = store_open(file, &diags, &store);
            whole = power.fail_n == 1000000; /* nothing was left to fail */
            assert_true(whole == (r == 0));
            power_fail(0, 0, SQLITE_OK);
            if (r < 0) {
                int now = read_version();
                assert_true(now == version || now == 4);
                old += now == version;
                store = open_store();
            }
            assert_int_equal(store_each_lease(store, check_migrated, &n), 0);
            assert_int_equal(n, 3);
            store_close(store);
        }
        assert_true(old > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(power_cut_loses_nothing, setup_power, teardown_power),
        cmocka_unit_test_setup_teardown(model_finds_missing_syncs, setup_power, teardown_power),
        cmocka_unit_test_setup_teardown(failed_writes_promise_nothing, setup_power, teardown_power),
        cmocka_unit_test_setup_teardown(migration_is_all_or_nothing, setup_power, teardown_power),
    };
    return cmocka_run_group_tests_name("store_faults", tests, make_folder, remove_folder);
}
