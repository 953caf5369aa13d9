/* Candidates: machines that were discovered, for the commands that make them nodes. */
#pragma once

#include "cli/command.h"
#include "model/candidate.h"

struct candidates {
    VEC(struct candidate) list; /* in the order in which they were first seen */
};

/* Those that are no node of the configuration yet. 0, or 1 after saying what is wrong. */
int candidates_read(const struct context *context, struct candidates *ret_candidates);
/* Leaves those that are meant, in the order of the names that they are for: `what` is a MAC address, an
 * address, `last` (the one first seen last) or `all`; `n` is how many names there are. 0; 1 or 2 after saying
 * what does not fit. */
int candidates_choose(const struct command *command, struct candidates *candidates, const char *what,
                      size_t n);
/* They are nodes now. What cannot be forgotten is said, and is no failure: nodes are not shown as candidates.
 */
void candidates_forget(const struct context *context, const struct candidates *candidates);
