/* H9, H11: PXELINUX's configuration, answered from the model.
 *
 * PXELINUX asks for `pxelinux.cfg/` and in this order: the system's UUID (lower case, with dashes), `01-` and
 * its MAC, its address as eight hexadecimal digits, the same with digits dropped from the right, `default`.
 * The first that is answered counts. Answered are: the UUID and the MAC of a node; the whole address of a
 * node or of a machine that a subnet allows; of the shorter ones those that cover a whole subnet; and
 * `default`. The shorter ones and `default` are answered for the machine that asks, by its own address, so
 * that one text never fits all.
 */
#pragma once

#include "serve/describe.h"

#include <stddef.h>

/* Who is meant by a name beneath `pxelinux.cfg/`. `asker` is who asks, as far as it is known: node and mac by
 * its boot, ip its source address. Fills node, ip and mac of *ret_client and leaves its other fields alone. 0
 * or -ENOENT. */
int pxelinux_resolve(const struct generation *generation, const char *name, const struct boot_client *asker,
                     struct boot_client *ret_client);

/* Renders the configuration; the text is the caller's. 0 or -ENOMEM. */
int pxelinux_render(const struct boot_description *description, char **ret_text, size_t *ret_size);

/* `pxelinux.cfg/01-52-54-00-12-34-56`: sent as option 209 to spare the probes before it. */
#define PXELINUX_NAME_MAX 40
const char *pxelinux_config_name(const struct mac *mac, char buf[static PXELINUX_NAME_MAX]);
