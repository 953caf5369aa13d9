/* The leases in memory: by address and by client (D1), both O(1), sized for hundreds of thousands; and for
 * each pool the next address to give out, in constant time also when the pool is full.
 *
 * An address is in one of these states: absent (never used), offered (held for a client for a short while,
 * D5), bound, released or expired (free, but the client gets it again before anybody else does; the longest
 * free goes first), declined (quarantined). An address has one owner; a client has one address in a subnet.
 * Times are of the monotonic clock (F5). Used by one thread at a time. No call aborts when memory is gone.
 */
#pragma once

#include "model/lease.h"
#include "model/subnet.h"
#include "serve/deadlines.h"
#include "serve/event.h"

#include <stdbool.h>
#include <stddef.h>

enum lease_use {
    USE_FREE, /* released, expired, or an offer that was not taken */
    USE_OFFERED,
    USE_BOUND,
    USE_DECLINED,
};

struct lease_pool;

/* One address. Read it; the table's calls change it. */
struct lease_entry {
    ipv4_t ip;
    enum lease_use use;
    struct mac mac;
    uint16_t key_size; /* 0: no client */
    union {
        uint8_t small[24];
        uint8_t *large;
    } key;
    char *hostname;                         /* NULL: none */
    uint64_t since_us;                      /* monotonic: it has its owner and use since then */
    uint64_t until_us;                      /* monotonic: offered, bound or declined until then */
    uint64_t committed_us;                  /* until when the store says it is bound; 0: it does not */
    int64_t start, expires;                 /* Unix seconds, as in the store */
    struct lease_entry *ip_next, *key_next; /* hash chains */
    struct lease_entry *before, *after;     /* in its pool's list of free or of offered addresses */
    struct lease_pool *pool;                /* NULL: in none of today's pools, then forgotten when free */
    struct deadline deadline;               /* not later than until_us */
};

struct lease_table;

/* `seed` keeps others from choosing keys that collide. NULL: memory is gone. */
struct lease_table *lease_table_new(uint64_t seed);
void lease_table_free(struct lease_table *table);

/* Tells the table the pools of a generation; call it for every new one, since what is reserved in them may
 * have changed too. 0 or -ENOMEM (then nothing changed). */
int lease_table_set_pools(struct lease_table *table, const struct pool *pools, size_t n);

/* Frees what is due, some hundreds at most a call. Called with every request; cheap when nothing is due. */
void lease_table_expire(struct lease_table *table, uint64_t now_us);

struct lease_entry *lease_by_ip(const struct lease_table *table, ipv4_t ip);
/* The client's entry within first..last (a client that moves between subnets has one in each). */
struct lease_entry *lease_by_client(const struct lease_table *table, const struct client_key *client,
                                    ipv4_t first, ipv4_t last);
bool lease_is_of(const struct lease_entry *e, const struct client_key *client);

/* An offer that was not taken up for so long may go to somebody else when nothing is free. */
#define LEASE_OFFER_SURE_US UINT64_C(5000000)

/* The client that owns the entry; size 0 when nobody does. */
void lease_client(const struct lease_entry *e, struct client_key *ret_client);

/* The next address to give out of the pool (one of set_pools), or 0 when none is free. `usable` is asked
 * before an address is taken (reserved addresses are not). The address is not held until lease_hold. */
ipv4_t lease_next_free(struct lease_table *table, const struct pool *pool, uint64_t now_us,
                       bool (*usable)(void *user, ipv4_t ip), void *user);

/* Makes the client the owner of the address, in the use given, until then. `client` NULL: nobody
 * (USE_DECLINED). The address must be free, absent or the client's own already. 0, -EBUSY or -ENOMEM, which
 * change nothing. */
int lease_hold(struct lease_table *table, ipv4_t ip, const struct client_key *client, const struct mac *mac,
               enum lease_use use, uint64_t now_us, uint64_t until_us, struct lease_entry **ret_entry);
/* Moves an entry to another use and deadline. USE_DECLINED takes it from its client; USE_FREE leaves it
 * remembered. */
void lease_move(struct lease_table *table, struct lease_entry *e, enum lease_use use, uint64_t until_us);

/* Whether one more address of its pool may be declined: at most a quarter of a pool (and one address of any)
 * is in quarantine at a time. */
bool lease_may_quarantine(const struct lease_entry *e);

/* What the client calls itself; forgotten when memory is gone. */
void lease_set_hostname(struct lease_entry *e, const char *hostname);

size_t lease_count(const struct lease_table *table, enum lease_use use);
/* Calls `each` for every entry. */
void lease_each(const struct lease_table *table, void (*each)(void *user, const struct lease_entry *e),
                void *user);
