/* Patterns over bytes, for matching what clients say of themselves: `*` is any run, `?` any one byte. Bytes
 * may be anything, so that opaque identifiers (RFC 3046 §2.1) match too. */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GLOB_ANY = 256, GLOB_RUN = 257 }; /* items beyond the bytes: `?` and `*` */

struct glob {
    uint16_t *items; /* owned */
    size_t n;
};

/* Text, in which `*` and `?` have their meaning; or hexadecimal digits behind `0x`, which stand for
 * themselves, with `*` at the end if anything may follow (`0x0104*`). 0 or -EINVAL: an odd number of digits,
 * a character that is no digit, an empty pattern, more than 512 characters. */
int glob_parse(const char *text, struct glob *ret_glob);
void glob_free(struct glob *glob);
/* Whether the whole of the bytes matches. Time is at most the product of both lengths. */
bool glob_match(const struct glob *glob, const void *data, size_t size);
/* Adds the pattern as text, for people: as it was written, but with bytes that are not printable ASCII all of
 * it in hexadecimal digits behind `0x`, `??` for any one byte. Different patterns have different texts. */
void glob_format(const struct glob *glob, struct str *out);
