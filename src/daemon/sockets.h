/* Opening the server's sockets. Each function says in `diags` what is in the way (a port in use, by whom; a
 * missing privilege) and what to do about it. All descriptors are non-blocking. */
#pragma once

#include "base/diag.h"
#include "daemon/iface.h"

/* UDP, any address, on this interface alone; broadcast allowed, and each packet says its destination
 * (IP_PKTINFO). A descriptor or -errno. */
int socket_open_dhcp(const struct served_iface *iface, uint16_t port, struct diags *diags);
/* UDP on this one address. */
int socket_open_tftp(ipv4_t address, uint16_t port, struct diags *diags);
/* A listening TCP socket on this one address. */
int socket_open_http(ipv4_t address, uint16_t port, struct diags *diags);
/* A packet socket that only sends: replies to clients without an address, router advertisements. */
int socket_open_link(struct diags *diags);
/* A packet socket that hears the router solicitations on this interface (also where IPv6 is turned off). */
int socket_open_solicitations(const struct served_iface *iface, struct diags *diags);
