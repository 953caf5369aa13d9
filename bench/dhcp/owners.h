/* Which client has which address, as far as the clients were told: what shows that an address has two owners.
 */
#pragma once

#include "base/addr.h"

#include <stddef.h>

struct owner {
    ipv4_t ip; /* 0: nothing here */
    struct mac mac;
};

struct owners {
    size_t size, used; /* a power of two */
    struct owner *slots;
};

/* Room for n addresses. */
void owners_make(struct owners *owners, size_t n);
void owners_free(struct owners *owners);
/* The address is the client's now. Returns the client that has it already, or NULL; then that one keeps it.
 */
const struct mac *owners_take(struct owners *owners, ipv4_t ip, const struct mac *mac);
/* The client has it no more. */
void owners_give_up(struct owners *owners, ipv4_t ip, const struct mac *mac);
