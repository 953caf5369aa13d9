/* Inside the DHCP server: one exchange, and the steps it goes through. Only serve/dhcp*.c include this.
 *
 *     dhcp.c          bytes to an exchange: admitted or not, and why
 *     dhcp_subnet.c   which subnet a message belongs to
 *     dhcp_class.c    which client classes it is of, and what they and the other definitions set for it
 *     dhcp_process.c  what each message type leads to (RFC 2131)
 *     dhcp_proxy.c    the same where another server gives the addresses, and on port 4011 (PXE 2.1)
 *     dhcp_reply.c    how replies look and where they go
 */
#pragma once

#include "proto/dhcp_identity.h"
#include "proto/pxe.h"
#include "serve/bootpath.h"
#include "serve/dhcp.h"
#include "serve/lease_table.h"
#include "serve/recent.h"

#define SECOND_US    UINT64_C(1000000)
#define OFFER_HOLD_S 60 /* D5: how long an offered address is kept for its client */
#define QUARANTINE_S                                                                                         \
    600 /* D8: a declined address; short, so that a flood of DECLINEs does not eat the pool */

struct dhcp_server {
    struct dhcp_server_config config;
    struct lease_table *leases;
    struct recent *recent;
    ipv4_t *own; /* D7 */
    size_t own_n;
    unsigned programs;         /* bootfile_found */
    unsigned generation;       /* whose pools the table knows */
    struct dhcp_packet packet; /* the message at hand */
};

/* Definitions that can set an option, a boot file or a profile, the most particular first. */
#define SETTINGS_MAX (CLASSES_MAX + 4)

/* One message on its way to a decision. */
struct exchange {
    struct dhcp_server *server;
    const struct generation *generation;
    const struct moment *now;
    const struct dhcp_arrival *arrival;
    const struct dhcp_packet *packet;
    struct dhcp_outcome *outcome;
    const struct subnet *subnet;
    struct dhcp_identity identity; /* who asks */
    const struct node *node;       /* NULL: a machine without an entry */
    const struct profile *profile; /* what it boots; NULL: nothing (a class or a subnet names none) */
    uint64_t classes;              /* a bit for each of the site's classes it is of */
    const struct option_values
        *settings[SETTINGS_MAX]; /* node, profile, classes, subnet; the site's come last */
    size_t settings_n;
    struct client_key key;
    struct pxe_client pxe;
    const struct boot_path *path; /* what it is told to load; NULL: nothing, or a boot_file that is named */
    char boot_name[ARTIFACT_PATH_MAX]; /* of a unified image */
    char boot_url[192];                /* of a path by HTTP */
    uint8_t wanted[32];                /* one bit an option of its parameter list (55); all without one */
};

/* Stays silent for this reason, with a note for people. */
enum dhcp_verdict silent(struct exchange *x, enum dhcp_silence why, const char *fmt, ...) PRINTF(3, 4);
/* Tells people at once (EVENT_DHCP_ALERT). */
void alert(struct exchange *x, const char *fmt, ...) PRINTF(2, 3);

/* Whether the address is one of this server (D7). */
bool is_own(const struct exchange *x, ipv4_t address);
/* Whether a server identifier (54) means this server: an own address, or the one that its relay had us send
 * (RFC 5107 §4). */
bool is_our_id(const struct exchange *x, ipv4_t id);

/* The entry of who asks; NULL: none. On a network without MAC addresses two machines may have the same six
 * bytes, so what the entry names must be what it says. */
const struct node *exchange_node(const struct exchange *x);

/* The subnet that the message comes from; NULL after silent(). */
const struct subnet *exchange_subnet(struct exchange *x);

/* The classes, the profile and the settings of an exchange whose node and subnet are known. */
void exchange_classify(struct exchange *x);
/* What is set for an option, but for the site's settings, which also a subnet's shorthand comes before
 * (router, dns, ...). NULL: nothing. */
const struct option_value *exchange_setting(const struct exchange *x, uint8_t code);
/* The boot file that a class or the profile names; NULL: neither. */
const char *exchange_boot_file(const struct exchange *x);

/* The decision for each message type (dhcp_process.c). They return what to do and fill the outcome. */
enum dhcp_verdict process_discover(struct exchange *x);
enum dhcp_verdict process_request(struct exchange *x);
enum dhcp_verdict process_decline(struct exchange *x);
enum dhcp_verdict process_release(struct exchange *x);
enum dhcp_verdict process_inform(struct exchange *x);
enum dhcp_verdict process_bootp(struct exchange *x);
/* All of them, in a subnet of DHCP_PROXY. */
enum dhcp_verdict process_proxy(struct exchange *x);
/* On port 4011: who asks has its address and wants the boot file (P5, P7). */
enum dhcp_verdict process_boot_server(struct exchange *x);

/* Replies (dhcp_reply.c): encode into the outcome and set its route. */
enum dhcp_verdict reply_offer(struct exchange *x, ipv4_t ip, uint32_t lease_s);
enum dhcp_verdict reply_ack(struct exchange *x, ipv4_t ip, uint32_t lease_s);
enum dhcp_verdict reply_inform(struct exchange *x); /* D9 */
enum dhcp_verdict reply_bootp(struct exchange *x, ipv4_t ip);
/* P7: OFFER or ACK that says what to boot and gives no address. */
enum dhcp_verdict reply_boot_only(struct exchange *x, enum dhcp_type type);
enum dhcp_verdict reply_nak(struct exchange *x, const char *fmt, ...) PRINTF(2, 3);
