/* A subnet: the addresses rambox gives out on one network, and what it does with machines it does not know.
 */
#pragma once

#include "base/addr.h"
#include "base/diag.h"
#include "base/vec.h"
#include "model/option.h"

/* H5: what a machine without an entry gets. */
enum unknown_policy {
    UNKNOWN_DENY,     /* silence, and a log line that says how to add it */
    UNKNOWN_ALLOW,    /* an address of the pool and the profile `unknown_profile` */
    UNKNOWN_DISCOVER, /* the same for a short time (`discovery_lease_s`), and it becomes a candidate */
};

/* Who gives the addresses here. */
enum dhcp_mode {
    DHCP_FULL,  /* we do */
    DHCP_PROXY, /* P7: another DHCP server does; we only tell firmware what to boot */
};

struct pool {
    ipv4_t first, last; /* inclusive, within the subnet */
    char *class; /* name of the class whose clients alone get its addresses, before any other pool; NULL:
                    for all */
    unsigned
        class_number; /* of `class`: its place in the site's classes, from 1; 0: none. Set by site_index */
};

/* A time of a lease's life: a part of the lease time, or seconds. */
struct lease_span {
    uint32_t thousandths; /* of the lease time, 1..1000; 0: `seconds` says it */
    uint32_t seconds;     /* cut to the lease time */
};

struct subnet {
    char *name;
    struct ipv4_prefix prefix;
    char *interface; /* the interface it is served on; NULL: the one that has an address in it, and relays */
    ipv4_t router;   /* option 3; 0: none */
    VEC(struct pool) pools;
    VEC(ipv4_t) dns;                 /* option 6 */
    VEC(ipv4_t) ntp;                 /* option 42 */
    char *domain;                    /* option 15; may be NULL */
    uint32_t lease_s;                /* H3: default lease time, seconds; 86400 unless said */
    uint32_t min_lease_s;            /* the shortest; 60 unless said, and never above max_lease_s */
    uint32_t max_lease_s;            /* H3: the longest a client can ask for; 86400 unless said */
    struct lease_span renew, rebind; /* options 58 and 59; 500 and 875 thousandths unless said */
    struct option_values options;    /* before dns, ntp, domain and router, which are shorthands */
    VEC(ipv4_t)
    relays; /* relay agents (giaddr) that speak for it, also from outside the prefix; empty: any
               within the prefix */
    enum dhcp_mode mode;
    bool bootp;           /* D19: nodes with an address are answered by BOOTP too */
    bool probe;           /* D6: before a pool's address is offered, ask the network whether it is in use;
                             true unless said */
    uint32_t ipv6_only_s; /* RFC 8925: V6ONLY_WAIT of option 108; 0: not sent */
    enum unknown_policy unknown;
    char *unknown_profile;      /* with UNKNOWN_ALLOW and UNKNOWN_DISCOVER; a profile's name */
    uint32_t discovery_lease_s; /* lease time with UNKNOWN_DISCOVER; 600 unless said */
    struct pos pos;             /* where it is defined; file owned by the site */
};

/* A subnet with all that is `unless said` above; `name` becomes its own. */
struct subnet subnet_new(char *name);
