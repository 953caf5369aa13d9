/* See daemon/confine.h: which files, by Landlock. It comes with the kernel since 5.13 and learns more with
 * each version of its interface; a right that a kernel does not know of cannot be asked to be refused. */
#include "daemon/confine_internal.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of later headers than Debian 12 has. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_FS_IOCTL_DEV (1ULL << 15)
#define ACCESS_NET_CONNECT  (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)
#define ACCESS_FS_FIRST     ((1ULL << 13) - 1) /* all rights of the first version */
#define FILE_RIGHTS                                                                                          \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |             \
     LANDLOCK_ACCESS_FS_TRUNCATE | ACCESS_FS_IOCTL_DEV)
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_RIGHTS                                                                                         \
    (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |            \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |                 \
     LANDLOCK_ACCESS_FS_TRUNCATE)

/* As the newest kernels know it; older ones take the first fields. */
struct ruleset {
    uint64_t fs, net, scoped;
};

static uint64_t fs_rights(int abi)
{
    return ACCESS_FS_FIRST | (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) | (abi >= 5 ? ACCESS_FS_IOCTL_DEV : 0);
}

/* systemd may listen for READY=1 on an abstract socket. */
static uint64_t scopes(void)
{
    const char *notify = getenv("NOTIFY_SOCKET");
    return SCOPE_SIGNAL | (notify && notify[0] == '@' ? 0 : SCOPE_ABSTRACT_UNIX);
}

int landlock_new(int *ret_abi)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0)
        /* EPERM: whatever this process is in already (a container) does not let it. */
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? -EOPNOTSUPP : -errno;
    struct ruleset attr = {.fs = fs_rights(abi), .net = ACCESS_NET_CONNECT, .scoped = scopes()};
    size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (fd < 0)
        return -errno;
    *ret_abi = abi;
    return fd;
}

int landlock_allow(int ruleset, int abi, int fd, enum landlock_access access)
{
    struct landlock_path_beneath_attr rule = {.parent_fd = fd};
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    rule.allowed_access = (access == LANDLOCK_WRITE ? WRITE_RIGHTS : READ_RIGHTS) & fs_rights(abi);
    if (!S_ISDIR(st.st_mode))
        rule.allowed_access &= FILE_RIGHTS;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int landlock_enter(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
