/* Trials of kernels of hardware classes: the table, and what moves a trial. Internal to serve/fitted.c, which
 * holds the lock and tells people.
 *
 *     from               what happens                                               to
 *     (none), WITHDRAWN  trials_begin                                               RUNNING
 *     RUNNING            ready                                                      PROVEN
 *     RUNNING            over, and the machine never had the kernel                 WITHDRAWN
 *     RUNNING            over, and it had: its time is up, another boot began, or
 *                        another kernel was chosen in this one                      FAILED
 *     FAILED             ready of the same boot, late                               PROVEN
 *     FAILED             trials_forgive                                             WITHDRAWN
 *
 * A late ready counts because the node's own clock begins when its init does, and the server's with the boot
 * configuration; but where another kernel was chosen (in a menu), what is ready is that one. A machine that
 * was cut off while it fetched the kernel has not had it; the third time in a row it has: whatever it is that
 * keeps it from the end of it, the class must not try for ever.
 */
#pragma once

#include "base/vec.h"
#include "model/trial.h"
#include "serve/event.h"

#include <stddef.h>

enum { TRIAL_CUTS_MAX = 3 };

/* One kernel of one class. */
struct trial_entry {
    struct trial trial;
    uint32_t within_s;    /* what it has to ready */
    uint64_t deadline_us; /* monotonic */
    bool asked, had;      /* the machine began to fetch the kernel; has all of it */
    uint8_t cuts;         /* times it was withdrawn in the middle of the kernel */
    struct trial_entry *older, *newer;
};

struct trials {
    size_t capacity, n;
    size_t running, failed; /* of the n */
    struct trial_entry *oldest, *newest;
};
void trials_clear(struct trials *trials);

/* NULL: there was none of this kernel. */
struct trial_entry *trials_find(const struct trials *trials, const char *hardware_class,
                                const struct digest *kernel);
/* The one that this machine is in the middle of; NULL: none. */
struct trial_entry *trials_running_of(const struct trials *trials, const struct mac *mac);
/* One whose time is up; NULL: none. */
struct trial_entry *trials_overdue(const struct trials *trials, const struct moment *now);

/* Begins it, in place of an earlier one of the kernel (which must not run). NULL: memory is gone. The one
 * begun longest ago that does not run makes room. */
struct trial_entry *trials_begin(struct trials *trials, const struct moment *now, const struct trial *trial,
                                 uint32_t within_s);
/* Puts one of the store back, after those that began before it; one that runs goes on until `within_s` after
 * it began. 0; -EEXIST: there is one; -ENOMEM. */
int trials_load(struct trials *trials, const struct moment *now, const struct trial *trial,
                uint32_t within_s);

/* What an event did to a trial. */
enum trial_move {
    TRIAL_STAYS,
    TRIAL_MOVES,   /* it goes on; its stage is another one, and the store has to know it */
    TRIAL_ENDS,    /* state says how */
    TRIAL_REVIVES, /* it had failed, and is proven now */
};
/* Moves the trial that the event is of; *ret_entry is it. */
enum trial_move trials_observe(struct trials *trials, const struct event *event,
                               struct trial_entry **ret_entry);
/* It has failed, and a person wants it tried again: WITHDRAWN, with no cuts. */
void trials_forgive(struct trials *trials, const struct moment *now, struct trial_entry *entry);
/* It is over without ready: FAILED or WITHDRAWN. */
void trials_give_up(struct trials *trials, const struct moment *now, struct trial_entry *entry);
