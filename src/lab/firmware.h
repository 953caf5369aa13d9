/* The firmwares that a virtual machine can have: one table, with what QEMU needs for each.
 *
 * Each has one way to boot, the network by IPv4, so that a boot that fails is over soon and what is measured
 * is one try. Nothing of it comes with rambox: the images are those of the distribution's packages.
 */
#pragma once

#include "base/diag.h"
#include "lab/accel.h"

#include <stdbool.h>
#include <stdint.h>

enum lab_firmware {
    LAB_FIRMWARE_BIOS,   /* SeaBIOS; the card's iPXE ROM is PXE stack and iPXE in one */
    LAB_FIRMWARE_UEFI,   /* OVMF with its own network stack */
    LAB_FIRMWARE_SECURE, /* the same, which starts only what is signed: by Microsoft's keys, or by those of a
                            variable store that is handed in */
    LAB_FIRMWARE_ARM64,  /* AAVMF with its own network stack, on a 64-bit Arm machine */
    LAB_FIRMWARES
};

/* How UEFI's own network stack gets its first file. BIOS knows PXE alone. */
enum lab_method { LAB_METHOD_PXE, LAB_METHOD_HTTP };
int lab_method_parse(const char *word, enum lab_method *ret_method); /* `pxe`, `http`: 0 or -EINVAL */

/* A row of the table. */
struct lab_firmware_info {
    const char *word;            /* for options: `bios`, `uefi`, ... */
    const char *name;            /* for people: `SeaBIOS`, `OVMF`, ... */
    const char *program;         /* QEMU's */
    const char *program_package; /* has it */
    const char *machine;         /* for -machine */
    const char *cpu;             /* for -cpu; NULL: QEMU's default */
    const char *code;            /* the image in flash; NULL: SeaBIOS, which comes with QEMU */
    const char *variables;       /* what a machine's variable store begins as; NULL: it has none */
    const char *package;         /* has both; NULL: none is needed */
    const char *const *extra;    /* more words for QEMU, ends with NULL; NULL: none */
    const char *console;         /* what the kernel calls the serial port */
    uint64_t memory;             /* bytes with which it boots a small kernel and image */
};
const struct lab_firmware_info *lab_firmware_info(enum lab_firmware firmware);
int lab_firmware_parse(const char *word, enum lab_firmware *ret_firmware); /* 0 or -EINVAL */

/* Whether all of it is installed. 0, or -ENOENT with a diagnostic for each file that is missing, and its
 * package. */
int lab_firmware_check(enum lab_firmware firmware, struct diags *diags);

/* What the processor of a machine with this firmware is run by: lab_accel_resolve, but translation for
 * another architecture than x86. */
enum lab_accel lab_firmware_accel(enum lab_firmware firmware, enum lab_accel accel);

/* A variable store of one machine's own, in memory: a copy of the file `store`, or with NULL of the table's.
 * 0 and a descriptor (O_CLOEXEC) that reads and writes, -1 for firmware without one; -errno with a
 * diagnostic. */
int lab_firmware_variables(enum lab_firmware firmware, const char *store, struct diags *diags, int *ret_fd);

/* The words for QEMU that leave a firmware the one method; ends with NULL. */
const char *const *lab_method_words(enum lab_firmware firmware, enum lab_method method);
