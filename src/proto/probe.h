/* What asks a network whether an address is in use: an ARP probe on the link (RFC 5227 §2.1.1), an ICMP echo
 * behind a router (RFC 792). Pure: values in, bytes out. */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

#include <stdbool.h>

enum { ARP_SIZE = 28, ECHO_SIZE = 16 };

/* The ARP request for `ip`, from a card that claims no address itself. Behind the Ethernet header. */
void arp_write_probe(struct writer *w, const struct mac *from, ipv4_t ip);

/* Reads an ARP packet (behind the Ethernet header). 0 with the address that its sender says it has, and the
 * sender's hardware address; -ENOMSG for what says no such thing (a probe, another protocol); -EBADMSG when
 * it is cut short. */
int arp_read(const void *packet, size_t size, ipv4_t *ret_ip, struct mac *ret_mac);

/* The ICMP echo request with these numbers. Behind the IP header. */
void echo_write_request(struct writer *w, uint16_t id, uint16_t sequence, uint64_t secret);

/* Reads an IPv4 packet as a raw socket gives it. 0 for the answer to an echo request with this id and secret:
 * its sender; -ENOMSG for anything else; -EBADMSG when it is cut short. */
int echo_read_reply(const void *packet, size_t size, uint16_t id, uint64_t secret, ipv4_t *ret_from);
