/* What the Raspberry Pi's own firmware asks for by TFTP, from its third model on. It knows no boot file: it
 * asks for its parts by fixed names, first with a folder before each, and without one when its firmware is
 * not there.
 *
 *     SERIAL/start4.elf, SERIAL/config.txt, SERIAL/fixup4.dat, SERIAL/bcm2711-rpi-4-b.dtb, ...
 *
 * SERIAL are the last eight digits of its serial number, or its MAC address with hyphens, as it is set up.
 * The same files are behind all of them: firmware and device trees come from the loader folders, config.txt
 * and cmdline.txt are generated for whoever asks, and kernel and ramdisks are the artifacts that config.txt
 * names.
 */
#pragma once

#include "serve/describe.h"

#include <stddef.h>

#define RASPBERRY_CONFIG_NAME "config.txt"

enum raspberry_file {
    RASPBERRY_NONE,     /* none of its names */
    RASPBERRY_CONFIG,   /* config.txt: generated */
    RASPBERRY_CMDLINE,  /* cmdline.txt: generated */
    RASPBERRY_FIRMWARE, /* start4.elf, fixup4.dat, bootcode.bin, ...: of package raspi-firmware */
    RASPBERRY_TREE,     /* bcm2711-rpi-4-b.dtb, overlays/NAME.dtbo: of the kernel */
    RASPBERRY_OPTIONAL, /* asked for by each, and mostly not there */
};
enum raspberry_file raspberry_file_of(const char *name);

/* The name without the machine's folder, when what is behind that is one of its files or an artifact; else
 * the name. Points into it. */
const char *raspberry_strip(const char *name);

/* Why a file of this kind is not there and where it comes from: static text for the log. */
const char *raspberry_missing(enum raspberry_file file);

/* Render the two; the text is the caller's. 0; -ENOMEM; -ENAMETOOLONG: a line of config.txt would be longer
 * than the 98 characters that the firmware reads. */
int raspberry_render_config(const struct boot_description *description, char **ret_text, size_t *ret_size);
int raspberry_render_cmdline(const struct boot_description *description, char **ret_text, size_t *ret_size);
