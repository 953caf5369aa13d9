/* The facts of the running system; the contract is in facts.h. */
#include "init/facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init/files.h"
#include "init/text.h"

#define DEPTH_MAX 64 /* folders below folders that a walk follows */
#define LINKED    64 /* files with several names that a walk remembers, to count them once */

struct walk {
    dev_t device;      /* stay on this file system, unless it is 0 */
    uint64_t blocks;   /* of 512 bytes */
    unsigned specials; /* block and character devices */
    ino_t linked[LINKED];
    unsigned linked_count;
};

static bool seen_before(struct walk *walk, const struct stat *st)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return false;
    for (unsigned i = 0; i < walk->linked_count; i++)
        if (walk->linked[i] == st->st_ino)
            return true;
    if (walk->linked_count < LINKED)
        walk->linked[walk->linked_count++] = st->st_ino;
    return false;
}

/* Walks the folder `fd`, which it closes. */
static void walk_folder(struct walk *walk, int fd, int depth)
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
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            (walk->device && st.st_dev != walk->device) || seen_before(walk, &st))
            continue;
        walk->blocks += (uint64_t)st.st_blocks;
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
            walk->specials++;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            int sub = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                walk_folder(walk, sub, depth + 1);
        }
    }
    closedir(dir);
}

static struct walk walk_path(const char *path, bool one_device)
{
    struct walk walk = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return walk;
    if (one_device && fstat(fd, &st) == 0)
        walk.device = st.st_dev;
    walk_folder(&walk, fd, 0);
    return walk;
}

static uint32_t address_of(const struct ifreq *request)
{
    struct sockaddr_in address;

    memcpy(&address, &request->ifr_addr, sizeof(address));
    return address.sin_addr.s_addr;
}

void facts_interface(const char *name, struct facts_interface *ret)
{
    struct facts_interface interface = {.name = ""};
    struct ifreq request;
    struct text text;

    memset(&request, 0, sizeof(request));
    (void)text_copy(interface.name, sizeof(interface.name), name, strlen(name));
    memcpy(request.ifr_name, interface.name, sizeof(request.ifr_name));
    *ret = interface;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    bool bond = false;
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        interface.up = request.ifr_flags & IFF_UP;
        bond = request.ifr_flags & IFF_MASTER;
    }
    int kind = ioctl(fd, SIOCGIFHWADDR, &request) == 0 ? request.ifr_hwaddr.sa_family : -1;
    interface.card = !bond && (kind == ARPHRD_ETHER || kind == ARPHRD_INFINIBAND);
    if (kind == ARPHRD_ETHER) {
        const unsigned char *m = (const unsigned char *)request.ifr_hwaddr.sa_data;
        text_start(&text, interface.mac, sizeof(interface.mac));
        text_addf(&text, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    }
    request.ifr_addr.sa_family = AF_INET;
    if (ioctl(fd, SIOCGIFADDR, &request) == 0) {
        text_start(&text, interface.address, sizeof(interface.address));
        text_ipv4(&text, address_of(&request));
        if (ioctl(fd, SIOCGIFNETMASK, &request) == 0)
            interface.prefix = facts_prefix(address_of(&request));
    }
    close(fd);
    *ret = interface;
}

unsigned facts_interfaces(struct facts_interface ret[static FACTS_INTERFACES])
{
    char text[4096], name[IFNAMSIZ];
    const char *at = text;
    unsigned count = 0;

    (void)files_read("/proc/net/dev", text, sizeof(text));
    while (count < FACTS_INTERFACES && facts_next_interface(&at, name))
        facts_interface(name, &ret[count++]);
    return count;
}

void facts_gather(struct facts *ret)
{
    static char text[65536];
    struct utsname names;

    /* Memory first: what follows uses some. */
    (void)files_read("/proc/meminfo", text, sizeof(text));
    facts_parse_memory(text, &ret->memory);
    ret->root_kb = walk_path("/", true).blocks / 2;
    ret->interface_count = facts_interfaces(ret->interfaces);
    (void)files_read("/proc/mounts", ret->mounts, sizeof(ret->mounts));
    (void)files_read("/proc/modules", text, sizeof(text));
    ret->modules = facts_count_lines(text);
    ret->device_nodes = walk_path("/dev", false).specials;
    if (uname(&names) == 0)
        (void)text_copy(ret->kernel, sizeof(ret->kernel), names.release, strlen(names.release));
    (void)files_read("/proc/cmdline", ret->cmdline, sizeof(ret->cmdline));
    ret->cmdline[strcspn(ret->cmdline, "\n")] = '\0';
}
