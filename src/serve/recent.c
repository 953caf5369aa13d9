/* See serve/recent.h. */
#include "serve/recent.h"
#include "base/mix.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 65536 /* a megabyte and a half: more than ever wait in the sockets' buffers at once */

struct place {
    uint64_t key; /* 0: none */
    uint64_t at_us;
    bool pending; /* at_us: since when; else when it was sent */
};

struct recent {
    uint64_t seed;
    struct place places[PLACES];
};

struct recent *recent_new(uint64_t seed)
{
    struct recent *r = calloc(1, sizeof(*r));
    if (r)
        r->seed = seed;
    return r;
}

void recent_free(struct recent *r)
{
    free(r);
}

uint64_t recent_key(const struct recent *r, const void *data, unsigned size)
{
    uint64_t key = mix_bytes(r->seed, data, size);
    return key ? key : 1;
}

static struct place *place_of(const struct recent *r, uint64_t key)
{
    return (struct place *)(uintptr_t)&r->places[key % PLACES];
}

bool recent_is_repeat(const struct recent *r, uint64_t key, uint64_t received_us, uint64_t now_us)
{
    const struct place *p = place_of(r, key);
    if (p->key != key)
        return false;
    if (p->pending)
        return now_us - p->at_us < RECENT_PENDING_US;
    return received_us && received_us <= p->at_us;
}

void recent_begin(struct recent *r, uint64_t key, uint64_t now_us)
{
    *place_of(r, key) = (struct place){.key = key, .at_us = now_us, .pending = true};
}

void recent_sent(struct recent *r, uint64_t key, uint64_t now_us)
{
    struct place *p = place_of(r, key);
    if (p->key == key)
        *p = (struct place){.key = key, .at_us = now_us};
}

void recent_forget(struct recent *r, uint64_t key)
{
    struct place *p = place_of(r, key);
    if (p->key == key)
        *p = (struct place){0};
}
