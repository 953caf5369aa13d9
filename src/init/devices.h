/*
 * Device nodes, by the device manager that /etc/sysconfig/devices names in its first word.
 *
 *   devtmpfs   the kernel makes and removes the nodes (also when the file is missing)
 *   mdev       mdev makes them at boot and then listens to the kernel
 *   hotplug    mdev makes them at boot, and the kernel starts it for each event
 *
 * On a kernel without devtmpfs, `devtmpfs` falls back to one run of mdev.
 */
#pragma once

#include <sys/types.h>

enum device_manager {
    DEVICES_DEVTMPFS,
    DEVICES_MDEV,
    DEVICES_HOTPLUG,
};

struct devices {
    enum device_manager manager;
    pid_t listener; /* the listening mdev, or 0 */
};

/* Pure: reads the file's text, where # starts a comment. Returns 0, or -EINVAL for a manager that is not
 * listed. */
int devices_parse(const char *text, enum device_manager *ret);

/* Starts the manager and says what failed. */
void devices_start(struct devices *devices);

/* No more nodes from now on; harmless when nothing runs. */
void devices_stop(struct devices *devices);
