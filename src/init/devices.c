/* Device managers at work; the contract is in devices.h. */
#include "init/devices.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "init/files.h"
#include "init/mounts.h"
#include "init/process.h"
#include "init/say.h"

#define MDEV       "/sbin/mdev"
#define HOTPLUG    "/proc/sys/kernel/hotplug"
#define SCAN_LIMIT 30000 /* ms */

static void scan(void)
{
    int r = files_executable(MDEV);

    if (r == 0)
        r = process_run((char *[]){MDEV, "-s", NULL}, SCAN_LIMIT);
    if (r < 0)
        say("cannot run %s: %s; no device nodes are made: put BusyBox with mdev into the image", MDEV,
            strerror(-r));
    else if (r > 0)
        say("%s -s ended with status %d: some device nodes may be missing", MDEV, r);
}

/* Without devtmpfs a shell and most programs still need these before mdev is there, or if it never is. */
static void make_basic_nodes(void)
{
    mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
    mknod("/dev/tty", S_IFCHR | 0666, makedev(5, 0));
    mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
    mknod("/dev/zero", S_IFCHR | 0666, makedev(1, 5));
    mknod("/dev/random", S_IFCHR | 0666, makedev(1, 8));
    mknod("/dev/urandom", S_IFCHR | 0666, makedev(1, 9));
    mknod("/dev/ptmx", S_IFCHR | 0666, makedev(5, 2));
}

void devices_start(struct devices *devices)
{
    char text[256];

    *devices = (struct devices){.manager = DEVICES_DEVTMPFS};
    (void)files_read("/etc/sysconfig/devices", text, sizeof(text));
    if (devices_parse(text, &devices->manager) < 0)
        say("/etc/sysconfig/devices names a device manager that is not devtmpfs, mdev or hotplug: using "
            "devtmpfs");
    if (!mounts_is_mounted("/dev")) {
        make_basic_nodes();
        if (devices->manager == DEVICES_DEVTMPFS) {
            say("the kernel has no devtmpfs: mdev makes the device nodes once; add CONFIG_DEVTMPFS to the "
                "kernel");
            scan();
        }
    }
    switch (devices->manager) {
    case DEVICES_DEVTMPFS:
        break;
    case DEVICES_MDEV:
        scan();
        devices->listener = process_start((char *[]){MDEV, "-df", NULL}, false);
        break;
    case DEVICES_HOTPLUG:
        if (files_write(HOTPLUG, MDEV) < 0)
            say("cannot write %s: devices that come later get no node; add CONFIG_UEVENT_HELPER to the "
                "kernel",
                HOTPLUG);
        scan();
        break;
    }
}

void devices_stop(struct devices *devices)
{
    int status;

    if (devices->listener > 0) {
        kill(devices->listener, SIGTERM);
        if (process_wait(devices->listener, 1000, false, &status) == -ETIMEDOUT)
            kill(devices->listener, SIGKILL);
    }
    devices->listener = 0;
    if (devices->manager == DEVICES_HOTPLUG)
        (void)files_write(HOTPLUG, "\n");
}
