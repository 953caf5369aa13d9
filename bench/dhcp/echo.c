/* dhcp-echo: what a DHCP server costs that knows nothing, as the ceiling for all others.
 *
 *     dhcp-echo INTERFACE ADDRESS
 *
 * Answers each DISCOVER with an OFFER and each REQUEST with an ACK that were built before, as long and with
 * the same options as rambox's to a client without PXE; copies what must be copied, and makes the address
 * from the low bits of the hardware address. No state, no log. To relay agents by the socket that took the
 * request, to others by a frame to their hardware address.
 */
#include "base/str.h"
#include "dhcp/link.h"
#include "proto/dhcp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

/* Where RFC 2131 §2 has them; the message type is the first option. */
enum {
    AT_XID = 4,
    AT_FLAGS = 10,
    AT_CIADDR = 12,
    AT_YIADDR = 16,
    AT_GIADDR = 24,
    AT_CHADDR = 28,
    AT_OPTIONS = 240
};

struct echo {
    struct link requests, frames;
    struct mac mac;
    ipv4_t address;
    uint8_t reply[576];
    size_t size;
};

static void build_reply(struct echo *e)
{
    const struct dhcp_head head = {.htype = 1, .hlen = 6};
    const uint32_t lease = 86400;
    struct dhcp_writer w;
    dhcp_begin(&w, e->reply, sizeof(e->reply), sizeof(e->reply), &head, NULL, 0);
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, DHCP_OFFER);
    dhcp_put_u32(&w, DHCP_SERVER_ID, e->address);
    dhcp_put_u32(&w, DHCP_LEASE_TIME, lease);
    dhcp_put_u32(&w, DHCP_RENEWAL_TIME, lease / 2);
    dhcp_put_u32(&w, DHCP_REBINDING_TIME, lease / 8 * 7);
    dhcp_put_u32(&w, DHCP_SUBNET_MASK, 0xff000000);
    dhcp_put_u32(&w, DHCP_ROUTER, e->address);
    dhcp_put_u32(&w, DHCP_DNS, e->address);
    dhcp_put_text(&w, DHCP_DOMAIN_NAME, "bench.example");
    e->size = (size_t)dhcp_end(&w);
}

/* The type of the request; 0 for what is none. Clients put option 53 first, as everyone does. */
static uint8_t type_of(const uint8_t *request, size_t size)
{
    return request && size > AT_OPTIONS + 2 && request[AT_OPTIONS] == DHCP_MESSAGE_TYPE
               ? request[AT_OPTIONS + 2]
               : 0;
}

static void fill(const struct echo *e, uint8_t *reply, const uint8_t *request, uint8_t type)
{
    memcpy(reply, e->reply, e->size);
    memcpy(reply + AT_XID, request + AT_XID, 4);
    memcpy(reply + AT_FLAGS, request + AT_FLAGS, 2);
    memcpy(reply + AT_GIADDR, request + AT_GIADDR, 4);
    memcpy(reply + AT_CHADDR, request + AT_CHADDR, 16);
    reply[AT_YIADDR] = 10;
    memcpy(reply + AT_YIADDR + 1, request + AT_CHADDR + 3, 3);
    if (type == DHCP_REQUEST && request[AT_CIADDR]) {
        memcpy(reply + AT_CIADDR, request + AT_CIADDR, 4);
        memcpy(reply + AT_YIADDR, request + AT_CIADDR, 4);
    }
    reply[AT_OPTIONS + 2] = type == DHCP_DISCOVER ? DHCP_OFFER : DHCP_ACK;
}

static void answer_relay(struct echo *e, const uint8_t *request, uint8_t type)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(DHCP_SERVER_PORT)};
    memcpy(&to.sin_addr, request + AT_GIADDR, 4);
    fill(e, link_add(&e->requests, e->size, &to), request, type);
}

static void answer_link(struct echo *e, const uint8_t *request, uint8_t type)
{
    const struct sockaddr_in from = {.sin_port = htons(DHCP_SERVER_PORT),
                                     .sin_addr.s_addr = htonl(e->address)};
    struct sockaddr_in to = {.sin_port = htons(DHCP_CLIENT_PORT)};
    struct mac mac;
    uint8_t *frame = link_add(&e->frames, LINK_HEADERS + e->size, NULL);
    fill(e, frame + LINK_HEADERS, request, type);
    memcpy(&to.sin_addr, frame + LINK_HEADERS + AT_YIADDR, 4);
    memcpy(mac.b, request + AT_CHADDR, sizeof(mac.b));
    if (request[AT_FLAGS] & 0x80) {
        memset(mac.b, 0xff, sizeof(mac.b));
        to.sin_addr.s_addr = INADDR_BROADCAST;
    }
    link_write_headers(frame, &e->frames.mac, &mac, &from, &to, e->size);
}

static void serve(struct echo *e)
{
    size_t size = 0;
    unsigned n = link_receive(&e->requests);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *request = link_message(&e->requests, i, &size);
        uint8_t type = type_of(request, size);
        if (type != DHCP_DISCOVER && type != DHCP_REQUEST)
            continue;
        if (request[AT_GIADDR])
            answer_relay(e, request, type);
        else
            answer_link(e, request, type);
    }
    link_flush(&e->requests);
    link_flush(&e->frames);
    if (n == 0)
        (void)poll(&(struct pollfd){.fd = e->requests.fd, .events = POLLIN}, 1, -1);
}

int main(int argc, char **argv)
{
    static struct echo e;
    cleanup_diags struct diags diags = {0};
    if (argc != 3 || ipv4_parse(argv[2], &e.address) < 0) {
        fprintf(stderr, "usage: dhcp-echo INTERFACE ADDRESS\n");
        return 2;
    }
    int r = link_open_server(&e.requests, argv[1], &diags);
    if (r == 0)
        r = link_open_direct(&e.frames, argv[1], &diags);
    diags_print(&diags, stderr);
    if (r < 0)
        return 1;
    build_reply(&e);
    for (;;)
        serve(&e);
}
