/* builder_build, see builder/builder.h: each kind of artifact, and its record after it. */
#include "build/sign.h"
#include "builder/builder.h"
#include "builder/context.h"
#include "builder/record.h"
#include "kernel/kernel.h"
#include "modules/archive.h"
#include "unified/unified.h"

#include <errno.h>

_Static_assert((int)IMAGE_UNCHANGED == (int)KERNEL_UNCHANGED &&
                   (int)IMAGE_UNCHANGED == (int)UNIFIED_UNCHANGED &&
                   (int)IMAGE_UNCHANGED == (int)MODULES_UNCHANGED,
               "one meaning for all");

/* The key of the record, to be taken before the build: whoever edits a file meanwhile has not got it built.
 */
static int key_of(const struct builder *b, const struct site *site, const struct digest *initramfs,
                  const struct build_item *item, struct digest *ret_key)
{
    return record_key(b, site, item->kind, item->name, item->arch, initramfs, b->env.diags, ret_key);
}

static int build_image(struct builder *b, const struct site *site, struct build_item *item)
{
    const struct image_def *def = site_image(site, item->name);
    struct build_env env = builder_env(b, item->arch, b->env.diags);
    struct image_inputs inputs = builder_image_inputs(b, site, item->name, item->arch);
    struct digest key;
    image_result_clear(&item->image); /* of an earlier round */
    int r = key_of(b, site, NULL, item, &key);
    int outcome = r < 0 ? r : image_build(&env, def, &inputs, &item->image);
    if (outcome < 0)
        return outcome;
    item->built = item->image.built;
    r = record_put(b, &key, &item->built);
    return r < 0 ? r : outcome;
}

/* The image that a kernel has inside is in the list before it. */
static int build_kernel(struct builder *b, const struct site *site, const struct build_list *list,
                        struct build_item *item)
{
    const struct kernel_def *def = site_kernel(site, item->name);
    struct build_env env = builder_env(b, item->arch, b->env.diags);
    const struct digest *initramfs = NULL;
    struct digest key;
    VEC_EACH(other, &list->items) {
        if (!def->initramfs || other->kind != ARTIFACT_IMAGE || other->arch != item->arch ||
            !str_eq(other->name, def->initramfs))
            continue;
        if (other->outcome < 0)
            return diag_error(b->env.diags, &def->pos, "kernel %s: the image %s to be built into it failed",
                              def->name, def->initramfs);
        initramfs = &other->built.artifact;
    }
    int r = key_of(b, site, initramfs, item, &key);
    int outcome = r < 0 ? r : kernel_build(def, initramfs, &env, &item->built);
    r = outcome < 0 ? outcome : sign_artifact(&site->secure_boot, &env, &item->built, &item->built);
    if (r == 0)
        outcome = 0; /* signed now */
    if (r == SIGN_NOT_NEEDED && site->secure_boot.key)
        progress_say(b->env.progress, "kernel %s: not signed: it has no EFI stub, or a signature already",
                     def->name);
    if (r >= 0)
        r = record_put(b, &key, &item->built);
    return r < 0 ? r : outcome;
}

/* The kernel is in the list before its modules; what failed there has been said. */
static int build_modules(struct builder *b, const struct site *site, const struct build_list *list,
                         struct build_item *item)
{
    VEC_EACH(other, &list->items)
        if (other->kind == ARTIFACT_KERNEL && other->arch == item->arch && str_eq(other->name, item->name) &&
            other->outcome < 0)
            return other->outcome;
    struct build_env env = builder_env(b, item->arch, b->env.diags);
    struct digest key;
    int r = key_of(b, site, NULL, item, &key);
    int outcome = r < 0 ? r : modules_build(&env, site_kernel(site, item->name), &item->built);
    r = outcome < 0 ? outcome : record_put(b, &key, &item->built);
    return r < 0 ? r : outcome;
}

/* The item of the list that is built before this one; NULL: it failed, which is said. */
static const struct digest *part_of(const struct builder *b, const struct build_list *list,
                                    const struct build_item *whole, enum artifact_kind kind, const char *name,
                                    const struct profile *profile)
{
    VEC_EACH(other, &list->items)
        if (other->kind == kind && other->arch == whole->arch && str_eq(other->name, name) &&
            other->outcome >= 0)
            return &other->built.artifact;
    diag_error(b->env.diags, &profile->pos, "unified %s: the %s %s that goes into it failed", profile->name,
               artifact_kind_name(kind), name);
    return NULL;
}

static int build_unified(struct builder *b, const struct site *site, const struct build_list *list,
                         struct build_item *item)
{
    const struct profile *profile = site_profile(site, item->name);
    struct build_env env = builder_env(b, item->arch, b->env.diags);
    char cmdline[UNIFIED_CMDLINE_MAX];
    struct unified_inputs inputs;
    struct digest key;
    const struct digest *kernel = part_of(b, list, item, ARTIFACT_KERNEL, profile->kernel, profile);
    const struct digest *image =
        kernel && profile->image ? part_of(b, list, item, ARTIFACT_IMAGE, profile->image, profile) : NULL;
    bool wanted = image && site_modules(site, profile->kernel);
    const struct digest *modules =
        wanted ? part_of(b, list, item, ARTIFACT_MODULES, profile->kernel, profile) : NULL;
    if (!kernel || (profile->image && !image) || (wanted && !modules))
        return -EINVAL;
    int r = builder_unified_inputs(site, profile, item->arch, kernel, image, cmdline, b->env.diags, &inputs);
    if (r < 0)
        return r;
    inputs.modules = modules;
    unified_definition_key(&inputs, &env, &key);
    int outcome = unified_build(&inputs, &env, &item->built);
    if (outcome < 0)
        return outcome;
    r = record_put(b, &key, &item->built);
    return r < 0 ? r : outcome;
}

static int build_item(struct builder *b, const struct site *site, const struct build_list *list,
                      struct build_item *item)
{
    switch (item->kind) {
    case ARTIFACT_IMAGE:
        return build_image(b, site, item);
    case ARTIFACT_MODULES:
        return build_modules(b, site, list, item);
    case ARTIFACT_KERNEL:
        return build_kernel(b, site, list, item);
    case ARTIFACT_UNIFIED:
        return build_unified(b, site, list, item);
    }
    return -EINVAL;
}

/* What is missing for the last step is said before the first, which may take minutes. */
static int check_ready(const struct builder *b, const struct site *site, const struct build_list *list)
{
    bool unified[ARCHS] = {0}, any = false;
    int result = 0;
    VEC_EACH(item, &list->items) {
        unified[item->arch] |= item->kind == ARTIFACT_UNIFIED;
        any |= item->kind != ARTIFACT_IMAGE;
    }
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        struct build_env env = builder_env(b, arch, b->env.diags);
        int r = unified[arch] ? unified_ready(site->server.efi_stub, &env) : 0;
        result = result < 0 ? result : r;
    }
    int r = any ? sign_ready(&site->secure_boot, &b->env) : 0;
    return result < 0 ? result : r;
}

/* Both stores, see build/artifact.h. */
static void remove_left(const struct builder *b)
{
    cleanup_free char *copies = xasprintf("%s/artifacts", b->env.cache_dir);
    artifact_remove_left(b->env.artifact_dir);
    artifact_remove_left(copies);
}

int builder_build(struct builder *b, const struct site *site, struct build_list *list)
{
    remove_left(b);
    int result = check_ready(b, site, list);
    if (result < 0) {
        VEC_EACH(item, &list->items)
            item->outcome = result;
        return result;
    }
    VEC_EACH(item, &list->items) {
        char size[SIZE_TEXT_MAX], name[ARTIFACT_NAME_MAX];
        const char *kind = artifact_kind_name(item->kind);
        artifact_name_format(item->name, item->arch, name);
        item->outcome = build_item(b, site, list, item);
        if (item->outcome < 0) {
            progress_say(b->env.progress, "%s %s: failed", kind, name);
            result = result < 0 ? result : item->outcome;
        } else if (item->outcome == IMAGE_UNCHANGED) {
            progress_say(b->env.progress, "%s %s: unchanged", kind, name);
        } else {
            progress_say(b->env.progress, "%s %s: %s, %u s", kind, name, format_size(item->built.size, size),
                         item->built.seconds);
        }
    }
    return result;
}
