/* What the files of the store share. Nobody else includes this. */
#pragma once

#include "store/store.h"

#include <sqlite3.h>

/* The statements: their text is in statements.c, in this order. */
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_LEASE_INSERT,
    SQL_LEASE_UPDATE,
    SQL_LEASE_END,
    SQL_LEASES_PAST_FORGET,
    SQL_BOOT_BEGIN,
    SQL_BOOTS_FORGET,
    SQL_BOOT_EVENT,
    SQL_REPORT,
    SQL_CANDIDATE_PUT,
    SQL_CANDIDATE_DELETE,
    SQL_CANDIDATES_FORGET,
    SQL_CANDIDATES_COUNT,
    SQL_MACHINE_PUT,
    SQL_MACHINES_FORGET,
    SQL_TRIAL_PUT,
    SQL_TRIALS_FORGET,
    SQL_LEASES,
    SQL_LEASES_PAST,
    SQL_CANDIDATES,
    SQL_BOOTS,
    SQL_BOOTS_OF_NODE,
    SQL_BOOT_EVENTS,
    SQL_MACHINES,
    SQL_TRIALS,
    SQL_COUNT,
};

struct store {
    sqlite3 *db;
    int lock_fd; /* holds FILE.lock; -1 for a reader */
    sqlite3_stmt *statement[SQL_COUNT];
    unsigned begun;      /* boots, since old ones were forgotten */
    unsigned candidates; /* there are not more */
    size_t reported;     /* bytes of machines, since old ones were forgotten */
};

/* What SQLite said, as -errno. */
int store_errno(sqlite3 *db, int code);
/* Runs SQL without parameters or rows. */
int store_exec(sqlite3 *db, const char *sql);
/* The one number that a query or a PRAGMA answers. */
int store_query(sqlite3 *db, const char *sql, int64_t *ret_value);

/* statements.c: prepares all of them. */
int store_prepare(struct store *s);
/* Runs one that has no rows, whose parameters are bound, and takes them off. What sqlite3_bind_* could not
 * take shows as NULL, which no column takes. */
int store_run(struct store *s, enum statement which);

/* schema.c: brings the database to the newest schema, in one transaction; a new file gets it. Refuses, with
 * `diags`, a newer one and another program's. 0 or -errno. */
int store_migrate(sqlite3 *db, const char *path, struct diags *diags);
/* The same refusals, and nothing is changed: an older one is refused too. */
int store_check_version(sqlite3 *db, const char *path, struct diags *diags);

/* damage.c (F4): 0 when the database is sound as far as its comment says; -EUCLEAN with what is wrong in
 * ret_text (the caller's; NULL when there is no text). */
int store_check(sqlite3 *db, char **ret_text);
/* SQLite came upon damage: the next store_check looks at everything. */
void store_suspect(sqlite3 *db);
/* Keeps a copy of the damaged file and says how to go on. Returns -EUCLEAN. */
int store_refuse(const char *path, const char *why, struct diags *diags);
