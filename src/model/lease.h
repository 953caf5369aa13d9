/* A lease: an address bound to a client. What the store keeps, and what the DHCP server holds in memory. */
#pragma once

#include "base/addr.h"

/* D1: the key of a client: option 61 when it sent one, else its hardware type and address. */
#define CLIENT_KEY_MAX 256
struct client_key {
    uint16_t size;
    uint8_t b[CLIENT_KEY_MAX]; /* first byte: 1 = client-id follows, 0 = htype and chaddr follow */
};

enum lease_state {
    LEASE_BOUND = 1,
    LEASE_RELEASED = 2, /* the client gave it back; kept so that it gets the same address again */
    LEASE_DECLINED = 3, /* in use by somebody else: quarantined until it expires */
};

struct lease {
    ipv4_t ip; /* the key of the table: one address has one owner */
    enum lease_state state;
    struct client_key client;
    struct mac mac;
    int64_t start;     /* Unix time, seconds, of the last ACK */
    int64_t expires;   /* Unix time, seconds */
    char hostname[64]; /* option 12 as far as it is a host label, else empty */
    int64_t since; /* Unix time, seconds, since when it is in this state for this client without a gap; the
                      store keeps it, and does not look at it in what it is given */
};

/* How a lease ended. */
enum lease_end {
    LEASE_END_EXPIRED = 1,
    LEASE_END_RELEASED = 2,   /* by its client, or by a person */
    LEASE_END_DECLINED = 3,   /* its client found the address in use */
    LEASE_END_REPLACED = 4,   /* another client got the address before that */
    LEASE_END_QUARANTINE = 5, /* it was no lease: the address was quarantined */
};

/* A lease that has ended: who had an address, and when. */
struct lease_past {
    ipv4_t ip;
    struct mac mac;
    char hostname[64];
    int64_t since, until; /* Unix time, seconds */
    enum lease_end end;
};
