/*
 * What the machine is made of: the devices of every bus with their drivers, what the firmware calls the
 * machine, and which files of firmware the kernel missed.
 *
 * inventory_parse.c is pure: texts in, a value and JSON out. inventory.c reads /sys and the kernel's log.
 * Nothing here allocates; what does not fit is left out, and `incomplete` says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "init/text.h"

#define INVENTORY_DEVICES  2048
#define INVENTORY_FIRMWARE 64
#define INVENTORY_TEXT     131072 /* bytes of all texts together; machines need 5 to 60 KB */
#define INVENTORY_MODALIAS 4096   /* bytes of one modalias; a page of /sys */
#define INVENTORY_PATH     1024   /* bytes of a path below /sys/devices */

/* How much is left out, so that the JSON fits: see inventory_json(). */
#define INVENTORY_LEVELS 4

/* Texts are offsets into `text`; 0 is none. */
struct inventory_device {
    uint32_t modalias, where, driver;
};

enum inventory_name {
    INVENTORY_VENDOR,
    INVENTORY_PRODUCT,
    INVENTORY_VERSION,
    INVENTORY_BOARD,
    INVENTORY_BIOS,
    INVENTORY_NAMES
};

struct inventory {
    char arch[16]; /* as uname -m has it */
    bool efi;
    bool incomplete;
    char names[INVENTORY_NAMES][128]; /* DMI; empty: not said */
    unsigned device_count, firmware_count;
    struct inventory_device devices[INVENTORY_DEVICES];
    uint32_t firmware[INVENTORY_FIRMWARE];
    uint32_t used; /* of `text`, whose first byte is the empty text */
    char text[INVENTORY_TEXT];
};

/* Makes it empty. */
void inventory_start(struct inventory *inventory);

/*
 * Adds a device; a driver that is NULL or empty is none. A modalias that is there already stays one device:
 * without a driver if any of them has none, so that what is missing shows. But firmware's tables (acpi:)
 * describe devices that are bound where they are, so there one driver is enough. Texts are cleaned
 * (inventory_clean); a modalias without a bus is passed over.
 */
void inventory_add(struct inventory *inventory, const char *modalias, const char *where, const char *driver);

/* Takes from a text of the kernel's log what the firmware loader did not find, each name once. */
void inventory_add_firmware(struct inventory *inventory, const char *log);

/* Takes the newline and blanks at the end away, and makes everything but printable ASCII a `?`. */
void inventory_clean(char *text);

/*
 * Adds the object of serve/report.h's "hardware". Level 0 says all; 1 leaves out what no driver is chosen by
 * (processors, names), 2 also modaliases of more than 200 bytes, 3 all but PCI, USB, virtio and what firmware
 * describes. Above 0, "incomplete" is said.
 */
void inventory_json(const struct inventory *inventory, int level, struct text *text);

/* Adds what `sys` (/sys) tells: devices, names, firmware's kind; and the architecture of the kernel. */
void inventory_read_sys(struct inventory *inventory, const char *sys);

/* Adds the firmware that the last `size` bytes of the kernel's log miss; `scratch` is room for them. */
void inventory_read_log(struct inventory *inventory, char *scratch, size_t size);
