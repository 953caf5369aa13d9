/* The part of IPv6 neighbour discovery (RFC 4861) that P14 needs: reading a router solicitation and writing
 * an advertisement that says "there is no router here". Pure: bytes <-> values.
 *
 * iPXE ROMs solicit an IPv6 router before they boot by IPv4 and wait 13 s when nobody answers. The
 * advertisement carries router lifetime 0 and no prefix, so whoever hears it gets neither a route nor an
 * address of it (RFC 4861 §4.2, §6.3.4); what the ROM gets is an end to its waiting.
 */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

enum { NDP_ADVERTISEMENT_SIZE = 40 + 16 };

struct ipv6 {
    uint8_t b[16];
};

/* Reads one IPv6 packet. 0 when it is a valid router solicitation (RFC 4861 §6.1.1: hop limit 255, right
 * checksum, code 0, sound options); -ENOMSG when it is anything else; -EBADMSG when it is a solicitation that
 * must be discarded. *ret_source may be the unspecified address. */
int ndp_read_solicitation(const void *packet, size_t size, struct ipv6 *ret_source);

/* Writes the whole IPv6 packet. `to` is the solicitor's address; when that is unspecified the packet is
 * addressed to all nodes (the sender still puts the solicitor's MAC on the frame, so it alone hears it). */
void ndp_write_advertisement(struct writer *w, const struct ipv6 *from, const struct ipv6 *to);

/* The link-local address that an interface with this MAC has by RFC 4291, appendix A. */
struct ipv6 ipv6_link_local(const struct mac *mac);
