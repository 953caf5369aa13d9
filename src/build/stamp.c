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
static void add_beneath(struct hash *hash, int at, const char *path)
{
    cleanup_close int folder = dup(at);
    size_t length;
    for (; path[length = strcspn(path, "/")]; path += length + strspn(path + length, "/")) {
        cleanup_free char *name = xstrndup(path, length);
        struct stat st;
        int next = look(folder, name);
        close(folder);
        folder = next;
        if (folder < 0 || fstat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || !(st.st_mode & 0001)) {
            hash_field(hash, NULL);
            return;
        }
    }
    add_at(hash, folder, path[0] ? path : ".", 0);
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
