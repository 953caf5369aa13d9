/* Network interfaces, and which of them rambox serves on. */
#pragma once

#include "base/diag.h"
#include "model/site.h"

#include <net/if.h>
#include <stdbool.h>

struct iface_address {
    ipv4_t address;
    struct ipv4_prefix prefix;
};

struct iface {
    char name[IFNAMSIZ];
    int index;
    struct mac mac; /* all zero: no Ethernet */
    unsigned mtu;
    bool up;
    VEC(struct iface_address) addresses;
};

struct ifaces {
    VEC(struct iface) list;
    ipv4_t (*source_to)(ipv4_t destination); /* our address that packets to `destination` leave from; 0: there
                                                is no way to it */
};
void ifaces_clear(struct ifaces *ifaces);
static inline void ifaces_cleanup(struct ifaces *ifaces)
{
    ifaces_clear(ifaces);
}

/* All interfaces of this network namespace, with their IPv4 addresses. 0 or -errno. */
int ifaces_read(struct ifaces *ret_ifaces);

/* One interface that is served: what the sockets on it need. */
struct served_iface {
    char name[IFNAMSIZ];
    int index;
    unsigned mtu;
    struct mac mac;
    ipv4_t address; /* ours on it: the first that lies in a subnet, else the one towards a relay, else its
                       first */
    struct ipv4_prefix prefix;
};
struct served_ifaces {
    VEC(struct served_iface) list;
};

/* Chooses: those named by `names` (of the command line, NULL-terminated, may be NULL), else by the server's
 * settings, else those a subnet names, those with an address in a subnet, and those by which the relay agents
 * of a subnet (`relays:`) are reached: such a subnet needs no interface of its own, its relay talks to our
 * address on any that is served. They must be up and have an address.
 * What was named and is not there, and that nothing at all is left to serve on, is said in `diags` as a
 * warning: interfaces come and go, and the server waits for them. */
void ifaces_choose(const struct ifaces *ifaces, const struct site *site, const char *const *names,
                   struct diags *diags, struct served_ifaces *ret_served);
