/* The leases in memory; the contract is in serve/lease_table.h. */
#include "serve/lease_table.h"
#include "base/mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN    256
#define EXPIRE_AT_ONCE 256 /* so that no request waits for a mass expiry */

struct lease_pool {
    struct pool range;
    uint64_t
        cursor; /* addresses before it were given out once, or are reserved; one beyond `last`: all were */
    struct use_list {
        struct lease_entry *oldest, *newest;
    } lists[USE_OFFERED + 1]; /* free addresses that were used before, and offered ones */
    uint64_t declined;        /* how many are in quarantine */
};

struct lease_table {
    uint64_t seed;
    struct lease_entry **by_ip, **by_key;
    size_t mask, entries;
    size_t uses[USE_DECLINED + 1];
    struct lease_pool *pools;
    size_t pools_n;
    struct deadlines deadlines; /* of all entries that are not free; there is room for every entry */
};

static const uint8_t *entry_key(const struct lease_entry *e)
{
    return e->key_size <= sizeof(e->key.small) ? e->key.small : e->key.large;
}

static struct lease_entry **ip_bucket(const struct lease_table *t, ipv4_t ip)
{
    return &t->by_ip[mix64(t->seed ^ ip) & t->mask];
}

static struct lease_entry **key_bucket(const struct lease_table *t, const uint8_t *key, size_t size)
{
    return &t->by_key[mix_bytes(t->seed, key, size) & t->mask];
}

/* ---- chains ---- */

static void link_key(struct lease_table *t, struct lease_entry *e)
{
    struct lease_entry **place = key_bucket(t, entry_key(e), e->key_size);
    e->key_next = *place;
    *place = e;
}

static void drop_key(struct lease_table *t, struct lease_entry *e)
{
    if (e->key_size == 0)
        return;
    for (struct lease_entry **p = key_bucket(t, entry_key(e), e->key_size); *p; p = &(*p)->key_next)
        if (*p == e) {
            *p = e->key_next;
            break;
        }
    if (e->key_size > sizeof(e->key.small))
        free(e->key.large);
    e->key_size = 0;
    e->key_next = NULL;
}

static int set_key(struct lease_table *t, struct lease_entry *e, const struct client_key *client)
{
    if (client && lease_is_of(e, client))
        return 0;
    uint8_t *large = NULL;
    if (client && client->size > sizeof(e->key.small)) {
        large = malloc(client->size);
        if (!large)
            return -ENOMEM;
    }
    drop_key(t, e);
    free(e->hostname);
    e->hostname = NULL;
    if (!client || client->size == 0)
        return 0;
    if (large)
        e->key.large = large;
    memcpy(large ? large : e->key.small, client->b, client->size);
    e->key_size = client->size;
    link_key(t, e);
    return 0;
}

/* The list of its pool that the entry belongs to; NULL: none. */
static struct use_list *list_of(const struct lease_entry *e)
{
    return e->pool && e->use <= USE_OFFERED ? &e->pool->lists[e->use] : NULL;
}

static void unlink_use(struct lease_entry *e)
{
    struct use_list *list = list_of(e);
    if (e->pool && e->use == USE_DECLINED)
        e->pool->declined--;
    if (!list)
        return;
    *(e->before ? &e->before->after : &list->oldest) = e->after;
    *(e->after ? &e->after->before : &list->newest) = e->before;
    e->before = e->after = NULL;
}

/* Puts the entry where its use belongs: into a list of its pool, or into the count of its quarantine. */
static void link_use(struct lease_entry *e)
{
    struct use_list *list = list_of(e);
    if (e->pool && e->use == USE_DECLINED)
        e->pool->declined++;
    if (!list)
        return;
    e->before = list->newest;
    *(list->newest ? &list->newest->after : &list->oldest) = e;
    list->newest = e;
}

/* ---- the table ---- */

struct lease_table *lease_table_new(uint64_t seed)
{
    struct lease_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->seed = seed;
    t->mask = BUCKETS_MIN - 1;
    t->by_ip = calloc(BUCKETS_MIN, sizeof(struct lease_entry *));
    t->by_key = calloc(BUCKETS_MIN, sizeof(struct lease_entry *));
    if (!t->by_ip || !t->by_key) {
        lease_table_free(t);
        return NULL;
    }
    return t;
}

static void entry_free(struct lease_entry *e)
{
    if (e->key_size > sizeof(e->key.small))
        free(e->key.large);
    free(e->hostname);
    free(e);
}

void lease_table_free(struct lease_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->by_ip && i <= t->mask; i++)
        for (struct lease_entry *e = t->by_ip[i], *next; e; e = next) {
            next = e->ip_next;
            entry_free(e);
        }
    free(t->by_ip);
    free(t->by_key);
    free(t->pools);
    deadlines_free(&t->deadlines);
    free(t);
}

static void forget(struct lease_table *t, struct lease_entry *e)
{
    unlink_use(e);
    deadlines_remove(&t->deadlines, &e->deadline);
    drop_key(t, e);
    for (struct lease_entry **p = ip_bucket(t, e->ip); *p; p = &(*p)->ip_next)
        if (*p == e) {
            *p = e->ip_next;
            break;
        }
    t->uses[e->use]--;
    t->entries--;
    entry_free(e);
}

/* Twice the buckets once there are as many entries. When memory is gone the chains get longer; that is all.
 */
static void grow(struct lease_table *t)
{
    size_t n = (t->mask + 1) * 2;
    struct lease_entry **by_ip = calloc(n, sizeof(*by_ip)), **by_key = calloc(n, sizeof(*by_key));
    struct lease_entry **old = t->by_ip;
    size_t old_n = t->mask + 1;
    if (!by_ip || !by_key) {
        free(by_ip);
        free(by_key);
        return;
    }
    free(t->by_key);
    t->by_ip = by_ip;
    t->by_key = by_key;
    t->mask = n - 1;
    for (size_t i = 0; i < old_n; i++)
        for (struct lease_entry *e = old[i], *next; e; e = next) {
            struct lease_entry **place = ip_bucket(t, e->ip);
            next = e->ip_next;
            e->ip_next = *place;
            *place = e;
            if (e->key_size)
                link_key(t, e);
        }
    free(old);
}

static int compare_pools(const void *a, const void *b)
{
    const struct lease_pool *x = a, *y = b;
    return (x->range.first > y->range.first) - (x->range.first < y->range.first);
}

/* Pools do not overlap (checked with the configuration) and are sorted. */
static struct lease_pool *pool_of(struct lease_pool *pools, size_t n, ipv4_t ip)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip < pools[middle].range.first)
            high = middle;
        else if (ip > pools[middle].range.last)
            low = middle + 1;
        else
            return &pools[middle];
    }
    return NULL;
}

static struct lease_entry *add(struct lease_table *t, ipv4_t ip)
{
    if (deadlines_reserve(&t->deadlines, t->entries + 1) < 0)
        return NULL;
    struct lease_entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    if (t->entries > t->mask)
        grow(t);
    e->ip = ip;
    e->pool = pool_of(t->pools, t->pools_n, ip);
    struct lease_entry **place = ip_bucket(t, ip);
    e->ip_next = *place;
    *place = e;
    t->entries++;
    t->uses[USE_FREE]++;
    link_use(e);
    return e;
}

/* Puts an entry into the pool it belongs to now, or forgets it when it is free and belongs to none. */
static void change_pool(struct lease_table *t, struct lease_entry *e, struct lease_pool *pools, size_t n)
{
    e->before = e->after = NULL;
    e->pool = pool_of(pools, n, e->ip);
    if (e->pool)
        link_use(e);
    else if (e->use == USE_FREE)
        forget(t, e);
}

int lease_table_set_pools(struct lease_table *t, const struct pool *pools, size_t n)
{
    struct lease_pool *mine = calloc(n ? n : 1, sizeof(*mine));
    if (!mine)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        mine[i] = (struct lease_pool){.range = pools[i], .cursor = pools[i].first};
    if (n)
        qsort(mine, n, sizeof(*mine), compare_pools);
    /* The lists first and in their order: the longest free still goes first. */
    for (size_t i = 0; i < t->pools_n; i++)
        for (enum lease_use use = USE_FREE; use <= USE_OFFERED; use++)
            for (struct lease_entry *e = t->pools[i].lists[use].oldest, *next; e; e = next) {
                next = e->after;
                change_pool(t, e, mine, n);
            }
    for (size_t i = 0; i <= t->mask; i++)
        for (struct lease_entry *e = t->by_ip[i], *next; e; e = next) {
            next = e->ip_next;
            if (e->use > USE_OFFERED || !e->pool)
                change_pool(t, e, mine, n);
        }
    free(t->pools);
    t->pools = mine;
    t->pools_n = n;
    return 0;
}

void lease_table_expire(struct lease_table *t, uint64_t now_us)
{
    for (unsigned i = 0; i < EXPIRE_AT_ONCE; i++) {
        struct deadline *due = deadlines_first(&t->deadlines);
        if (!due || due->at_us > now_us)
            return;
        struct lease_entry *e = DEADLINE_OWNER(due, struct lease_entry, deadline);
        if (e->until_us > now_us)
            deadlines_put_off(&t->deadlines, due, e->until_us);
        else if (e->pool)
            lease_move(t, e, USE_FREE, 0);
        else
            forget(t, e);
    }
}

struct lease_entry *lease_by_ip(const struct lease_table *t, ipv4_t ip)
{
    struct lease_entry *e = *ip_bucket(t, ip);
    while (e && e->ip != ip)
        e = e->ip_next;
    return e;
}

bool lease_is_of(const struct lease_entry *e, const struct client_key *client)
{
    return e->key_size && e->key_size == client->size && memcmp(entry_key(e), client->b, client->size) == 0;
}

void lease_client(const struct lease_entry *e, struct client_key *ret_client)
{
    ret_client->size = e->key_size;
    memcpy(ret_client->b, entry_key(e), e->key_size);
}

struct lease_entry *lease_by_client(const struct lease_table *t, const struct client_key *client,
                                    ipv4_t first, ipv4_t last)
{
    struct lease_entry *e = *key_bucket(t, client->b, client->size);
    while (e && !(e->ip >= first && e->ip <= last && lease_is_of(e, client)))
        e = e->key_next;
    return e;
}

/* The offer that has waited longest, when that is long enough, is taken back: a machine that wants its
 * address asks for it within milliseconds, and one that only sends DISCOVERs must not hold the pool. */
static ipv4_t take_back_offer(struct lease_table *t, struct lease_pool *pool, uint64_t now_us,
                              bool (*usable)(void *user, ipv4_t ip), void *user)
{
    for (struct lease_entry *e = pool->lists[USE_OFFERED].oldest, *next; e; e = next) {
        next = e->after;
        if (e->since_us + LEASE_OFFER_SURE_US > now_us)
            return 0;
        if (!usable(user, e->ip))
            continue;
        lease_move(t, e, USE_FREE, 0);
        return e->ip;
    }
    return 0;
}

ipv4_t lease_next_free(struct lease_table *t, const struct pool *range, uint64_t now_us,
                       bool (*usable)(void *user, ipv4_t ip), void *user)
{
    struct lease_pool *pool = pool_of(t->pools, t->pools_n, range->first);
    if (!pool)
        return 0;
    for (; pool->cursor <= pool->range.last; pool->cursor++) {
        ipv4_t ip = (ipv4_t)pool->cursor;
        if (!lease_by_ip(t, ip) && usable(user, ip))
            return ip;
    }
    while (pool->lists[USE_FREE].oldest) {
        struct lease_entry *e = pool->lists[USE_FREE].oldest;
        if (usable(user, e->ip))
            return e->ip;
        forget(t, e); /* reserved since it was used: set_pools starts over when that changes */
    }
    return take_back_offer(t, pool, now_us, usable, user);
}

int lease_hold(struct lease_table *t, ipv4_t ip, const struct client_key *client, const struct mac *mac,
               enum lease_use use, uint64_t now_us, uint64_t until_us, struct lease_entry **ret_entry)
{
    struct lease_entry *e = lease_by_ip(t, ip);
    if (e && e->use != USE_FREE && !(client && lease_is_of(e, client)))
        return -EBUSY;
    bool is_new = !e;
    if (!e)
        e = add(t, ip);
    if (!e)
        return -ENOMEM;
    bool same = client && lease_is_of(e, client);
    int r = set_key(t, e, client);
    if (r < 0) {
        if (is_new)
            forget(t, e);
        return r;
    }
    if (!same)
        e->committed_us = 0;
    if (!same || e->use != use)
        e->since_us = now_us;
    e->mac = *mac;
    lease_move(t, e, use, until_us);
    *ret_entry = e;
    return 0;
}

void lease_move(struct lease_table *t, struct lease_entry *e, enum lease_use use, uint64_t until_us)
{
    if (use == e->use && use == USE_OFFERED) { /* held longer; its place among the offers stays */
        e->until_us = until_us;
        deadlines_set(&t->deadlines, &e->deadline, until_us);
        return;
    }
    unlink_use(e);
    t->uses[e->use]--;
    t->uses[use]++;
    e->use = use;
    e->until_us = until_us;
    if (use == USE_DECLINED)
        drop_key(t, e);
    if (use == USE_FREE) {
        deadlines_remove(&t->deadlines, &e->deadline);
        e->committed_us = 0;
    } else {
        deadlines_set(&t->deadlines, &e->deadline, until_us);
    }
    link_use(e);
}

bool lease_may_quarantine(const struct lease_entry *e)
{
    const struct lease_pool *pool = e->pool;
    return !pool || pool->declined < ((uint64_t)pool->range.last - pool->range.first + 4) / 4;
}

void lease_set_hostname(struct lease_entry *e, const char *hostname)
{
    if (e->hostname && strcmp(e->hostname, hostname) == 0)
        return;
    free(e->hostname);
    e->hostname = *hostname ? strdup(hostname) : NULL;
}

size_t lease_count(const struct lease_table *t, enum lease_use use)
{
    return t->uses[use];
}

void lease_each(const struct lease_table *t, void (*each)(void *user, const struct lease_entry *e),
                void *user)
{
    for (size_t i = 0; i <= t->mask; i++)
        for (const struct lease_entry *e = t->by_ip[i]; e; e = e->ip_next)
            each(user, e);
}
