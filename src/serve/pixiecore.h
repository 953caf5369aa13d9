/* A boot as pixiecore's API tells it (`GET /v1/boot/MAC`), for loaders that speak that: one JSON object.
 *
 *     {"kernel":"/g12/kernel/smallest","initrd":["/g12/image/smallest"],"cmdline":"rw ..."}
 *
 * Its URLs are relative to where it was asked, which the API allows. */
#pragma once

#include "serve/describe.h"

#include <stddef.h>

/* Renders it; the text is the caller's. 0; -ENOMEM; -EINVAL: the command line holds `{{`, which pixiecore
 * replaces. */
int pixiecore_render(const struct boot_description *description, char **ret_text, size_t *ret_size);
