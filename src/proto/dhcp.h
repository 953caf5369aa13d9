/* DHCP messages (RFC 2131, 2132, 3396, 3046) as values. Pure: bytes in, value out, and back.
 *
 * A message is parsed whole before anything looks at it: the three places options can be in (the options
 * field, and with option 52 the file and sname fields) are read in this order and parts of one option are
 * joined (RFC 3396), so a query sees each option once and whole. What a message says stays as it was said;
 * what it means is decided in src/serve.
 *
 * The writer makes replies, and requests: options that do not fit the client's limit are left out whole, last
 * come first dropped, and room for option 82 is kept from the start, because it must come back whole and last
 * (RFC 3046 §2.2).
 */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

#define DHCP_HEADER_SIZE    236  /* op .. file, without the cookie */
#define DHCP_PACKET_MAX     4096 /* longer messages are refused: no client has a reason */
#define DHCP_REPLY_MAX      1472 /* the longest reply: what fits an Ethernet frame */
#define DHCP_SIZE_MIN       576  /* option 57: the smallest limit a client may have; with IP and UDP header */
#define DHCP_IP_UDP_HEADER  28
#define DHCP_FLAG_BROADCAST 0x8000 /* the other flag bits are reserved and ignored (D13) */

enum dhcp_op { DHCP_BOOTREQUEST = 1, DHCP_BOOTREPLY = 2 };

enum dhcp_type {
    DHCP_BOOTP = 0, /* no option 53: not DHCP but BOOTP (RFC 1534) */
    DHCP_DISCOVER = 1,
    DHCP_OFFER,
    DHCP_REQUEST,
    DHCP_DECLINE,
    DHCP_ACK,
    DHCP_NAK,
    DHCP_RELEASE,
    DHCP_INFORM,
    DHCP_TYPE_COUNT
};
/* `DISCOVER` ..., `BOOTP` for 0; `unknown` beyond. */
const char *dhcp_type_name(unsigned type);

/* RFC 2132 unless said. */
enum dhcp_option {
    DHCP_PAD = 0,
    DHCP_SUBNET_MASK = 1,
    DHCP_ROUTER = 3,
    DHCP_DNS = 6,
    DHCP_HOST_NAME = 12,
    DHCP_DOMAIN_NAME = 15,
    DHCP_INTERFACE_MTU = 26,
    DHCP_BROADCAST_ADDRESS = 28,
    DHCP_NTP = 42,
    DHCP_VENDOR_SPECIFIC = 43,
    DHCP_REQUESTED_IP = 50,
    DHCP_LEASE_TIME = 51,
    DHCP_OVERLOAD = 52,
    DHCP_MESSAGE_TYPE = 53,
    DHCP_SERVER_ID = 54,
    DHCP_PARAMETER_LIST = 55,
    DHCP_MESSAGE = 56,
    DHCP_MAX_SIZE = 57,
    DHCP_RENEWAL_TIME = 58,
    DHCP_REBINDING_TIME = 59,
    DHCP_VENDOR_CLASS = 60,
    DHCP_CLIENT_ID = 61,
    DHCP_TFTP_SERVER_NAME = 66,
    DHCP_BOOT_FILE = 67,
    DHCP_USER_CLASS = 77,        /* RFC 3004 */
    DHCP_FQDN = 81,              /* RFC 4702 */
    DHCP_RELAY_AGENT = 82,       /* RFC 3046 */
    DHCP_CLIENT_ARCH = 93,       /* RFC 4578 */
    DHCP_CLIENT_NDI = 94,        /* RFC 4578 */
    DHCP_CLIENT_UUID = 97,       /* RFC 4578 */
    DHCP_IPV6_ONLY = 108,        /* RFC 8925 */
    DHCP_SUBNET_SELECTION = 118, /* RFC 3011 */
    DHCP_CLASSLESS_ROUTES = 121, /* RFC 3442 */
    DHCP_IPXE = 175,             /* iPXE's encapsulated options */
    DHCP_PXELINUX_PREFIX = 210,  /* RFC 5071 */
    DHCP_PXELINUX_CONFIG = 209,  /* RFC 5071 */
    DHCP_TRIAL = 224,            /* site-specific (RFC 3942): `rambox doctor` asks, and nobody boots */
    DHCP_END = 255,
};

/* Sub-options of 82. */
enum dhcp_relay_suboption {
    DHCP_RELAY_CIRCUIT_ID = 1,     /* RFC 3046 */
    DHCP_RELAY_REMOTE_ID = 2,      /* RFC 3046 */
    DHCP_RELAY_LINK_SELECTION = 5, /* RFC 3527 */
    DHCP_RELAY_SERVER_ID = 11, /* RFC 5107: what the reply's 54 shall be, so that renewals go to the relay */
};

/* The flags of option 81 (RFC 4702 §2.1). */
enum dhcp_fqdn_flag { DHCP_FQDN_S = 1, DHCP_FQDN_O = 2, DHCP_FQDN_E = 4, DHCP_FQDN_N = 8 };

/* Where an option's joined bytes are in dhcp_packet.data. */
struct dhcp_slot {
    uint16_t offset, size;
};

struct dhcp_packet {
    uint8_t op, htype, hlen, hops;
    uint32_t xid;
    uint16_t secs, flags;
    ipv4_t ciaddr, yiaddr, siaddr, giaddr;
    uint8_t chaddr[16]; /* bytes beyond hlen as they came */
    char sname[65];     /* NUL-terminated; empty when the field holds options */
    char file[129];
    enum dhcp_type type;
    uint8_t present[32]; /* one bit an option code */
    struct dhcp_slot slot[256];
    uint16_t data_size;
    uint8_t data[DHCP_PACKET_MAX];
};

/* What made a message unfit, for counters. Values above 0 are dropped without a reply. */
enum dhcp_defect {
    DHCP_OK = 0,
    DHCP_TOO_SHORT, /* less than header and cookie */
    DHCP_TOO_LONG,  /* more than DHCP_PACKET_MAX */
    DHCP_BAD_OP,    /* op is neither 1 nor 2 */
    DHCP_BAD_HLEN,  /* hlen > 16 */
    DHCP_BAD_COOKIE,
    DHCP_BAD_OPTION,   /* an option's length goes past the end of its field */
    DHCP_BAD_OVERLOAD, /* option 52 that is not one byte of 1..3 */
    DHCP_BAD_TYPE,     /* option 53 that is not one byte of 1..8, as when it is there twice */
    DHCP_DEFECT_COUNT
};
const char *dhcp_defect_name(enum dhcp_defect defect); /* `too-short`, ... */

/* Parses a whole message (§2, RFC 2132 §9.3, RFC 3396 §7). A missing END is tolerated. *ret_packet is only
 * meaningful on DHCP_OK. It is large; keep one and use it again. */
enum dhcp_defect dhcp_parse(const void *data, size_t size, struct dhcp_packet *ret_packet);

/* Whether the option is there; also with length 0. */
static inline bool dhcp_has(const struct dhcp_packet *p, uint8_t code)
{
    return p->present[code / 8] >> (code % 8) & 1;
}

/* The option's joined bytes as a reader; an empty, failed one when it is not there. */
struct reader dhcp_option(const struct dhcp_packet *p, uint8_t code);

/* Typed queries: true and the value only when the option is there with exactly the size of the type. */
bool dhcp_get_u8(const struct dhcp_packet *p, uint8_t code, uint8_t *ret_value);
bool dhcp_get_u16(const struct dhcp_packet *p, uint8_t code, uint16_t *ret_value);
bool dhcp_get_u32(const struct dhcp_packet *p, uint8_t code, uint32_t *ret_value); /* also an IPv4 address */
/* Whether the option begins with these bytes. */
bool dhcp_begins(const struct dhcp_packet *p, uint8_t code, const char *text);
/* Option 12 when it is a host label (RFC 1123), a trailing NUL or dot and what follows its first dot aside;
 * else false. */
bool dhcp_host_name(const struct dhcp_packet *p, char ret_name[static 64]);
/* Whether `is` holds for one of the user classes (77): each of the length-prefixed list that RFC 3004 has, or
 * the bare text that iPXE and many others send. */
bool dhcp_user_class(const struct dhcp_packet *p, bool (*is)(struct reader class, void *user), void *user);
/* A sub-option of the relay agent's information (82, RFC 3046 §2.0); an empty, failed reader when it is not
 * there. */
struct reader dhcp_relay_option(const struct dhcp_packet *p, uint8_t code);
/* The first label of a client's name as its FQDN option (81, RFC 4702) has it, when that is a host label;
 * else false. */
bool dhcp_fqdn_label(const struct dhcp_packet *p, char ret_name[static 64]);
/* The hardware address as a MAC: htype 1 and hlen 6, else false. */
bool dhcp_mac(const struct dhcp_packet *p, struct mac *ret_mac);

/* The header of a reply or a request. What is not said is 0. */
struct dhcp_head {
    uint32_t xid;
    uint16_t flags;
    uint8_t htype, hlen;
    uint8_t chaddr[16];
    ipv4_t ciaddr, yiaddr, siaddr, giaddr;
    const char *sname, *file; /* NULL: empty; cut to 63 and 127 bytes */
};

struct dhcp_writer {
    struct writer w;
    const void *relay; /* option 82 to echo; kept by reference until dhcp_end */
    size_t relay_size;
    size_t reserved; /* bytes kept free for it and for END */
    bool dropped;    /* an option did not fit */
};

/* Begins a reply in `data`. `size` is its room; `limit` the longest message the client takes, in bytes of UDP
 * payload (see dhcp_size_limit). `relay` are the bytes of option 82 to echo (NULL: none). */
void dhcp_begin(struct dhcp_writer *w, void *data, size_t size, size_t limit, const struct dhcp_head *head,
                const void *relay, size_t relay_size);
/* Begins a request (BOOTREQUEST) in `data`; `secs`: seconds since the client began (§2). Otherwise as
 * dhcp_begin. */
void dhcp_begin_request(struct dhcp_writer *w, void *data, size_t size, const struct dhcp_head *head,
                        uint16_t secs);
/* Adds an option; longer than 255 bytes it is split (RFC 3396). One that does not fit is left out and
 * `dropped` is set. */
void dhcp_put(struct dhcp_writer *w, uint8_t code, const void *data, size_t size);
void dhcp_put_u8(struct dhcp_writer *w, uint8_t code, uint8_t value);
void dhcp_put_u16(struct dhcp_writer *w, uint8_t code, uint16_t value);
void dhcp_put_u32(struct dhcp_writer *w, uint8_t code, uint32_t value);
void dhcp_put_text(struct dhcp_writer *w, uint8_t code,
                   const char *text); /* without NUL; nothing for "" and NULL */
void dhcp_put_addresses(struct dhcp_writer *w, uint8_t code, const ipv4_t *addresses,
                        size_t n); /* nothing for 0 */
/* Option 82, END, and zeroes up to 300 bytes (RFC 1542 §2.1: relays drop shorter ones). The size of the
 * message, or -ENOBUFS when not even the header fit. */
int dhcp_end(struct dhcp_writer *w);

/* D18: the longest message for this client in bytes of UDP payload: option 57, or 576 without it, clamped to
 * 576..mtu, less the IP and UDP headers, and at most DHCP_REPLY_MAX. mtu 0: 1500. */
size_t dhcp_size_limit(const struct dhcp_packet *p, unsigned mtu);
