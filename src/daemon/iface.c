/* See daemon/iface.h. */
#include "daemon/iface.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

DEFINE_CLEANUP(struct ifaddrs *, freeifaddrs);

void ifaces_clear(struct ifaces *ifaces)
{
    VEC_EACH(iface, &ifaces->list)
        VEC_FREE(&iface->addresses);
    VEC_FREE(&ifaces->list);
}

static struct iface *iface_named(struct ifaces *ifaces, const char *name)
{
    VEC_EACH(iface, &ifaces->list)
        if (strcmp(iface->name, name) == 0)
            return iface;
    struct iface *iface = VEC_ADD(&ifaces->list);
    snprintf(iface->name, sizeof(iface->name), "%s", name);
    iface->index = (int)if_nametoindex(name);
    return iface;
}

static void read_link(struct iface *iface, const struct sockaddr_ll *link)
{
    if (link->sll_hatype == ARPHRD_ETHER && link->sll_halen == sizeof(iface->mac.b))
        memcpy(iface->mac.b, link->sll_addr, sizeof(iface->mac.b));
}

static void read_address(struct iface *iface, const struct ifaddrs *a)
{
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)a->ifa_addr;
    const struct sockaddr_in *mask = (const struct sockaddr_in *)(const void *)a->ifa_netmask;
    ipv4_t bits = mask ? ntohl(mask->sin_addr.s_addr) : UINT32_MAX;
    struct iface_address *added = VEC_ADD(&iface->addresses);
    added->address = ntohl(address->sin_addr.s_addr);
    added->prefix = (struct ipv4_prefix){added->address & bits, (uint8_t)__builtin_popcount(bits)};
}

/* The kernel chooses the source address when a socket is connected; nothing is sent. */
static ipv4_t source_to(ipv4_t destination)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(67), .sin_addr.s_addr = htonl(destination)};
    socklen_t size = sizeof(sa);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
        return 0;
    return ntohl(sa.sin_addr.s_addr);
}

int ifaces_read(struct ifaces *ret_ifaces)
{
    CLEANUP(freeifaddrs) struct ifaddrs *list = NULL;
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifaces ifaces = {.source_to = source_to};
    if (fd < 0 || getifaddrs(&list) < 0)
        return -errno;
    for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
        /* Labels such as `eth0:1` are addresses of eth0. */
        cleanup_free char *name = xstrndup(a->ifa_name, strcspn(a->ifa_name, ":"));
        struct iface *iface = iface_named(&ifaces, name);
        iface->up = iface->up || a->ifa_flags & IFF_UP;
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_PACKET)
            read_link(iface, (const struct sockaddr_ll *)(const void *)a->ifa_addr);
        else if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET)
            read_address(iface, a);
    }
    VEC_EACH(iface, &ifaces.list) {
        struct ifreq request = {0};
        memcpy(request.ifr_name, iface->name, sizeof(iface->name));
        iface->mtu = ioctl(fd, SIOCGIFMTU, &request) == 0 ? (unsigned)request.ifr_mtu : 1500;
    }
    *ret_ifaces = ifaces;
    return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Its address that lies in a subnet; NULL when none does. */
static const struct iface_address *address_in_subnet(const struct iface *iface, const struct site *site)
{
    VEC_EACH(address, &iface->addresses)
        if (site_subnet_of(site, address->address))
            return address;
    return NULL;
}

static bool named_by_subnet(const struct iface *iface, const struct site *site)
{
    VEC_EACH(subnet, &site->subnets)
        if (str_eq(subnet->interface, iface->name))
            return true;
    return false;
}

/* Its address from which a subnet's relay agents are reached; NULL when none is by it. */
static const struct iface_address *address_towards_relays(const struct ifaces *ifaces,
                                                          const struct iface *iface, const struct site *site)
{
    VEC_EACH(subnet, &site->subnets)
        VEC_EACH(relay, &subnet->relays) {
            ipv4_t source = ifaces->source_to ? ifaces->source_to(*relay) : 0;
            VEC_EACH(address, &iface->addresses)
                if (source && address->address == source)
                    return address;
        }
    return NULL;
}

static void serve_on(const struct iface *iface, const struct iface_address *address,
                     struct served_ifaces *served)
{
    struct served_iface *s = VEC_ADD(&served->list);
    memcpy(s->name, iface->name, sizeof(s->name));
    s->index = iface->index;
    s->mtu = iface->mtu;
    s->mac = iface->mac;
    s->address = address->address;
    s->prefix.address = address->prefix.address;
    s->prefix.length = address->prefix.length;
}

static void say_missing(const struct ifaces *ifaces, const char *const *names, struct diags *diags)
{
    for (; names && *names; names++) {
        const struct iface *found = NULL;
        VEC_EACH(iface, &ifaces->list)
            if (strcmp(iface->name, *names) == 0)
                found = iface;
        if (!found)
            diag_warning(diags, NULL, "there is no interface %s; waiting for it", *names);
        else if (!found->up)
            diag_warning(diags, NULL, "interface %s is down; waiting for it (ip link set %s up)", *names,
                         *names);
        else if (!found->addresses.n)
            diag_warning(diags, NULL, "interface %s has no IPv4 address; waiting for one", *names);
    }
}

/* Lists both sides, so that the person sees which address or which subnet is wrong. */
static void say_nothing_to_serve(const struct ifaces *ifaces, const struct site *site, struct diags *diags)
{
    cleanup_str struct str here = {0}, wanted = {0};
    char text[PREFIX_TEXT_MAX];
    VEC_EACH(iface, &ifaces->list)
        VEC_EACH(address, &iface->addresses) {
            str_printf(&here, "%s%s %s", here.len ? ", " : "", iface->name,
                       ipv4_format(address->address, text));
            str_printf(&here, "/%u", address->prefix.length);
        }
    VEC_EACH(subnet, &site->subnets)
        str_printf(&wanted, "%s%s", wanted.len ? ", " : "", prefix_format(&subnet->prefix, text));
    diag_warning(
        diags, NULL,
        "no interface has an address in a subnet, so nothing is served yet: the interfaces have %s; the "
        "subnets are %s; give an interface an address (ip address add), or correct the subnet in "
        "rambox.yaml; for one that is reached through a relay agent, name the relay's address (relays:)",
        here.len ? here.s : "no addresses", wanted.len ? wanted.s : "none");
}

void ifaces_choose(const struct ifaces *ifaces, const struct site *site, const char *const *names,
                   struct diags *diags, struct served_ifaces *ret_served)
{
    struct served_ifaces served = {0};
    VEC(const char *) wanted = {0};
    for (const char *const *name = names; name && *name; name++)
        VEC_PUSH(&wanted, *name);
    if (!wanted.n)
        VEC_EACH(name, &site->server.interfaces)
            VEC_PUSH(&wanted, *name);
    bool chosen = wanted.n > 0;
    VEC_PUSH(&wanted, NULL);
    VEC_EACH(iface, &ifaces->list) {
        const struct iface_address *address = address_in_subnet(iface, site);
        if (!address)
            address = address_towards_relays(ifaces, iface, site);
        bool take = chosen ? is_one_of(iface->name, wanted.items) : address || named_by_subnet(iface, site);
        if (take && iface->up && iface->addresses.n)
            serve_on(iface, address ? address : &iface->addresses.items[0], &served);
    }
    say_missing(ifaces, wanted.items, diags);
    if (!served.list.n)
        say_nothing_to_serve(ifaces, site, diags);
    VEC_FREE(&wanted);
    *ret_served = served;
}
