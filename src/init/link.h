/*
 * The kernel's network interfaces, by ioctl: up and down, addresses, routes, VLANs; bonds by /sys. Every
 * function returns 0 or -errno unless it says otherwise.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"
#include "init/lease.h"
#include "init/netspec.h"

struct link {
    char name[IFNAMSIZ];
    int index;
    unsigned flags; /* IFF_UP, IFF_RUNNING (there is a carrier), IFF_SLAVE, ... */
    unsigned mtu;
    bool ethernet; /* or like it: it has a MAC address */
    struct mac mac;
    ipv4_t address; /* 0: none */
};

/* The state of the interface of this name; -ENODEV: there is none. */
int link_read(const char *name, struct link *ret);

int link_up(const char *name);
int link_down(const char *name);
/* Only while it is down does every driver take another address. */
int link_set_mac(const char *name, const struct mac *mac);
int link_set_mtu(const char *name, unsigned mtu);
/* In place of an address that it has; 0 takes it away. */
int link_set_address(const char *name, ipv4_t address, ipv4_t netmask);

/* A gateway that no route leads to is made to be on the link. A route that is there already is no error. */
int link_add_route(const char *name, const struct lease_route *route);
int link_remove_route(const char *name, const struct lease_route *route);

/* -EEXIST: there is one. -ENOPKG and the like: the kernel has no VLANs. */
int link_add_vlan(const struct net_vlan *vlan);

/* Makes the bond if there is none of that name, sets its options and gives it its slaves. What fails is in
 * *ret_what, static or of `bond`. */
int link_add_bond(const struct net_bond *bond, const char **ret_what);

/* A descriptor that can be read when an interface changes: a link comes or goes. Drain it with
 * link_watch_drain(). */
int link_watch(void);
void link_watch_drain(int fd);
