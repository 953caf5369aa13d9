/* Opening the one SQLite file, and closing it. See store/store.h.
 *
 * Write-ahead logging with synchronous=FULL: a commit is one sequential write and one fsync of the log, so
 * what store_commit returned for survives a kill and a power cut, and readers (`rambox lease list`) never
 * wait for the server. The schema's version is PRAGMA user_version, see schema.c; what a start checks,
 * damage.c. What SQLite would put into files in /tmp stays in memory: the server may write nowhere but beside
 * its database.
 */
#include "base/file.h"
#include "base/str.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum { LOCK_TRIES = 40 }; /* for the lock, 50 ms apart */

/* The log is written into the database whenever it has grown by so many pages, 4 MiB, and begun anew when no
 * reader looks at it; one that a reader made grow is cut to 16 MiB then. */
#define KEEP_LOG_SHORT "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;"

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
        r = store_prepare(s);
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
        r = store_prepare(s);
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
