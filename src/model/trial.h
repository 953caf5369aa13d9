/* A trial: the first boot of a kernel that was fitted to a hardware class, by one node of that class. */
#pragma once

#include "base/addr.h"
#include "base/hash.h"
#include "model/machine.h"

enum trial_state {
    TRIAL_RUNNING,
    TRIAL_PROVEN,    /* the machine reported ready */
    TRIAL_FAILED,    /* it had the kernel and did not in its time, or began another boot */
    TRIAL_WITHDRAWN, /* it never had the kernel: the next boot of the class tries it */
};
/* `trial`, `proven`, `failed`, `withdrawn`. */
const char *trial_state_name(enum trial_state state);
/* The same as an end of a sentence about the kernel: `it is proven`, `a machine is trying it`. */
const char *trial_state_words(enum trial_state state);

struct trial {
    char class[MACHINE_CLASS_SIZE];
    struct digest kernel; /* of the artifact */
    enum trial_state state;
    struct mac mac;             /* who tries it */
    char node[64];              /* its name; empty: it has none */
    uint64_t boot;              /* the boot that is the trial */
    int64_t begun_us, ended_us; /* Unix time, microseconds; ended 0: it runs */
    char stage[24];             /* the last one seen */
};
