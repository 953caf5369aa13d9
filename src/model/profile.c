/* See model/profile.h. */
#include "model/profile.h"

#include <stddef.h>
#include <stdlib.h>

const char *const loader_words[] = {
    [LOADER_AUTO] = "auto", [LOADER_PXELINUX] = "pxelinux", [LOADER_LPXELINUX] = "lpxelinux",
    [LOADER_IPXE] = "ipxe", [LOADER_GRUB] = "grub",         [LOADER_UNIFIED] = "unified",
    [LOADER_SHIM] = "shim", [LOADER_SHIM + 1] = NULL,
};

void menu_clear(struct menu *menu)
{
    VEC_EACH(entry, &menu->entries) {
        free(entry->title);
        free(entry->profile);
        free(entry->file);
    }
    VEC_FREE(&menu->entries);
}

const char *loader_name(enum loader loader)
{
    return loader_words[loader];
}
