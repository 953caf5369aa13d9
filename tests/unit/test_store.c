/* store/: what was committed is there again, whatever happens to the process, the disk or the file. */
#include "base/file.h"
#include "base/str.h"
#include "store/store.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/rambox-test-store.XXXXXX";
static char *file; /* the store of the running test */

static int setup(void **state)
{
    (void)state;
    cleanup_free char *dir = xasprintf("%s/store", folder);
    file = xasprintf("%s/rambox.db", dir);
    return dir_remove(dir);
}

static int teardown(void **state)
{
    (void)state;
    free(TAKE_PTR(file));
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(folder);
}

static struct store *open_store(void)
{
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    int r = store_open(file, &diags, &store);
    diags_print(&diags, stderr);
    assert_int_equal(r, 0);
    return store;
}

static struct store_op lease_op(ipv4_t ip)
{
    struct store_op op = {
        .kind = STORE_LEASE_PUT,
        .lease = {.ip = ip,
                  .state = LEASE_BOUND,
                  .client = {.size = 7, .b = {0, 1}},
                  .mac = {{0x52, 0x54, 0, (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}},
                  .start = 1000,
                  .expires = 1000 + 86400,
                  .hostname = "node"}};
    memcpy(op.lease.client.b + 1, op.lease.mac.b, 6);
    return op;
}

static int count_lease(void *user, const struct lease *lease)
{
    (void)lease;
    ++*(unsigned *)user;
    return 0;
}

static unsigned lease_count(struct store *store)
{
    unsigned n = 0;
    assert_int_equal(store_each_lease(store, count_lease, &n), 0);
    return n;
}

static int take_lease(void *user, const struct lease *lease)
{
    *(struct lease *)user = *lease;
    return 0;
}

/* H3: a lease comes back as it was, by its address; a new one for the address replaces it; it can be deleted.
 */
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
    again.kind = STORE_LEASE_DELETE;
    assert_int_equal(store_commit(store, &again, 1), 0);
    assert_int_equal(lease_count(store), 0);
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

/* The writer of kill_loses_nothing: commits leases for ever and says each address once it is committed. */
static _Noreturn void write_for_ever(int out)
{
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    if (store_open(file, &diags, &store) < 0)
        _exit(1);
    for (ipv4_t ip = 1;; ip++) {
        struct store_op op = lease_op(ip);
        if (store_commit(store, &op, 1) < 0 || write(out, &ip, sizeof(ip)) != sizeof(ip))
            _exit(1);
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
        assert_in_range(lease_count(store), last, last + 1);
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

static void set_pragma(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A store of a newer rambox, and a database of another program, are refused and not touched. */
static void newer_and_foreign_files_are_refused(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    fill_store(1);
    set_pragma("PRAGMA user_version = 1000");
    assert_int_equal(store_open(file, &diags, &store), -EPROTONOSUPPORT);
    assert_true(diags_mention(&diags, "newer rambox"));
    set_pragma("PRAGMA user_version = 1; PRAGMA application_id = 42");
    assert_int_equal(store_open(file, &diags, &store), -EINVAL);
    assert_true(diags_mention(&diags, "another program"));
    assert_null(store);
}

/* A store of an older rambox gets what is new, and keeps what it has. */
static void older_schema_is_migrated(void **state)
{
    (void)state;
    fill_store(3);
    set_pragma("DROP TRIGGER boots_forget; PRAGMA user_version = 1");
    struct store *store = open_store();
    assert_int_equal(lease_count(store), 3);
    store_close(store);
    set_pragma("DROP TRIGGER boots_forget"); /* it is there again */
}

/* `rambox lease list` reads while the server writes. */
static void reader_beside_writer(void **state)
{
    (void)state;
    struct store_op op = lease_op(1);
    struct store *writer = open_store();
    assert_int_equal(store_commit(writer, &op, 1), 0);
    struct store *reader = open_store();
    assert_int_equal(lease_count(reader), 1);
    op.lease.ip = 2;
    assert_int_equal(store_commit(writer, &op, 1), 0);
    assert_int_equal(lease_count(reader), 2);
    store_close(reader);
    store_close(writer);
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
        cmocka_unit_test_setup_teardown(boots_and_events, setup, teardown),
        cmocka_unit_test_setup_teardown(commit_is_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(hundred_thousand_leases, setup, teardown),
        cmocka_unit_test_setup_teardown(kill_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(floods_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(older_schema_is_migrated, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_and_foreign_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(reader_beside_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(impossible_place, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown), /* last: it leaves the mount namespace */
    };
    return cmocka_run_group_tests_name("store", tests, make_folder, remove_folder);
}
