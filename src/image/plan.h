/* A definition to the file tree of its image.
 *
 * The tree is put together in this order, a later part replacing what an earlier one put:
 *   1. the base (H12 to H17: folders, profile, fstab, accounts, scripts), itself a definition
 *      (share/image/base.yaml), and what depends on the definition: hostname, hosts, timezone and localtime
 *      (H15), the device manager (H20);
 *   2. BusyBox as /bin/busybox, and /bin/sh (H16);
 *   3. the first program as /init; rambox's own is /sbin/init and /sbin/rambox-report too;
 *   4. the definition's entries, in order.
 */
#pragma once

#include "build/env.h"
#include "image/tree.h"
#include "model/image.h"

/* What an image is made of besides its definition. */
struct image_inputs {
    const struct image_def *base; /* entries that images with `base: true` begin with */
    const char *init;             /* rambox's own first program, for env->arch */
    uint64_t memory;              /* smallest RAM budget of the profiles that use the image, bytes; 0: none */
    uint32_t mtime;               /* time of every file, Unix time */
};

/* Fetches and builds what is needed. 0 and the tree, sorted; -errno with diagnostics. */
int image_plan(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
               struct tree **ret_tree);
