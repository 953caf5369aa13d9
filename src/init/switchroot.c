/* Changing the root; the contract is in switchroot.h. */
#include "init/switchroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "init/process.h"

#define RAMFS_MAGIC 0x858458f6UL
#define TMPFS_MAGIC 0x01021994UL
#define DEPTH_MAX   64

/* Deletes what is in the folder `fd` (which it closes) and on `device`. */
static void delete_below(int fd, dev_t device, int depth)
{
    struct dirent *entry;
    DIR *dir = fdopendir(fd);

    if (!dir) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir))) {
        struct stat st;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            int sub = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                delete_below(sub, device, depth + 1);
        }
        unlinkat(dirfd(dir), entry->d_name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
    }
    closedir(dir);
}

/* Whether `root` may be deleted: process 1 asks, the root is RAM, and it is the one that holds /init. */
static bool is_ram_root(int root)
{
    struct statfs fs;
    struct stat init;

    return getpid() == 1 && fstatfs(root, &fs) == 0 &&
           ((unsigned long)fs.f_type == RAMFS_MAGIC || (unsigned long)fs.f_type == TMPFS_MAGIC) &&
           fstatat(root, "init", &init, 0) == 0 && S_ISREG(init.st_mode);
}

/*
 * A child that deletes the old root when the other end of `gate` closes without a byte: exec has closed it. A
 * byte means that exec failed.
 */
static void start_deleter(int root, const int gate[2])
{
    struct stat st;
    char byte;

    if (fork() != 0)
        return;
    process_restore_signals();
    close(gate[1]);
    if (read(gate[0], &byte, 1) == 0 && fstat(root, &st) == 0)
        delete_below(root, st.st_dev, 0);
    _exit(0);
}

static int enter(int root, const char *mountpoint)
{
    if (fchdir(root) < 0 || mount(".", mountpoint, NULL, MS_MOVE, NULL) < 0)
        return -errno;
    return 0;
}

int switchroot(const char *newroot, char *const argv[])
{
    int gate[2] = {-1, -1};
    int r = 0;
    int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int new = open(newroot, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (old < 0 || new < 0)
        r = -errno;
    else if (is_ram_root(old)) {
        if (pipe2(gate, O_CLOEXEC) < 0)
            r = -errno;
        else
            start_deleter(old, gate);
    }
    if (r == 0)
        r = enter(new, "/");
    if (r == 0) {
        if (chroot(".") == 0 && chdir("/") == 0)
            execv(argv[0], argv);
        r = -errno;
        /* Back: from the old root, the new one is put where it was. Nothing has been deleted. */
        if (fchdir(old) < 0 || chroot(".") < 0 || enter(new, newroot) < 0 || chdir("/") < 0)
            r = -ENOTRECOVERABLE;
    }
    if (gate[1] >= 0) {
        ssize_t n = write(gate[1], "x", 1);
        (void)n;
        close(gate[0]);
        close(gate[1]);
    }
    if (old >= 0)
        close(old);
    if (new >= 0)
        close(new);
    return r;
}
