/*
 * One interface of the node while init sets it up: its DHCP client with a socket, and what a lease (or an ip=
 * with an address) makes of the interface, /etc/resolv.conf, the host name and PORT_PNP.
 */
#pragma once

#include "init/dhcp_client.h"
#include "init/link.h"
#include "init/netspec.h"

/* In the form of /proc/net/pnp: what the kernel would have put there. */
#define PORT_PNP "/run/rambox.pnp"

struct port {
    struct link link;
    const struct netspec *spec;
    const struct net_ip *ip; /* what is asked for on it */
    bool raised;             /* it was down before */
    bool asking;             /* `client` has begun */
    int fd;                  /* its socket, or -1 */
    bool fd_bound;           /* a UDP socket */
    struct dhcp_client client;
    struct lease lease; /* what is applied; no address: nothing is */
};

/* ms of the clock that leases run by. */
int64_t port_now(void);

/* Begins to ask by DHCP; `host` (may be empty) must live as long as the port. */
void port_ask(struct port *port, const char *host, int64_t slowest);

/* Takes what came and sends what is due. DHCP_GIVEN, DHCP_LOST or DHCP_NOTHING. */
enum dhcp_client_event port_work(struct port *port);

/* Closes its socket: it does not ask any more, or rests until its lease is to be renewed. */
void port_rest(struct port *port);

/* Makes the interface as the lease says, which is kept; what was applied before goes, where it differs. Says
 * what fails. Returns 0, or -errno when it has no address now. */
int port_apply(struct port *port, const struct lease *lease);

/* Takes the lease's address and routes away again. */
void port_withdraw(struct port *port);

/* The lease that an ip= with an address amounts to. */
struct lease port_static_lease(const struct net_ip *ip);
