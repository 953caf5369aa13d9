/* Progress of long work. Libraries report to a sink; the command line draws it as a bar on a terminal and as
 * plain lines elsewhere. A NULL sink is allowed everywhere and shows nothing. */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

struct progress {
    /* `task` names the work ("compile kernel smallest"); done of total, total = 0 when not known; `detail` is
     * what is being worked on now, or NULL. Called often; the sink decides what to show. */
    void (*update)(struct progress *p, const char *task, uint64_t done, uint64_t total, const char *detail);
    /* A finished step, said once: "kernel smallest: 1.42 MB, 97 s". */
    void (*say)(struct progress *p, const char *text);
};

void progress_update(struct progress *p, const char *task, uint64_t done, uint64_t total, const char *detail);
void progress_say(struct progress *p, const char *fmt, ...) PRINTF(2, 3);
