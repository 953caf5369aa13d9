/* DHCP options that somebody set in a definition, by code, encoded as they go over the wire. */
#pragma once

#include "base/diag.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct option_value {
    uint8_t code;  /* 1..254; never one that the protocol itself needs (50 to 59, 61, 82, ...) */
    bool always;   /* sent also to a client that has not asked for it */
    uint16_t size; /* bytes; more than 255 are split on the wire (RFC 3396) */
    uint8_t *data; /* owned */
    struct pos pos;
};

/* Each code at most once. */
struct option_values {
    VEC(struct option_value) list;
};
void option_values_clear(struct option_values *values);
/* The value with this code; NULL: none. */
const struct option_value *option_values_find(const struct option_values *values, uint8_t code);
