/* The DHCP server: a message in, a decision out (RFC 2131, with PXE by RFC 4578 and PXE 2.1).
 *
 * No socket, no clock, no store: the daemon hands in what arrived, where and when, and the generation to
 * answer from, and gets back what to send, where to, and which lease must be on stable storage before it may
 * leave (D20). Addresses of nodes with an `ip` stand in the generation and need no lease. A server is used by
 * one thread at a time. Nothing allocates for a client that has an entry or a lease already.
 *
 *     verdict = dhcp_server_handle(server, generation, now, &arrival, &outcome);
 *
 * With outcome.store set, whatever the verdict (RELEASE and DECLINE are silent and store), STORE_LEASE_PUT of
 * outcome.lease is queued, and after the commit dhcp_server_committed says how it went. DHCP_SEND: the packet
 * is sent now. DHCP_SEND_WHEN_DURABLE: after the commit, and not at all when that failed.
 * DHCP_SEND_AFTER_PROBE (D6): outcome.ip is asked for on the network first; when nobody answers within
 * DHCP_PROBE_US, or no probe can be made, the packet is sent; when somebody does, dhcp_server_in_use is
 * called and the same arrival is handled again. Whenever a packet was sent, dhcp_server_sent is called. With
 * outcome.candidate set, STORE_CANDIDATE_PUT of outcome.found is queued; nobody waits for it.
 *
 * Subnets with DHCP_PROXY leave the addresses to another server (P7): there only firmware is answered, with
 * what to boot.
 */
#pragma once

#include "model/candidate.h"
#include "model/generation.h"
#include "model/lease.h"
#include "proto/dhcp.h"
#include "serve/boot.h"
#include "serve/counters.h"
#include "serve/event.h"

struct dhcp_server;

struct dhcp_server_config {
    uint64_t (*random)(void *user); /* 64 unpredictable bits; called once */
    void *user;
    struct event_sink *sink;   /* gets EVENT_DHCP_* */
    struct counters *counters; /* shared */
    struct boot_table *boots;  /* shared */
};

/* NULL when memory is gone. `config` is copied; what it points to must outlive the server. */
struct dhcp_server *dhcp_server_new(const struct dhcp_server_config *config);
void dhcp_server_free(struct dhcp_server *server);

/* Puts a lease of the store in memory, at start, before the first message. What remains of it counts from
 * `now`, and is at most a year, so that a clock that was set back pins nothing for ever (F5). 0; -EBUSY when
 * the address was loaded for another client already; -ENOMEM. */
int dhcp_server_load_lease(struct dhcp_server *server, const struct moment *now, const struct lease *lease);

/* D7: the server's own addresses, all interfaces; copied. A REQUEST whose server identifier (54) is one of
 * them is meant for us. They are never given out either. Call again when they change. 0 or -ENOMEM. */
int dhcp_server_set_addresses(struct dhcp_server *server, const ipv4_t *addresses, size_t n);

/* P1: which boot programs are there, one bit each (serve/bootfile.h); all of them until it is said. */
void dhcp_server_set_programs(struct dhcp_server *server, unsigned found);

/* What arrived. */
struct dhcp_arrival {
    const char *interface; /* its name */
    int ifindex;
    ipv4_t local;              /* our address on it: goes into 54, siaddr and the boot options */
    struct ipv4_prefix prefix; /* of `local` */
    unsigned mtu;              /* of the interface; 0: 1500 */
    ipv4_t from;               /* source address; 0.0.0.0 for a client without one */
    uint16_t from_port;
    ipv4_t to;            /* destination: `local`, another own address, or 255.255.255.255 */
    uint16_t to_port;     /* 67 (also 0), or 4011: a firmware that asks the boot server alone (P5) */
    uint64_t received_us; /* monotonic, when the kernel took it in; 0: not known. What a client sends again
                             while its first message still waits in a queue is told by it */
    const void *data;
    size_t size;
};

enum dhcp_verdict { DHCP_SILENT, DHCP_SEND, DHCP_SEND_WHEN_DURABLE, DHCP_SEND_AFTER_PROBE };

/* D6: how long an answer to a probe is waited for: on a local network it is there in a few milliseconds. */
#define DHCP_PROBE_US UINT64_C(100000)

/* Why nothing was sent. The first are business as usual, the last want a person. */
enum dhcp_silence {
    SILENCE_NONE, /* something was sent */
    SILENCE_MALFORMED,
    SILENCE_BOOTP,         /* D19: no option 53 */
    SILENCE_NO_IDENTITY,   /* no card's address, and nothing else to know it by (proto/dhcp_identity.h) */
    SILENCE_NOT_A_REQUEST, /* op 2: another server's reply that came our way */
    SILENCE_TYPE,          /* a type only servers send (OFFER ...): a rogue server (alarm) */
    SILENCE_OTHER_SERVER,  /* D5: the client selected another server */
    SILENCE_DONE,          /* RELEASE and DECLINE need no reply */
    SILENCE_FOREIGN, /* RELEASE or DECLINE of an address the client does not own, or of another server */
    SILENCE_UNKNOWN_LEASE, /* D4: INIT-REBOOT of a client we know nothing of */
    SILENCE_NO_GENERATION, /* nothing is published yet */
    SILENCE_NO_SUBNET,     /* no subnet on this interface */
    SILENCE_FOREIGN_RELAY, /* giaddr is in none of our subnets */
    SILENCE_UNKNOWN_MAC,   /* H5: the subnet denies unknown machines */
    SILENCE_POOL_EMPTY,
    SILENCE_NO_POOL,       /* the node has no ip and the subnet no pool */
    SILENCE_WRONG_SUBNET,  /* the node's ip is not of the subnet it asks from */
    SILENCE_ADDRESS_TAKEN, /* the node's ip is still leased to another client */
    SILENCE_NO_MEMORY,
    SILENCE_PROXY,        /* P7: another server gives the addresses of this subnet */
    SILENCE_NO_BOOT_FILE, /* P1: a proxy or a boot server has nothing for this firmware (EVENT_DHCP_ALERT told
                             it) */
    SILENCE_REPEAT,       /* D14: sent again before our reply could reach it; that reply is on its way */
    SILENCE_COUNT
};
const char *dhcp_silence_name(enum dhcp_silence s); /* `unknown-mac`, ... */

/* How a reply goes out (D2). `port` is outcome.port throughout. */
enum dhcp_route {
    ROUTE_LINK, /* unicast to `address`:68 at hardware address `mac`, without ARP: the client does not answer
                   it yet */
    ROUTE_BROADCAST, /* 255.255.255.255:68 on the interface */
    ROUTE_RELAY,     /* `address`:67, the relay agent; ordinary unicast */
    ROUTE_CLIENT,    /* `address`:68 (4011: the port it asked from), an address that the client has; ordinary
                        unicast */
};

struct dhcp_outcome {
    enum dhcp_silence silence;
    enum dhcp_type request, reply; /* reply: DHCP_BOOTP (0) when silent */
    struct mac mac;                /* proto/dhcp_identity.h */
    char identity[80];             /* for people, of a machine without a MAC address; else empty */
    uint32_t xid;
    char node[64];      /* name of the node; empty for a machine without an entry */
    uint64_t boot;      /* 0: none */
    uint64_t repeat;    /* of serve/recent.h */
    char interface[16]; /* of the arrival */
    uint32_t lease_s;   /* given with the address; 0: none */
    const char *path;   /* static: the boot path that its firmware was told (serve/bootpath.h); NULL: none */

    enum dhcp_route route;
    ipv4_t address;
    uint16_t port;
    int ifindex;         /* of the arrival */
    ipv4_t local;        /* source address */
    uint16_t local_port; /* source port: 67 or 4011 */
    ipv4_t ip;           /* the address given: yiaddr, or of an INFORM its ciaddr; 0: none */

    bool store; /* `lease` must be put in the store */
    struct lease lease;
    bool candidate; /* `found` is to be put in the store: a machine that was discovered */
    struct candidate found;

    size_t size; /* of packet; 0 when silent */
    uint8_t packet[DHCP_REPLY_MAX];
    char note[256]; /* one line for people: the reason of silence or of a NAK and what to do, or what was
                       noticed (an architecture without a boot file); empty: nothing to say */
};

/* Decides on one message. Emits EVENT_DHCP_IN, and EVENT_DHCP_IGNORED with the note when it is silent for a
 * reason worth telling; counts. `generation` may be NULL. Everything in *ret_outcome is set. */
enum dhcp_verdict dhcp_server_handle(struct dhcp_server *server, const struct generation *generation,
                                     const struct moment *now, const struct dhcp_arrival *arrival,
                                     struct dhcp_outcome *ret_outcome);

/* The lease of an outcome is on stable storage (ok), or could not be put there: then memory goes back to what
 * the store has, so that nothing is counted as bound that nobody was told of (F3). */
void dhcp_server_committed(struct dhcp_server *server, const struct moment *now, const struct lease *lease,
                           bool ok);

/* D6: somebody uses the address, which a probe of ours has shown: it is quarantined, and the lease to put in
 * the store is in *ret_lease. 0; -ENOENT when nobody holds it any more; -EBUSY when it is bound by now (the
 * answer came from its own client). */
int dhcp_server_in_use(struct dhcp_server *server, const struct moment *now, ipv4_t ip,
                       struct lease *ret_lease);

/* A person takes a lease or a quarantine back (`rambox lease release`): the address is free, and the lease to
 * put in the store is in *ret_lease. The client is not told; its next renewal gets the address again if
 * nobody else has it by then. 0 or -ENOENT. */
int dhcp_server_release(struct dhcp_server *server, const struct moment *now, ipv4_t ip,
                        struct lease *ret_lease);

/* The reply of an outcome was sent: counts it, emits EVENT_DHCP_OUT, tells the boot its address. */
void dhcp_server_sent(struct dhcp_server *server, const struct moment *now,
                      const struct dhcp_outcome *outcome, unsigned generation);

/* The reply of an outcome will not be sent, since its lease could not be stored or the kernel took no packet:
 * what its client sends next is answered as if nothing had been said. */
void dhcp_server_unsent(struct dhcp_server *server, const struct dhcp_outcome *outcome);

/* For /metrics and `status`. */
struct dhcp_figures {
    size_t offered, bound, declined;
};
void dhcp_server_figures(const struct dhcp_server *server, struct dhcp_figures *ret_figures);
