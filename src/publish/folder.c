/* See publish/folder.h. */
#include "publish/folder.h"
#include "base/file.h"
#include "base/str.h"
#include "publish/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

char *generations_path(const char *state_dir, const char *name)
{
    return xasprintf("%s/generations/%s", state_dir, name);
}

char *generation_path(const char *state_dir, unsigned number)
{
    return xasprintf("%s/generations/%u", state_dir, number);
}

/* Temporary names begin with `.new`. */
static void remove_leftovers(const char *state_dir)
{
    cleanup_free char *path = xasprintf("%s/generations", state_dir);
    CLEANUP(closedir) DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!str_starts(entry->d_name, ".new"))
            continue;
        cleanup_free char *leftover = generations_path(state_dir, entry->d_name);
        dir_remove(leftover);
    }
}

int generations_lock(const char *state_dir, struct diags *diags)
{
    cleanup_free char *folder = xasprintf("%s/generations", state_dir);
    cleanup_free char *path = generations_path(state_dir, ".lock");
    int r = dir_make(folder);
    if (r < 0)
        return diag_errno(diags, r, "cannot make %s", folder);
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot write to %s", folder);
    do
        r = flock(fd, LOCK_EX);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return diag_errno(diags, -errno, "cannot lock %s", path);
    remove_leftovers(state_dir);
    return TAKE_FD(fd);
}

static int parse_number(const char *name, unsigned *ret_number)
{
    uint64_t number;
    int r = name[0] == '0' ? -EINVAL : parse_u64(name, 1, UINT32_MAX, &number);
    if (r == 0)
        *ret_number = (unsigned)number;
    return r;
}

unsigned generations_current(const char *state_dir)
{
    cleanup_free char *path = generations_path(state_dir, "current");
    char target[16];
    unsigned number;
    ssize_t n = readlink(path, target, sizeof(target));
    if (n <= 0 || (size_t)n >= sizeof(target))
        return 0;
    target[n] = '\0';
    return parse_number(target, &number) == 0 ? number : 0;
}

int generations_point(const char *state_dir, unsigned number)
{
    cleanup_free char *temp = generations_path(state_dir, ".new-current");
    cleanup_free char *current = generations_path(state_dir, "current");
    cleanup_free char *folder = xasprintf("%s/generations", state_dir);
    char target[16];
    snprintf(target, sizeof(target), "%u", number);
    unlink(temp);
    if (symlink(target, temp) < 0 || rename(temp, current) < 0)
        return -errno;
    return dir_sync(folder);
}

static int compare_numbers(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

int generation_list(const char *state_dir, unsigned **ret_numbers, unsigned *ret_current)
{
    cleanup_free char *folder = xasprintf("%s/generations", state_dir);
    char **names = NULL;
    VEC(unsigned) numbers = {0};
    int r = dir_names(folder, NULL, &names);
    if (r < 0 && r != -ENOENT)
        return r;
    for (char **name = names; name && *name; name++) {
        unsigned number;
        if (parse_number(*name, &number) == 0)
            VEC_PUSH(&numbers, number);
    }
    names_free(names);
    if (numbers.n)
        qsort(numbers.items, numbers.n, sizeof(unsigned), compare_numbers);
    VEC_PUSH(&numbers, 0);
    *ret_numbers = numbers.items;
    *ret_current = generations_current(state_dir);
    return 0;
}
