/* Addresses: Ethernet MAC, EUI-64, IPv4 and IPv4 prefixes as values. IPv4 addresses are in host byte order
 * throughout; the byte cursors (base/bytes.h) turn them into network order on the wire. Parsing is strict:
 * the whole string, nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t ipv4_t;

struct mac {
    uint8_t b[6];
};

/* The 64-bit address (EUI-64) of a port of InfiniBand, which calls it GUID, or of another network with such
 * addresses. */
struct guid {
    uint8_t b[8];
};

struct ipv4_prefix {
    ipv4_t address; /* host bits are zero */
    uint8_t length; /* 0..32 */
};

#define MAC_TEXT_MAX    18
#define GUID_TEXT_MAX   24
#define IPV4_TEXT_MAX   16
#define PREFIX_TEXT_MAX 20
#define HXIP_TEXT_MAX   9

/* `52:54:00:12:34:56`, also with `-` between the bytes or with no separators; either case. 0 or -EINVAL. */
int mac_parse(const char *s, struct mac *ret_mac);
const char *mac_format(const struct mac *mac, char buf[static MAC_TEXT_MAX]);
bool mac_equal(const struct mac *a, const struct mac *b);
/* True for an address that one card can have: not multicast, not all zero. */
bool mac_is_unicast(const struct mac *mac);

/* `00:02:c9:03:00:12:34:56`, also with `-` between the bytes or with no separators, or as `ibstat` shows it,
 * `0x0002c90300123456`, or `ip link`, `0002:c903:0012:3456`; either case. 0 or -EINVAL. */
int guid_parse(const char *s, struct guid *ret_guid);
const char *guid_format(const struct guid *guid, char buf[static GUID_TEXT_MAX]);
bool guid_equal(const struct guid *a, const struct guid *b);
/* The six bytes that stand for it where a MAC address is wanted: without the two in its middle, as vendors
 * make one address of the other, and as iPXE and the drivers of such cards do. Always one that a card can
 * have. */
void guid_to_mac(const struct guid *guid, struct mac *ret_mac);

/* Dotted quad, four decimal numbers without leading zeros. 0 or -EINVAL. */
int ipv4_parse(const char *s, ipv4_t *ret_address);
const char *ipv4_format(ipv4_t address, char buf[static IPV4_TEXT_MAX]);

/* H10: the address as eight upper-case hexadecimal digits, the name under which PXELINUX asks for its
 * configuration. */
const char *ipv4_hex(ipv4_t address, char buf[static HXIP_TEXT_MAX]);

/* `192.168.7.0/24`. 0; -EINVAL when it is no prefix; -EDOM when bits are set beyond the length. */
int prefix_parse(const char *s, struct ipv4_prefix *ret_prefix);
const char *prefix_format(const struct ipv4_prefix *p, char buf[static PREFIX_TEXT_MAX]);
ipv4_t prefix_mask(const struct ipv4_prefix *p);
ipv4_t prefix_broadcast(const struct ipv4_prefix *p);
bool prefix_contains(const struct ipv4_prefix *p, ipv4_t address);

/* A UUID as its text form has it, byte by byte: `123e4567-e89b-12d3-a456-426614174000`, either case; written
 * in lower case. 0 or -EINVAL. */
#define UUID_TEXT_MAX 37
int uuid_parse(const char *s, uint8_t ret_uuid[static 16]);
const char *uuid_format(const uint8_t uuid[static 16], char buf[static UUID_TEXT_MAX]);
