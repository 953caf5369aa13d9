/*
 * The node's own record of its boot: stages marked as they happen, and told to the server.
 *
 * Nothing here delays the boot: telling happens in a child. Without rambox.server= on the command line
 * nothing is told.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "init/cmdline.h"
#include "init/stages.h"

struct timeline {
    const struct cmdline *cmdline; /* NULL until it is known; nothing is told then */
    struct stages stages;
};

/* Starts with what the environment brings from before exec; `cmdline` may be set later. */
void timeline_start(struct timeline *timeline, const struct cmdline *cmdline);

/* Marks `stage` as reached now. `detail` may be NULL. Returns 0 or the error of stages_add(). */
int timeline_mark(struct timeline *timeline, const char *stage, const char *detail);

/* Puts the stages into the environment, for the program that comes next. */
void timeline_export(const struct timeline *timeline);

enum timeline_urgency {
    TIMELINE_PATIENT, /* five tries, 2 s for each connection; a minute more while nothing answers at all; that
                         the node is ready, as long as it is on trial */
    TIMELINE_BRIEF,   /* one try of 1 s: the node is about to go */
};

/*
 * Tells the server all stages so far, in a child; with the facts of facts.h, if asked to, and what the
 * machine is made of (inventory.h) in a second report: these are for the node that is ready, and end its
 * trial. Returns the child, 0 when there is nobody to tell, or -errno.
 */
pid_t timeline_tell(const struct timeline *timeline, bool with_facts, enum timeline_urgency urgency);

/* The same in this process. Returns 0, also when there is nobody to tell, or the error of post_report(). */
int timeline_tell_now(const struct timeline *timeline, bool with_facts, enum timeline_urgency urgency);
