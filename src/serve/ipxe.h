/* iPXE's scripts. Every iPXE begins with the same one, which says who it is (`/ipxe?mac=...&uuid=...`) and is
 * answered with its own:
 *
 *     #!ipxe
 *     # n1, generation 12
 *     kernel --name kernel /g12/kernel/smallest initrd=image rw ip=... || goto failed
 *     initrd --name image /g12/image/smallest || goto failed
 *     boot || goto failed
 *
 * Paths are without a server, so that iPXE goes on with the one, and the protocol, that the script came by.
 * What fails is tried again, from the first script on, so that what was corrected meanwhile counts.
 */
#pragma once

#include "serve/describe.h"

#include <stddef.h>

#define IPXE_ENTRY  "boot.ipxe"
#define IPXE_SCRIPT "ipxe" /* the machine's own, of whoever asks */

/* Both texts are the caller's. */

/* The first script. `base`: where the server is, `http://192.168.7.1:8069`, or empty for where the script
 * came from. 0 or -ENOMEM. */
int ipxe_render_entry(const char *base, char **ret_text, size_t *ret_size);

/* The machine's own. 0; -ENOMEM; -EINVAL: iPXE would not hand the command line on as it is: it replaces `${`,
 * and takes the words `||`, `&&` and `;` for its own, and knows no way to write them otherwise. */
int ipxe_render(const struct boot_description *description, char **ret_text, size_t *ret_size);
