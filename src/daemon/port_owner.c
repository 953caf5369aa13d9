/* See daemon/port_owner.h. The kernel lists sockets in /proc/net with their inode, and each process its
 * descriptors with the inode of their socket. */
#include "daemon/port_owner.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <inttypes.h>

/* The inode of the n-th socket bound to the port; 0: none. */
static uint64_t socket_inode(const char *table, bool tcp, ipv4_t address, unsigned port, size_t n)
{
    cleanup_free char *text = NULL;
    char *save = NULL;
    if (file_read(table, 64 << 20, &text, NULL) < 0)
        return 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        unsigned raw, local_port, state;
        uint64_t inode;
        /* NOLINTNEXTLINE(cert-err34-c): the kernel's own table */
        if (sscanf(line, " %*d: %8X:%4X %*8X:%*4X %2X %*s %*s %*s %*u %*u %" SCNu64, &raw, &local_port,
                   &state, &inode) != 4)
            continue;
        ipv4_t local = ntohl(raw);
        if (local_port == port && inode && (local == address || !local || !address) &&
            (!tcp || state == 0x0a /* LISTEN */) && n-- == 0)
            return inode;
    }
    return 0;
}

static bool holds_socket(const char *pid, uint64_t inode)
{
    cleanup_free char *folder = xasprintf("/proc/%s/fd", pid);
    cleanup_free char *wanted = xasprintf("socket:[%" PRIu64 "]", inode);
    char **fds = NULL;
    bool found = false;
    if (dir_names(folder, NULL, &fds) < 0)
        return false;
    for (char **fd = fds; *fd && !found; fd++) {
        cleanup_free char *path = xasprintf("%s/%s", folder, *fd);
        char target[64];
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            found = strcmp(target, wanted) == 0;
        }
    }
    names_free(fds);
    return found;
}

bool port_owner_at(bool tcp, ipv4_t address, unsigned port, size_t n, char *buf, size_t size)
{
    uint64_t inode = socket_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", tcp, address, port, n);
    char **pids = NULL;
    buf[0] = '\0';
    if (!inode || dir_names("/proc", NULL, &pids) < 0)
        return inode != 0;
    for (char **pid = pids; *pid && !buf[0]; pid++) {
        if ((*pid)[0] < '0' || (*pid)[0] > '9' || !holds_socket(*pid, inode))
            continue;
        cleanup_free char *path = xasprintf("/proc/%s/comm", *pid);
        cleanup_free char *name = NULL;
        if (file_read(path, 64, &name, NULL) == 0)
            snprintf(buf, size, "%.*s (pid %s)", (int)strcspn(name, "\n"), name, *pid);
    }
    names_free(pids);
    return true;
}

const char *port_owner(bool tcp, ipv4_t address, unsigned port, char *buf, size_t size)
{
    port_owner_at(tcp, address, port, 0, buf, size);
    return buf;
}
