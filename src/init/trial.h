/*
 * The trial of a kernel (`trial=SECONDS`): the node restarts when the server has taken no ready report in
 * that time, so that a kernel which lacks something does not leave it dark.
 *
 * A process of its own keeps the time: it goes on when process 1 hangs in the kernel (a mount that never
 * returns), waits for a device or a network that never comes, or has been replaced by another init. It needs
 * no file and no folder of the root that the node leaves. Whoever reports ready ends it, found by its name.
 */
#pragma once

#include "init/timeline.h"

/* Begins to wait, when the command line asks for a trial and not for a shell. */
void trial_start(const struct timeline *timeline);

/* The server has taken the ready report: nothing is waited for any more. */
void trial_end(const struct cmdline *cmdline);
