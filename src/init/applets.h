/*
 * BusyBox's applets as links (H16), as `busybox --install -s` makes them but in a third of the time: BusyBox
 * lists them while init does something else, and init makes the links itself.
 */
#pragma once

#include <sys/types.h>

struct applets {
    pid_t lister; /* 0: no BusyBox in the image */
    int list;     /* the file it writes: a path without its first slash on each line */
};

/* Starts BusyBox listing its applets. Returns 0, also when the image has no BusyBox, or -errno. */
int applets_start(struct applets *applets);

/*
 * Links every applet to /bin/busybox; a name that exists stays as it is. A BusyBox that cannot list is asked
 * to install. Says what failed. Call it once, before the first applet is needed.
 */
void applets_finish(struct applets *applets);
