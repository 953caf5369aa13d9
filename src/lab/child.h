/* Programs that run beside us for a while: the server, the virtual machines.
 *
 * A child does not outlive this process: the kernel kills it when the thread that started it ends, however it
 * ends (PR_SET_PDEATHSIG; a child that changes its user loses that, see lab_enter). It is in a process group
 * of its own, so that Ctrl-C in the terminal reaches us alone and we stop things in order. base/process.h is
 * for programs that run to their end.
 */
#pragma once

#include "base/diag.h"

#include <stddef.h>
#include <sys/types.h>

struct lab_child {
    pid_t pid;  /* 0: none, or it has ended and was waited for */
    int output; /* what it prints on stdout and stderr: non-blocking, ours to read; -1: none */
    int status; /* once it has ended: 0..255, 128 + N when signal N ended it */
};
#define LAB_CHILD_NONE ((struct lab_child){.output = -1})

struct lab_child_spec {
    const char *const *argv; /* ends with NULL; argv[0] is a path, or is looked up as in base/process.h */
    const char *const *extra_env; /* NAME=VALUE, ends with NULL; NULL: none */
    const int *fds; /* descriptors that it gets under the same numbers; everything else is closed */
    size_t fd_count;
};

/* Starts it. 0; -ENOENT when there is no such program; -errno; with a diagnostic. */
int lab_child_start(const struct lab_child_spec *spec, struct diags *diags, struct lab_child *ret_child);

/* True while it runs. The first call that finds it ended collects its status. */
bool lab_child_running(struct lab_child *child);

/* Ends it: SIGTERM, SIGKILL after `grace_ms`, and closes its output. What it printed last is lost: read it
 * before. Harmless on LAB_CHILD_NONE and when called twice. */
void lab_child_end(struct lab_child *child, unsigned grace_ms);
