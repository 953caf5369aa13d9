/* The machines whose hardware class is known, and what the last boot of each was given: a table by MAC
 * address of those that were heard of last. Internal to serve/fitted.c, which holds the lock. */
#pragma once

#include "base/addr.h"
#include "base/hash.h"
#include "model/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of them. What follows the class is serve/fitted.c's. */
struct known_machine {
    struct mac mac;
    char class[MACHINE_CLASS_SIZE];
    uint64_t boot;        /* 0: none was answered, or it has no name */
    bool has_kernel;      /* it got `kernel`; else the discovery kernel */
    struct digest kernel; /* of the artifact */
    uint32_t trial_s;     /* it was told that this is a trial; 0: it is none */
    bool had, heard;      /* in that boot it fetched all of the kernel; its init told something */
    uint8_t vain;         /* boots with `vain_kernel`, that others came up with, in which nothing was heard */
    struct digest vain_kernel;
    struct known_machine *next;
    struct known_machine *older, *newer; /* by when they were heard of */
};

struct known_machines {
    size_t capacity, n;
    size_t mask; /* of the bucket number */
    uint64_t seed;
    struct known_machine **buckets;
    struct known_machine *oldest, *newest;
};
/* An empty table; `seed`: nobody must know which machines share a bucket. 0 or -ENOMEM. */
int known_machines_init(struct known_machines *machines, size_t capacity, uint64_t seed);
/* Frees what is in it; harmless on one of zeros. */
void known_machines_clear(struct known_machines *machines);

/* NULL: it is not known. */
struct known_machine *known_machines_find(const struct known_machines *machines, const struct mac *mac);
/* One more, which must not be known; where there are `capacity`, the one heard of longest ago is forgotten.
 * NULL: memory is gone. */
struct known_machine *known_machines_add(struct known_machines *machines, const struct mac *mac);
/* It was heard of just now. */
void known_machines_touch(struct known_machines *machines, struct known_machine *machine);
