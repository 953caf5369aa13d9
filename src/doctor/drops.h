/* What the kernel counted of packets that it had to drop: parsed from its own tables. */
#pragma once

#include "base/addr.h"

#include <stddef.h>
#include <stdint.h>

struct udp_port_drops {
    uint16_t port;
    unsigned sockets; /* on this port */
    uint64_t drops;   /* packets dropped by them, since each was opened */
    uint64_t queued;  /* bytes that wait in them now */
};

enum { UDP_PORTS_MAX = 4 };
struct udp_drops {
    size_t n;
    struct udp_port_drops ports[UDP_PORTS_MAX];
};

/* Adds up /proc/net/udp (`text`) into the ports that ret_drops names. Lines that are none are passed over. */
void udp_drops_parse(const char *text, struct udp_drops *drops);
/* Reads /proc/net/udp of this network namespace. 0 or -errno. */
int udp_drops_read(struct udp_drops *drops);

struct link_drops {
    uint64_t rx_errors, rx_dropped, rx_fifo, tx_errors, tx_dropped;
};
/* The line of one interface in /proc/net/dev. 0, or -ENOENT. */
int link_drops_parse(const char *text, const char *interface, struct link_drops *ret_drops);
int link_drops_read(const char *interface, struct link_drops *ret_drops);
