/*
 * What a DHCP server gives: an acknowledgement (RFC 2131 §4.3.1) -> struct lease, and its texts for
 * /etc/resolv.conf and for whoever asks which server that was. Pure.
 */
#pragma once

#include "init/text.h"
#include "proto/dhcp.h"

#define LEASE_ROUTES  16
#define LEASE_SERVERS 3          /* as many as a resolver reads */
#define LEASE_FOREVER UINT32_MAX /* RFC 2131 §3.3 */

struct lease_route {
    ipv4_t destination, netmask;
    ipv4_t gateway; /* 0: on the link itself */
};

struct lease {
    ipv4_t address, netmask;
    ipv4_t server;      /* option 54: whom to ask for more time */
    ipv4_t next_server; /* siaddr, or without one `server`: where the node boots from and reports to */
    ipv4_t dns[LEASE_SERVERS];
    unsigned dns_count;
    struct lease_route routes[LEASE_ROUTES];
    unsigned route_count;
    unsigned mtu;     /* 0: not said */
    char host[64];    /* a label, or empty */
    char domain[254]; /* of letters, digits, `.`, `-` and `_`, or empty */
    uint32_t seconds; /* how long, from the request on; LEASE_FOREVER */
    uint32_t renew;   /* T1: when to ask this server again, renew <= rebind <= seconds */
    uint32_t rebind;  /* T2: when to ask all of them */
};

/* Reads an ACK. Returns 0, or -EBADMSG when it gives no address that a node can have, or names no server. */
int lease_read(const struct dhcp_packet *ack, struct lease *ret);

/* Adds the lines of resolv.conf: `first` before the lease's own servers, three at most. */
void lease_resolver(const struct lease *lease, const ipv4_t *first, unsigned first_count, struct text *text);

/* Adds lines in the form of the kernel's /proc/net/pnp, of which `bootserver` is what is read. */
void lease_pnp(const struct lease *lease, struct text *text);
