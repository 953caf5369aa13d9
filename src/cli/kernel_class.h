/* rambox kernel fit --class: a kernel for each class of hardware that nodes have reported.
 *
 * A class kernel is an ordinary definition, kernels/class-ID.yaml with the drivers in
 * kernels/class-ID.config. The definition is written last, when its kernel is built, so that a server that
 * watches the folder can publish it at once; nodes whose profile says `kernel: fitted` get it from then on
 * (serve/fitted.h).
 */
#pragma once

#include "cli/command.h"

struct class_request {
    const char *class;   /* its digits, the first of them, or `all`: those that have no kernel yet */
    bool follow;         /* with `all`: goes on for those that come, until the process is told to end */
    int nice;            /* priority, 0 to 19 */
    const char *modules; /* as in struct fit_options */
    const char *const *only, *const *without;
};

/* Does it at that priority, and with that of the idle for the disk. 0, or 1 after saying what is wrong; with
 * `follow`, a class whose kernel cannot be had is said and left, and it does not return. */
int fit_classes(struct context *context, const struct class_request *request);
