/* The schema of the store, as the steps that lead to it. PRAGMA user_version is the number of steps taken.
 */
#include "base/str.h"
#include "store/internal.h"

#include <errno.h>
#include <inttypes.h>

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

    /* `since` of a released lease is when it was released. */
    "ALTER TABLE leases ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
    "UPDATE leases SET since = CASE state WHEN 2 THEN expires ELSE start END;"
    "CREATE TABLE leases_past (id INTEGER PRIMARY KEY, ip INTEGER NOT NULL, mac BLOB NOT NULL,"
    " since INTEGER NOT NULL, until INTEGER NOT NULL, ending INTEGER NOT NULL, hostname TEXT NOT NULL) "
    "STRICT;"
    "CREATE TABLE candidates (mac INTEGER PRIMARY KEY, ip INTEGER NOT NULL, subnet TEXT NOT NULL,"
    " first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, hostname TEXT NOT NULL,"
    " vendor_class TEXT NOT NULL, arch INTEGER, uuid BLOB, circuit_id TEXT NOT NULL) STRICT;"
    "CREATE INDEX candidates_by_last ON candidates (last_us);",

    "CREATE TABLE machines (mac INTEGER PRIMARY KEY, node TEXT NOT NULL, class TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, boot INTEGER NOT NULL, bytes INTEGER NOT NULL, json TEXT NOT NULL) STRICT;"
    "CREATE TABLE trials (class TEXT NOT NULL, kernel BLOB NOT NULL, state INTEGER NOT NULL,"
    " mac INTEGER NOT NULL, node TEXT NOT NULL, boot INTEGER NOT NULL, begun_us INTEGER NOT NULL,"
    " ended_us INTEGER NOT NULL, stage TEXT NOT NULL, PRIMARY KEY (class, kernel)) STRICT;",
};
enum { SCHEMA_NEWEST = ARRAY_SIZE(migrations) };

/* The version of a store of ours; 0 for a file in which nothing is yet. -errno, with `diags` for what this
 * program must not touch. */
static int read_version(sqlite3 *db, const char *path, struct diags *diags, int64_t *ret_version)
{
    int64_t version = 0, application = 0;
    int r = store_query(db, "PRAGMA user_version", &version);
    if (r == 0)
        r = store_query(db, "PRAGMA application_id", &application);
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
    *ret_version = version;
    return 0;
}

int store_check_version(sqlite3 *db, const char *path, struct diags *diags)
{
    int64_t version = 0;
    int r = read_version(db, path, diags, &version);
    if (r < 0 || version == SCHEMA_NEWEST)
        return r;
    diag_error(diags, NULL,
               "the store %s is of an older rambox (schema %" PRId64
               "; this one reads %d): restart the server, which brings it up to date",
               path, version, SCHEMA_NEWEST);
    return -EPROTONOSUPPORT;
}

int store_migrate(sqlite3 *db, const char *path, struct diags *diags)
{
    int64_t version = 0;
    int r = read_version(db, path, diags, &version);
    if (r < 0 || version == SCHEMA_NEWEST)
        return r;
    r = store_exec(db, "BEGIN IMMEDIATE");
    /* Another process may have done it while this one waited for the lock. */
    if (r == 0)
        r = store_query(db, "PRAGMA user_version", &version);
    for (; r == 0 && version < SCHEMA_NEWEST; version++)
        r = store_exec(db, migrations[version]);
    if (r == 0) {
        cleanup_free char *mark =
            xasprintf("PRAGMA user_version = %d; PRAGMA application_id = %d;", SCHEMA_NEWEST, APPLICATION_ID);
        r = store_exec(db, mark);
    }
    if (r == 0)
        r = store_exec(db, "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(db))
        (void)store_exec(db, "ROLLBACK");
    return r;
}
