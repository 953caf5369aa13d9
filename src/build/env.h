/* What every build needs to know: where things are kept, and whom to tell. A plain value, filled by the
 * program.
 *
 *     cache_dir/
 *         inputs/      what was fetched: packages, source packages, downloads
 *         trees/       unpacked sources, shared by all builds
 *         work/        one build folder a definition, kept so that a small change builds fast
 *         built/       what was built from which inputs: hash of all inputs -> artifact
 *         artifacts/   a copy of each of these artifacts
 *         drivers/     which drivers the distribution's kernels have (fit/catalog.h)
 *         ccache/      what ccache keeps of compilers' work, where it is installed
 *     artifact_dir/    finished files, named after their SHA-256
 */
#pragma once

#include "base/diag.h"
#include "base/progress.h"
#include "model/arch.h"

#include <stdbool.h>
#include <stdint.h>

struct build_env {
    const char *cache_dir;
    const char *artifact_dir;
    const char *share_dir;  /* fragments, kernel definitions, the BusyBox configuration */
    const char *config_dir; /* the user's definitions; NULL: none */
    enum cpu_arch arch;     /* of the node that it is for: kernels, BusyBox and init */
    unsigned jobs;          /* -jN; 0: one for each processor (H28) */
    int nice;               /* added to the priority of compilers */
    int64_t refresh;        /* fetch again what was fetched before this moment (Unix time, ns); 0: nothing */
    bool only_cached; /* fetch and build nothing: -ENOENT, without a diagnostic, for what is not there */
    struct progress *progress; /* may be NULL */
    struct diags *diags;
};

/* The number behind -j: env->jobs, or the processors this process may use. */
unsigned build_jobs(const struct build_env *env);

/* Holds what `name` stands for, such as the build of one kernel, for this process alone until the descriptor
 * is closed; waits for another one. A descriptor, or -errno with a diagnostic. */
int build_lock(const struct build_env *env, const char *name);

/* The same without waiting: -EWOULDBLOCK when another process has it, and no diagnostics. */
int build_try_lock(const struct build_env *env, const char *name);

/* A program that a build needs, and the Debian package that has it. */
struct build_tool {
    const char *program, *package;
};
/* 0, or -ENOENT with one diagnostic that names every missing package. The table ends with program NULL. */
int build_need(const struct build_env *env, const char *what, const struct build_tool *tools);

/* Runs a program quietly; its output is shown when it fails. `what` begins the messages. 0 or -errno with a
 * diagnostic. */
int build_run_tool(const struct build_env *env, const char *what, const char *const *argv);

/* Adds to a cache key what a compiler says of itself. *ret_version is the first line of that, the caller's;
 * NULL: not wanted. 0 or -errno with a diagnostic. */
struct hash;
int build_hash_compiler(const struct build_env *env, const char *compiler, struct hash *hash,
                        char **ret_version);
