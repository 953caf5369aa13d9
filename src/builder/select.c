/* builder_select, see builder/builder.h: from the names that people give, or from what the profiles use, to
 * the list of what is built. */
#include "builder/builder.h"
#include "builder/context.h"
#include "model/class_kernel.h"

#include <errno.h>

void build_list_free(struct build_list *list)
{
    VEC_EACH(item, &list->items)
        image_result_clear(&item->image);
    VEC_FREE(&list->items);
}

/* ---- definitions to items ---- */

static void add_item(struct build_list *list, enum artifact_kind kind, const char *name, enum cpu_arch arch)
{
    VEC_EACH(item, &list->items)
        if (item->kind == kind && item->arch == arch && str_eq(item->name, name))
            return;
    *VEC_ADD(&list->items) = (struct build_item){.kind = kind, .name = name, .arch = arch};
}

static void add_images(struct build_list *list, arch_set archs, const char *name)
{
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++)
        if (arch_in(archs, arch))
            add_item(list, ARTIFACT_IMAGE, name, arch);
}

static void add_kernels(const struct site *site, struct build_list *list, arch_set archs, const char *name)
{
    const struct kernel_def *kernel = site_kernel(site, name);
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        if (!arch_in(archs, arch))
            continue;
        if (kernel && kernel->initramfs)
            add_item(list, ARTIFACT_IMAGE, kernel->initramfs, arch);
        add_item(list, ARTIFACT_KERNEL, name, arch);
        if (kernel && kernel->modules.n)
            add_item(list, ARTIFACT_MODULES, name, arch);
    }
}

/* What goes into them, and the profile's unified images themselves. */
static void add_unified(const struct site *site, struct build_list *list, arch_set archs,
                        const struct profile *profile)
{
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        if (!arch_in(archs, arch))
            continue;
        if (profile->image)
            add_images(list, (arch_set)(1 << arch), profile->image);
        add_kernels(site, list, (arch_set)(1 << arch), profile->kernel);
        add_item(list, ARTIFACT_UNIFIED, profile->name, arch);
    }
}

/* What nodes of fitted profiles get by their hardware. */
static void add_class_kernels(const struct site *site, struct build_list *list, arch_set only)
{
    if (site_is_fitted(site) && arch_in(only, ARCH_X86_64))
        VEC_EACH(kernel, &site->kernels)
            if (is_class_kernel(kernel->name))
                add_kernels(site, list, 1 << ARCH_X86_64, kernel->name);
}

/* ---- names to definitions ---- */

/* The part of `kernel/smallest` behind the kind, when that is `kind` or there is none; else NULL. */
static const char *named_as(const char *name, enum artifact_kind kind)
{
    const char *slash = strchr(name, '/'), *word = artifact_kind_name(kind);
    if (!slash)
        return name;
    bool same = (size_t)(slash - name) == strlen(word) && str_starts(name, word);
    return same ? slash + 1 : NULL;
}

/* What the profiles that use a definition want it for. */
static arch_set archs_wanted(const struct site *site, enum artifact_kind kind, const char *name)
{
    arch_set archs = 0;
    VEC_EACH(profile, &site->profiles)
        if (kind == ARTIFACT_IMAGE ? builder_profile_uses(site, profile, name)
                                   : str_eq(profile->kernel, name))
            archs |= profile_archs(profile);
    return archs ? archs : 1 << ARCH_X86_64;
}

static int no_definition(const struct site *site, const char *name, const char *bare, struct diags *diags)
{
    VEC(const char *) words = {0};
    VEC_EACH(it, &site->images)
        VEC_PUSH(&words, it->name);
    VEC_EACH(it, &site->kernels)
        VEC_PUSH(&words, it->name);
    VEC_EACH(it, &site->profiles)
        if (it->unified)
            VEC_PUSH(&words, it->name);
    VEC_PUSH(&words, NULL);
    const char *nearest = nearest_word(bare, words.items);
    diag_error(diags, NULL, "there is no image or kernel \"%s\"%s%s%s", name,
               nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    VEC_FREE(&words);
    return -ENOENT;
}

static int add_named(const struct site *site, const char *name, struct diags *diags, struct build_list *list)
{
    const char *image = named_as(name, ARTIFACT_IMAGE), *kernel = named_as(name, ARTIFACT_KERNEL);
    const char *unified = named_as(name, ARTIFACT_UNIFIED);
    const char *bare = image ? image : kernel ? kernel : unified ? unified : name;
    char definition[ARTIFACT_NAME_MAX];
    enum cpu_arch arch;
    if (artifact_name_parse(bare, definition, &arch) < 0)
        return no_definition(site, name, bare, diags);
    arch_set archs = strchr(bare, '.') ? (arch_set)(1 << arch) : list->archs;
    const struct image_def *image_def = image ? site_image(site, definition) : NULL;
    const struct kernel_def *kernel_def = kernel ? site_kernel(site, definition) : NULL;
    const struct profile *profile = unified ? site_profile(site, definition) : NULL;
    if (profile && !profile->unified)
        profile = NULL;
    if (image_def)
        add_images(list, archs ? archs : archs_wanted(site, ARTIFACT_IMAGE, image_def->name),
                   image_def->name);
    if (kernel_def)
        add_kernels(site, list, archs ? archs : archs_wanted(site, ARTIFACT_KERNEL, kernel_def->name),
                    kernel_def->name);
    if (profile)
        add_unified(site, list, archs ? archs : profile_archs(profile), profile);
    return image_def || kernel_def || profile ? 0 : no_definition(site, name, definition, diags);
}

int builder_select(const struct site *site, char *const *names, struct diags *diags, struct build_list *list)
{
    arch_set only = list->archs ? list->archs : (arch_set)~0;
    int result = 0;
    for (char *const *name = names; name && *name; name++) {
        int r = add_named(site, *name, diags, list);
        result = r < 0 ? r : result;
    }
    if (names && *names)
        return result;
    VEC_EACH(profile, &site->profiles)
        if (profile->image)
            add_images(list, profile_archs(profile) & only, profile->image);
    VEC_EACH(profile, &site->profiles)
        if (profile->kernel)
            add_kernels(site, list, profile_archs(profile) & only, profile->kernel);
    add_class_kernels(site, list, only);
    VEC_EACH(profile, &site->profiles)
        if (profile->unified)
            add_unified(site, list, profile_archs(profile) & only, profile);
    if (list->archs && list->items.n == 0) {
        diag_error(diags, NULL,
                   "no profile is for %s; say so with `arch:` in one, or name what is to be built",
                   arch_name(arch_first(list->archs)));
        return -ENOENT;
    }
    return 0;
}
