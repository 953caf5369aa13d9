/* Diagnostics as lines of the log: what is wrong while a process runs that does not end for it. */
#pragma once

#include "base/diag.h"

/* Every problem as a line; the program goes on. */
void log_diags(const struct diags *diags);
/* The same, unless *last (NULL at first; the caller's to free) says that they were the last ones told; they
 * are then. */
void log_diags_once(const struct diags *diags, char **last);
/* Adds them to others. */
void diags_pass_on(const struct diags *from, struct diags *to);
