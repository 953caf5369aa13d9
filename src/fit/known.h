/* Devices that no list of aliases names: what the kernel drives by itself, always or with a symbol that
 * cannot be a module, and what needs no driver at all. From the kernel's sources and the specifications of
 * PCI and ACPI.
 */
#pragma once

struct known_device {
    const char *pattern; /* of its modalias */
    const char *driver;  /* its name, or NULL: it needs none */
    const char *symbols; /* that build the driver, separated by blanks; NULL: it is always there */
    const char *why;     /* one clause */
    int first;           /* before any module that also matches */
};

/* NULL: not known. `first`: only those that come before modules. */
const struct known_device *known_device(const char *modalias, int first);

/* What devices on PCI count on beside their drivers: without the bus's workarounds some of them do not start,
 * and those for certain machines go by the name that their firmware has. Virtual devices need neither. */
extern const struct known_device pci_workarounds;

/* What sort of device a driver is for, by its place in the tree: network, wireless, storage, usb, input,
 * graphics, sound, ...; `platform` for the rest. */
const char *driver_kind(const char *object);
/* Every kind that may be left out, ends with NULL. */
extern const char *const driver_kinds[];

/* Drivers for what hangs on a bus whose devices the source cannot see (lspci shows no disks and no
 * keyboards): when a driver below `prefix` is wanted and no device on `bus` is known, `module` is wanted too.
 */
struct behind_bus {
    const char *prefix, *bus, *module, *why;
};
extern const struct behind_bus behind_buses[]; /* ends with prefix NULL */
