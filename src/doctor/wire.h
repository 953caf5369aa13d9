/* The packets of rambox doctor: what a machine sends that wants to boot, and what comes back. Pure: values
 * in, bytes out, and back. What comes back is from whoever is on the network: it is read whole, with every
 * length checked, and nothing in it is believed. */
#pragma once

#include "proto/dhcp.h"

#define WIRE_PXE_PORT  4011
#define WIRE_FRAME_MAX 1518 /* Ethernet header, 1500 bytes, and a tag */

enum probe_kind {
    PROBE_SYSTEM, /* an operating system's DHCP client */
    PROBE_PXE,    /* firmware that boots by PXE (RFC 4578) */
    PROBE_HTTP,   /* firmware that boots by HTTP (UEFI) */
};

/* Somebody that we ask as. Every probe wants its answer as a broadcast, so that the answer is seen here
 * whoever's address it asks for, and carries option 224, by which our own server knows that nobody boots. */
struct probe {
    enum probe_kind kind;
    uint16_t arch;  /* option 93; not of PROBE_SYSTEM */
    struct mac mac; /* the client's hardware address: not the one the frame is sent from */
    uint32_t xid;   /* what ties an answer to it */
};

/* A DISCOVER as such a client sends it. The size; the buffer is always large enough. */
#define WIRE_MESSAGE_MAX 576
size_t wire_discover(const struct probe *probe, uint8_t buf[static WIRE_MESSAGE_MAX]);
/* What a firmware that has the address `ip` asks at port 4011 (PXE 2.1 §2.2.4): a REQUEST in name, but none
 * that takes an address. */
size_t wire_boot_request(const struct probe *probe, ipv4_t ip, uint8_t buf[static WIRE_MESSAGE_MAX]);

/* The message in an IP packet, broadcast from port 68 to `port`; `source` 0: of a client without address. The
 * size, or -ENOBUFS. */
int wire_packet(ipv4_t source, uint16_t port, const void *message, size_t size, uint8_t *buf, size_t room);
/* The same with an Ethernet header before it. */
int wire_frame(const struct mac *source_mac, uint16_t port, const void *message, size_t size, uint8_t *buf,
               size_t room);

/* An answer as it was heard. */
struct wire_reply {
    struct mac source_mac;
    ipv4_t source, destination;
    uint16_t source_port, destination_port;
    struct dhcp_packet message; /* op is BOOTREPLY */
};

enum wire_verdict {
    WIRE_REPLY,
    WIRE_OTHER,     /* no UDP over IPv4 from a server's port to a client's, or a fragment, or a request */
    WIRE_MALFORMED, /* it claims to be a reply, and is none */
};
/* Reads a whole Ethernet frame. `server_port`: 67, or where else our server listens. *ret_reply is only
 * meaningful with WIRE_REPLY. It is large; keep one and use it again. */
enum wire_verdict wire_parse(const void *frame, size_t size, uint16_t server_port,
                             struct wire_reply *ret_reply);
