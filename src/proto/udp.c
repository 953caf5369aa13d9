/* See proto/udp.h. */
#include "proto/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { PROTOCOL_UDP = 17, TTL = 64 };

/* Words are added as the machine reads them, for the sum of swapped words is the swapped sum (RFC 1071 §2).
 */
uint32_t checksum_add(uint32_t sum, const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t native = 0, eight;
    uint16_t two = 0;
    for (; size >= sizeof(eight); p += sizeof(eight), size -= sizeof(eight)) {
        memcpy(&eight, p, sizeof(eight));
        native += (eight & UINT32_MAX) + (eight >> 32);
    }
    for (; size >= sizeof(two); p += sizeof(two), size -= sizeof(two)) {
        memcpy(&two, p, sizeof(two));
        native += two;
    }
    if (size) { /* the last byte is the first of a word */
        two = 0;
        memcpy(&two, p, 1);
        native += two;
    }
    while (native >> 16)
        native = (native & 0xffff) + (native >> 16);
    return (sum & 0xffff) + (sum >> 16) + ntohs((uint16_t)native);
}

uint16_t checksum_end(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* RFC 768: over a pseudo header, the UDP header and the payload; a sum of 0 is sent as all ones. */
static uint16_t udp_checksum(const struct udp4 *udp, const void *payload, size_t size)
{
    uint8_t pseudo[12 + 8];
    struct writer w = writer_of(pseudo, sizeof(pseudo));
    writer_u32(&w, udp->source);
    writer_u32(&w, udp->destination);
    writer_u16(&w, PROTOCOL_UDP);
    writer_u16(&w, (uint16_t)(size + 8));
    writer_u16(&w, udp->source_port);
    writer_u16(&w, udp->destination_port);
    writer_u16(&w, (uint16_t)(size + 8));
    writer_u16(&w, 0);
    uint16_t sum = checksum_end(checksum_add(checksum_add(0, pseudo, sizeof(pseudo)), payload, size));
    return sum ? sum : 0xffff;
}

void udp4_write_headers(struct writer *w, const struct udp4 *udp, const void *payload, size_t size)
{
    if (size > UINT16_MAX - UDP4_HEADERS_SIZE || writer_left(w) < UDP4_HEADERS_SIZE) {
        w->failed = true;
        return;
    }
    size_t start = w->used;
    writer_u16(w, 0x4500); /* version 4, five words of header, no service class */
    writer_u16(w, (uint16_t)(size + UDP4_HEADERS_SIZE));
    writer_u32(w, 0x00004000); /* no identification, because it is never cut up: DF (RFC 6864 §4.1) */
    writer_u16(w, TTL << 8 | PROTOCOL_UDP);
    writer_u16(w, 0);
    writer_u32(w, udp->source);
    writer_u32(w, udp->destination);
    if (w->failed)
        return;
    uint16_t sum = checksum_end(checksum_add(0, w->base + start, 20));
    w->base[start + 10] = (uint8_t)(sum >> 8);
    w->base[start + 11] = (uint8_t)sum;
    writer_u16(w, udp->source_port);
    writer_u16(w, udp->destination_port);
    writer_u16(w, (uint16_t)(size + 8));
    writer_u16(w, udp_checksum(udp, payload, size));
}

int udp4_read(const void *packet, size_t size, struct udp4 *ret_udp, struct reader *ret_payload)
{
    struct reader r = reader_of(packet, size), ip, options;
    struct udp4 udp;
    uint8_t version = reader_u8(&r);
    (void)reader_u8(&r); /* service class */
    uint16_t total = reader_u16(&r);
    (void)reader_u16(&r); /* identification */
    uint16_t fragment = reader_u16(&r);
    (void)reader_u8(&r); /* time to live */
    uint8_t protocol = reader_u8(&r);
    (void)reader_u16(&r); /* checksum */
    udp.source = reader_u32(&r);
    udp.destination = reader_u32(&r);
    size_t header = (version & 15u) * 4;
    if (r.failed || version >> 4 != 4 || header < 20 || total < header || total > size ||
        checksum_end(checksum_add(0, packet, header)) != 0)
        return -EBADMSG;
    if (protocol != PROTOCOL_UDP || fragment & 0x3fff) /* more of them, or not the first */
        return -ENOMSG;
    ip = reader_sub(&r, total - 20);
    options = reader_sub(&ip, header - 20);
    udp.source_port = reader_u16(&ip);
    udp.destination_port = reader_u16(&ip);
    uint16_t length = reader_u16(&ip);
    (void)reader_u16(&ip); /* checksum */
    if (ip.failed || options.failed || length < 8 || length - 8u > ip.left)
        return -EBADMSG;
    *ret_payload = reader_sub(&ip, length - 8u);
    *ret_udp = udp;
    return 0;
}
