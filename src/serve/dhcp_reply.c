/* How DHCP replies look (RFC 2131 Table 3, D10) and where they go (§4.1, D2). */
#include "serve/bootfile.h"
#include "serve/dhcp_internal.h"
#include "serve/pxelinux.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Whether the client wants an option: it is in its list (55), or it has none. */
static bool wants(const struct exchange *x, uint8_t code)
{
    struct reader list = dhcp_option(x->packet, DHCP_PARAMETER_LIST);
    return list.failed || memchr(list.p, code, list.left) != NULL;
}

/* D2: by giaddr, then ciaddr, then the broadcast bit; a NAK without relay is broadcast. */
static void set_route(struct exchange *x, ipv4_t yiaddr)
{
    const struct dhcp_packet *p = x->packet;
    struct dhcp_outcome *o = x->outcome;
    o->port = DHCP_CLIENT_PORT;
    if (x->arrival->to_port == PXE_PORT && x->arrival->from) {
        o->route = ROUTE_CLIENT;
        o->address = x->arrival->from;
        o->port = x->arrival->from_port;
    } else if (p->giaddr) {
        o->route = ROUTE_RELAY;
        o->address = p->giaddr;
        o->port = DHCP_SERVER_PORT;
    } else if (o->reply == DHCP_NAK) {
        o->route = ROUTE_BROADCAST;
    } else if (p->ciaddr || o->request == DHCP_INFORM) {
        o->route = ROUTE_CLIENT;
        o->address = p->ciaddr ? p->ciaddr : x->arrival->from;
    } else if (p->flags & DHCP_FLAG_BROADCAST) {
        o->route = ROUTE_BROADCAST;
    } else {
        o->route = ROUTE_LINK;
        o->address = yiaddr;
    }
    if (o->route == ROUTE_BROADCAST)
        o->address = UINT32_MAX;
}

static void begin(struct exchange *x, struct dhcp_writer *w, ipv4_t yiaddr, const char *file)
{
    const struct dhcp_packet *p = x->packet;
    struct dhcp_outcome *o = x->outcome;
    struct reader relay = dhcp_option(p, DHCP_RELAY_AGENT);
    struct dhcp_head head = {
        .xid = p->xid,
        .flags = p->flags & DHCP_FLAG_BROADCAST, /* D13 */
        .htype = p->htype,
        .hlen = p->hlen,
        .ciaddr = o->reply == DHCP_ACK ? p->ciaddr : 0,
        .yiaddr = yiaddr,
        .siaddr = file ? x->arrival->local : 0,
        .giaddr = p->giaddr,
        .file = file,
    };
    memcpy(head.chaddr, p->chaddr, sizeof(head.chaddr));
    if (o->reply == DHCP_NAK && p->giaddr)
        head.flags = DHCP_FLAG_BROADCAST; /* D3 */
    dhcp_begin(w, o->packet, sizeof(o->packet), dhcp_size_limit(p, x->arrival->mtu), &head,
               relay.failed ? NULL : relay.p, relay.left);
    dhcp_put_u8(w, DHCP_MESSAGE_TYPE, (uint8_t)o->reply);
    dhcp_put_u32(w, DHCP_SERVER_ID, x->arrival->local); /* D7 */
    struct reader id = dhcp_option(p, DHCP_CLIENT_ID);
    if (!id.failed && id.left) /* D12, RFC 6842 */
        dhcp_put(w, DHCP_CLIENT_ID, id.p, id.left);
}

static enum dhcp_verdict end(struct exchange *x, struct dhcp_writer *w)
{
    struct dhcp_outcome *o = x->outcome;
    int size = dhcp_end(w);
    if (size < 0) { /* option 82 alone fills the message */
        o->reply = DHCP_BOOTP;
        return silent(x, SILENCE_MALFORMED, "no room for a reply beside option 82");
    }
    o->size = (size_t)size;
    return DHCP_SEND;
}

/* What no client can do without. */
static void put_network(const struct exchange *x, struct dhcp_writer *w)
{
    const struct subnet *s = x->subnet;
    dhcp_put_u32(w, DHCP_SUBNET_MASK, prefix_mask(&s->prefix));
    if (s->router)
        dhcp_put_u32(w, DHCP_ROUTER, s->router);
}

/* What a client may ask for. */
static void put_services(const struct exchange *x, struct dhcp_writer *w)
{
    const struct subnet *s = x->subnet;
    if (wants(x, DHCP_DNS))
        dhcp_put_addresses(w, DHCP_DNS, s->dns.items, s->dns.n);
    if (wants(x, DHCP_HOST_NAME) && x->node)
        dhcp_put_text(w, DHCP_HOST_NAME, x->node->name);
    if (wants(x, DHCP_DOMAIN_NAME))
        dhcp_put_text(w, DHCP_DOMAIN_NAME, s->domain);
    if (wants(x, DHCP_BROADCAST_ADDRESS) && s->prefix.length < 31)
        dhcp_put_u32(w, DHCP_BROADCAST_ADDRESS, prefix_broadcast(&s->prefix));
    if (wants(x, DHCP_NTP))
        dhcp_put_addresses(w, DHCP_NTP, s->ntp.items, s->ntp.n);
}

/* §4.4.5: renewal after a half, rebinding after seven eighths. */
static void put_times(struct dhcp_writer *w, uint32_t lease_s)
{
    dhcp_put_u32(w, DHCP_LEASE_TIME, lease_s);
    dhcp_put_u32(w, DHCP_RENEWAL_TIME, lease_s / 2);
    dhcp_put_u32(w, DHCP_REBINDING_TIME, (uint32_t)((uint64_t)lease_s * 7 / 8));
}

/* The boot file for this firmware; NULL: it is none, or there is none for its architecture (P1), and the note
 * says so. */
static const char *boot_file(struct exchange *x)
{
    uint16_t arch = 0;
    if (x->pxe.class == PXE_NONE)
        return NULL;
    const char *file = bootfile_for(&x->pxe, &arch);
    if (!file) {
        const char *name = pxe_arch_name(arch);
        snprintf(
            x->outcome->note, sizeof(x->outcome->note),
            "firmware architecture %u (%s) has no boot program: set the machine to boot by legacy BIOS PXE",
            arch, name ? name : "unknown");
    }
    return file;
}

/* H1, H2, P3..P6, P9, P10: everything a ROM needs to load `file` at once, by every way ROMs look for it. */
static void put_pxe(const struct exchange *x, struct dhcp_writer *w, const char *file)
{
    static const struct pxe_vendor vendor = {
        .fields = PXE_MTFTP_IP | PXE_DISCOVERY_CONTROL,
        .discovery_control = PXE_BOOT_FILE_NOW,
    };
    uint8_t buf[PXE_VENDOR_MAX];
    char text[IPV4_TEXT_MAX], config[PXELINUX_NAME_MAX];
    struct reader uuid = dhcp_option(x->packet, DHCP_CLIENT_UUID);
    dhcp_put_text(w, DHCP_VENDOR_CLASS, "PXEClient");
    dhcp_put(w, DHCP_VENDOR_SPECIFIC, buf, pxe_vendor_encode(&vendor, buf));
    dhcp_put_text(w, DHCP_TFTP_SERVER_NAME, ipv4_format(x->arrival->local, text));
    dhcp_put(w, DHCP_BOOT_FILE, file, strlen(file) + 1); /* P3: with its NUL */
    if (!uuid.failed && uuid.left == 17)
        dhcp_put(w, DHCP_CLIENT_UUID, uuid.p, uuid.left);
    if (x->pxe.ipxe)
        dhcp_put(w, DHCP_IPXE, buf, pxe_ipxe_encode(buf));
    dhcp_put_text(w, DHCP_PXELINUX_CONFIG, pxelinux_config_name(&x->outcome->mac, config));
}

/* OFFER and ACK. lease_s 0: without times and address (D9). What fits no more is left out, so the options are
 * in the order of their worth: a long list of name servers must not cost a ROM its boot file. */
static enum dhcp_verdict reply(struct exchange *x, enum dhcp_type type, ipv4_t ip, uint32_t lease_s)
{
    struct dhcp_writer w;
    x->outcome->reply = type;
    const char *file = boot_file(x);
    begin(x, &w, ip, file);
    if (lease_s)
        put_times(&w, lease_s);
    put_network(x, &w);
    if (file)
        put_pxe(x, &w, file);
    put_services(x, &w);
    set_route(x, ip);
    x->outcome->ip = ip ? ip : x->packet->ciaddr;
    return end(x, &w);
}

enum dhcp_verdict reply_offer(struct exchange *x, ipv4_t ip, uint32_t lease_s)
{
    return reply(x, DHCP_OFFER, ip, lease_s);
}

enum dhcp_verdict reply_ack(struct exchange *x, ipv4_t ip, uint32_t lease_s)
{
    return reply(x, DHCP_ACK, ip, lease_s);
}

enum dhcp_verdict reply_inform(struct exchange *x)
{
    return reply(x, DHCP_ACK, 0, 0);
}

enum dhcp_verdict reply_nak(struct exchange *x, const char *fmt, ...)
{
    struct dhcp_outcome *o = x->outcome;
    struct dhcp_writer w;
    va_list args;
    va_start(args, fmt);
    vsnprintf(o->note, sizeof(o->note), fmt, args);
    va_end(args);
    o->silence = SILENCE_NONE; /* an attempt to find an address may have failed before */
    o->reply = DHCP_NAK;
    begin(x, &w, 0, NULL);
    dhcp_put_text(&w, DHCP_MESSAGE, o->note);
    set_route(x, 0);
    return end(x, &w);
}
