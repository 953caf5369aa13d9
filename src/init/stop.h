/*
 * The orderly end of a node.
 */
#pragma once

#include "init/timeline.h"

/*
 * Ends the node as the signal asks, with the meanings that BusyBox's reboot, halt and poweroff give them:
 * SIGTERM and SIGINT (ctrl-alt-del) restart, SIGUSR1 halts, SIGUSR2 powers off. Reports `stopping`, ends
 * every process (SIGTERM, after 3 s SIGKILL), syncs, unmounts. Does not return.
 */
_Noreturn void stop(struct timeline *timeline, int signal);

/* Restarts the node at once. Does not return. */
_Noreturn void stop_reboot(void);
