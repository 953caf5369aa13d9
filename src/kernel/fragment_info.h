/* What a kernel fragment says of itself in the comment that it begins with:
 *
 *     # NAME: what it is for, in words.
 *     # Needs OTHER[, OTHER][ and OTHER].
 *     # Costs N bytes of bzImage and M bytes of RAM.        as measured; or, as estimated,
 *     # Costs about N bytes of bzImage and M bytes of RAM.
 *
 * Each sentence may stand anywhere in it, over several lines; what a person writes into a fragment of their
 * own need not have any of them.
 */
#pragma once

#include "base/vec.h"
#include "build/env.h"

#include <stdint.h>

struct fragment_info {
    char *name;
    char *file;    /* where it is */
    char *purpose; /* without the two sentences below; NULL: it does not say */
    VEC(char *) needs;
    enum { COST_NOT_KNOWN, COST_ESTIMATED, COST_MEASURED } cost;
    int64_t image_bytes, ram_bytes; /* what it adds; negative where it saves */
    bool own;                       /* the user's, in CONFIG_DIR/kernels */
};

struct fragment_list {
    VEC(struct fragment_info) items; /* by name */
};
void fragment_list_free(struct fragment_list *list);
static inline void fragment_list_cleanup(struct fragment_list *list)
{
    fragment_list_free(list);
}
#define cleanup_fragment_list __attribute__((cleanup(fragment_list_cleanup)))

/* Reads the comment of a fragment's text; name and file are left to the caller. Anything is a fragment. */
void fragment_info_parse(const char *text, struct fragment_info *ret_info);
void fragment_info_clear(struct fragment_info *info);

/* All that kernel definitions may name: those of share/fragments, and the user's, which come in their place
 * where they have the same name. 0 or -errno with a diagnostic. */
int fragment_list_read(const struct build_env *env, struct fragment_list *ret_list);
