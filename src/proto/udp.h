/* IPv4 and UDP headers, for replies to clients that have no address yet: such a client cannot answer ARP, so
 * its reply is handed to the link layer with the headers made here (RFC 2131 §4.1). Pure: values in, bytes
 * out.
 */
#pragma once

#include "base/addr.h"
#include "base/bytes.h"

enum { UDP4_HEADERS_SIZE = 20 + 8 };

struct udp4 {
    ipv4_t source, destination;
    uint16_t source_port, destination_port;
};

/* The Internet checksum (RFC 1071) of `size` bytes, begun with `sum` (0, or what an earlier call over an even
 * number of bytes returned), not yet folded; checksum_end folds and complements it. */
uint32_t checksum_add(uint32_t sum, const void *data, size_t size);
uint16_t checksum_end(uint32_t sum);

/* Writes both headers, with their checksums, for a payload that will follow them. The writer fails when they
 * do not fit or the payload is longer than a packet can be. */
void udp4_write_headers(struct writer *w, const struct udp4 *udp, const void *payload, size_t size);

/* Reads an IPv4 packet as a packet socket gives it. 0 with its addresses, ports and payload; -ENOMSG when it
 * is no whole UDP datagram (another protocol, or a fragment); -EBADMSG when it is cut short or its IP header
 * is damaged. UDP's checksum is not looked at: within a machine it is not there yet. */
int udp4_read(const void *packet, size_t size, struct udp4 *ret_udp, struct reader *ret_payload);
