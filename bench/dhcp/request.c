/* See request.h. */
#include "dhcp/request.h"
#include "dhcp/link.h"
#include "proto/dhcp.h"

#include <arpa/inet.h>
#include <string.h>

/* Where RFC 2131 §2 has them. */
enum { AT_XID = 4, AT_SECS = 8, AT_CIADDR = 12, AT_CHADDR = 28 };

static const uint8_t wanted[] = {DHCP_SUBNET_MASK, DHCP_ROUTER,     DHCP_DNS,          DHCP_HOST_NAME,
                                 DHCP_DOMAIN_NAME, DHCP_LEASE_TIME, DHCP_RENEWAL_TIME, DHCP_REBINDING_TIME};
/* The list of an Intel ROM, shortened to codes that mean something to a server. */
static const uint8_t wanted_by_rom[] = {1,  2,  3,  4,   5,   6,   11,  12,  13,  15,  16, 17, 18,
                                        22, 23, 28, 40,  41,  42,  43,  50,  51,  54,  58, 59, 60,
                                        66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135};

/* Puts the option and returns where its value is. */
static size_t put(struct dhcp_writer *w, const struct request *r, uint8_t code, const void *value,
                  size_t size)
{
    dhcp_put(w, code, value, size);
    return r->message + w->w.used - size;
}

static void put_rom(struct dhcp_writer *w, struct request *r)
{
    static const uint8_t uuid[17] = {0, 'r', 'b'}, ndi[] = {1, 2, 1};
    dhcp_put_u16(w, DHCP_MAX_SIZE, 1260);
    r->uuid = put(w, r, DHCP_CLIENT_UUID, uuid, sizeof(uuid)) + sizeof(uuid) - sizeof(struct mac);
    dhcp_put_u16(w, DHCP_CLIENT_ARCH, 0);
    dhcp_put(w, DHCP_CLIENT_NDI, ndi, sizeof(ndi));
    dhcp_put_text(w, DHCP_VENDOR_CLASS, "PXEClient:Arch:00000:UNDI:002001");
}

static void put_headers(struct request *r)
{
    const struct mac none = {{0}}, all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const struct sockaddr_in from = {.sin_port = htons(DHCP_CLIENT_PORT)};
    const struct sockaddr_in to = {.sin_port = htons(DHCP_SERVER_PORT), .sin_addr.s_addr = INADDR_BROADCAST};
    link_write_headers(r->data, &none, &all, &from, &to, r->size - LINK_HEADERS);
}

void request_make(struct request *r, enum request_kind kind, const struct request_spec *spec)
{
    static const uint8_t zero[7] = {1};
    const struct dhcp_head head = {.flags = spec->broadcast ? DHCP_FLAG_BROADCAST : 0,
                                   .htype = 1,
                                   .hlen = sizeof(struct mac),
                                   .giaddr = spec->giaddr};
    struct dhcp_writer w;
    *r = (struct request){.message = spec->frames ? LINK_HEADERS : 0};
    dhcp_begin(&w, r->data + r->message, sizeof(r->data) - r->message, DHCP_REPLY_MAX, &head, NULL, 0);
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, kind == REQUEST_DISCOVER ? DHCP_DISCOVER : DHCP_REQUEST);
    if (kind == REQUEST_SELECTING || kind == REQUEST_REBOOTING)
        r->asked = put(&w, r, DHCP_REQUESTED_IP, zero, 4);
    if (kind == REQUEST_SELECTING)
        r->server_id = put(&w, r, DHCP_SERVER_ID, zero, 4);
    if (kind == REQUEST_RENEWING)
        r->ciaddr = r->message + AT_CIADDR;
    if (spec->client_id)
        r->client_mac = put(&w, r, DHCP_CLIENT_ID, zero, 7) + 1;
    dhcp_put(&w, DHCP_PARAMETER_LIST, spec->pxe ? wanted_by_rom : wanted,
             spec->pxe ? sizeof(wanted_by_rom) : sizeof(wanted));
    if (spec->pxe)
        put_rom(&w, r);
    r->size = r->message + (size_t)dhcp_end(&w);
    r->data[r->message] = DHCP_BOOTREQUEST; /* the writer makes replies */
    if (spec->frames)
        put_headers(r);
}

static void set_u32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

void request_fill(const struct request *r, const struct request_values *v, uint8_t *to)
{
    const uint16_t secs = htons(v->secs);
    memcpy(to, r->data, r->size);
    if (r->message)
        memcpy(to + sizeof(v->mac), v->mac.b, sizeof(v->mac));
    set_u32(to + r->message + AT_XID, v->xid);
    memcpy(to + r->message + AT_SECS, &secs, sizeof(secs));
    memcpy(to + r->message + AT_CHADDR, v->mac.b, sizeof(v->mac));
    if (r->ciaddr)
        set_u32(to + r->ciaddr, v->ip);
    if (r->asked)
        set_u32(to + r->asked, v->ip);
    if (r->server_id)
        set_u32(to + r->server_id, v->server);
    if (r->client_mac)
        memcpy(to + r->client_mac, v->mac.b, sizeof(v->mac));
    if (r->uuid)
        memcpy(to + r->uuid, v->mac.b, sizeof(v->mac));
}
