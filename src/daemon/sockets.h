/* Opening the server's sockets. Each function says in `diags` what is in the way (a port in use, by whom; a
 * missing privilege) and what to do about it. All descriptors are non-blocking. */
#pragma once

#include "base/diag.h"
#include "daemon/iface.h"

/* Sockets that are opened ahead, while there are privileges: by the process before its confinement
 * (daemon/confine.h). Between the two calls, the functions below are handed what was opened for the same
 * arguments, or why it could not be. SOCKETS_SPARE more stay in reserve until sockets_end, without a port,
 * for interfaces that come later: their buffers are as large as only CAP_NET_ADMIN makes them. Not for
 * several threads. */
enum { SOCKETS_SPARE = 32 };
struct server_settings;
void sockets_ahead(const struct served_ifaces *served, const struct server_settings *settings,
                   unsigned tftp_sockets);
void sockets_ahead_done(void);
void sockets_end(void);

/* UDP, any address, on this interface alone; broadcast allowed. Each packet says its destination
 * (IP_PKTINFO), when the kernel took it in (SO_TIMESTAMPNS) and how many it had to drop before
 * (SO_RXQ_OVFL). *ret_queue: bytes of the kernel's memory that may wait in it; a message takes
 * DHCP_MESSAGE_MEMORY or less. A descriptor or -errno. */
enum { DHCP_PXE_PORT = 4011, DHCP_MESSAGE_MEMORY = 2304 };
int socket_open_dhcp(const struct served_iface *iface, uint16_t port, struct diags *diags, int *ret_queue);
/* UDP on this one address: `n` sockets (1..TFTP_SOCKETS_MAX) of the same port. All packets of one source
 * address come to the same one of them, the place in ret_fds by a hash of it. 0 or -errno; on failure none is
 * open. */
enum { TFTP_SOCKETS_MAX = 64 };
int sockets_open_tftp(ipv4_t address, uint16_t port, unsigned n, struct diags *diags, int *ret_fds);
/* UDP on a port that is free, for one transfer. A descriptor or -errno. */
int socket_open_tftp_transfer(ipv4_t address, uint16_t *ret_port);
/* A listening TCP socket on this one address. `tls`: which setting names its port. */
int socket_open_http(ipv4_t address, uint16_t port, bool tls, struct diags *diags);
/* A packet socket that only sends: replies to clients without an address, router advertisements. */
int socket_open_link(struct diags *diags);
/* A packet socket that hears the router solicitations on this interface (also where IPv6 is turned off). */
int socket_open_solicitations(const struct served_iface *iface, struct diags *diags);
/* A packet socket that sends ARP probes and hears the answers, on all interfaces. */
int socket_open_arp(struct diags *diags);
/* A raw socket that sends ICMP echo requests and hears the answers. */
int socket_open_echo(struct diags *diags);
