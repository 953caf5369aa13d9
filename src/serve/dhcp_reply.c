/* How DHCP replies look (RFC 2131 Table 3, D10) and where they go (§4.1, D2).
 *
 * What does not fit the client's limit is left out, so options go in by their worth: a long list of name
 * servers must not cost a ROM its boot file. What a definition sets for an option comes before what rambox
 * would say by itself.
 */
#include "base/str.h"
#include "serve/bootfile.h"
#include "serve/dhcp_internal.h"
#include "serve/pxelinux.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One reply on its way into the outcome. */
struct reply {
    struct exchange *x;
    struct dhcp_writer w;
    uint8_t done[32]; /* one bit an option that is in, or was left out for good */
};

static bool bit(const uint8_t bits[static 32], uint8_t code)
{
    return bits[code / 8] >> code % 8 & 1;
}

/* Takes the option's turn: true the first time. */
static bool first(struct reply *r, uint8_t code)
{
    if (bit(r->done, code))
        return false;
    r->done[code / 8] |= (uint8_t)(1 << code % 8);
    return true;
}

static void put(struct reply *r, uint8_t code, const void *data, size_t size)
{
    if (first(r, code))
        dhcp_put(&r->w, code, data, size);
}

static void put_text(struct reply *r, uint8_t code, const char *text)
{
    if (text && *text)
        put(r, code, text, strlen(text));
}

static void put_u32(struct reply *r, uint8_t code, uint32_t value)
{
    if (first(r, code))
        dhcp_put_u32(&r->w, code, value);
}

static void put_addresses(struct reply *r, uint8_t code, const ipv4_t *addresses, size_t n)
{
    if (n && first(r, code))
        dhcp_put_addresses(&r->w, code, addresses, n);
}

/* What a definition sets for the option, if one does. */
static bool put_setting(struct reply *r, uint8_t code)
{
    const struct option_value *value = exchange_setting(r->x, code);
    if (value)
        put(r, code, value->data, value->size);
    return value != NULL;
}

/* The site's, unless something more particular had the option's turn. */
static void put_site_setting(struct reply *r, uint8_t code)
{
    const struct option_value *value = option_values_find(&r->x->generation->site->options, code);
    if (value)
        put(r, code, value->data, value->size);
}

/* D2: by giaddr, then ciaddr, then the broadcast bit; a NAK without relay is broadcast, and so is an OFFER
 * that gives no address, to which nothing could be sent, and what goes to a machine that no frame finds by
 * its chaddr (RFC 4390 §2.2). */
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
    } else if (p->ciaddr || (o->request == DHCP_INFORM && x->arrival->from)) {
        o->route = ROUTE_CLIENT;
        o->address = p->ciaddr ? p->ciaddr : x->arrival->from;
    } else if (p->flags & DHCP_FLAG_BROADCAST || !yiaddr || !x->identity.ethernet) {
        o->route = ROUTE_BROADCAST;
    } else {
        o->route = ROUTE_LINK;
        o->address = yiaddr;
    }
    if (o->route == ROUTE_BROADCAST)
        o->address = UINT32_MAX;
}

/* D18; a BOOTP client has no option 57 and takes what it sends itself, at least the 300 bytes of RFC 1542. */
static size_t size_limit(const struct exchange *x)
{
    enum { BOOTP_SIZE = 300 };
    if (x->packet->type != DHCP_BOOTP)
        return dhcp_size_limit(x->packet, x->arrival->mtu);
    return x->arrival->size > BOOTP_SIZE ? x->arrival->size : BOOTP_SIZE;
}

/* D7: our address on the network of the client; what its relay wants there instead (RFC 5107). */
static ipv4_t server_id(const struct exchange *x)
{
    struct reader override = dhcp_relay_option(x->packet, DHCP_RELAY_SERVER_ID);
    return x->packet->giaddr && override.left == 4 ? reader_u32(&override) : x->arrival->local;
}

/* Where to boot from (RFC 2131 §2). A unified image has no address of ours in it: its kernel asks for one,
 * and init reports to the server that is named here (`rambox.server=:PORT`). */
static ipv4_t next_server(const struct exchange *x, const char *file)
{
    bool unified = x->profile && x->profile->unified && x->outcome->reply != DHCP_NAK;
    /* A Raspberry Pi fetches from there, and its REQUEST does not say any more that it is firmware. */
    bool pi = pxe_is_raspberry_mac(&x->outcome->mac) && x->outcome->reply != DHCP_NAK;
    return file || unified || pi ? x->arrival->local : 0;
}

/* Whether a relay must broadcast the reply though its client did not ask for that: a NAK (D3); an OFFER
 * without an address (P7), which would else go to 0.0.0.0; and when it could not address a frame (RFC 4390
 * §2.2). */
static bool must_broadcast(const struct exchange *x, ipv4_t yiaddr)
{
    const struct dhcp_packet *p = x->packet;
    return p->giaddr && (x->outcome->reply == DHCP_NAK || (!p->ciaddr && (!yiaddr || !x->identity.ethernet)));
}

static void begin(struct reply *r, struct exchange *x, ipv4_t yiaddr, const char *file)
{
    const struct dhcp_packet *p = x->packet;
    struct dhcp_outcome *o = x->outcome;
    struct reader relay = dhcp_option(p, DHCP_RELAY_AGENT);
    struct dhcp_head head = {
        .xid = p->xid,
        .flags = p->flags & DHCP_FLAG_BROADCAST, /* D13 */
        .htype = p->htype,
        .hlen = p->hlen,
        .ciaddr = o->reply == DHCP_ACK || o->reply == DHCP_BOOTP ? p->ciaddr : 0,
        .yiaddr = yiaddr,
        .siaddr = next_server(x, file),
        .giaddr = p->giaddr,
        /* A longer one stands in 67 alone; a Raspberry Pi knows none. */
        .file = file && strlen(file) < 128 && !pxe_is_raspberry(&x->pxe) ? file : NULL,
    };
    *r = (struct reply){.x = x};
    memcpy(head.chaddr, p->chaddr, sizeof(head.chaddr));
    if (must_broadcast(x, yiaddr))
        head.flags = DHCP_FLAG_BROADCAST;
    dhcp_begin(&r->w, o->packet, sizeof(o->packet), size_limit(x), &head, relay.failed ? NULL : relay.p,
               relay.left);
    if (p->type == DHCP_BOOTP)
        return;
    put(r, DHCP_MESSAGE_TYPE, &(uint8_t){(uint8_t)o->reply}, 1);
    put_u32(r, DHCP_SERVER_ID, server_id(x));
    struct reader id = dhcp_option(p, DHCP_CLIENT_ID);
    if (!id.failed && id.left) /* D12, RFC 6842 */
        put(r, DHCP_CLIENT_ID, id.p, id.left);
}

static enum dhcp_verdict end(struct reply *r)
{
    struct dhcp_outcome *o = r->x->outcome;
    int size = dhcp_end(&r->w);
    if (size < 0) { /* option 82 alone fills the message */
        o->reply = DHCP_BOOTP;
        return silent(r->x, SILENCE_MALFORMED, "no room for a reply beside option 82");
    }
    o->size = (size_t)size;
    return DHCP_SEND;
}

static uint32_t span_of(const struct lease_span *span, uint32_t otherwise, uint32_t lease_s)
{
    uint32_t thousandths = span->thousandths || span->seconds ? span->thousandths : otherwise;
    uint64_t seconds = thousandths ? (uint64_t)lease_s * thousandths / 1000 : span->seconds;
    return seconds < lease_s ? (uint32_t)seconds : lease_s;
}

/* §4.4.5: renewal after a half, rebinding after seven eighths, unless the subnet says other times. A renewal
 * that would come after the rebinding comes with it. */
static void put_times(struct reply *r, uint32_t lease_s)
{
    const struct subnet *s = r->x->subnet;
    uint32_t rebind = span_of(&s->rebind, 875, lease_s), renew = span_of(&s->renew, 500, lease_s);
    put_u32(r, DHCP_LEASE_TIME, lease_s);
    put_u32(r, DHCP_RENEWAL_TIME, renew < rebind ? renew : rebind);
    put_u32(r, DHCP_REBINDING_TIME, rebind);
}

/* What no client can do without. */
static void put_network(struct reply *r)
{
    const struct subnet *s = r->x->subnet;
    put_u32(r, DHCP_SUBNET_MASK, prefix_mask(&s->prefix));
    if (!put_setting(r, DHCP_ROUTER) && s->router)
        put_u32(r, DHCP_ROUTER, s->router);
    put_site_setting(r, DHCP_ROUTER);
}

/* RFC 8925 §3.3: only to one that asks for it. */
static void put_ipv6_only(struct reply *r)
{
    const struct exchange *x = r->x;
    if (x->subnet->ipv6_only_s && dhcp_has(x->packet, DHCP_PARAMETER_LIST) && bit(x->wanted, DHCP_IPV6_ONLY))
        put_u32(r, DHCP_IPV6_ONLY, x->subnet->ipv6_only_s);
}

/* The whole name of the client, for its option 81: its entry's and the subnet's domain; of a machine without
 * an entry what it said. In the encoding it used (RFC 4702 §2.3.1). */
static void write_fqdn(const struct exchange *x, bool wire, struct writer *w)
{
    const struct option_value *set = exchange_setting(x, DHCP_DOMAIN_NAME);
    const char *domain = set ? NULL : x->subnet->domain;
    if (!set && !domain)
        set = option_values_find(&x->generation->site->options, DHCP_DOMAIN_NAME);
    char name[64], whole[320];
    if (x->node)
        snprintf(name, sizeof(name), "%s", x->node->name);
    else if (!dhcp_fqdn_label(x->packet, name))
        name[0] = '\0';
    int n = snprintf(whole, sizeof(whole), "%s%s%.*s", name, set || domain ? "." : "",
                     set ? (int)(set->size < 255 ? set->size : 255) : 255,
                     set      ? (const char *)set->data
                     : domain ? domain
                              : "");
    if (n < 0 || (size_t)n >= sizeof(whole) || !name[0])
        return;
    if (!wire) {
        writer_put(w, whole, (size_t)n);
        return;
    }
    for (char *label = whole, *dot; *label; label = *dot ? dot + 1 : dot) {
        dot = label + strcspn(label, ".");
        if (dot == label || dot - label > 63)
            return; /* no name for the wire: flags alone */
        writer_u8(w, (uint8_t)(dot - label));
        writer_put(w, label, (size_t)(dot - label));
    }
    writer_u8(w, 0);
}

/* RFC 4702 §4: we update no DNS, so N is set and S is not; O says that this is not what the client asked for.
 * Both RCODEs are 255. */
static void put_fqdn(struct reply *r)
{
    struct reader asked = dhcp_option(r->x->packet, DHCP_FQDN);
    uint8_t flags = reader_u8(&asked), b[512];
    struct writer w = writer_of(b, sizeof(b));
    (void)reader_u16(&asked);
    if (asked.failed)
        return;
    writer_u8(&w, (uint8_t)((flags & DHCP_FQDN_E) | DHCP_FQDN_N | (flags & DHCP_FQDN_S ? DHCP_FQDN_O : 0)));
    writer_u8(&w, 255);
    writer_u8(&w, 255);
    write_fqdn(r->x, flags & DHCP_FQDN_E, &w);
    put(r, DHCP_FQDN, b, w.used);
}

/* What definitions set and the client wants, or must have. */
static void put_settings(struct reply *r, const struct option_values *values)
{
    VEC_EACH(value, &values->list)
        if (value->always || bit(r->x->wanted, value->code))
            put(r, value->code, value->data, value->size);
}

/* What a client may ask for. */
static void put_services(struct reply *r)
{
    const struct exchange *x = r->x;
    const struct subnet *s = x->subnet;
    struct reader selection = dhcp_option(x->packet, DHCP_SUBNET_SELECTION);
    if (x->packet->giaddr && selection.left == 4) /* RFC 3011 §2: what was followed is echoed */
        put(r, DHCP_SUBNET_SELECTION, selection.p, selection.left);
    put_ipv6_only(r);
    for (size_t i = 0; i < x->settings_n; i++)
        put_settings(r, x->settings[i]);
    if (bit(x->wanted, DHCP_DNS))
        put_addresses(r, DHCP_DNS, s->dns.items, s->dns.n);
    if (bit(x->wanted, DHCP_HOST_NAME) && x->node)
        put_text(r, DHCP_HOST_NAME, x->node->name);
    put_fqdn(r);
    if (bit(x->wanted, DHCP_DOMAIN_NAME))
        put_text(r, DHCP_DOMAIN_NAME, s->domain);
    if (bit(x->wanted, DHCP_BROADCAST_ADDRESS) && s->prefix.length < 31)
        put_u32(r, DHCP_BROADCAST_ADDRESS, prefix_broadcast(&s->prefix));
    if (bit(x->wanted, DHCP_NTP))
        put_addresses(r, DHCP_NTP, s->ntp.items, s->ntp.n);
    put_settings(r, &x->generation->site->options);
}

/* The URL of a file of ours, for this client; an empty name gives where all of them are. UEFI firmware is
 * told https:// where the site says that it trusts our certificate; iPXE and PXELINUX would need one that is
 * built with it. */
static const char *format_url(const struct exchange *x, const char *file, char *buf, size_t size)
{
    const struct server_settings *server = &x->generation->site->server;
    bool tls = server->tls_boot && x->pxe.class == PXE_HTTP_CLIENT;
    char ip[IPV4_TEXT_MAX];
    snprintf(buf, size, "%s://%s:%u/%s", tls ? "https" : "http", ipv4_format(x->arrival->local, ip),
             tls ? server->https_port : server->http_port, file);
    return buf;
}

static bool has_http(const struct exchange *x)
{
    return x->generation->site->server.http_port != 0;
}

/* What a class or the profile names, when this client can load it. An iPXE that asks has been loaded, perhaps
 * by that very name: it is told what comes next (P9). */
static const char *named_file(struct exchange *x, const char *named)
{
    bool http = x->pxe.class == PXE_HTTP_CLIENT;
    if (x->pxe.ipxe && bootfile_is_ipxe(named))
        return NULL;
    if (is_url(named))
        return http || x->pxe.ipxe ? named : NULL;
    if (!http)
        return named;
    return has_http(x) ? format_url(x, named, x->boot_url, sizeof(x->boot_url)) : NULL;
}

/* Says why there is no boot file, with what to do: into the outcome, and at once when a boot begins. */
static void explain(struct exchange *x, const char *named, const struct boot_path *missing)
{
    unsigned arch = x->pxe.archs_n ? x->pxe.archs[0] : PXE_ARCH_BIOS;
    const char *name = pxe_arch_name(arch) ? pxe_arch_name(arch) : "unknown";
    char *note = x->outcome->note;
    size_t size = sizeof(x->outcome->note);
    if (missing && missing->program != PROGRAM_NONE)
        snprintf(note, size,
                 "%s is in none of the loader folders: install the package %s, or set server: loaders:",
                 boot_programs[missing->program].name, boot_programs[missing->program].package);
    else if (missing)
        snprintf(note, size, "profile %.63s has no unified image for architecture %u (%s)",
                 x->profile ? x->profile->name : "(none)", arch, name);
    else if (named && is_url(named))
        snprintf(note, size, "the boot_file %.100s is a URL, which this firmware cannot load by TFTP", named);
    else if (x->pxe.class == PXE_HTTP_CLIENT)
        snprintf(
            note, size,
            "UEFI HTTP boot (architecture %u, %s) has no boot path: give its profile or a class of arch %u a "
            "boot_file that is a URL",
            arch, name, arch);
    else
        snprintf(note, size,
                 "firmware architecture %u (%s) has no boot program: name one with boot_file in its profile "
                 "or in a class of arch %u, or set the machine to boot by legacy BIOS PXE",
                 arch, name, arch);
    if (x->packet->type == DHCP_DISCOVER)
        alert(x, "%s", note);
}

/* The name of its profile's unified image; NULL: there is none for its processor. */
static const char *unified_file(const struct exchange *x, char buf[static ARTIFACT_PATH_MAX])
{
    static const uint16_t able[] = {PXE_ARCH_EFI_BC, PXE_ARCH_EFI_X64, PXE_ARCH_EFI_X64_HTTP,
                                    PXE_ARCH_EFI_ARM64, PXE_ARCH_EFI_ARM64_HTTP};
    uint16_t arch = x->pxe.archs_n ? x->pxe.archs[0] : PXE_ARCH_BIOS;
    const struct generation *g = x->generation;
    char name[ARTIFACT_NAME_MAX];
    bool uefi = false;
    for (size_t i = 0; i < ARRAY_SIZE(able); i++)
        uefi |= able[i] == arch;
    if (!uefi || !x->profile)
        return NULL;
    artifact_name_format(x->profile->name, arch_of_firmware(arch), name);
    return generation_artifact(g, ARTIFACT_UNIFIED, name)
               ? artifact_path_format(g->number, ARTIFACT_UNIFIED, name, buf)
               : NULL;
}

/* What this firmware loads first. NULL: it is none, or there is nothing for it (P1), and people are told. */
static const char *boot_file(struct exchange *x)
{
    const struct boot_path *missing;
    struct pxe_client client = x->pxe;
    if (client.class == PXE_NONE && x->packet->type != DHCP_BOOTP)
        return NULL;
    if (client.class == PXE_NONE)
        client.class = PXE_CLIENT; /* D19: an old ROM */
    const char *named = exchange_boot_file(x), *file = named ? named_file(x, named) : NULL;
    if (file)
        return file;
    const char *unified = unified_file(x, x->boot_name);
    x->path =
        boot_path_choose(&(struct boot_path_request){.client = &client,
                                                     .loader = x->profile ? x->profile->loader : LOADER_AUTO,
                                                     .found = x->server->programs,
                                                     .unified = unified,
                                                     .http = has_http(x),
                                                     .proxy = x->subnet->mode == DHCP_PROXY},
                         &missing);
    bool stranger = named && !(client.ipxe && bootfile_is_ipxe(named));
    if (!x->path || missing || stranger)
        explain(x, named, missing);
    if (!x->path || stranger)
        return NULL;
    x->outcome->path = x->path->name;
    file = boot_path_file(x->path, unified);
    return x->path->protocol == BOOT_TFTP ? file : format_url(x, file, x->boot_url, sizeof(x->boot_url));
}

/* RFC 5071: lpxelinux fetches everything from where its prefix says. */
static void put_prefix(struct reply *r)
{
    char base[64];
    if (r->x->path && r->x->path->program == PROGRAM_LPXELINUX && has_http(r->x))
        put_text(r, DHCP_PXELINUX_PREFIX, format_url(r->x, "", base, sizeof(base)));
}

/* P2: no PXE options, a URL. */
static void put_http_boot(struct reply *r, const char *url)
{
    put_text(r, DHCP_VENDOR_CLASS, "HTTPClient");
    put_text(r, DHCP_BOOT_FILE, url);
}

/* H1, H2, P3..P7, P9, P10: everything a ROM needs to load `file` at once, by every way ROMs look for it. */
static void put_pxe(struct reply *r, const char *file)
{
    const struct exchange *x = r->x;
    const struct pxe_vendor vendor = {
        .fields = PXE_MTFTP_IP | PXE_DISCOVERY_CONTROL | (x->pxe.has_boot_item ? PXE_BOOT_ITEM : 0),
        .discovery_control = PXE_BOOT_FILE_NOW,
        .boot_item = x->pxe.boot_item,
    };
    uint8_t buf[PXE_VENDOR_MAX];
    char text[IPV4_TEXT_MAX], config[PXELINUX_NAME_MAX];
    struct reader uuid = dhcp_option(x->packet, DHCP_CLIENT_UUID);
    bool pi = pxe_is_raspberry(&x->pxe);
    put_text(r, DHCP_VENDOR_CLASS, "PXEClient");
    put(r, DHCP_VENDOR_SPECIFIC, buf, pi ? pxe_raspberry_encode(buf) : pxe_vendor_encode(&vendor, buf));
    if (!put_setting(r, DHCP_TFTP_SERVER_NAME))
        put_site_setting(r, DHCP_TFTP_SERVER_NAME);
    put_text(r, DHCP_TFTP_SERVER_NAME, ipv4_format(x->arrival->local, text));
    if (!pi)
        put(r, DHCP_BOOT_FILE, file, strlen(file) + 1); /* P3: with its NUL */
    if (!uuid.failed && uuid.left == 17)
        put(r, DHCP_CLIENT_UUID, uuid.p, uuid.left);
    if (x->pxe.ipxe)
        put(r, DHCP_IPXE, buf, pxe_ipxe_encode(buf));
    if (!pi)
        put_text(r, DHCP_PXELINUX_CONFIG, pxelinux_config_name(&x->outcome->mac, config));
    put_prefix(r);
}

static void put_boot(struct reply *r, const char *file)
{
    if (r->x->pxe.class == PXE_HTTP_CLIENT)
        put_http_boot(r, file);
    else if (r->x->pxe.class == PXE_CLIENT)
        put_pxe(r, file);
}

/* OFFER and ACK with an address, or without times and address (D9). */
static enum dhcp_verdict reply(struct exchange *x, enum dhcp_type type, ipv4_t ip, uint32_t lease_s)
{
    struct reply r;
    x->outcome->reply = type;
    x->outcome->ip = ip ? ip : x->packet->ciaddr;
    const char *file = boot_file(x);
    begin(&r, x, ip, file);
    if (lease_s)
        put_times(&r, lease_s);
    put_network(&r);
    if (file)
        put_boot(&r, file);
    put_services(&r);
    set_route(x, ip);
    x->outcome->lease_s = lease_s;
    return end(&r);
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

enum dhcp_verdict reply_bootp(struct exchange *x, ipv4_t ip)
{
    return reply(x, DHCP_BOOTP, ip, 0);
}

enum dhcp_verdict reply_boot_only(struct exchange *x, enum dhcp_type type)
{
    struct reply r;
    x->outcome->reply = type;
    /* A relay's address is not its client's. */
    x->outcome->ip = x->packet->ciaddr ? x->packet->ciaddr : x->packet->giaddr ? 0 : x->arrival->from;
    const char *file = boot_file(x);
    if (!file) {
        x->outcome->reply = DHCP_BOOTP;
        x->outcome->ip = 0;
        return silent(x, SILENCE_NO_BOOT_FILE, "%s",
                      x->outcome->note[0] ? "" : "it is no firmware, and has nothing to boot");
    }
    begin(&r, x, 0, file);
    put_boot(&r, file);
    set_route(x, 0);
    return end(&r);
}

enum dhcp_verdict reply_nak(struct exchange *x, const char *fmt, ...)
{
    struct dhcp_outcome *o = x->outcome;
    struct reply r;
    va_list args;
    va_start(args, fmt);
    vsnprintf(o->note, sizeof(o->note), fmt, args);
    va_end(args);
    o->silence = SILENCE_NONE; /* an attempt to find an address may have failed before */
    o->reply = DHCP_NAK;
    begin(&r, x, 0, NULL);
    put_text(&r, DHCP_MESSAGE, o->note);
    set_route(x, 0);
    return end(&r);
}
