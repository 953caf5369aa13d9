/* A machine: what a node reported of its hardware, and the class it forms with others that are made of the
 * same.
 *
 * As JSON, in reports (`facts.hardware`), in the store and for people:
 *
 * {"arch":"x86_64","efi":false,"dmi":{"vendor":"..","product":"..","version":"..","board":"..","bios":".."},
 *  "devices":[{"modalias":"pci:v00008086d...","where":"pci0000:00/0000:00:03.0","driver":"e1000e"}],
 *  "missing_firmware":["rtl_nic/rtl8168h-2.fw"],"incomplete":true}
 *
 * Only arch and devices must be there. Keys we do not know are passed over. Texts are at most
 * MACHINE_TEXT_MAX bytes, those of dmi and the names of drivers and firmware MACHINE_NAME_MAX, all without
 * control characters; at most MACHINE_DEVICES_MAX devices and MACHINE_FIRMWARE_MAX files.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "model/arch.h"

#include <jansson.h>

enum {
    MACHINE_CLASS_SIZE = 13, /* with the NUL */
    MACHINE_TEXT_MAX = 4095,
    MACHINE_NAME_MAX = 255,
    MACHINE_DEVICES_MAX = 2048,
    MACHINE_FIRMWARE_MAX = 256,
    MACHINE_ERROR_MAX = 128,
};

struct machine_device {
    char *modalias;
    char *where;  /* its path below /sys/devices; NULL: not said */
    char *driver; /* NULL: unbound */
};

struct machine {
    enum cpu_arch arch;
    bool efi;                                        /* its firmware is UEFI */
    bool incomplete;                                 /* there was more than a report can say */
    char *vendor, *product, *version, *board, *bios; /* DMI; NULL: not said */
    VEC(struct machine_device) devices;
    VEC(char *) missing_firmware; /* files that its kernel asked for and did not find */
};
void machine_clear(struct machine *m);
static inline void machine_cleanup(struct machine *m)
{
    machine_clear(m);
}
#define cleanup_machine __attribute__((cleanup(machine_cleanup)))

/* The hardware class: 12 hexadecimal digits. It depends on the architecture and on what is on the PCI bus; of
 * a machine without one, on what its firmware's tables describe. So it is the same whatever kernel the
 * machine runs, whatever is plugged in outside and whatever its firmware calls it. Devices that a driver
 * brings forth on PCI (behind Intel's VMD) do not count. */
void machine_class(const struct machine *m, char ret[static MACHINE_CLASS_SIZE]);
/* True for 12 lower-case hexadecimal digits. */
bool is_machine_class(const char *text);

/* What people call it: `Dell Inc. PowerEdge R640`; `no name` when its DMI says nothing of use. */
void machine_label(const struct machine *m, struct str *out);
/* The same without an allocation that could end the program: cut to the size. Returns buf. */
const char *machine_label_cut(const struct machine *m, char *buf, size_t size);

/* Whether a device is driven. Bridges, memory and the like need no driver; what firmware describes and what
 * drivers make themselves (`acpi:`, `platform:`, `input:`, ...) stands for hardware that is counted where it
 * is, and needs none either. */
enum machine_driven { MACHINE_DRIVEN, MACHINE_UNDRIVEN, MACHINE_NEEDS_NONE };
enum machine_driven machine_device_driven(const struct machine_device *device);
/* Whether it hangs on a bus whose devices people count: PCI, USB, virtio and those of hypervisors. */
bool machine_device_counts(const struct machine_device *device);
struct machine_counts {
    unsigned devices, undriven;
};
struct machine_counts machine_count(const struct machine *m);

/* JSON to a machine. 0, and *ret is the caller's (machine_clear); -EINVAL with `error`, which names the field
 * and what was expected (`devices[2].modalias: expected ...`); -ENOMEM. */
int machine_parse(const json_t *object, struct machine *ret, char *error, size_t error_size);
/* The way back; a new reference, NULL when memory is gone. */
json_t *machine_to_json(const struct machine *m);
