/* Which process holds a port: for the message that says why ours could not be had. */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes `dnsmasq (pid 812)` into buf, or an empty text when /proc does not tell (another user's process seen
 * without privilege). `address` 0: any address counts. Returns buf. */
const char *port_owner(bool tcp, ipv4_t address, unsigned port, char *buf, size_t size);
/* The same of the n-th socket (from 0) that is bound to the port: several can be, each to an interface. False
 * when there are not so many. */
bool port_owner_at(bool tcp, ipv4_t address, unsigned port, size_t n, char *buf, size_t size);
