/*
 * What the kernel command line says about the network, in dracut's words (dracut.cmdline(7)) and the kernel's
 * (its nfsroot.txt). Pure: text in, value out.
 *
 *   ip=dhcp|on|any|both    ask on every interface; the first answer counts
 *   ip=none|off            none wanted
 *   ip=IFACE:METHOD[:MTU[:MAC]]
 *   ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST:IFACE:METHOD[:MTU[:MAC]]
 *   ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST:IFACE:METHOD[:DNS[:DNS[:NTP]]]
 *                          METHOD is none or off (the address given here), dhcp, on, any or both (ask; an
 *                          address given is asked for). What is empty is not said; NETMASK may be a length.
 *                          Without METHOD: the address if there is one, else DHCP. One ip= an interface.
 *   vlan=NAME:IFACE        NAME is vlan5, vlan0005, IFACE.5 or IFACE.0005
 *   bond=NAME[:IFACE,IFACE...[:OPTION=VALUE,...[:MTU]]]
 *                          eth0,eth1 unless said; the options are those of the kernel's bonding driver;
 * within a value that is a list, `;` stands between its items nameserver=ADDRESS     before those that DHCP
 * names; several BOOTIF=[01-]MAC        the interface that is meant where no name is given; rd.bootif=0: not
 *   rd.net.timeout.iflink=SECONDS    how long an interface may take to appear: 10 unless said
 *   rd.net.timeout.carrier=SECONDS   how long it may take until it has a link: 30 unless said
 *   rd.net.timeout.dhcp=SECONDS      how long an answer may take: 90 unless said
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"

#define NETSPEC_IPS         8
#define NETSPEC_VLANS       8
#define NETSPEC_BONDS       4
#define NETSPEC_SLAVES      8
#define NETSPEC_NAMESERVERS 3 /* as many as a resolver reads */
#define NETSPEC_PROBLEMS    8

enum net_method { NET_OFF, NET_STATIC, NET_DHCP };

/* One ip=. 0 and empty: not said. */
struct net_ip {
    enum net_method method;
    char interface[IFNAMSIZ];
    ipv4_t address, server, gateway, netmask;
    unsigned mtu;
    bool has_mac;
    struct mac mac;
};

/* How the kernel spells a VLAN's name; the numbers are its own. */
enum vlan_style { VLAN_PADDED, VLAN_PARENT_PADDED, VLAN_PLAIN, VLAN_PARENT_PLAIN };

struct net_vlan {
    char name[IFNAMSIZ];
    char parent[IFNAMSIZ];
    unsigned id; /* 1..4094 */
    enum vlan_style style;
};

struct net_bond {
    char name[IFNAMSIZ];
    char slaves[NETSPEC_SLAVES][IFNAMSIZ];
    unsigned slave_count;
    char options[160];
    unsigned mtu;
};

/* A word that was not taken, as far as it fits, and what should have stood there. */
struct netspec_problem {
    char word[80];
    const char *expected; /* static */
};

struct netspec {
    struct net_ip ips[NETSPEC_IPS];
    unsigned ip_count;
    bool off; /* ip=off or ip=none, and no other ip= */
    struct net_vlan vlans[NETSPEC_VLANS];
    unsigned vlan_count;
    struct net_bond bonds[NETSPEC_BONDS];
    unsigned bond_count;
    ipv4_t nameservers[NETSPEC_NAMESERVERS];
    unsigned nameserver_count;
    bool has_bootif;
    struct mac bootif;
    long iflink, carrier, dhcp; /* seconds, 0..3600 */
    /* The kernel's own set-up does not understand this, and may have made something else of it. */
    bool beyond_kernel;
    unsigned problem_count;
    struct netspec_problem problems[NETSPEC_PROBLEMS];
};

/* Reads a command line (terminated). Never fails: problems are in the value. */
void netspec_parse(const char *cmdline, struct netspec *ret);

/* The netmask that an address had before there were netmasks, which the kernel assumes where none is given.
 */
ipv4_t netspec_class_mask(ipv4_t address);
