/*
 * A DHCP client (RFC 2131 §4.4) for one interface, as a machine that is told the time and what came, and says
 * what to send. Pure: socket, clock and randomness are the caller's.
 *
 *   SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING --T2--> REBINDING --the lease ends--.
 *       ^  ^--nak, no answer-'                 ^--------ack---'-----ack---------'                       |
 *       '-----------------------------------------nak----------------------------------------------------'
 *
 * It keeps asking for ever, at growing intervals; how long that is worth waiting for is the caller's to say.
 * It has no client identifier (option 61): the server knows it by its MAC address, as it knew the firmware
 * and the kernel before. The address is not probed for; a server that gives out addresses does that (RFC 2131
 * §4.4.1 has it as a client's duty too).
 */
#pragma once

#include "init/lease.h"

#define DHCP_CLIENT_MESSAGE 590 /* bytes of the longest message that it sends */

enum dhcp_client_state {
    DHCP_SELECTING,
    DHCP_REQUESTING,
    DHCP_BOUND,
    DHCP_RENEWING,
    DHCP_REBINDING,
};

enum dhcp_client_event {
    DHCP_NOTHING,
    DHCP_SEND,  /* a message is to be sent */
    DHCP_GIVEN, /* `lease` is new, or given again for longer: see whether it has changed */
    DHCP_LOST,  /* the address of `lease` may not be used any more; it asks for another */
};

struct dhcp_client {
    /* What the caller sets before dhcp_client_begin(). */
    struct mac mac;
    const char *host; /* the name to tell the server; NULL or empty: none */
    ipv4_t wanted;    /* the address to ask for; 0: any */
    uint16_t mtu;     /* of the interface, 576 or more: how much a reply may have */
    int64_t slowest;  /* ms: the longest pause between two questions for a first lease */
    uint32_t random;  /* not 0; different on each node */

    /* What it has come to. */
    enum dhcp_client_state state;
    struct lease lease; /* from DHCP_BOUND on */
    int64_t next;       /* ms: when dhcp_client_due() has something to do; INT64_MAX: never */
    unsigned sent;      /* messages since the state began */

    /* Its own. */
    uint32_t xid;
    int64_t begun; /* ms: when it began to ask */
    int64_t asked; /* ms: when the request was sent from which a lease counts */
    int64_t bound; /* ms: from when the lease counts */
    ipv4_t offered, server;
};

struct dhcp_client_message {
    ipv4_t source;      /* 0 until it is bound */
    ipv4_t destination; /* the server's; UINT32_MAX: broadcast */
    size_t size;
    uint8_t data[DHCP_CLIENT_MESSAGE];
};

/* Begins to ask for a lease. `now` in ms of a clock that also runs while the machine sleeps. */
void dhcp_client_begin(struct dhcp_client *client, int64_t now);

/* What is due by now: DHCP_SEND with *ret, DHCP_LOST, or DHCP_NOTHING. Call it again until that. */
enum dhcp_client_event dhcp_client_due(struct dhcp_client *client, int64_t now,
                                       struct dhcp_client_message *ret);

/* Takes what came to the client's port. What is not an answer to it changes nothing. DHCP_GIVEN, DHCP_LOST or
 * DHCP_NOTHING; look at `next` afterwards. */
enum dhcp_client_event dhcp_client_take(struct dhcp_client *client, int64_t now, const void *data,
                                        size_t size);
