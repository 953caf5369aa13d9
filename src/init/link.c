/* See init/link.h. */
#include "init/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "init/files.h"
#include "init/text.h"

#define BONDING_MASTERS "/sys/class/net/bonding_masters"

/* The kernel's, which musl does not bring: linux/sockios.h, linux/if_vlan.h, linux/netlink.h, rtnetlink.h. */
#ifndef SIOCSIFVLAN
#define SIOCSIFVLAN 0x8983
#endif
enum { ADD_VLAN = 0, SET_VLAN_NAME_TYPE = 6 };
struct vlan_args {
    int command;
    char device[24];
    union {
        char device2[24];
        int id;
        unsigned name_type;
    } u;
    short qos;
};
enum { NETLINK_ROUTE_ = 0, GROUP_LINK = 1 };
struct netlink_address {
    sa_family_t family;
    uint16_t padding;
    uint32_t port, groups;
};

/* One ioctl about the interface that `request` names. */
static int call(int command, void *request)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    return ioctl(fd, command, request) < 0 ? -errno : 0;
}

static struct ifreq about(const char *name)
{
    struct ifreq request;

    memset(&request, 0, sizeof(request));
    (void)text_copy(request.ifr_name, sizeof(request.ifr_name), name, strlen(name));
    return request;
}

static struct sockaddr_in internet(ipv4_t address)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
}

int link_read(const char *name, struct link *ret)
{
    struct link link = {.mtu = 0};
    struct ifreq request = about(name);
    struct sockaddr_in address;

    memcpy(link.name, request.ifr_name, sizeof(link.name));
    int r = call(SIOCGIFFLAGS, &request);
    if (r < 0)
        return r;
    link.flags = (unsigned short)request.ifr_flags;
    if (call(SIOCGIFINDEX, &request) == 0)
        link.index = request.ifr_ifindex;
    if (call(SIOCGIFMTU, &request) == 0)
        link.mtu = (unsigned)request.ifr_mtu;
    if (call(SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
        link.ethernet = true;
        memcpy(link.mac.b, request.ifr_hwaddr.sa_data, sizeof(link.mac.b));
    }
    request.ifr_addr.sa_family = AF_INET;
    if (call(SIOCGIFADDR, &request) == 0) {
        memcpy(&address, &request.ifr_addr, sizeof(address));
        link.address = ntohl(address.sin_addr.s_addr);
    }
    *ret = link;
    return 0;
}

static int set_flags(const char *name, unsigned set, unsigned clear)
{
    struct ifreq request = about(name);

    int r = call(SIOCGIFFLAGS, &request);
    if (r < 0)
        return r;
    request.ifr_flags = (short)(((unsigned short)request.ifr_flags & ~clear) | set);
    return call(SIOCSIFFLAGS, &request);
}

int link_up(const char *name)
{
    return set_flags(name, IFF_UP, 0);
}

int link_down(const char *name)
{
    return set_flags(name, 0, IFF_UP);
}

int link_set_mac(const char *name, const struct mac *mac)
{
    struct ifreq request = about(name);

    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac->b, sizeof(mac->b));
    return call(SIOCSIFHWADDR, &request);
}

int link_set_mtu(const char *name, unsigned mtu)
{
    struct ifreq request = about(name);

    request.ifr_mtu = (int)mtu;
    return call(SIOCSIFMTU, &request);
}

static int set_internet(int command, const char *name, ipv4_t address)
{
    struct ifreq request = about(name);
    struct sockaddr_in value = internet(address);

    memcpy(&request.ifr_addr, &value, sizeof(value));
    return call(command, &request);
}

/* The kernel makes up a netmask and a broadcast address of its own until it is told. */
int link_set_address(const char *name, ipv4_t address, ipv4_t netmask)
{
    int r = set_internet(SIOCSIFADDR, name, address);

    if (r < 0 || !address)
        return r;
    r = set_internet(SIOCSIFNETMASK, name, netmask);
    if (r == 0 && ~netmask > 1)
        r = set_internet(SIOCSIFBRDADDR, name, address | ~netmask);
    return r;
}

static int change_route(int command, const char *name, const struct lease_route *route)
{
    char device[IFNAMSIZ];
    struct rtentry entry;
    struct sockaddr_in destination = internet(route->destination), netmask = internet(route->netmask),
                       gateway = internet(route->gateway);

    memset(&entry, 0, sizeof(entry));
    (void)text_copy(device, sizeof(device), name, strlen(name));
    memcpy(&entry.rt_dst, &destination, sizeof(destination));
    memcpy(&entry.rt_genmask, &netmask, sizeof(netmask));
    memcpy(&entry.rt_gateway, &gateway, sizeof(gateway));
    entry.rt_flags = RTF_UP;
    if (route->gateway)
        entry.rt_flags |= RTF_GATEWAY;
    if (route->netmask == UINT32_MAX)
        entry.rt_flags |= RTF_HOST;
    entry.rt_dev = device;
    int r = call(command, &entry);
    return r == -EEXIST ? 0 : r;
}

int link_add_route(const char *name, const struct lease_route *route)
{
    struct lease_route neighbour = {.destination = route->gateway, .netmask = UINT32_MAX};

    int r = change_route(SIOCADDRT, name, route);
    if (r == -ENETUNREACH && route->gateway && change_route(SIOCADDRT, name, &neighbour) == 0)
        r = change_route(SIOCADDRT, name, route);
    return r;
}

int link_remove_route(const char *name, const struct lease_route *route)
{
    return change_route(SIOCDELRT, name, route);
}

int link_add_vlan(const struct net_vlan *vlan)
{
    struct vlan_args request;

    memset(&request, 0, sizeof(request));
    request.command = SET_VLAN_NAME_TYPE;
    request.u.name_type = vlan->style;
    int r = call(SIOCSIFVLAN, &request);
    if (r < 0)
        return r;
    memset(&request, 0, sizeof(request));
    request.command = ADD_VLAN;
    (void)text_copy(request.device, sizeof(request.device), vlan->parent, strlen(vlan->parent));
    request.u.id = (int)vlan->id;
    return call(SIOCSIFVLAN, &request);
}

/* Writes "PREFIXVALUE" of `length` bytes into a file of the bond's. */
static int set_option(const char *bond, const char *option, const char *prefix, const char *value,
                      size_t length)
{
    char path[128], line[192];
    struct text text;

    text_start(&text, path, sizeof(path));
    text_addf(&text, "/sys/class/net/%s/bonding/%s", bond, option);
    struct text content;
    text_start(&content, line, sizeof(line));
    text_addf(&content, "%s%.*s", prefix, (int)length, value);
    return text.cut || content.cut ? -ENAMETOOLONG : files_write(path, line);
}

/* Lists of addresses are added to, one after the other; dracut has `;` between them. */
static int set_list(const char *bond, const char *option, const char *value, size_t length)
{
    int r = 0;

    for (size_t used = 0; r == 0 && used < length; used++) {
        size_t item = strcspn(value + used, ";,");
        if (item > length - used)
            item = length - used;
        r = set_option(bond, option, "+", value + used, item);
        used += item;
    }
    return r;
}

/* Sets the options that belong before the slaves, or those that name one of them. */
static int set_options(const struct net_bond *bond, bool after, const char **ret_what)
{
    const char *at = bond->options;
    int r = 0;

    while (*at && r == 0) {
        char name[32];
        size_t length = strcspn(at, ","), key = strcspn(at, "=");
        const char *value = at + key + 1;

        r = text_copy(name, sizeof(name), at, key);
        bool names_slave = strcmp(name, "primary") == 0 || strcmp(name, "active_slave") == 0;
        bool list = strcmp(name, "arp_ip_target") == 0 || strcmp(name, "ns_ip6_target") == 0;
        *ret_what = at;
        if (r == 0 && names_slave == after)
            r = list ? set_list(bond->name, name, value, length - key - 1)
                     : set_option(bond->name, name, "", value, length - key - 1);
        at += length;
        at += *at == ',';
    }
    return r;
}

int link_add_bond(const struct net_bond *bond, const char **ret_what)
{
    char line[IFNAMSIZ + 1];
    struct text text;

    text_start(&text, line, sizeof(line));
    text_addf(&text, "+%s", bond->name);
    *ret_what = BONDING_MASTERS;
    int r = files_write(BONDING_MASTERS, line);
    if (r < 0 && r != -EEXIST)
        return r;
    (void)link_down(bond->name); /* the mode of one that is up cannot be set */
    r = set_options(bond, false, ret_what);
    for (unsigned i = 0; r == 0 && i < bond->slave_count; i++) {
        *ret_what = bond->slaves[i];
        (void)link_down(bond->slaves[i]);
        r = set_option(bond->name, "slaves", "+", bond->slaves[i], strlen(bond->slaves[i]));
    }
    if (r == 0)
        r = set_options(bond, true, ret_what);
    if (r == 0 && bond->mtu) {
        *ret_what = "its MTU";
        r = link_set_mtu(bond->name, bond->mtu);
    }
    return r;
}

int link_watch(void)
{
    struct netlink_address address = {.family = AF_NETLINK, .groups = GROUP_LINK};

    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE_);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

void link_watch_drain(int fd)
{
    char message[512]; /* what is cut off is not missed */

    while (recv(fd, message, sizeof(message), 0) > 0)
        ;
}
