/* PXE in DHCP; the contract is in proto/pxe.h. */
#include "proto/pxe.h"
#include "base/cleanup.h"

const char *pxe_arch_name(unsigned arch)
{
    static const struct {
        unsigned arch;
        const char *name;
    } names[] = {
        {PXE_ARCH_BIOS, "BIOS"},
        {PXE_ARCH_EFI_IA32, "UEFI IA32"},
        {PXE_ARCH_EFI_BC, "UEFI x64 (byte code)"},
        {PXE_ARCH_EFI_X64, "UEFI x64"},
        {PXE_ARCH_EFI_ARM32, "UEFI arm32"},
        {PXE_ARCH_EFI_ARM64, "UEFI arm64"},
        {PXE_ARCH_EFI_IA32_HTTP, "UEFI IA32 HTTP"},
        {PXE_ARCH_EFI_X64_HTTP, "UEFI x64 HTTP"},
        {PXE_ARCH_EFI_ARM64_HTTP, "UEFI arm64 HTTP"},
        {PXE_ARCH_BIOS_HTTP, "BIOS HTTP"},
        {PXE_ARCH_RASPBERRY_PI, "Raspberry Pi"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].arch == arch)
            return names[i].name;
    return NULL;
}

static void read_archs(const struct dhcp_packet *p, struct pxe_client *c)
{
    struct reader r = dhcp_option(p, DHCP_CLIENT_ARCH);
    if (r.failed || r.left % 2 != 0)
        return;
    while (r.left && c->archs_n < PXE_ARCHS_MAX)
        c->archs[c->archs_n++] = reader_u16(&r);
}

static void read_uuid(const struct dhcp_packet *p, struct pxe_client *c)
{
    struct reader r = dhcp_option(p, DHCP_CLIENT_UUID);
    static const uint8_t zero[16];
    if (r.failed || r.left != 17 || reader_u8(&r) != 0)
        return;
    memcpy(c->uuid, r.p, sizeof(c->uuid));
    c->has_uuid = memcmp(c->uuid, zero, sizeof(zero)) != 0;
}

/* Option 175 holds sub-options of the same form as options (iPXE's `encapsulated options`). */
static void read_ipxe(const struct dhcp_packet *p, struct pxe_client *c)
{
    struct reader r = dhcp_option(p, DHCP_IPXE);
    if (r.failed)
        return;
    c->ipxe = true;
    while (r.left) {
        uint8_t code = reader_u8(&r);
        if (code == DHCP_PAD)
            continue;
        if (code == DHCP_END)
            return;
        struct reader value = reader_sub(&r, reader_u8(&r));
        if (r.failed)
            return;
        bool on = false;
        while (value.left)
            on |= reader_u8(&value) != 0;
        if (on)
            c->ipxe_features[code / 8] |= (uint8_t)(1 << code % 8);
    }
}

/* P7: option 43 of a client holds sub-options, of which only 71 says something. */
static void read_boot_item(const struct dhcp_packet *p, struct pxe_client *c)
{
    struct reader r = dhcp_option(p, DHCP_VENDOR_SPECIFIC);
    while (!r.failed && r.left) {
        uint8_t code = reader_u8(&r);
        if (code == DHCP_PAD)
            continue;
        if (code == DHCP_END)
            return;
        struct reader value = reader_sub(&r, reader_u8(&r));
        if (code != 71 || value.failed || value.left != 4)
            continue;
        c->has_boot_item = true;
        c->boot_item = reader_u32(&value) & ~UINT32_C(0x8000);
    }
}

bool pxe_is_raspberry_mac(const struct mac *mac)
{
    static const uint8_t vendors[][3] = {
        {0xb8, 0x27, 0xeb}, {0xdc, 0xa6, 0x32}, {0xe4, 0x5f, 0x01},
        {0x28, 0xcd, 0xc1}, {0x2c, 0xcf, 0x67}, {0xd8, 0x3a, 0xdd},
    };
    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
        if (memcmp(mac->b, vendors[i], sizeof(vendors[i])) == 0)
            return true;
    return false;
}

static void note_raspberry(const struct dhcp_packet *p, struct pxe_client *c)
{
    struct mac mac;
    bool bios = c->archs_n == 0 || (c->archs_n == 1 && c->archs[0] == PXE_ARCH_BIOS);
    bool named = c->has_uuid && memcmp(c->uuid, "RPi", 3) == 0;
    if (c->class != PXE_CLIENT || c->ipxe || !bios)
        return;
    if (named || (dhcp_mac(p, &mac) && pxe_is_raspberry_mac(&mac))) {
        c->archs[0] = PXE_ARCH_RASPBERRY_PI;
        c->archs_n = 1;
    }
}

static bool same_text(struct reader r, void *text)
{
    size_t n = strlen(text);
    return r.left == n && memcmp(r.p, text, n) == 0;
}

void pxe_client_of(const struct dhcp_packet *p, struct pxe_client *ret_client)
{
    static char ipxe[] = "iPXE";
    struct pxe_client *c = ret_client;
    *c = (struct pxe_client){
        .class = dhcp_begins(p, DHCP_VENDOR_CLASS, "PXEClient")    ? PXE_CLIENT
                 : dhcp_begins(p, DHCP_VENDOR_CLASS, "HTTPClient") ? PXE_HTTP_CLIENT
                                                                   : PXE_NONE,
        .ipxe = dhcp_user_class(p, same_text, ipxe),
    };
    read_archs(p, c);
    read_uuid(p, c);
    read_ipxe(p, c);
    if (c->class != PXE_NONE)
        read_boot_item(p, c);
    note_raspberry(p, c);
}

void pxe_uuid_swap(uint8_t uuid[static 16])
{
    static const uint8_t order[8] = {3, 2, 1, 0, 5, 4, 7, 6};
    uint8_t swapped[8];
    for (size_t i = 0; i < sizeof(order); i++)
        swapped[i] = uuid[order[i]];
    memcpy(uuid, swapped, sizeof(swapped));
}

size_t pxe_vendor_encode(const struct pxe_vendor *v, uint8_t buf[static PXE_VENDOR_MAX])
{
    const struct {
        unsigned field;
        uint8_t code, size;
        uint32_t value;
    } list[] = {
        {PXE_MTFTP_IP, 1, 4, v->mtftp_ip},
        {PXE_MTFTP_CPORT, 2, 2, v->cport},
        {PXE_MTFTP_SPORT, 3, 2, v->sport},
        {PXE_MTFTP_TIMEOUT, 4, 1, v->timeout},
        {PXE_MTFTP_DELAY, 5, 1, v->delay},
        {PXE_DISCOVERY_CONTROL, 6, 1, v->discovery_control},
        {PXE_DISCOVERY_MCAST, 7, 4, v->discovery_mcast},
        {PXE_BOOT_ITEM, 71, 4, v->boot_item},
    };
    struct writer w = writer_of(buf, PXE_VENDOR_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        if (!(v->fields & list[i].field))
            continue;
        writer_u8(&w, list[i].code);
        writer_u8(&w, list[i].size);
        for (int shift = 8 * (list[i].size - 1); shift >= 0; shift -= 8)
            writer_u8(&w, (uint8_t)(list[i].value >> shift));
    }
    writer_u8(&w, DHCP_END);
    return w.used;
}

size_t pxe_raspberry_encode(uint8_t buf[static PXE_VENDOR_MAX])
{
    static const uint8_t before[] = {
        6,   1,   PXE_NO_BROADCAST | PXE_NO_MULTICAST, /* discovery control */
        10,  4,   0,
        'P', 'X', 'E', /* menu prompt: seconds, text */
        9,   20,  0,
        0,   17, /* boot menu: server type, size, text */
    };
    static const char item[] = "Raspberry Pi Boot";
    struct writer w = writer_of(buf, PXE_VENDOR_MAX);
    writer_put(&w, before, sizeof(before));
    writer_put(&w, item, sizeof(item) - 1);
    writer_u8(&w, DHCP_END);
    return w.used;
}

size_t pxe_ipxe_encode(uint8_t buf[static PXE_IPXE_MAX])
{
    static const uint8_t no_pxedhcp[] = {176, 1, 1};
    memcpy(buf, no_pxedhcp, sizeof(no_pxedhcp));
    return sizeof(no_pxedhcp);
}
