/* The last boot of a node, as the store has it: what it booted, and how far it came. For `rambox node show`.
 */
#pragma once

#include "cli/store.h"

struct last_boot {
    struct boot boot;
    char kernel[ARTIFACT_NAME_MAX]; /* what was fetched; empty: nothing (a unified image has one inside) */
    char stage[24];                 /* the last line of its timeline */
    bool tried;                     /* it was the first boot of a kernel fitted to its hardware class */
    struct trial trial;
};

/* The store, to read; NULL when there is none, or it cannot be read, which others say. */
struct store *last_boot_store(const char *state_dir);
/* False: there is none, or no store (NULL). */
bool last_boot_read(struct store *store, const char *node, struct last_boot *ret_boot);
/* Lines for people (none for NULL), and an object. */
void last_boot_print(const struct last_boot *boot);
json_t *last_boot_to_json(const struct last_boot *boot);
