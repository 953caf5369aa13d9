/* Diagnostics: what a person must read, each with the place it is about, what was wrong, what was expected
 * and what to do. Functions that can fail for a reason worth explaining take a `struct diags *`, add to it
 * and return -errno; the program prints them.
 *
 *     nodes.d/n1.yaml:3:8: error: "52:54:00" is no MAC address; expected six bytes like 52:54:00:12:34:56
 */
#pragma once

#include "base/cleanup.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdio.h>

enum severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

/* A place in a file. line and column count from 1; 0 means not known. file may be NULL: no place at all. */
struct pos {
    const char *file;
    unsigned line, column;
};

struct diag {
    enum severity severity;
    char *file; /* owned; NULL when there is no place */
    unsigned line, column;
    char *text; /* owned */
};

struct diags {
    VEC(struct diag) list;
    unsigned errors;
};

void diags_free(struct diags *d);
static inline void diags_cleanup(struct diags *d)
{
    diags_free(d);
}
#define cleanup_diags __attribute__((cleanup(diags_cleanup)))

/* Adds one. `at` may be NULL. Returns -EINVAL for errors and 0 for the rest, so that a parser can
 * `return diag_error(...)`. */
int diag_add(struct diags *d, enum severity severity, const struct pos *at, const char *fmt, ...)
    PRINTF(4, 5);
#define diag_error(d, at, ...)   diag_add(d, DIAG_ERROR, at, __VA_ARGS__)
#define diag_warning(d, at, ...) diag_add(d, DIAG_WARNING, at, __VA_ARGS__)
#define diag_note(d, at, ...)    diag_add(d, DIAG_NOTE, at, __VA_ARGS__)

/* Adds an error that ends in the text of errno `-r` (r < 0) and returns r. */
int diag_errno(struct diags *d, int r, const char *fmt, ...) PRINTF(3, 4);

/* `file:line:column: error: text`, a line each, in the order they were added. Never colours. */
void diags_print(const struct diags *d, FILE *out);
const char *severity_name(enum severity severity);
