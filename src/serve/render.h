/* What a loader reads, as a text made from what a node boots: what the writers of all loaders share. */
#pragma once

#include "serve/describe.h"

#include <stdio.h>

/* The text that `write` writes; the caller's, with a NUL behind it. 0; what `write` returned below 0;
 * -ENOMEM. */
int render_text(int (*write)(FILE *out, const struct boot_description *d), const struct boot_description *d,
                char **ret_text, size_t *ret_size);
