/* An SQLite VFS over the real one that can be cut off, that can fail, and that remembers all it was asked to
 * write and to sync: so the files can be put back as a power cut at any moment may leave them (F2).
 *
 * The model of the disk: what was written before an fsync of its file that returned is there; of what was
 * written since, each write is there, is not there, or is there in part. A file that was never synced need
 * not exist; one that was deleted may be there still, until its folder is synced, which the real VFS does
 * at the first sync of a new journal or log and where a deletion asks for it.
 */
#pragma once

#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

enum power_op_kind { POWER_WRITE, POWER_TRUNCATE, POWER_SYNC, POWER_DELETE, POWER_SYNC_FOLDER, POWER_MARK };

struct power_op {
    enum power_op_kind kind;
    unsigned file;  /* of power.names */
    int64_t offset; /* of POWER_MARK: its number */
    size_t size;
    uint8_t *data;
};

static struct {
    sqlite3_vfs vfs, *real;
    VEC(char *) names; /* paths */
    VEC(struct power_op) log;
    bool recording;
    /* Every operation that changes a file counts down; at 0 `fail_code` is answered, fail_n times. */
    unsigned fail_in, fail_n;
    int fail_code;
} power;

struct power_file {
    sqlite3_file base;
    unsigned name;
    bool sync_folder;   /* with the next sync */
    sqlite3_file *real; /* behind this struct */
};

static unsigned power_name(const char *path)
{
    for (unsigned i = 0; i < power.names.n; i++)
        if (str_eq(power.names.items[i], path))
            return i;
    VEC_PUSH(&power.names, xstrdup(path));
    return (unsigned)power.names.n - 1;
}

static void power_record(enum power_op_kind kind, unsigned file, int64_t offset, const void *data,
                         size_t size)
{
    if (!power.recording)
        return;
    struct power_op *op = VEC_ADD(&power.log);
    *op = (struct power_op){.kind = kind, .file = file, .offset = offset, .size = size};
    if (size) {
        op->data = xmalloc(size);
        memcpy(op->data, data, size);
    }
}

/* Marks the place in the log: all that was promised up to here is `number`. */
static void power_mark(unsigned number)
{
    power_record(POWER_MARK, 0, number, NULL, 0);
}

/* From the `in`th change of a file on, `n` of them fail. */
static void power_fail(unsigned in, unsigned n, int code)
{
    power.fail_in = in;
    power.fail_n = n;
    power.fail_code = code;
}

static int power_fault(void)
{
    if (power.fail_in > 0 && --power.fail_in > 0)
        return SQLITE_OK;
    if (power.fail_n == 0)
        return SQLITE_OK;
    power.fail_n--;
    return power.fail_code;
}

#define REAL(f) (((struct power_file *)(f))->real)
#define NAME(f) (((struct power_file *)(f))->name)

static int power_write(sqlite3_file *f, const void *data, int size, sqlite3_int64 offset)
{
    int code = power_fault();
    if (code == SQLITE_OK)
        code = REAL(f)->pMethods->xWrite(REAL(f), data, size, offset);
    if (code == SQLITE_OK)
        power_record(POWER_WRITE, NAME(f), offset, data, (size_t)size);
    return code;
}

static int power_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int code = power_fault();
    if (code == SQLITE_OK)
        code = REAL(f)->pMethods->xTruncate(REAL(f), size);
    if (code == SQLITE_OK)
        power_record(POWER_TRUNCATE, NAME(f), size, NULL, 0);
    return code;
}

static int power_sync(sqlite3_file *f, int flags)
{
    struct power_file *file = (struct power_file *)f;
    (void)flags; /* no need to bother the real disk: what counts is when it was asked for */
    int code = power_fault();
    if (code == SQLITE_OK)
        power_record(POWER_SYNC, NAME(f), 0, NULL, 0);
    if (code == SQLITE_OK && file->sync_folder) {
        power_record(POWER_SYNC_FOLDER, file->name, 0, NULL, 0);
        file->sync_folder = false;
    }
    return code;
}

static int power_close(sqlite3_file *f)
{
    return REAL(f)->pMethods ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
}
static int power_read(sqlite3_file *f, void *data, int size, sqlite3_int64 offset)
{
    return REAL(f)->pMethods->xRead(REAL(f), data, size, offset);
}
static int power_size(sqlite3_file *f, sqlite3_int64 *ret_size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), ret_size);
}
static int power_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int power_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}
static int power_check_lock(sqlite3_file *f, int *ret_locked)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret_locked);
}
static int power_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int power_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int power_traits(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int power_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret_map)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, ret_map);
}
static int power_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}
static void power_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int power_shm_unmap(sqlite3_file *f, int remove)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), remove);
}

static const sqlite3_io_methods power_methods = {
    .iVersion = 2, /* without xFetch: what is read and written goes through here */
    .xClose = power_close,
    .xRead = power_read,
    .xWrite = power_write,
    .xTruncate = power_truncate,
    .xSync = power_sync,
    .xFileSize = power_size,
    .xLock = power_lock,
    .xUnlock = power_unlock,
    .xCheckReservedLock = power_check_lock,
    .xFileControl = power_control,
    .xSectorSize = power_sector,
    .xDeviceCharacteristics = power_traits,
    .xShmMap = power_shm_map,
    .xShmLock = power_shm_lock,
    .xShmBarrier = power_shm_barrier,
    .xShmUnmap = power_shm_unmap,
};

static int power_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
    (void)vfs;
    struct power_file *file = (struct power_file *)f;
    *file = (struct power_file){.name = power_name(path ? path : ""),
                                .sync_folder = flags & SQLITE_OPEN_CREATE &&
                                               flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL),
                                .real = (sqlite3_file *)(file + 1)};
    int code = power.real->xOpen(power.real, path, file->real, flags, ret_flags);
    file->base.pMethods = code == SQLITE_OK ? &power_methods : NULL;
    return code;
}

static int power_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    int code = power_fault();
    if (code == SQLITE_OK)
        code = power.real->xDelete(power.real, path, sync);
    if (code == SQLITE_OK)
        power_record(POWER_DELETE, power_name(path), 0, NULL, 0);
    if (code == SQLITE_OK && sync)
        power_record(POWER_SYNC_FOLDER, power_name(path), 0, NULL, 0);
    return code;
}

/* From here on every database is opened through this. */
static void power_begin(bool recording)
{
    power.real = sqlite3_vfs_find("unix");
    power.vfs = *power.real;
    power.vfs.zName = "power";
    power.vfs.pNext = NULL;
    power.vfs.szOsFile = (int)sizeof(struct power_file) + power.real->szOsFile;
    power.vfs.xOpen = power_open;
    power.vfs.xDelete = power_delete;
    power.recording = recording;
    sqlite3_vfs_register(&power.vfs, 1);
}

/* Databases are opened as usual again; the log stays. */
static void power_end(void)
{
    power_fail(0, 0, SQLITE_OK);
    power.recording = false;
    sqlite3_vfs_unregister(&power.vfs);
    sqlite3_vfs_register(power.real, 1);
}

static void power_forget(void)
{
    VEC_EACH(op, &power.log)
        free(op->data);
    VEC_EACH(name, &power.names)
        free(*name);
    VEC_FREE(&power.log);
    VEC_FREE(&power.names);
}

/* A file as the disk has it. */
struct power_image {
    bool exists;
    size_t size, room;
    uint8_t *data;
};

static void power_resize(struct power_image *image, size_t size)
{
    if (size > image->room) {
        image->room = size * 2;
        image->data = xrealloc(image->data, image->room);
    }
    if (size > image->size)
        memset(image->data + image->size, 0, size - image->size);
    image->size = size;
}

static void power_apply(struct power_image *image, const struct power_op *op, size_t size)
{
    if (op->kind == POWER_DELETE) {
        image->exists = false;
        image->size = 0;
        return;
    }
    image->exists = true;
    if (op->kind == POWER_TRUNCATE)
        power_resize(image, (size_t)op->offset);
    if (op->kind != POWER_WRITE || size == 0)
        return;
    if ((size_t)op->offset + size > image->size)
        power_resize(image, (size_t)op->offset + size);
    memcpy(image->data + op->offset, op->data, size);
}

/* How much of an operation that was not synced the disk has: all, nothing, or its beginning. */
static size_t power_luck(const struct power_op *op, uint64_t *seed, bool *ret_lost)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    unsigned dice = (unsigned)(*seed >> 33);
    *ret_lost = dice % 8 >= 4;
    return dice % 8 == 0 && op->size ? (dice >> 3) % op->size : op->size;
}

/* Puts the files as the power cut before operation `cut` of the log may leave them. `seed` 0: all that was
 * not synced is lost; else it says what is. Returns the last mark before the cut. */
static unsigned power_rebuild(size_t cut, uint64_t seed)
{
    unsigned mark = 0;
    struct power_image *images = xcalloc(power.names.n, sizeof(*images));
    size_t *synced = xcalloc(power.names.n, sizeof(*synced)), folder_synced = 0;
    for (size_t i = 0; i < cut; i++)
        if (power.log.items[i].kind == POWER_SYNC)
            synced[power.log.items[i].file] = i + 1;
        else if (power.log.items[i].kind == POWER_SYNC_FOLDER)
            folder_synced = i + 1;
        else if (power.log.items[i].kind == POWER_MARK)
            mark = (unsigned)power.log.items[i].offset;
    for (size_t i = 0; i < cut; i++) {
        const struct power_op *op = &power.log.items[i];
        bool lost = false;
        size_t size = op->size;
        if (op->kind == POWER_SYNC || op->kind == POWER_SYNC_FOLDER || op->kind == POWER_MARK)
            continue;
        if (i >= (op->kind == POWER_DELETE ? folder_synced : synced[op->file])) {
            lost = true;
            if (seed)
                size = power_luck(op, &seed, &lost);
        }
        if (!lost)
            power_apply(&images[op->file], op, size);
    }
    for (size_t i = 0; i < power.names.n; i++) {
        unlink(power.names.items[i]);
        if (images[i].exists)
            (void)file_write_atomic(power.names.items[i], images[i].data, images[i].size, 0600);
        free(images[i].data);
    }
    free(images);
    free(synced);
    return mark;
}
