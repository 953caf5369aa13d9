/* See model/profile.h. */
#include "model/profile.h"

#include <stddef.h>

const char *const loader_words[] = {
    [LOADER_AUTO] = "auto", [LOADER_PXELINUX] = "pxelinux", [LOADER_LPXELINUX] = "lpxelinux",
    [LOADER_IPXE] = "ipxe", [LOADER_GRUB] = "grub",         [LOADER_UNIFIED] = "unified",
    [LOADER_SHIM] = "shim", [LOADER_SHIM + 1] = NULL,
};

const char *loader_name(enum loader loader)
{
    return loader_words[loader];
}
