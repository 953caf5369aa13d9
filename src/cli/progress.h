/* Progress on a terminal or in a log: the sink behind base/progress.h. */
#pragma once

#include "base/progress.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How progress is shown. */
struct progress_style {
    bool bar;              /* a line redrawn in place; else whole lines, at most one each 5 s and task */
    bool colour;           /* of the bar */
    unsigned width;        /* of the terminal, columns */
    uint64_t (*now)(void); /* milliseconds, monotonic */
};

/* A sink that writes to `out`, in the style that fits it: a bar when it is a terminal that can redraw a line
 * (TERM is set and not `dumb`), without colour when NO_COLOR is set. */
struct progress *cli_progress_new(FILE *out);
struct progress *cli_progress_styled(FILE *out, const struct progress_style *style);
/* Clears the bar and frees the sink. NULL is allowed. */
void cli_progress_free(struct progress *progress);
