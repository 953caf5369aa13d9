/* The number behind hash tables: the finaliser of MurmurHash3. Every bit of `x` moves every bit of the
 * result, so neighbouring addresses spread over all buckets. Tables whose keys come from the network add an
 * unpredictable seed to `x`, so that nobody can choose keys that collide. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* The same over bytes: a hash whose collisions nobody can choose who does not know the seed. */
static inline uint64_t mix_bytes(uint64_t seed, const void *data, size_t n)
{
    const uint8_t *b = data;
    uint64_t h = mix64(seed ^ n);
    while (n) {
        uint64_t word = 0;
        size_t part = n < sizeof(word) ? n : sizeof(word);
        memcpy(&word, b, part);
        h = mix64(h ^ word) + seed;
        b += part;
        n -= part;
    }
    return h;
}
