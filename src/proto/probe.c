/* See proto/probe.h. */
#include "proto/probe.h"
#include "proto/udp.h"

#include <errno.h>

enum { ETHERNET = 1, IPV4 = 0x0800, ARP_REQUEST = 1, ARP_REPLY = 2 };
enum { PROTOCOL_ICMP = 1, ECHO_REPLY = 0, ECHO_REQUEST = 8 };

void arp_write_probe(struct writer *w, const struct mac *from, ipv4_t ip)
{
    writer_u16(w, ETHERNET);
    writer_u16(w, IPV4);
    writer_u8(w, sizeof(from->b));
    writer_u8(w, sizeof(ip));
    writer_u16(w, ARP_REQUEST);
    writer_put(w, from->b, sizeof(from->b));
    writer_u32(w, 0); /* so that nobody's cache is spoilt */
    writer_fill(w, 0, sizeof(from->b));
    writer_u32(w, ip);
}

int arp_read(const void *packet, size_t size, ipv4_t *ret_ip, struct mac *ret_mac)
{
    struct reader r = reader_of(packet, size);
    bool is_ipv4 = reader_u16(&r) == ETHERNET;
    is_ipv4 = reader_u16(&r) == IPV4 && is_ipv4;
    is_ipv4 = reader_u8(&r) == sizeof(ret_mac->b) && is_ipv4;
    is_ipv4 = reader_u8(&r) == sizeof(*ret_ip) && is_ipv4;
    uint16_t operation = reader_u16(&r);
    const uint8_t *sender = reader_take(&r, sizeof(ret_mac->b));
    ipv4_t ip = reader_u32(&r);
    (void)reader_take(&r, sizeof(ret_mac->b) + sizeof(*ret_ip)); /* the target */
    if (r.failed)
        return -EBADMSG;
    if (!is_ipv4 || (operation != ARP_REPLY && operation != ARP_REQUEST) || ip == 0)
        return -ENOMSG;
    memcpy(ret_mac->b, sender, sizeof(ret_mac->b));
    *ret_ip = ip;
    return 0;
}

void echo_write_request(struct writer *w, uint16_t id, uint16_t sequence, uint64_t secret)
{
    size_t start = w->used;
    writer_u8(w, ECHO_REQUEST);
    writer_u8(w, 0);
    writer_u16(w, 0);
    writer_u16(w, id);
    writer_u16(w, sequence);
    writer_u32(w, (uint32_t)(secret >> 32));
    writer_u32(w, (uint32_t)secret);
    if (w->failed)
        return;
    uint16_t sum = checksum_end(checksum_add(0, w->base + start, ECHO_SIZE));
    w->base[start + 2] = (uint8_t)(sum >> 8);
    w->base[start + 3] = (uint8_t)sum;
}

int echo_read_reply(const void *packet, size_t size, uint16_t id, uint64_t secret, ipv4_t *ret_from)
{
    struct reader r = reader_of(packet, size);
    uint8_t version = reader_u8(&r);
    (void)reader_take(&r, 8); /* service class, length, fragment, time to live */
    uint8_t protocol = reader_u8(&r);
    (void)reader_u16(&r);
    ipv4_t from = reader_u32(&r);
    (void)reader_u32(&r);
    size_t header = (size_t)(version & 15) * 4;
    if (r.failed || version >> 4 != 4 || header < 20)
        return -EBADMSG;
    (void)reader_take(&r, header - 20);
    uint8_t type = reader_u8(&r), code = reader_u8(&r);
    (void)reader_u16(&r); /* the kernel has checked the sum */
    uint16_t its_id = reader_u16(&r);
    (void)reader_u16(&r); /* sequence number */
    uint64_t its_secret = (uint64_t)reader_u32(&r) << 32;
    its_secret |= reader_u32(&r);
    if (r.failed)
        return -EBADMSG;
    if (protocol != PROTOCOL_ICMP || type != ECHO_REPLY || code != 0 || its_id != id || its_secret != secret)
        return -ENOMSG;
    *ret_from = from;
    return 0;
}
