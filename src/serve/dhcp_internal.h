/* Inside the DHCP server: one exchange, and the steps it goes through. Only serve/dhcp*.c include this. */
#pragma once

#include "proto/pxe.h"
#include "serve/dhcp.h"
#include "serve/lease_table.h"

#define SECOND_US    UINT64_C(1000000)
#define OFFER_HOLD_S 60 /* D5: how long an offered address is kept for its client */
#define QUARANTINE_S                                                                                         \
    600                /* D8: a declined address; short, so that a flood of DECLINEs does not eat the pool */
#define LEASE_MIN_S 60 /* the shortest lease a client can ask for */
#define PXE_PORT    4011

struct dhcp_server {
    struct dhcp_server_config config;
    struct lease_table *leases;
    ipv4_t *own; /* D7 */
    size_t own_n;
    unsigned generation;       /* whose pools the table knows */
    struct dhcp_packet packet; /* the message at hand */
};

/* One message on its way to a decision. */
struct exchange {
    struct dhcp_server *server;
    const struct generation *generation;
    const struct moment *now;
    const struct dhcp_arrival *arrival;
    const struct dhcp_packet *packet;
    struct dhcp_outcome *outcome;
    const struct subnet *subnet;
    const struct node *node; /* NULL: a machine without an entry */
    struct client_key key;
    struct pxe_client pxe;
};

/* The decision for each message type (dhcp_process.c). They return what to do and fill the outcome. */
enum dhcp_verdict process_discover(struct exchange *x);
enum dhcp_verdict process_request(struct exchange *x);
enum dhcp_verdict process_decline(struct exchange *x);
enum dhcp_verdict process_release(struct exchange *x);
enum dhcp_verdict process_inform(struct exchange *x);

/* Stays silent for this reason, with a note for people. */
enum dhcp_verdict silent(struct exchange *x, enum dhcp_silence why, const char *fmt, ...) PRINTF(3, 4);

/* Whether the address is one of this server (D7). */
bool is_own(const struct exchange *x, ipv4_t address);

/* Replies (dhcp_reply.c): encode into the outcome and set its route. */
enum dhcp_verdict reply_offer(struct exchange *x, ipv4_t ip, uint32_t lease_s);
enum dhcp_verdict reply_ack(struct exchange *x, ipv4_t ip, uint32_t lease_s);
enum dhcp_verdict reply_inform(struct exchange *x); /* D9; also for port 4011 */
enum dhcp_verdict reply_nak(struct exchange *x, const char *fmt, ...) PRINTF(2, 3);
