/*
 * Kernel modules, for kernels that have their drivers in them (the distribution's): loaded by what devices
 * ask for, from the archive beside the image (moduleindex.h). With a kernel that has all inside, and no
 * archive, nothing happens here.
 */
#pragma once

#include <sys/types.h>

#include "init/timeline.h"

struct modules {
    pid_t listener; /* loads for devices that come later; 0: none */
};

/*
 * Loads what is to be loaded at once, then for the devices that are there, and for those that appear by that.
 * Marks the stage `modules`, with how many, and says what failed. Leaves a child that goes on for what comes
 * later: a disk behind a controller, a card that is plugged in.
 */
void modules_start(struct modules *modules, struct timeline *timeline);

/* No more modules from now on; harmless when nothing runs. */
void modules_stop(struct modules *modules);
