/* See lab/accel.h. */
#include "lab/accel.h"
#include "base/file.h"
#include "base/str.h"
#include "lab/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBE_MS     2000
#define FLOPPY_BYTES (1440 * 1024)
#define PROBE_VALUE  0x15                   /* what the guest writes to the debug exit port ... */
#define PROBE_STATUS (PROBE_VALUE << 1 | 1) /* ... makes QEMU exit with this status */

static const char *const names[] = {"auto", "kvm", "tcg"};

const char *lab_accel_name(enum lab_accel accel)
{
    return names[accel];
}

int lab_accel_parse(const char *name, enum lab_accel *ret_accel)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(name, names[i])) {
            *ret_accel = (enum lab_accel)i;
            return 0;
        }
    return -EINVAL;
}

/* A floppy in memory whose boot sector writes PROBE_VALUE to port 0xf4 and halts. A descriptor or -errno. */
static int probe_floppy(void)
{
    static const uint8_t code[] = {0xba, 0xf4,        0x00, /* mov dx, 0xf4 */
                                   0xb0, PROBE_VALUE,       /* mov al, PROBE_VALUE */
                                   0xee,                    /* out dx, al */
                                   0xf4};                   /* hlt */
    uint8_t sector[512] = {[510] = 0x55, [511] = 0xaa};     /* the mark of a boot sector */
    memcpy(sector, code, sizeof(code));
    cleanup_close int fd = memfd_create("probe", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, FLOPPY_BYTES) < 0)
        return -errno;
    int r = write_all(fd, sector, sizeof(sector));
    return r < 0 ? r : TAKE_FD(fd);
}

static bool kvm_runs_guests(void)
{
    cleanup_close int floppy = probe_floppy();
    if (access("/dev/kvm", R_OK | W_OK) < 0 || floppy < 0)
        return false;
    cleanup_free char *drive = xasprintf("if=floppy,format=raw,readonly=on,file=/dev/fd/%d", floppy);
    const char *const argv[] = {"qemu-system-x86_64",
                                "-accel",
                                "kvm",
                                "-smp",
                                "2",
                                "-m",
                                "16M",
                                "-nodefaults",
                                "-display",
                                "none",
                                "-no-reboot",
                                "-device",
                                "isa-debug-exit,iobase=0xf4",
                                "-drive",
                                drive,
                                NULL};
    struct lab_child guest = LAB_CHILD_NONE;
    cleanup_diags struct diags ignored = {0};
    if (lab_child_start(&(struct lab_child_spec){.argv = argv, .fds = &floppy, .fd_count = 1}, &ignored,
                        &guest) < 0)
        return false;
    int handle = (int)syscall(SYS_pidfd_open, guest.pid, 0);
    if (handle >= 0) {
        (void)poll(&(struct pollfd){.fd = handle, .events = POLLIN}, 1, PROBE_MS);
        close(handle);
    }
    bool works = !lab_child_running(&guest) && guest.status == PROBE_STATUS;
    lab_child_end(&guest, 100);
    return works;
}

enum lab_accel lab_accel_resolve(enum lab_accel accel)
{
    static enum lab_accel found = LAB_ACCEL_AUTO;
    if (accel != LAB_ACCEL_AUTO)
        return accel;
    if (found == LAB_ACCEL_AUTO)
        found = kvm_runs_guests() ? LAB_ACCEL_KVM : LAB_ACCEL_TCG;
    return found;
}
