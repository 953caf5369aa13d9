/* See builder/builder.h. */
#include "builder/builder.h"
#include "base/file.h"
#include "config/config.h"
#include "kernel/kernel.h"
#include "modules/archive.h"

#include <errno.h>

#define BASE      "image/base.yaml"
#define INIT      "rambox-init"
#define BASE_SIZE (1U << 20) /* no definition is longer */

_Static_assert((int)IMAGE_UNCHANGED == (int)KERNEL_UNCHANGED &&
                   (int)IMAGE_UNCHANGED == (int)MODULES_UNCHANGED,
               "one meaning for all");

struct builder {
    struct build_env env;
    struct image_def base;
    char *base_file; /* that the base's positions name */
    char *init;
    uint32_t mtime;
};

static int read_epoch(struct diags *diags, uint32_t *ret_mtime)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    uint64_t value = 0;
    if (text && parse_u64(text, 0, UINT32_MAX, &value) < 0)
        return diag_error(diags, NULL, "SOURCE_DATE_EPOCH is \"%.40s\"; expected seconds since 1970", text);
    *ret_mtime = (uint32_t)value;
    return 0;
}

int builder_new(const struct build_env *env, const char *libexec_dir, struct builder **ret_builder)
{
    CLEANUP(builder_free) struct builder *b = xcalloc(1, sizeof(*b));
    cleanup_free char *text = NULL;
    size_t size;
    b->env = *env;
    b->base_file = xasprintf("%s/" BASE, env->share_dir);
    b->init = xasprintf("%s/" INIT, libexec_dir);
    int r = read_epoch(env->diags, &b->mtime);
    if (r < 0)
        return r;
    r = file_read(b->base_file, BASE_SIZE, &text, &size);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read the base of all images, %s", b->base_file);
    r = config_parse_image(b->base_file, text, size, env->diags, &b->base);
    if (r == 0)
        *ret_builder = TAKE_PTR(b);
    return r;
}

void builder_free(struct builder *b)
{
    if (!b)
        return;
    image_def_clear(&b->base);
    free(b->base_file);
    free(b->init);
    free(b);
}

void builder_set_jobs(struct builder *b, unsigned jobs, bool refresh)
{
    b->env.jobs = jobs;
    b->env.refresh = refresh;
}

void build_list_free(struct build_list *list)
{
    VEC_EACH(item, &list->items)
        image_result_clear(&item->image);
    VEC_FREE(&list->items);
}

/* ---- what to build ---- */

static void add_item(struct build_list *list, enum artifact_kind kind, const char *name)
{
    VEC_EACH(item, &list->items)
        if (item->kind == kind && str_eq(item->name, name))
            return;
    *VEC_ADD(&list->items) = (struct build_item){.kind = kind, .name = name};
}

static void add_kernel(const struct site *site, struct build_list *list, const char *name)
{
    const struct kernel_def *kernel = site_kernel(site, name);
    if (kernel && kernel->initramfs)
        add_item(list, ARTIFACT_IMAGE, kernel->initramfs);
    add_item(list, ARTIFACT_KERNEL, name);
    if (kernel && kernel->modules.n)
        add_item(list, ARTIFACT_MODULES, name);
}

static int add_named(const struct site *site, const char *name, struct diags *diags, struct build_list *list)
{
    bool image = !str_starts(name, "kernel/"), kernel = !str_starts(name, "image/");
    const char *bare = image && kernel ? name : strchr(name, '/') + 1;
    const struct image_def *image_def = image ? site_image(site, bare) : NULL;
    const struct kernel_def *kernel_def = kernel ? site_kernel(site, bare) : NULL;
    if (image_def)
        add_item(list, ARTIFACT_IMAGE, image_def->name);
    if (kernel_def)
        add_kernel(site, list, kernel_def->name);
    if (image_def || kernel_def)
        return 0;
    VEC(const char *) words = {0};
    VEC_EACH(it, &site->images)
        VEC_PUSH(&words, it->name);
    VEC_EACH(it, &site->kernels)
        VEC_PUSH(&words, it->name);
    VEC_PUSH(&words, NULL);
    const char *nearest = nearest_word(bare, words.items);
    diag_error(diags, NULL, "there is no image or kernel \"%s\"%s%s%s", name,
               nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    VEC_FREE(&words);
    return -ENOENT;
}

int builder_select(const struct site *site, char *const *names, struct diags *diags, struct build_list *list)
{
    int result = 0;
    for (char *const *name = names; name && *name; name++) {
        int r = add_named(site, *name, diags, list);
        result = r < 0 ? r : result;
    }
    if (names && *names)
        return result;
    VEC_EACH(profile, &site->profiles)
        if (profile->image)
            add_item(list, ARTIFACT_IMAGE, profile->image);
    VEC_EACH(profile, &site->profiles)
        if (profile->kernel)
            add_kernel(site, list, profile->kernel);
    return 0;
}

/* ---- building ---- */

/* Whether nodes of this profile unpack the image, by itself or inside their kernel. */
static bool profile_uses(const struct site *site, const struct profile *profile, const char *image)
{
    const struct kernel_def *kernel = profile->kernel ? site_kernel(site, profile->kernel) : NULL;
    return str_eq(profile->image, image) || (kernel && str_eq(kernel->initramfs, image));
}

static struct image_inputs inputs_of(const struct builder *b, const struct site *site, const char *image)
{
    struct image_inputs inputs = {.base = &b->base, .init = b->init, .mtime = b->mtime};
    VEC_EACH(profile, &site->profiles)
        if (profile->memory && profile_uses(site, profile, image) &&
            (!inputs.memory || profile->memory < inputs.memory))
            inputs.memory = profile->memory;
    return inputs;
}

static int definition_key(const struct builder *b, const struct site *site, enum artifact_kind kind,
                          const char *name, const struct digest *initramfs, struct diags *diags,
                          struct digest *ret_key)
{
    struct build_env env = b->env;
    env.diags = diags;
    if (kind == ARTIFACT_KERNEL)
        return kernel_definition_key(site_kernel(site, name), initramfs, &env, ret_key);
    if (kind == ARTIFACT_MODULES) {
        modules_definition_key(&env, site_kernel(site, name), ret_key);
        return 0;
    }
    struct image_inputs inputs = inputs_of(b, site, name);
    image_definition_key(&env, site_image(site, name), &inputs, ret_key);
    return 0;
}

/* Where records by definition are: in the state folder, beside the artifacts, so that the server finds them
 * when the cache is gone, and may read nothing else. The caller's. */
static char *record_home(const struct builder *b)
{
    const char *slash = strrchr(b->env.artifact_dir, '/');
    return slash && slash != b->env.artifact_dir
               ? xstrndup(b->env.artifact_dir, (size_t)(slash - b->env.artifact_dir))
               : xstrdup("/");
}

/* Beside the record by all inputs, the one by the definition alone: what it built to last. It is written
 * last, so whoever waits for it finds everything. */
static int record(const struct builder *b, const struct site *site, const struct digest *initramfs,
                  const struct build_item *item)
{
    cleanup_free char *home = record_home(b);
    struct digest key;
    struct built last;
    int r = definition_key(b, site, item->kind, item->name, initramfs, b->env.diags, &key);
    if (r < 0 || (built_get(home, b->env.artifact_dir, &key, &last) == 0 &&
                  digest_equal(&last.artifact, &item->built.artifact)))
        return r;
    r = built_put(home, b->env.artifact_dir, &key, &item->built);
    return r < 0 ? diag_errno(b->env.diags, r, "cannot write to the state folder %s", home) : 0;
}

static int build_image(struct builder *b, const struct site *site, struct build_item *item)
{
    const struct image_def *def = site_image(site, item->name);
    struct image_inputs inputs = inputs_of(b, site, item->name);
    image_result_clear(&item->image); /* of an earlier round */
    int outcome = image_build(&b->env, def, &inputs, &item->image);
    if (outcome < 0)
        return outcome;
    item->built = item->image.built;
    int r = record(b, site, NULL, item);
    return r < 0 ? r : outcome;
}

/* The image that a kernel has inside is in the list before it. */
static int build_kernel(struct builder *b, const struct site *site, const struct build_list *list,
                        struct build_item *item)
{
    const struct kernel_def *def = site_kernel(site, item->name);
    const struct digest *initramfs = NULL;
    VEC_EACH(other, &list->items) {
        if (!def->initramfs || other->kind != ARTIFACT_IMAGE || !str_eq(other->name, def->initramfs))
            continue;
        if (other->outcome < 0)
            return diag_error(b->env.diags, &def->pos, "kernel %s: the image %s to be built into it failed",
                              def->name, def->initramfs);
        initramfs = &other->built.artifact;
    }
    int outcome = kernel_build(def, initramfs, &b->env, &item->built);
    int r = outcome < 0 ? outcome : record(b, site, initramfs, item);
    return r < 0 ? r : outcome;
}

/* The kernel is in the list before its modules; what failed there has been said. */
static int build_modules(struct builder *b, const struct site *site, const struct build_list *list,
                         struct build_item *item)
{
    VEC_EACH(other, &list->items)
        if (other->kind == ARTIFACT_KERNEL && str_eq(other->name, item->name) && other->outcome < 0)
            return other->outcome;
    int outcome = modules_build(&b->env, site_kernel(site, item->name), &item->built);
    int r = outcome < 0 ? outcome : record(b, site, NULL, item);
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
        break;
    }
    return build_kernel(b, site, list, item);
}

int builder_build(struct builder *b, const struct site *site, struct build_list *list)
{
    int result = 0;
    VEC_EACH(item, &list->items) {
        char size[SIZE_TEXT_MAX];
        const char *kind = artifact_kind_name(item->kind);
        item->outcome = build_item(b, site, list, item);
        if (item->outcome < 0) {
            progress_say(b->env.progress, "%s %s: failed", kind, item->name);
            result = result < 0 ? result : item->outcome;
        } else if (item->outcome == IMAGE_UNCHANGED) {
            progress_say(b->env.progress, "%s %s: unchanged", kind, item->name);
        } else {
            progress_say(b->env.progress, "%s %s: %s, %u s", kind, item->name,
                         format_size(item->built.size, size), item->built.seconds);
        }
    }
    return result;
}

/* ---- finding ---- */

static int not_built(struct diags *diags, unsigned errors, enum artifact_kind kind, const char *name)
{
    if (diags->errors == errors)
        diag_error(diags, NULL, "%s %s is not built as it is defined now; `rambox build` builds it",
                   artifact_kind_name(kind), name);
    return -ENOENT;
}

int builder_find_image(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built)
{
    struct build_env env = b->env;
    const struct image_def *def = site_image(site, name);
    struct image_inputs inputs = inputs_of(b, site, name);
    unsigned errors = diags->errors;
    env.diags = diags;
    env.only_cached = true;
    if (!def)
        return diag_error(diags, NULL, "there is no image \"%s\"", name), -ENOENT;
    int r = image_find(&env, def, &inputs, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_IMAGE, name) : r;
}

static int find_kernel(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built)
{
    struct build_env env = b->env;
    const struct kernel_def *def = site_kernel(site, name);
    struct built initramfs;
    unsigned errors = diags->errors;
    env.diags = diags;
    env.only_cached = true;
    if (!def)
        return diag_error(diags, NULL, "there is no kernel \"%s\"", name), -ENOENT;
    if (def->initramfs) {
        int r = builder_find_image(b, site, def->initramfs, diags, &initramfs);
        if (r < 0)
            return r;
    }
    int r = kernel_build(def, def->initramfs ? &initramfs.artifact : NULL, &env, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_KERNEL, name) : r < 0 ? r : 0;
}

static int find_modules(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                        struct built *ret_built)
{
    struct build_env env = b->env;
    unsigned errors = diags->errors;
    env.diags = diags;
    env.only_cached = true;
    int r = modules_build(&env, site_kernel(site, name), ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_MODULES, name) : r < 0 ? r : 0;
}

/* The record of one definition. A kernel with an image inside needs that image's first. */
static int find_recorded(const struct builder *b, const struct site *site, enum artifact_kind kind,
                         const char *name, struct diags *diags, struct built *ret_built)
{
    const struct kernel_def *kernel = kind == ARTIFACT_KERNEL ? site_kernel(site, name) : NULL;
    cleanup_free char *home = record_home(b);
    struct built initramfs;
    struct digest key;
    unsigned errors = diags->errors;
    if (!kernel && (kind == ARTIFACT_KERNEL || (kind == ARTIFACT_IMAGE && !site_image(site, name))))
        return diag_error(diags, NULL, "there is no %s \"%s\"", artifact_kind_name(kind), name), -ENOENT;
    bool inside = kernel && kernel->initramfs;
    int r = inside ? find_recorded(b, site, ARTIFACT_IMAGE, kernel->initramfs, diags, &initramfs) : 0;
    if (r == 0)
        r = definition_key(b, site, kind, name, inside ? &initramfs.artifact : NULL, diags, &key);
    if (r == 0)
        r = built_get(home, b->env.artifact_dir, &key, ret_built);
    return r == -ENOENT ? not_built(diags, errors, kind, name) : r;
}

static struct generation_artifact artifact_of(enum artifact_kind kind, const char *name,
                                              const struct built *built)
{
    return (struct generation_artifact){
        .kind = kind, .name = xstrdup(name), .digest = built->artifact, .size = built->size};
}

static int find(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct builder *b = user;
    struct built built;
    int r = kind == ARTIFACT_IMAGE     ? builder_find_image(b, site, name, diags, &built)
            : kind == ARTIFACT_MODULES ? find_modules(b, site, name, diags, &built)
                                       : find_kernel(b, site, name, diags, &built);
    if (r == 0)
        *ret_artifact = artifact_of(kind, name, &built);
    return r;
}

static int find_in_record(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                          struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct built built;
    int r = find_recorded(user, site, kind, name, diags, &built);
    if (r == 0)
        *ret_artifact = artifact_of(kind, name, &built);
    return r;
}

struct artifact_source builder_source(struct builder *b)
{
    return (struct artifact_source){.find = find, .user = b};
}

struct artifact_source builder_recorded_source(struct builder *b)
{
    return (struct artifact_source){.find = find_in_record, .user = b};
}
