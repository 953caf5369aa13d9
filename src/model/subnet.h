/* A subnet: the addresses rambox gives out on one network, and what it does with machines it does not know.
 */
#pragma once

#include "base/addr.h"
#include "base/diag.h"
#include "base/vec.h"

/* H5: what a machine without an entry gets. */
enum unknown_policy {
    UNKNOWN_DENY,  /* silence, and a log line that says how to add it */
    UNKNOWN_ALLOW, /* an address of the pool and the profile `unknown_profile` */
};

struct pool {
    ipv4_t first, last; /* inclusive, within the subnet */
};

struct subnet {
    char *name;
    struct ipv4_prefix prefix;
    char *interface; /* the interface it is served on; NULL: the one that has an address in it, and relays */
    ipv4_t router;   /* option 3; 0: none */
    VEC(struct pool) pools;
    VEC(ipv4_t) dns;      /* option 6 */
    VEC(ipv4_t) ntp;      /* option 42 */
    char *domain;         /* option 15; may be NULL */
    uint32_t lease_s;     /* H3: default lease time, seconds; 86400 unless said */
    uint32_t max_lease_s; /* H3: the longest a client can ask for; 86400 unless said */
    enum unknown_policy unknown;
    char *unknown_profile; /* with UNKNOWN_ALLOW; a profile's name */
    struct pos pos;        /* where it is defined; file owned by the site */
};
