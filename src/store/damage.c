/* F4: a damaged store is found at the start, kept, and refused with what to do.
 *
 * What is looked at: the pages, and every row of the tables that answers depend on (leases, candidates,
 * trials); of a file of up to CHECK_WHOLE_MAX bytes every page and row. Of a larger one the timelines of
 * boots are left out, so that a server with a long past starts as fast as a new one: should SQLite come upon
 * damage there later, that write fails, and a mark beside the file makes the next start look at everything.
 * Not looked at in either case: whether an index says the same as its table, and damage that leaves sound
 * rows with other contents (SQLite's pages have no checksums).
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>

enum { CHECK_WHOLE_MAX = 64 << 20 };

#define CHECK_WHOLE "PRAGMA quick_check(1)"
/* Of a store of any version: a table that is not there yet is no damage. */
#define CHECK_WHAT_MATTERS                                                                                   \
    "SELECT quick_check FROM sqlite_schema AS t, pragma_quick_check(t.name) WHERE t.type = 'table'"          \
    " AND t.name IN ('leases', 'candidates', 'trials') AND quick_check <> 'ok'"                              \
    " UNION ALL SELECT 'ok' LIMIT 1"

static char *mark_path(sqlite3 *db)
{
    return xasprintf("%s.suspect", sqlite3_db_filename(db, "main"));
}

void store_suspect(sqlite3 *db)
{
    cleanup_free char *mark = mark_path(db);
    cleanup_close int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)fd; /* without the mark the next start looks at less, and the next write finds it again */
}

static int check(sqlite3 *db, const char *sql, char **ret_text)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    int r = code == SQLITE_ROW ? (str_eq(text, "ok") ? 0 : -EUCLEAN) : store_errno(db, code);
    if (r == -EUCLEAN)
        *ret_text = xstrdup(text ? text : sqlite3_errmsg(db));
    sqlite3_finalize(st);
    return r;
}

int store_check(sqlite3 *db, char **ret_text)
{
    cleanup_free char *mark = mark_path(db);
    int64_t size = 0;
    int r = store_query(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &size);
    if (r < 0)
        return r;
    bool suspect = file_exists(mark);
    bool whole = suspect || size <= CHECK_WHOLE_MAX;
    r = check(db, whole ? CHECK_WHOLE : CHECK_WHAT_MATTERS, ret_text);
    if (r == 0 && suspect)
        unlink(mark);
    return r;
}

static bool same_content(const char *path, const char *other)
{
    struct digest a, b;
    return hash_file(path, &a) == 0 && hash_file(other, &b) == 0 && digest_equal(&a, &b);
}

/* Keeps a copy of a damaged file, and of the log beside it, under the first free number. Once: a service that
 * is started again and again must not fill the disk with copies. */
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

int store_refuse(const char *path, const char *why, struct diags *diags)
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
