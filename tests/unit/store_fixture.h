/* A store in a folder of its own for each test, for the tests of store/. */
#pragma once

#include "base/file.h"
#include "base/str.h"
#include "store/store.h"
#include "test.h"

#include <sqlite3.h>
#include <stdlib.h>

static char folder[] = "/tmp/rambox-test-store.XXXXXX";
static char *file; /* the store of the running test */

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

static inline struct store *open_store(void)
{
    cleanup_diags struct diags diags = {0};
    struct store *store = NULL;
    int r = store_open(file, &diags, &store);
    diags_print(&diags, stderr);
    assert_int_equal(r, 0);
    return store;
}

static inline struct store_op lease_op(ipv4_t ip)
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

static inline int count_lease(void *user, const struct lease *lease)
{
    (void)lease;
    ++*(unsigned *)user;
    return 0;
}

static inline unsigned lease_count(struct store *store)
{
    unsigned n = 0;
    assert_int_equal(store_each_lease(store, count_lease, &n), 0);
    return n;
}

/* Runs SQL on the file, past the store. */
static inline void run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What the stores of older versions were made with. Kept here as it was, so that a step that is changed is
 * noticed. */
#define SCHEMA_1                                                                                             \
    "CREATE TABLE leases (ip INTEGER PRIMARY KEY, state INTEGER NOT NULL, client BLOB NOT NULL,"             \
    " mac BLOB NOT NULL, start INTEGER NOT NULL, expires INTEGER NOT NULL, hostname TEXT NOT NULL) STRICT;"  \
    "CREATE TABLE boots (id INTEGER PRIMARY KEY, mac BLOB NOT NULL, node TEXT NOT NULL, ip INTEGER NOT "     \
    "NULL, generation INTEGER NOT NULL, started_us INTEGER NOT NULL) STRICT;"                                \
    "CREATE INDEX boots_by_time ON boots (started_us);"                                                      \
    "CREATE INDEX boots_by_node ON boots (node, started_us);"                                                \
    "CREATE TABLE boot_events (boot INTEGER NOT NULL, at_us INTEGER NOT NULL, what TEXT NOT NULL,"           \
    " detail TEXT NOT NULL) STRICT;"                                                                         \
    "CREATE INDEX boot_events_by_boot ON boot_events (boot);"                                                \
    "CREATE TABLE reports (boot INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, json TEXT NOT NULL) STRICT;"    \
    "PRAGMA application_id = 0x72616d62; PRAGMA user_version = 1;"
#define SCHEMA_2                                                                                             \
    SCHEMA_1 "CREATE TRIGGER boots_forget AFTER DELETE ON boots BEGIN"                                       \
             " DELETE FROM boot_events WHERE boot = OLD.id; DELETE FROM reports WHERE boot = OLD.id; END;"   \
             "PRAGMA user_version = 2;"
/* Something of everything, of an older rambox. */
#define OLD_ROWS                                                                                             \
    "INSERT INTO leases VALUES (167772161, 1, "                                                              \
    "x'0001525400000001', x'525400000001', 1000, 87400, 'n1'),"                                              \
    " (167772162, 2, x'0001525400000002', x'525400000002', 1000, 2000, ''),"                                 \
    " (167772163, 3, x'', x'525400000003', 1500, 5100, '');"                                                 \
    "INSERT INTO boots VALUES (-5, x'525400000001', 'n1', 167772161, 7, 10);"                                \
    "INSERT INTO boot_events VALUES (-5, 11, 'offer', 'x');"                                                 \
    "INSERT INTO reports VALUES (-5, 12, '{}');"
/* What led from the second schema, with its rows, to the third. */
#define STEP_3                                                                                               \
    "ALTER TABLE leases ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"                                        \
    "UPDATE leases SET since = CASE state WHEN 2 THEN expires ELSE start END;"                               \
    "CREATE TABLE leases_past (id INTEGER PRIMARY KEY, ip INTEGER NOT NULL, mac BLOB NOT NULL,"              \
    " since INTEGER NOT NULL, until INTEGER NOT NULL, ending INTEGER NOT NULL, hostname TEXT NOT NULL) "     \
    "STRICT;"                                                                                                \
    "CREATE TABLE candidates (mac INTEGER PRIMARY KEY, ip INTEGER NOT NULL, subnet TEXT NOT NULL,"           \
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, hostname TEXT NOT NULL,"                          \
    " vendor_class TEXT NOT NULL, arch INTEGER, uuid BLOB, circuit_id TEXT NOT NULL) STRICT;"                \
    "CREATE INDEX candidates_by_last ON candidates (last_us);"                                               \
    "PRAGMA user_version = 3;"

static inline void make_old_store(const char *schema)
{
    cleanup_free char *dir = xasprintf("%s/store", folder);
    assert_int_equal(dir_make(dir), 0);
    run_sql("PRAGMA journal_mode = WAL;");
    run_sql(schema);
}

/* A report of machine n, whose text is json_size bytes of `j`. */
static inline struct store_op machine_op(uint32_t n, size_t json_size)
{
    struct store_op op = {
        .kind = STORE_MACHINE_PUT,
        .machine = {.mac = {{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}},
                    .class = "0123456789ab",
                    .at_us = n,
                    .json = xcalloc(1, json_size + 1)}};
    memset(op.machine.json, 'j', json_size);
    return op;
}

/* What the store has of machines. */
struct machines {
    unsigned n;
    size_t bytes;
    int64_t newest;
};

static inline int count_machine(void *user, const struct store_machine *m)
{
    struct machines *all = user;
    all->n++;
    all->bytes += m->json[0] ? strlen(m->json) : 24000; /* those of machines_are_bounded that only say so */
    all->newest = m->at_us > all->newest ? m->at_us : all->newest;
    return 0;
}

static inline struct machines machines_of(struct store *store)
{
    struct machines all = {0};
    assert_int_equal(store_each_machine(store, count_machine, &all), 0);
    return all;
}

/* A kernel of a class on trial since then. */
static inline struct store_op trial_op(const char *class, uint8_t kernel, int64_t begun)
{
    struct store_op op = {.kind = STORE_TRIAL_PUT,
                          .trial = {.kernel = {{kernel, (uint8_t)(begun >> 8), (uint8_t)begun}},
                                    .mac = {{0xfe, 1, 2, 3, 4, 0xff}},
                                    .node = "n1",
                                    .boot = UINT64_MAX - 1,
                                    .begun_us = begun,
                                    .stage = "image"}};
    snprintf(op.trial.class, sizeof(op.trial.class), "%s", class);
    return op;
}
