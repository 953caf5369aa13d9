/* Asks which addresses answer, with a small packet and with one of full size that may not be cut up. */
#pragma once

#include "base/addr.h"

#include <stddef.h>

struct ping {
    ipv4_t address;
    bool answers; /* to the small one */
    bool whole;   /* to the one of full size */
};

/* Sends both to each of at most 32, from the interface, and waits for at most a second. `mtu`: of the
 * interface; the packet is that long, at most 1500. 0 or -errno of the socket. */
int ping_all(const char *interface, unsigned mtu, struct ping *pings, size_t n);
