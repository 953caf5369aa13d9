/* Which kernel a node of a fitted profile boots: by its hardware class, and by what is known of that class's
 * kernels. A kernel that has brought no machine to ready yet is tried by one machine at a time
 * (serve/trials.h); the others of its class get what worked before:
 *
 *     `class-CLASS`           proven; or unproven, and this boot is, or becomes, its trial
 *     `class-CLASS.before`    proven
 *     the discovery kernel    everything else
 *
 * A machine that fetched all of a proven kernel and was not heard of in that boot gets the discovery kernel
 * in the next one, and after the second time for good, as long as the kernel is the same and this process
 * runs.
 *
 * A boot gets the same answer whenever and however it asks, as long as its trial has not ended badly and the
 * generation has the kernel. What is known is of a class and a digest: a kernel that is built anew is another
 * one.
 *
 * No clock, no store, no I/O. Safe from any thread: every call takes a lock for a look-up. EVENT_TRIAL tells
 * what begins, goes on and ends. */
#pragma once

#include "model/generation.h"
#include "model/trial.h"
#include "serve/event.h"

struct fitted;

struct fitted_config {
    size_t machines; /* whose class is remembered, those heard of last; 0: 16,384 */
    size_t trials;   /* 0: 1,024 */
    uint64_t (*random)(void *user);
    void *user;
    struct event_sink *sink; /* gets EVENT_TRIAL; called without the lock held, one after the other in the
                                order in which it happened, from whichever thread is at it */
};

/* NULL when memory is gone. `config` is copied. */
struct fitted *fitted_new(const struct fitted_config *config);
void fitted_free(struct fitted *fitted);

/* What the machine is made of, as it reported in this boot (0: not known) or as the store has it. */
void fitted_machine(struct fitted *fitted, const struct mac *mac, uint64_t boot, const char *hardware_class);
/* The same, as anybody may have said it: believed only of a machine of which nothing is known, and no other
 * one is forgotten for it. */
void fitted_hearsay(struct fitted *fitted, const struct mac *mac, const char *hardware_class);
/* Its class; false: not known. */
bool fitted_class(struct fitted *fitted, const struct mac *mac, char ret_class[static MACHINE_CLASS_SIZE]);
/* A trial of the store, at the start, after those that began before it. One that runs goes on until
 * `within_s` after it began. */
void fitted_trial(struct fitted *fitted, const struct moment *now, const struct trial *trial,
                  uint32_t within_s);
/* Every trial, as it is now. `each` must not call anything of this. */
void fitted_each_trial(struct fitted *fitted, void (*each)(void *user, const struct trial *trial),
                       void *user);
/* Whether this kernel has brought a machine of the class to ready. `fitted` is a struct fitted, see struct
 * artifact_source. */
bool fitted_proven(void *fitted, const char *hardware_class, const struct digest *kernel);

struct fitted_request {
    const struct generation *generation;
    struct mac mac;
    uint64_t boot;     /* 0: not known; then the machine goes by its MAC alone */
    const char *node;  /* its name; NULL: it has none */
    uint32_t within_s; /* what a trial has to ready */
    bool looks;        /* only looked at, or asked for a boot that has its kernel: begins no trial */
};
struct fitted_choice {
    char kernel[ARTIFACT_NAME_MAX]; /* name of the artifact; empty: the profile's discovery kernel */
    uint32_t trial_s;               /* 0: this boot is no trial */
};
void fitted_kernel(struct fitted *fitted, const struct moment *now, const struct fitted_request *request,
                   struct fitted_choice *ret_choice);

/* A person wants the kernel that the generation has for this class tried again, by the class, or by the
 * machines of it that did without it. 0; -ENOENT: it has none; -EALREADY: it has not failed. *ret_trial: as
 * it is now, also with -EALREADY, where `kernel` is all zero when it was not tried. */
int fitted_retry(struct fitted *fitted, const struct moment *now, const struct generation *generation,
                 const char *hardware_class, struct trial *ret_trial);

/* Moves the trial that the event is of. The daemon's sink calls it with every event, after it has told of it.
 */
void fitted_observe(struct fitted *fitted, const struct event *event);
/* Ends the trials whose time is up. Called every few seconds. */
void fitted_tick(struct fitted *fitted, const struct moment *now);
