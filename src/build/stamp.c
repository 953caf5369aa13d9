/* See build/stamp.h. */
#include "build/stamp.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/vec.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

/* Beneath `folder`, through no symbolic link. A descriptor that says what is there, or -1. */
static int look(int folder, const char *name)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static void add_facts(struct hash *hash, const char *name, const struct stat *st)
{
    const int64_t facts[] = {(int64_t)st->st_mode, S_ISDIR(st->st_mode) ? 0 : (int64_t)st->st_size,
                             S_ISDIR(st->st_mode) ? 0 : (int64_t)st->st_mtim.tv_sec,
                             S_ISDIR(st->st_mode) ? 0 : (int64_t)st->st_mtim.tv_nsec};
    hash_field(hash, name);
    hash_add(hash, facts, sizeof(facts));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_at(struct hash *hash, int folder, const char *name, unsigned depth);

/* The names in a folder in their order, dot files too: they are part of an image like all others. */
static void add_folder(struct hash *hash, int at, unsigned depth)
{
    VEC(char *) names = {0};
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_cleanup(&fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            VEC_PUSH(&names, xstrdup(entry->d_name));
    if (names.n)
        qsort(names.items, names.n, sizeof(char *), compare);
    VEC_EACH(name, &names) {
        add_at(hash, fd, *name, depth + 1);
        free(*name);
    }
    VEC_FREE(&names);
}

static void add_at(struct hash *hash, int folder, const char *name, unsigned depth)
{
    cleanup_close int fd = look(folder, name);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        hash_field(hash, NULL);
        return;
    }
    add_facts(hash, name, &st);
    if (S_ISDIR(st.st_mode) && (st.st_mode & 0005) == 0005 && depth < DEPTH_MAX)
        add_folder(hash, fd, depth);
    hash_field(hash, "");
}

/* A folder on the way must let everybody through, else some would see what is behind it and some not. */
static bool is_open_folder(int root, const char *path)
{
    cleanup_close int fd = look(root, path);
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0001);
}

/* One name further on `way`, which is beneath `root` and has no `..` in it. False: it does not go on there.
 */
static bool go_on(int root, struct str *way, const char *name, size_t length)
{
    if (length == 0 || (length == 1 && name[0] == '.'))
        return true;
    if (way->len && !is_open_folder(root, way->s))
        return false;
    if (length != 2 || strncmp(name, "..", 2) != 0) {
        str_add(way, way->len ? "/" : "");
        str_add_n(way, name, length);
        return true;
    }
    const char *slash = way->len ? strrchr(way->s, '/') : NULL;
    bool inside = way->len > 0; /* else it leaves the root */
    way->len = slash ? (size_t)(slash - way->s) : 0;
    if (way->s)
        way->s[way->len] = '\0';
    return inside;
}

static void add_beneath(struct hash *hash, int root, const char *path)
{
    cleanup_str struct str way = {0};
    size_t length;
    for (; *path; path += length + strspn(path + length, "/")) {
        length = strcspn(path, "/");
        if (!go_on(root, &way, path, length)) {
            hash_field(hash, NULL);
            return;
        }
    }
    char *slash = way.len ? strrchr(way.s, '/') : NULL;
    if (slash)
        *slash = '\0';
    cleanup_close int folder = slash ? look(root, way.s) : -1;
    add_at(hash, slash ? folder : root, slash ? slash + 1 : way.len ? way.s : ".", 0);
}

void stamp_add(struct hash *hash, const char *root, const char *path)
{
    size_t length = root ? strlen(root) : 0;
    if (!length || strncmp(path, root, length) != 0 || path[length] != '/') {
        hash_field(hash, NULL);
        return;
    }
    cleanup_close int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    add_beneath(hash, folder, path + length + strspn(path + length, "/"));
}
