/* See base/file.h. */
#include "base/file.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int file_read_at(int dirfd, const char *path, size_t limit, char **ret_data, size_t *ret_size)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t used = 0, cap = 4096;
    cleanup_free char *data = xmalloc(cap);
    for (;;) {
        if (used + 1 == cap)
            data = xrealloc(data, cap *= 2);
        ssize_t n = read(fd, data + used, cap - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > limit)
            return -EFBIG;
    }
    data[used] = '\0';
    *ret_data = TAKE_PTR(data);
    if (ret_size)
        *ret_size = used;
    return 0;
}

int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_size)
{
    return file_read_at(AT_FDCWD, path, limit, ret_data, ret_size);
}

int write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int dir_sync(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 ? -errno : 0;
}

static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *parent = slash == path ? xstrdup("/")
                                : slash       ? xstrndup(path, (size_t)(slash - path))
                                              : xstrdup(".");
    return dir_sync(parent);
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
    cleanup_free char *temp = xasprintf("%s.XXXXXX", path);
    cleanup_close int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = write_all(fd, data, size);
    if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, path) < 0))
        r = -errno;
    if (r < 0) {
        unlink(temp);
        return r;
    }
    return sync_parent(path);
}

int file_open_beneath(int rootfd, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    cleanup_close int fd = (int)syscall(SYS_openat2, rootfd, name, &how, sizeof(how));
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EISDIR;
    return TAKE_FD(fd);
}

int dir_make(const char *path)
{
    cleanup_free char *part = xstrdup(path);
    for (char *p = part + 1; *part; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (c == '\0')
            break;
        *p = c;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path) < 0 && errno != ENOENT ? errno : 0;
}

int dir_remove(const char *path)
{
    int r = nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    if (r > 0)
        return -r;
    return r < 0 && errno != ENOENT ? -errno : 0;
}

static int copy_file(const char *from, const char *to, const struct stat *st)
{
    cleanup_free char *data = NULL;
    size_t size = 0;
    int r = file_read(from, (size_t)st->st_size + 1, &data, &size);
    return r < 0 ? r : file_write_atomic(to, data, size, st->st_mode & 0777);
}

int dir_copy(const char *from, const char *to)
{
    int r = dir_make(to);
    char **names = NULL;
    if (r == 0)
        r = dir_names(from, NULL, &names);
    for (char **name = names; r == 0 && name && *name; name++) {
        cleanup_free char *source = xasprintf("%s/%s", from, *name);
        cleanup_free char *target = xasprintf("%s/%s", to, *name);
        struct stat st;
        if (lstat(source, &st) < 0)
            r = -errno;
        else if (S_ISDIR(st.st_mode))
            r = dir_copy(source, target);
        else if (S_ISREG(st.st_mode))
            r = copy_file(source, target, &st);
        else
            r = -EOPNOTSUPP;
    }
    names_free(names);
    return r;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dir_names(const char *path, const char *suffix, char ***ret_names)
{
    CLEANUP(closedir) DIR *dir = opendir(path);
    VEC(char *) names = {0};
    if (!dir)
        return -errno;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (entry->d_name[0] != '.' && (!suffix || str_ends(entry->d_name, suffix)))
            VEC_PUSH(&names, xstrdup(entry->d_name));
    }
    int r = -errno;
    if (names.n)
        qsort(names.items, names.n, sizeof(char *), compare_names);
    VEC_PUSH(&names, NULL);
    if (r < 0) {
        names_free(names.items);
        return r;
    }
    *ret_names = names.items;
    return 0;
}

void names_free(char **names)
{
    if (!names)
        return;
    for (char **name = names; *name; name++)
        free(*name);
    free(names);
}

char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    cleanup_free char *folders =
        xasprintf("%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    char *save = NULL;
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    for (char *folder = strtok_r(folders, ":", &save); folder; folder = strtok_r(NULL, ":", &save)) {
        cleanup_free char *candidate = xasprintf("%s/%s", folder, name);
        if (access(candidate, X_OK) == 0)
            return TAKE_PTR(candidate);
    }
    return NULL;
}
