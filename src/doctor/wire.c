/* See doctor/wire.h. */
#include "doctor/wire.h"
#include "base/cleanup.h"
#include "proto/udp.h"

#include <errno.h>
#include <stdio.h>

enum { ETHERNET_HEADER = 14, TYPE_IPV4 = 0x0800, PROTOCOL_UDP = 17 };

/* What each kind asks for (option 55), in the order in which real ones do. */
static const uint8_t wanted_by_system[] = {1, 28, 2, 3, 15, 6, 12, 121, 26, 42, 51, 54};
static const uint8_t wanted_by_firmware[] = {1,  2,  3,  4,   5,   6,   12,  13,  15,  17,  18, 22,
                                             23, 28, 40, 41,  42,  43,  50,  51,  54,  58,  59, 60,
                                             66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135};

static void put_firmware(struct dhcp_writer *w, const struct probe *probe)
{
    static const uint8_t undi[] = {1, 3, 16}; /* option 94: UNDI 3.16 */
    char class[40];
    uint8_t uuid[17] = {0};
    memcpy(uuid + 11, probe->mac.b, sizeof(probe->mac.b)); /* one machine, one UUID */
    snprintf(class, sizeof(class), "%s:Arch:%05u:UNDI:003016",
             probe->kind == PROBE_HTTP ? "HTTPClient" : "PXEClient", probe->arch);
    dhcp_put_u16(w, DHCP_MAX_SIZE, 1472);
    dhcp_put(w, DHCP_PARAMETER_LIST, wanted_by_firmware, sizeof(wanted_by_firmware));
    dhcp_put(w, DHCP_CLIENT_UUID, uuid, sizeof(uuid));
    dhcp_put(w, DHCP_CLIENT_NDI, undi, sizeof(undi));
    dhcp_put_u16(w, DHCP_CLIENT_ARCH, probe->arch);
    dhcp_put_text(w, DHCP_VENDOR_CLASS, class);
}

static size_t request(const struct probe *probe, enum dhcp_type type, ipv4_t ip, uint8_t *buf)
{
    struct dhcp_writer w;
    struct dhcp_head head = {.xid = probe->xid,
                             .flags = DHCP_FLAG_BROADCAST,
                             .htype = 1,
                             .hlen = sizeof(probe->mac.b),
                             .ciaddr = ip};
    memcpy(head.chaddr, probe->mac.b, sizeof(probe->mac.b));
    dhcp_begin_request(&w, buf, WIRE_MESSAGE_MAX, &head, 0);
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, (uint8_t)type);
    if (probe->kind == PROBE_SYSTEM) {
        dhcp_put_u16(&w, DHCP_MAX_SIZE, 1500);
        dhcp_put(&w, DHCP_PARAMETER_LIST, wanted_by_system, sizeof(wanted_by_system));
    } else {
        put_firmware(&w, probe);
    }
    dhcp_put_text(&w, DHCP_TRIAL, "rambox doctor");
    int size = dhcp_end(&w);
    return size < 0 ? 0 : (size_t)size;
}

size_t wire_discover(const struct probe *probe, uint8_t buf[static WIRE_MESSAGE_MAX])
{
    return request(probe, DHCP_DISCOVER, 0, buf);
}

size_t wire_boot_request(const struct probe *probe, ipv4_t ip, uint8_t buf[static WIRE_MESSAGE_MAX])
{
    return request(probe, DHCP_REQUEST, ip, buf);
}

static int put_packet(struct writer *w, ipv4_t source, uint16_t port, const void *message, size_t size)
{
    struct udp4 udp = {.source = source,
                       .destination = UINT32_MAX,
                       .source_port = DHCP_CLIENT_PORT,
                       .destination_port = port};
    udp4_write_headers(w, &udp, message, size);
    writer_put(w, message, size);
    return w->failed ? -ENOBUFS : (int)w->used;
}

int wire_packet(ipv4_t source, uint16_t port, const void *message, size_t size, uint8_t *buf, size_t room)
{
    struct writer w = writer_of(buf, room);
    return put_packet(&w, source, port, message, size);
}

int wire_frame(const struct mac *source_mac, uint16_t port, const void *message, size_t size, uint8_t *buf,
               size_t room)
{
    struct writer w = writer_of(buf, room);
    writer_fill(&w, 0xff, 6);
    writer_put(&w, source_mac->b, sizeof(source_mac->b));
    writer_u16(&w, TYPE_IPV4);
    return put_packet(&w, 0, port, message, size);
}

/* RFC 791: the header's fields that matter; the reader then stands at the payload, which ends where the
 * packet says (Ethernet pads short ones). False: no whole IPv4 packet with UDP in it. */
static bool read_ip(struct reader *r, struct wire_reply *reply, struct reader *ret_payload)
{
    struct reader begin = *r;
    uint8_t version = reader_u8(r);
    size_t header = (size_t)(version & 15) * 4;
    reader_u8(r); /* service class */
    size_t total = reader_u16(r);
    reader_u16(r); /* identification */
    uint16_t fragment = reader_u16(r);
    reader_u8(r); /* time to live */
    uint8_t protocol = reader_u8(r);
    reader_u16(r); /* checksum: the kernel leaves it to the card in what this machine sends */
    reply->source = reader_u32(r);
    reply->destination = reader_u32(r);
    if (r->failed || version >> 4 != 4 || header < 20 || total < header || total > begin.left)
        return false;
    if (protocol != PROTOCOL_UDP || fragment & 0x3fff)
        return false;
    struct reader packet = reader_sub(&begin, total);
    reader_take(&packet, header);
    *ret_payload = packet;
    return !packet.failed;
}

static bool read_udp(struct reader *r, struct wire_reply *reply, struct reader *ret_payload)
{
    reply->source_port = reader_u16(r);
    reply->destination_port = reader_u16(r);
    size_t length = reader_u16(r);
    reader_u16(r); /* checksum, as above */
    if (r->failed || length < 8 || length - 8 > r->left)
        return false;
    *ret_payload = reader_sub(r, length - 8);
    return true;
}

enum wire_verdict wire_parse(const void *frame, size_t size, uint16_t server_port,
                             struct wire_reply *ret_reply)
{
    struct reader r = reader_of(frame, size), payload;
    reader_take(&r, 6);
    const uint8_t *source = reader_take(&r, 6);
    uint16_t type = reader_u16(&r);
    if (!source || r.failed || type != TYPE_IPV4)
        return WIRE_OTHER;
    memcpy(ret_reply->source_mac.b, source, sizeof(ret_reply->source_mac.b));
    if (!read_ip(&r, ret_reply, &payload) || !read_udp(&payload, ret_reply, &r))
        return WIRE_OTHER;
    uint16_t from = ret_reply->source_port, to = ret_reply->destination_port;
    if (from != server_port && from != DHCP_SERVER_PORT && from != WIRE_PXE_PORT)
        return WIRE_OTHER;
    if (to != DHCP_CLIENT_PORT && to != WIRE_PXE_PORT)
        return WIRE_OTHER;
    if (dhcp_parse(r.p, r.left, &ret_reply->message) != DHCP_OK)
        return WIRE_MALFORMED;
    return ret_reply->message.op == DHCP_BOOTREPLY ? WIRE_REPLY : WIRE_OTHER;
}
