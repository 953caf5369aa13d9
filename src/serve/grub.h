/* GRUB's configuration: one entry, started at once. Its paths are without a device, so that GRUB goes on with
 * the one ($root) that the configuration came from, or with HTTP when that was TFTP and GRUB has both.
 *
 * The words of the command line stand in single quotes, within which GRUB replaces nothing. GRUB itself puts
 * quotes around a word that holds blanks, and a backslash before each quote and backslash in it: so
 * `name="a b"` is handed to it as one word, without its quotes. */
#pragma once

#include "serve/describe.h"

#include <stddef.h>

/* Renders the configuration; the text is the caller's. 0; -ENOMEM; -EINVAL: the command line holds a
 * backslash, a single quote or a quote without its end, which would not reach the kernel as they are. */
int grub_render(const struct boot_description *description, char **ret_text, size_t *ret_size);
