/* Mounting the root of H24; the contract is in newroot.h. */
#include "init/newroot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/files.h"
#include "init/fstab.h"
#include "init/network.h"
#include "init/rootspec.h"

#define POLL_MS 20

/* Reads the superblock of /dev/NAME and compares. */
static bool partition_matches(const struct rootspec *spec, const char *device)
{
    uint8_t superblock[EXT_SUPERBLOCK_SIZE];
    int fd = open(device, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = pread(fd, superblock, sizeof(superblock), EXT_SUPERBLOCK_AT);
    close(fd);
    return n == (ssize_t)sizeof(superblock) && rootspec_matches_ext(spec, superblock);
}

/* Looks for the UUID or label on every partition that the kernel knows: lines of "major minor blocks name".
 */
static bool find_partition(const struct rootspec *spec, struct text *device)
{
    char partitions[8192];

    (void)files_read("/proc/partitions", partitions, sizeof(partitions));
    for (const char *line = partitions; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *name = line;
        for (int field = 0; field < 3; field++) {
            name += strspn(name, " ");
            name += strspn(name, "0123456789");
        }
        name += strspn(name, " ");
        size_t length = strcspn(name, " \n");
        if (name == line || length == 0 || *line != ' ')
            continue;
        text_start(device, device->at, device->size);
        text_addf(device, "/dev/%.*s", (int)length, name);
        if (!device->cut && partition_matches(spec, device->at))
            return true;
    }
    return false;
}

static bool find_device(const struct rootspec *spec, struct text *device)
{
    struct stat st;

    if (spec->kind != ROOT_DEVICE)
        return find_partition(spec, device);
    text_start(device, device->at, device->size);
    text_add(device, spec->name);
    return stat(device->at, &st) == 0 && S_ISBLK(st.st_mode);
}

static bool wait_for_device(const struct rootspec *spec, long seconds, struct text *device)
{
    static const struct timespec pause = {0, POLL_MS * 1000000};

    for (long left = seconds * (1000 / POLL_MS);; left--) {
        if (find_device(spec, device))
            return true;
        if (left <= 0)
            return false;
        nanosleep(&pause, NULL);
    }
}

/* Mounts as `type`; a device that can only be read is mounted so. Returns 0 or -errno. */
static int mount_as(const char *device, const char *type, unsigned long flags, const char *data)
{
    if (mount(device, NEWROOT, type, flags, data) == 0)
        return 0;
    if ((errno == EACCES || errno == EROFS) && !(flags & MS_RDONLY) &&
        mount(device, NEWROOT, type, flags | MS_RDONLY, data) == 0)
        return 0;
    return -errno;
}

/*
 * Tries the types of `list`, separated by commas (rootfstype=) or lines (/proc/filesystems, where nodev lines
 * are none of ours). Stops at the first that mounts or fails for another reason than not being the right one.
 */
static int try_types(const char *list, const char *device, unsigned long flags, const char *data,
                     struct text *tried)
{
    char type[64];
    int r = -ENODEV;

    while (*list) {
        size_t length = strcspn(list, ",\n");
        const char *name = list;

        list += length + (list[length] != '\0');
        if (length >= 5 && memcmp(name, "nodev", 5) == 0)
            continue;
        while (length && *name == '\t') {
            name++;
            length--;
        }
        if (length == 0 || text_copy(type, sizeof(type), name, length) < 0)
            continue;
        text_addf(tried, "%s%s", tried->used ? ", " : "", type);
        r = mount_as(device, type, flags | MS_SILENT, data);
        if (r == 0 || (r != -EINVAL && r != -ENODEV))
            return r;
    }
    return r;
}

static int mount_device(const struct cmdline *cmdline, const struct rootspec *spec, struct text *why)
{
    char list[2048], data[256], path[sizeof(spec->name) + 8], tried_types[256];
    unsigned long flags;
    struct text device, tried;

    text_start(&device, path, sizeof(path));
    text_start(&tried, tried_types, sizeof(tried_types));
    if (!wait_for_device(spec, cmdline->rootwait, &device)) {
        text_addf(why, "no device %s within %ld s: check root=, or that the kernel has the disk's driver",
                  cmdline->root, cmdline->rootwait);
        return -ENXIO;
    }
    if (fstab_options(cmdline->rootflags, &flags, data, sizeof(data)) < 0) {
        text_add(why, "rootflags= is too long");
        return -ENAMETOOLONG;
    }
    if (!cmdline->read_write)
        flags |= MS_RDONLY;
    (void)files_read("/proc/filesystems", list, sizeof(list));
    int r = try_types(cmdline->rootfstype[0] ? cmdline->rootfstype : list, device.at, flags, data, &tried);
    if (r == -EINVAL || r == -ENODEV)
        text_addf(why,
                  "no file system on %s that this kernel knows (tried %s): give rootfstype=, or add it to "
                  "the kernel",
                  device.at, tried.used ? tried.at : "none");
    else if (r < 0)
        text_addf(why, "cannot mount %s (tried %s): %s", device.at, tried.at, strerror(-r));
    return r;
}

static int mount_nfs(const struct cmdline *cmdline, struct rootspec *spec, struct text *why)
{
    char data[512], rest[512], source[sizeof(spec->server) + sizeof(spec->name) + 1];
    unsigned long flags = 0;
    struct text text;

    if (!spec->server[0] && network_boot_server(spec->server) < 0) {
        text_add(why, "no NFS server: write root=SERVER:/PATH with its IPv4 address");
        return -EINVAL;
    }
    text_start(&text, source, sizeof(source));
    text_addf(&text, "%s:%s", spec->server, spec->name);
    int r = rootspec_nfs_data(spec->options, spec->server, data, sizeof(data));
    if (r == 0)
        r = fstab_options(data, &flags, rest, sizeof(rest));
    if (r < 0) {
        text_add(why, "the NFS options are too long");
        return r;
    }
    if (!cmdline->read_write)
        flags |= MS_RDONLY;
    r = mount_as(source, "nfs", flags, rest);
    if (r == -ENODEV)
        text_addf(why, "cannot mount %s: the kernel has no NFS; add the NFS client to the kernel definition",
                  source);
    else if (r < 0)
        text_addf(why, "cannot mount %s: %s; check the server's exports, and that it speaks NFS version 3",
                  source, strerror(-r));
    return r;
}

int newroot_mount(const struct cmdline *cmdline, struct text *why)
{
    const char *reason;
    struct rootspec spec;
    int r = rootspec_parse(cmdline->root, cmdline->nfsroot, &spec, &reason);

    if (r < 0) {
        if (cmdline->root[0])
            text_addf(why, "root=%s is not understood: %s", cmdline->root, reason);
        else
            text_addf(why, "no root= on the kernel command line, and no rambox: %s", reason);
        return r;
    }
    mkdir(NEWROOT, 0755);
    return spec.kind == ROOT_NFS ? mount_nfs(cmdline, &spec, why) : mount_device(cmdline, &spec, why);
}

int newroot_check_init(const char *init)
{
    int r = 0;
    int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (old < 0)
        return -errno;
    if (chroot(NEWROOT) < 0)
        r = -errno;
    else
        r = files_executable(init);
    if (fchdir(old) < 0 || chroot(".") < 0)
        r = -errno;
    close(old);
    return r;
}
