/* See proto/ndp.h. */
#include "proto/ndp.h"
#include "proto/udp.h"

#include <errno.h>

enum { PROTOCOL_ICMPV6 = 58, HOP_LIMIT = 255, ROUTER_SOLICITATION = 133, ROUTER_ADVERTISEMENT = 134 };

/* RFC 4443 §2.3: over a pseudo header of both addresses, the length and the protocol, then the message. */
static uint16_t icmpv6_checksum(const uint8_t *addresses, const void *message, size_t size)
{
    uint8_t tail[8];
    struct writer w = writer_of(tail, sizeof(tail));
    writer_u32(&w, (uint32_t)size);
    writer_u32(&w, PROTOCOL_ICMPV6);
    return checksum_end(
        checksum_add(checksum_add(checksum_add(0, addresses, 32), tail, sizeof(tail)), message, size));
}

/* RFC 4861 §6.1.1: every option has a length that is not 0 and fits. */
static int check_options(struct reader *r)
{
    while (!r->failed && r->left) {
        reader_u8(r);
        size_t length = reader_u8(r);
        if (length == 0)
            return -EBADMSG;
        reader_take(r, length * 8 - 2);
    }
    return r->failed ? -EBADMSG : 0;
}

int ndp_read_solicitation(const void *packet, size_t size, struct ipv6 *ret_source)
{
    struct reader r = reader_of(packet, size);
    uint32_t version = reader_u32(&r);
    size_t length = reader_u16(&r);
    uint8_t next_header = reader_u8(&r), hops = reader_u8(&r);
    const uint8_t *addresses = reader_take(&r, 32);
    if (!addresses || version >> 28 != 6 || next_header != PROTOCOL_ICMPV6)
        return -ENOMSG;
    struct reader message = reader_sub(&r, length);
    const uint8_t *start = message.p;
    uint8_t type = reader_u8(&message), code = reader_u8(&message);
    if (message.failed || type != ROUTER_SOLICITATION)
        return -ENOMSG;
    reader_u16(&message); /* checksum */
    reader_u32(&message); /* reserved */
    if (message.failed || code != 0 || hops != HOP_LIMIT || icmpv6_checksum(addresses, start, length) != 0)
        return -EBADMSG;
    int status = check_options(&message);
    if (status < 0)
        return status;
    memcpy(ret_source->b, addresses, sizeof(ret_source->b));
    return 0;
}

void ndp_write_advertisement(struct writer *w, const struct ipv6 *from, const struct ipv6 *to)
{
    static const struct ipv6 unspecified, all_nodes = {{0xff, 0x02, [15] = 1}};
    if (memcmp(to, &unspecified, sizeof(*to)) == 0)
        to = &all_nodes;
    if (writer_left(w) < NDP_ADVERTISEMENT_SIZE) {
        w->failed = true;
        return;
    }
    writer_u32(w, 0x60000000);
    writer_u16(w, 16);
    writer_u8(w, PROTOCOL_ICMPV6);
    writer_u8(w, HOP_LIMIT);
    writer_put(w, from->b, 16);
    writer_put(w, to->b, 16);
    size_t at = w->used;
    writer_u8(w, ROUTER_ADVERTISEMENT);
    writer_fill(w, 0,
                15); /* code, checksum, hop limit, flags, router lifetime, reachable time, retransmission */
    if (w->failed)
        return;
    uint16_t sum = icmpv6_checksum(w->base + at - 32, w->base + at, 16);
    w->base[at + 2] = (uint8_t)(sum >> 8);
    w->base[at + 3] = (uint8_t)sum;
}

struct ipv6 ipv6_link_local(const struct mac *mac)
{
    const uint8_t *m = mac->b;
    return (struct ipv6){{0xfe, 0x80, [8] = m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}
