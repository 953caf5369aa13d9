/* Who sent a DHCP message, by what does not change: the MAC address of Ethernet; where the network has none
 * (InfiniBand, RFC 4390) the GUID of the port, or the client identifier (option 61). Pure.
 *
 * Whatever it is, six bytes stand for it: the MAC address itself, the GUID without its two bytes in the
 * middle, or bytes of the client identifier's hash that no card has (locally administered). Boots, leases,
 * configurations and events go by these.
 *
 * Where the GUID is: in chaddr when that has eight bytes, as iPXE sends it; else it ends the client
 * identifier, when that is a hardware address (type 27 or 32 and 8 or 20 bytes) or a DUID with one (RFC 4361,
 * RFC 8415 §11: of the link-layer address, with or without a time; also of Mellanox's enterprise number, as
 * the firmware of its cards and their drivers have it).
 */
#pragma once

#include "proto/dhcp.h"

/* Hardware types (IANA's registry) that have no 48-bit address. */
enum { DHCP_HW_ETHERNET = 1, DHCP_HW_EUI64 = 27, DHCP_HW_INFINIBAND = 32 };

#define CLIENT_ID_MIN 2 /* RFC 2132 §9.14 */
#define CLIENT_ID_MAX 255

struct dhcp_identity {
    bool ethernet;    /* else its replies are broadcast (RFC 4390 §2.2): no frame finds it by six bytes */
    struct mac mac;   /* stands for it */
    bool has_guid;    /* of one that is no Ethernet */
    struct guid guid; /* the same */
    struct reader id; /* option 61; failed when there is none. Into the message */
};

/* False: no Ethernet card's address, another hardware type, or one without an address that sends no client
 * identifier, which RFC 4390 §2.1 asks for. */
bool dhcp_identify(const struct dhcp_packet *p, struct dhcp_identity *ret_identity);

/* What stands for a client identifier. */
void client_id_to_mac(const void *id, size_t size, struct mac *ret_mac);

/* For people: `GUID 00:02:c9:03:00:12:34:56` or `client id ff:00:...`, cut when it is long; empty for an
 * Ethernet card, whose MAC address says all. */
#define DHCP_IDENTITY_TEXT_MAX 80
const char *dhcp_identity_format(const struct dhcp_identity *identity,
                                 char buf[static DHCP_IDENTITY_TEXT_MAX]);

/* Client identifiers as text: pairs of hexadecimal digits, also with `:` or `-` between them. Parsing wants
 * CLIENT_ID_MIN to CLIENT_ID_MAX bytes; 0 or -EINVAL. Formatting needs 3 * size bytes. */
int client_id_parse(const char *s, uint8_t ret_id[static CLIENT_ID_MAX], size_t *ret_size);
const char *client_id_format(const uint8_t *id, size_t size, char *buf, size_t room);
