/* PXE in DHCP: what a firmware says of itself (RFC 4578, iPXE), and the options it wants to hear (PXE 2.1,
 * H1). Pure. */
#pragma once

#include "proto/dhcp.h"

/* P5: UDP, of the boot server that firmware asks when it has its address. */
#define PXE_PORT 4011

/* P1: processor architectures of option 93 (IANA's registry) that we know by name. */
enum pxe_arch {
    PXE_ARCH_BIOS = 0,
    PXE_ARCH_EFI_IA32 = 6,
    PXE_ARCH_EFI_BC = 7, /* used for x64 by nearly every firmware */
    PXE_ARCH_EFI_X64 = 9,
    PXE_ARCH_EFI_ARM32 = 10,
    PXE_ARCH_EFI_ARM64 = 11,
    PXE_ARCH_EFI_IA32_HTTP = 15,
    PXE_ARCH_EFI_X64_HTTP = 16,
    PXE_ARCH_EFI_ARM64_HTTP = 19,
    PXE_ARCH_BIOS_HTTP = 20,
    PXE_ARCH_RASPBERRY_PI = 41,
};
/* `BIOS`, `UEFI x64`, ...; NULL for a value that is not above. */
const char *pxe_arch_name(unsigned arch);

enum pxe_class {
    PXE_NONE,        /* an operating system's DHCP client */
    PXE_CLIENT,      /* option 60 begins with `PXEClient` (H2) */
    PXE_HTTP_CLIENT, /* `HTTPClient`: UEFI HTTP boot (P2) */
};

#define PXE_ARCHS_MAX 8

struct pxe_client {
    enum pxe_class class;
    bool ipxe;        /* P9: user class `iPXE`, or option 175 */
    unsigned archs_n; /* P1, P12: 0 when 93 is absent or odd; then BIOS is meant (RFC 4578 §2.1 came after the
                         ROMs) */
    uint16_t archs[PXE_ARCHS_MAX];
    bool has_uuid;             /* option 97 of 17 bytes and type 0 */
    uint8_t uuid[16];          /* as it came: see pxe_uuid_swap */
    bool has_boot_item;        /* option 43.71: it chose a boot server, as after a menu (PXE 2.1 §2.2.3) */
    uint32_t boot_item;        /* server type and layer; bit 15 of the layer (credentials) is cleared */
    uint8_t ipxe_features[32]; /* one bit a sub-option of 175 that is there with a value other than 0 */
};

/* Reads it off a message. Never fails: what is malformed counts as absent (P12). */
void pxe_client_of(const struct dhcp_packet *p, struct pxe_client *ret_client);

/* The Raspberry Pi's own firmware calls itself a BIOS (architecture 0); it is known by its UUID, which begins
 * with `RPi` (bootloaders of 2020 and later), or by its vendor's MAC addresses, and then counts as
 * PXE_ARCH_RASPBERRY_PI alone. A UEFI or an iPXE on it is what that says. */
static inline bool pxe_is_raspberry(const struct pxe_client *c)
{
    return c->class == PXE_CLIENT && c->archs_n && c->archs[0] == PXE_ARCH_RASPBERRY_PI;
}
/* Whether it is a MAC address of its vendor. */
bool pxe_is_raspberry_mac(const struct mac *mac);

/* Whether iPXE said it has the feature (175 sub-option, such as 0x13 HTTP). */
static inline bool pxe_ipxe_has(const struct pxe_client *c, uint8_t feature)
{
    return c->ipxe_features[feature / 8] >> (feature % 8) & 1;
}

/* UUIDs go over the wire in two orders: as text (iPXE) or with the first three fields little-endian, as
 * SMBIOS has them (EDK2). Turns one into the other, in place. */
void pxe_uuid_swap(uint8_t uuid[static 16]);

/* H1: the PXE vendor options, the content of option 43. */
enum pxe_discovery { /* P6: bits of sub-option 6 */
                     PXE_NO_BROADCAST = 1,
                     PXE_NO_MULTICAST = 2,
                     PXE_LISTED_SERVERS_ONLY = 4,
                     PXE_BOOT_FILE_NOW =
                         8, /* boot `file` of this very answer: no menu, no further discovery (P10) */
};
enum pxe_vendor_field {
    PXE_MTFTP_IP = 1 << 1,
    PXE_MTFTP_CPORT = 1 << 2,
    PXE_MTFTP_SPORT = 1 << 3,
    PXE_MTFTP_TIMEOUT = 1 << 4,
    PXE_MTFTP_DELAY = 1 << 5,
    PXE_DISCOVERY_CONTROL = 1 << 6,
    PXE_DISCOVERY_MCAST = 1 << 7,
    PXE_BOOT_ITEM = 1 << 8, /* sub-option 71 */
};
struct pxe_vendor {
    unsigned fields;           /* which of the following are sent */
    ipv4_t mtftp_ip;           /* 1; 0.0.0.0: no multicast */
    uint16_t cport, sport;     /* 2, 3: two bytes each. The value stands in network order */
    uint8_t timeout, delay;    /* 4, 5: seconds */
    uint8_t discovery_control; /* 6 */
    ipv4_t discovery_mcast;    /* 7 */
    uint32_t boot_item;        /* 71: boot server type and layer, 16 bits each */
};
#define PXE_VENDOR_MAX 64
/* Encodes them with exact lengths, in ascending order, END at the end. Returns the size. */
size_t pxe_vendor_encode(const struct pxe_vendor *v, uint8_t buf[static PXE_VENDOR_MAX]);

/* What the Raspberry Pi wants to see in option 43 before it goes on: a boot menu with the one item
 * `Raspberry Pi Boot`, the prompt `PXE` shown for 0 s, and no discovery, in the order in which dnsmasq sends
 * them, which all its models are known to take. Returns its size. */
size_t pxe_raspberry_encode(uint8_t buf[static PXE_VENDOR_MAX]);

/* P9: the content of option 175 in replies to iPXE: `no-pxedhcp` (176) = 1, so that it does not wait for a
 * proxyDHCP offer. Returns its size. */
#define PXE_IPXE_MAX 8
size_t pxe_ipxe_encode(uint8_t buf[static PXE_IPXE_MAX]);
