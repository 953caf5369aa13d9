/* The messages of simulated DHCP clients, built once and filled in for each client: a copy and a few stores.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REQUEST_MAX = 700 };

/* What all clients of a storm have in common. */
struct request_spec {
    bool pxe;       /* options 60, 93, 94, 97 and the long list of 55, as a ROM sends them */
    bool client_id; /* option 61: the hardware type and address */
    bool broadcast; /* the BROADCAST flag */
    bool frames;    /* with Ethernet, IPv4 and UDP headers */
    ipv4_t giaddr;  /* the relay agent's; 0: none */
};

/* The states of RFC 2131 §4.3.2 in which a client asks. */
enum request_kind { REQUEST_DISCOVER, REQUEST_SELECTING, REQUEST_RENEWING, REQUEST_REBOOTING, REQUEST_KINDS };

struct request {
    size_t size;                                       /* whole, with headers */
    size_t message;                                    /* where the DHCP message begins */
    size_t ciaddr, asked, server_id, client_mac, uuid; /* where these are; 0: not there */
    uint8_t data[REQUEST_MAX];
};

/* What differs. */
struct request_values {
    struct mac mac;
    uint32_t xid;
    uint16_t secs;
    ipv4_t ip, server;
};

void request_make(struct request *request, enum request_kind kind, const struct request_spec *spec);
/* Writes request->size bytes. */
void request_fill(const struct request *request, const struct request_values *values, uint8_t *to);
