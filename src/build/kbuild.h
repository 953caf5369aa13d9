/* Builds in a Kconfig tree, out of tree: the kernel, and BusyBox, which uses an older Kconfig.
 *
 * A configuration is `allnoconfig` plus the lines asked for, so nothing comes in uninvited. Afterwards every
 * line asked for is looked up in the result; one that is not there is named with the reason. The build folder
 * is kept, so that a small change compiles little.
 */
#pragma once

#include "build/env.h"
#include "build/fragment.h"
#include "build/kconfig.h"

struct kbuild {
    const char *label;            /* `kernel smallest`: begins every message */
    const char *out;              /* build folder, absolute; made when missing */
    struct kconfig_tree tree;     /* its `out` is not used: the above is */
    bool old_kconfig;             /* BusyBox's: allnoconfig there knows no KCONFIG_ALLCONFIG that works */
    const char *const *make_args; /* such as `CC=musl-gcc`; ends with NULL; may be NULL */
    const char *const *make_env;  /* NAME=VALUE to add to make's environment; ends with NULL; may be NULL */
    const char *log;              /* file that gets all output; begun anew by kbuild_configure */
    unsigned expected_steps;      /* lines that it will print, roughly, for the progress; 0: not known */
};

/* Configures `b->out`. 0; -errno with diagnostics, -EINVAL when symbols did not survive (each named). */
int kbuild_configure(const struct kbuild *b, const struct build_env *env, const struct fragments *f);

/* Compares what was asked for with a .config. 0, or -EINVAL with one diagnostic for each symbol that differs.
 */
int kbuild_check(const struct kbuild *b, const struct build_env *env, const struct fragments *f);

/* Runs make for one target, with progress. 0 with the number of its steps; -errno with the last lines of
 * output and the log's path. */
int kbuild_make(const struct kbuild *b, const struct build_env *env, const char *target, unsigned *ret_steps);

/* Lets a person edit the configuration with the tree's own program (`menuconfig`) on our terminal, and hands
 * back what changed, as lines for a fragment (empty: nothing). 0; -errno with diagnostics. */
int kbuild_edit(const struct kbuild *b, const struct build_env *env, const char *program,
                char **ret_fragment);
