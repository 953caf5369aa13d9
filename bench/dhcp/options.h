/* What can be set of a storm. */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CLIENTS_MAX = 1 << 20 };

struct options {
    bool help, json, direct, burst, pxe, client_id, broadcast;
    const char *interface;                      /* of `direct` */
    const char *acked, *owned, *renew, *reboot; /* files of leases */
    ipv4_t server, address;                     /* without `direct`: the server's, and ours or 0 */
    struct mac mac;                             /* the first client's */
    uint64_t clients;
    uint64_t exchanges; /* 0: one for each client */
    uint64_t window;    /* without `rate` and `burst` */
    uint64_t rate;      /* a second; 0: as the window says */
    uint64_t retransmit_ms, timeout_ms;
    uint64_t duration_ms; /* 0: until all exchanges have begun */
};

/* Sets what stands on the command line; the rest stays. 0, or -EINVAL after it said on stderr what is wrong.
 */
int storm_options(int argc, char **argv, struct options *options);
void storm_usage(FILE *out);
