/* See serve/known_machines.h. */
#include "serve/known_machines.h"
#include "base/mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64 };

int known_machines_init(struct known_machines *t, size_t capacity, uint64_t seed)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < capacity)
        buckets *= 2;
    *t = (struct known_machines){.capacity = capacity, .mask = buckets - 1, .seed = seed};
    t->buckets = calloc(buckets, sizeof(struct known_machine *));
    return t->buckets ? 0 : -ENOMEM;
}

static uint64_t mac_number(const struct mac *mac)
{
    uint64_t n = 0;
    memcpy(&n, mac->b, sizeof(mac->b));
    return n;
}

static struct known_machine **bucket(const struct known_machines *t, const struct mac *mac)
{
    return &t->buckets[mix64(mac_number(mac) ^ t->seed) & t->mask];
}

struct known_machine *known_machines_find(const struct known_machines *t, const struct mac *mac)
{
    struct known_machine *m = *bucket(t, mac);
    while (m && !mac_equal(&m->mac, mac))
        m = m->next;
    return m;
}

static void unlink_age(struct known_machines *t, struct known_machine *m)
{
    *(m->older ? &m->older->newer : &t->oldest) = m->newer;
    *(m->newer ? &m->newer->older : &t->newest) = m->older;
    m->older = m->newer = NULL;
}

static void link_newest(struct known_machines *t, struct known_machine *m)
{
    m->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = m;
    t->newest = m;
}

static void forget(struct known_machines *t, struct known_machine *m)
{
    struct known_machine **place = bucket(t, &m->mac);
    while (*place != m)
        place = &(*place)->next;
    *place = m->next;
    unlink_age(t, m);
    t->n--;
    free(m);
}

struct known_machine *known_machines_add(struct known_machines *t, const struct mac *mac)
{
    struct known_machine *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    if (t->n >= t->capacity)
        forget(t, t->oldest);
    m->mac = *mac;
    m->next = *bucket(t, mac);
    *bucket(t, mac) = m;
    link_newest(t, m);
    t->n++;
    return m;
}

void known_machines_touch(struct known_machines *t, struct known_machine *m)
{
    unlink_age(t, m);
    link_newest(t, m);
}

void known_machines_clear(struct known_machines *t)
{
    for (struct known_machine *m = t->oldest, *next; m; m = next) {
        next = m->newer;
        free(m);
    }
    free(t->buckets);
    *t = (struct known_machines){0};
}
