/* The machines that reported their hardware, as the store of the state folder has them. */
#pragma once

#include "cli/store.h"

/* One of them. */
struct seen_machine {
    struct mac mac;
    char node[64]; /* its name when it reported; empty: none */
    char class[MACHINE_CLASS_SIZE];
    int64_t at_us;
    uint64_t boot;
    char *json; /* NULL: not wanted */
};

struct seen_machines {
    VEC(struct seen_machine) list; /* by class, then by node */
    VEC(struct trial) trials;      /* by class, the newest first */
};
void seen_machines_free(struct seen_machines *machines);
static inline void seen_machines_cleanup(struct seen_machines *machines)
{
    seen_machines_free(machines);
}
#define cleanup_seen_machines __attribute__((cleanup(seen_machines_cleanup)))

/* Of which machines the hardware itself is read: it is 5 to 30 KB each, and there may be ten thousand. */
struct seen_wanted {
    bool newest;           /* of each class the one that reported last */
    const char *class;     /* all of this class */
    const struct mac *mac; /* this one */
};

/* Reads them all; none when there is no store. 0, or 1 after saying what is wrong. */
int seen_machines_read(const struct context *context, const char *state_dir, const struct seen_wanted *wanted,
                       struct seen_machines *ret_machines);
/* 0, or 1 after saying that the store has something else there. */
int seen_machine_parse(const struct seen_machine *seen, struct machine *ret_machine);

/* What is with the kernel of a class: `none`, `built`, `trial`, `proven`, `failed`. `generation`, the current
 * one, may be NULL; *ret_trial: of that kernel, NULL when it was not tried. */
struct generation;
const char *class_kernel_state(const struct seen_machines *machines, const struct generation *generation,
                               const char *class, const struct trial **ret_trial);
