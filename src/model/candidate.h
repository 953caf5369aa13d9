/* A candidate: a machine without an entry that a subnet discovered (`unknown: discover`); what it said of
 * itself, so that a person can make it a node. */
#pragma once

#include "base/addr.h"

#include <stdbool.h>

struct candidate {
    struct mac mac;            /* the key */
    ipv4_t ip;                 /* what it was given for the time being */
    char subnet[64];           /* name */
    int64_t first_us, last_us; /* Unix time, microseconds, when it was seen */
    char hostname[64];         /* option 12 as far as it is a host label, else empty */
    char vendor_class[64];     /* option 60, printable characters of it */
    bool has_arch, has_uuid;
    uint16_t arch;       /* the first of option 93 */
    uint8_t uuid[16];    /* option 97, as text order when its firmware is one that sends it so */
    char circuit_id[64]; /* option 82.1: text when all of it is printable, else hexadecimal behind 0x */
};
