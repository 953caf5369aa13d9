/*
 * The DHCP client's port on one interface: a packet socket while there is no address, as IP has none to send
 * from and drops what comes; a UDP socket after that. Descriptors do not block.
 */
#pragma once

#include "init/dhcp_client.h"

/* Opens the packet socket. Returns it or -errno: -EAFNOSUPPORT where the kernel has no CONFIG_PACKET. */
int dhcp_socket_open(int interface_index);

/* Opens the UDP socket, from `address`. Returns it or -errno. */
int dhcp_socket_open_bound(const char *interface, ipv4_t address);

/* Sends by the socket that belongs to the message: the UDP one for messages with a source. Returns 0 or
 * -errno. */
int dhcp_socket_send(int fd, int interface_index, const struct dhcp_client_message *message);

/*
 * Takes one datagram that came to the client's port, into `buffer`. Returns the size of its payload, and
 * where that begins; 0 for a packet that is none; -EAGAIN when none is left.
 */
long dhcp_socket_receive(int fd, bool bound, void *buffer, size_t size, const void **ret_payload);
