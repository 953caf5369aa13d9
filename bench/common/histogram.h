/* Times in microseconds, counted in buckets that are 1.6 % wide, so that any number of them takes the same
 * room. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 28 };

struct histogram {
    uint64_t n;
    uint32_t max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* Below 2 * STEPS each value has its own bucket; above, each doubling has STEPS of them. */
static inline unsigned histogram_bucket(uint32_t us)
{
    unsigned shift = us < 2 * HISTOGRAM_STEPS ? 0 : 25 - (unsigned)__builtin_clz(us);
    return shift * HISTOGRAM_STEPS + (us >> shift);
}

static inline void histogram_add(struct histogram *h, uint32_t us)
{
    h->n++;
    h->max = us > h->max ? us : h->max;
    h->buckets[histogram_bucket(us)]++;
}

/* The time within which `share` (0..1) of them were, in microseconds; 0 without any. */
static inline uint32_t histogram_share(const struct histogram *h, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)h->n + 0.999999);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen < wanted || seen == 0)
            continue;
        unsigned shift = i < 2 * HISTOGRAM_STEPS ? 0 : i / HISTOGRAM_STEPS - 1;
        uint32_t last = ((i - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
        return last < h->max ? last : h->max;
    }
    return 0;
}
