/*
 * The stages a boot has reached, with their times. Pure: the clock is the caller's.
 *
 * The list goes from /init to /sbin/init, and to everything either starts, in the environment variable
 * STAGES_VARIABLE as "NAME:MICROSECONDS" separated by spaces; details stay behind, since a stage that has one
 * is reported at once.
 */
#pragma once

#include <stdint.h>

#include "init/text.h"

#define STAGES_VARIABLE "RAMBOX_STAGES"
#define STAGES_MAX      16
#define STAGES_ENCODED  (STAGES_MAX * 40)

struct stage {
    char name[16];
    uint64_t us; /* CLOCK_BOOTTIME, microseconds since power-on as the kernel counts them */
    char detail[160];
};

struct stages {
    unsigned count;
    struct stage at[STAGES_MAX];
};

/*
 * Adds a stage; a detail that is too long is cut, NULL is none. Returns 0, -EINVAL for a name that is not 1
 * to 15 of a-z 0-9 _ -, or -ENOSPC.
 */
int stages_add(struct stages *stages, const char *name, uint64_t us, const char *detail);

/* Writes the list for the environment. `size` of STAGES_ENCODED is always enough. */
void stages_encode(const struct stages *stages, char *ret, size_t size);

/* Reads what stages_encode() wrote; what is not of that form is passed over. */
void stages_decode(const char *text, struct stages *ret);
