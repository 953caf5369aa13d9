/* Mounting; the contract is in mounts.h. */
#include "init/mounts.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/files.h"
#include "init/rootspec.h"
#include "init/say.h"
#include "init/text.h"

/* The texts of fstab and /proc/mounts: process 1 has one thread and reads one of them at a time. */
static char table[16384];

bool mounts_is_mounted(const char *target)
{
    struct stat here, above;
    char parent[sizeof(((struct fstab_entry *)0)->target) + 3];
    struct text text;

    text_start(&text, parent, sizeof(parent));
    text_addf(&text, "%s/..", target);
    if (text.cut || stat(target, &here) < 0 || stat(parent, &above) < 0)
        return false;
    return here.st_dev != above.st_dev || here.st_ino == above.st_ino;
}

int mounts_early(void)
{
    int r = 0;

    mkdir("/proc", 0555);
    if (!mounts_is_mounted("/proc") &&
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        r = -errno;
    mkdir("/dev", 0755);
    if (!mounts_is_mounted("/dev"))
        mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    return r;
}

/* Makes `path` and the folders above it that are missing. */
static void make_folders(const char *path)
{
    char folder[sizeof(((struct fstab_entry *)0)->target)];

    if (text_copy(folder, sizeof(folder), path, strlen(path)) < 0)
        return;
    for (char *s = folder + 1; *s; s++)
        if (*s == '/') {
            *s = '\0';
            mkdir(folder, 0755);
            *s = '/';
        }
    mkdir(folder, 0755);
}

/* What a person can do about an error of mount(2). */
static const char *advice(int error)
{
    switch (error) {
    case ENODEV:
        return "the kernel lacks this file system: add it to the kernel definition";
    case EINVAL:
        return "the kernel refuses its options: correct the line in /etc/fstab";
    case ENOENT:
    case ENXIO:
        return "its source or target does not exist: correct the line in /etc/fstab";
    default:
        return strerror(error);
    }
}

static int mount_entry(const struct fstab_entry *entry)
{
    char data[512], nfs[512];
    unsigned long flags;
    const char *colon = strchr(entry->source, ':');

    int r = fstab_options(entry->options, &flags, data, sizeof(data));
    if (r < 0)
        return r;
    if (strcmp(entry->type, "nfs") == 0 && colon) {
        char address[16];

        if (text_copy(address, sizeof(address), entry->source, (size_t)(colon - entry->source)) < 0 ||
            rootspec_nfs_data(data, address, nfs, sizeof(nfs)) < 0)
            return -EINVAL;
        memcpy(data, nfs, sizeof(data));
    }
    make_folders(entry->target);
    if (mounts_is_mounted(entry->target)) {
        /* proc and devtmpfs came first because init needs them; they get the options that fstab wants. */
        if (strcmp(entry->type, "proc") != 0 && strcmp(entry->type, "devtmpfs") != 0)
            return 0;
        flags |= MS_REMOUNT;
    }
    return mount(entry->source, entry->target, entry->type, flags, data) < 0 && errno != EBUSY ? -errno : 0;
}

unsigned mounts_fstab(void)
{
    struct fstab_cursor cursor = {table, 0};
    struct fstab_entry entry;
    unsigned failures = 0;
    int r;

    mkdir("/dev/pts", 0755);
    if (mkdir("/dev/shm", 01777) == 0)
        chmod("/dev/shm", 01777);
    if (files_read("/etc/fstab", table, sizeof(table)) < 0) {
        say("there is no /etc/fstab: nothing more is mounted; put one into the image");
        return 1;
    }
    while ((r = fstab_next(&cursor, &entry)) != 0) {
        if (r < 0) {
            say("/etc/fstab line %u is not understood: it needs source, target, type, options", cursor.line);
            failures++;
            continue;
        }
        if (strcmp(entry.type, "swap") == 0 || fstab_has(entry.options, "noauto"))
            continue;
        r = mount_entry(&entry);
        if (r < 0) {
            say("cannot mount %s on %s: %s", entry.type, entry.target, advice(-r));
            failures++;
        }
    }
    return failures;
}

int mounts_link_mtab(void)
{
    char target[16];
    ssize_t length = readlink("/etc/mtab", target, sizeof(target));

    if (length == 12 && memcmp(target, "/proc/mounts", 12) == 0)
        return 0;
    unlink("/etc/mtab");
    return symlink("/proc/mounts", "/etc/mtab") < 0 ? -errno : 0;
}

static void unmount(const char *target, bool read_only)
{
    if (umount2(target, 0) == 0)
        return;
    if (read_only)
        mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY, NULL);
    else if (umount2(target, MNT_DETACH) < 0)
        say("cannot unmount %s: %s", target, strerror(errno));
}

/* Unmounts the entries of `table` from the given one on, later ones first. */
static void unmount_from(struct fstab_cursor cursor, const char *keep, bool read_only)
{
    struct fstab_entry entry;
    int r;

    while ((r = fstab_next(&cursor, &entry)) < 0)
        ;
    if (r == 0)
        return;
    char target[sizeof(entry.target)];
    memcpy(target, entry.target, sizeof(target));
    unmount_from(cursor, keep, read_only);
    if (strcmp(target, "/") != 0 && (!keep || strcmp(target, keep) != 0))
        unmount(target, read_only);
}

void mounts_unmount_all(const char *keep, bool read_only)
{
    if (files_read("/proc/mounts", table, sizeof(table)) > 0)
        unmount_from((struct fstab_cursor){table, 0}, keep, read_only);
    if (read_only)
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
}
