/* The number behind hash tables: the finaliser of MurmurHash3. Every bit of `x` moves every bit of the
 * result, so neighbouring addresses spread over all buckets. Tables whose keys come from the network add an
 * unpredictable seed to `x`, so that nobody can choose keys that collide. */
#pragma once

#include <stdint.h>

static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}
