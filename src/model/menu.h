/* A boot menu: what a person at the machine may choose instead of what its profile boots. */
#pragma once

#include "base/diag.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define MENU_TITLE_MAX 60 /* characters */
#define MENU_ENTRIES   16 /* besides the profile itself */

/* One of the three. */
struct menu_entry {
    char *title;
    char *profile; /* boots what this profile boots, but no menu of its own */
    char *file;    /* a program of the loader folders that the boot program starts as it is, such as a memory
                      test */
    bool local;    /* gives the machine to its own disk */
    struct pos pos;
};

struct menu {
    bool shown; /* false: the profile has none, and boots at once */
    uint32_t
        timeout_s; /* after so many seconds without a key the profile itself is booted; 0: never by itself */
    VEC(struct menu_entry) entries;
};
void menu_clear(struct menu *menu);
