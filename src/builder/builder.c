/* See builder/builder.h. */
#include "builder/builder.h"
#include "base/file.h"
#include "build/sign.h"
#include "config/config.h"
#include "kernel/kernel.h"
#include "model/cmdline.h"
#include "modules/archive.h"
#include "unified/unified.h"

#include <errno.h>
#include <time.h>

#define BASE      "image/base.yaml"
#define INIT      "rambox-init"
#define BASE_SIZE (1U << 20) /* no definition is longer */

_Static_assert((int)IMAGE_UNCHANGED == (int)KERNEL_UNCHANGED &&
                   (int)IMAGE_UNCHANGED == (int)UNIFIED_UNCHANGED &&
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

/* What goes into it, and the profile's unified image itself. */
static void add_unified(const struct site *site, struct build_list *list, const struct profile *profile)
{
    if (profile->image)
        add_item(list, ARTIFACT_IMAGE, profile->image);
    add_kernel(site, list, profile->kernel);
    add_item(list, ARTIFACT_UNIFIED, profile->name);
}

/* The part of `kernel/smallest` behind the kind, when that is `kind` or there is none; else NULL. */
static const char *named_as(const char *name, enum artifact_kind kind)
{
    const char *slash = strchr(name, '/'), *word = artifact_kind_name(kind);
    if (!slash)
        return name;
    bool same = (size_t)(slash - name) == strlen(word) && str_starts(name, word);
    return same ? slash + 1 : NULL;
}

static int add_named(const struct site *site, const char *name, struct diags *diags, struct build_list *list)
{
    const char *image = named_as(name, ARTIFACT_IMAGE), *kernel = named_as(name, ARTIFACT_KERNEL);
    const char *unified = named_as(name, ARTIFACT_UNIFIED);
    const char *bare = image ? image : kernel ? kernel : unified ? unified : name;
    const struct image_def *image_def = image ? site_image(site, image) : NULL;
    const struct kernel_def *kernel_def = kernel ? site_kernel(site, kernel) : NULL;
    const struct profile *profile = unified ? site_profile(site, unified) : NULL;
    if (image_def)
        add_item(list, ARTIFACT_IMAGE, image_def->name);
    if (kernel_def)
        add_kernel(site, list, kernel_def->name);
    if (profile && profile->unified)
        add_unified(site, list, profile);
    if (image_def || kernel_def || (profile && profile->unified))
        return 0;
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
    VEC_EACH(profile, &site->profiles)
        if (profile->unified)
            add_unified(site, list, profile);
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
    if (kind == ARTIFACT_MODULES) {
        modules_definition_key(&env, site_kernel(site, name), ret_key);
        return 0;
    }
    if (kind == ARTIFACT_KERNEL) {
        int r = kernel_definition_key(site_kernel(site, name), initramfs, &env, ret_key);
        if (r < 0 || !site->secure_boot.key)
            return r;
        struct hash hash;
        hash_init(&hash);
        hash_add(&hash, ret_key, sizeof(*ret_key));
        sign_hash_definition(&site->secure_boot, &env, &hash);
        hash_end(&hash, ret_key);
        return 0;
    }
    struct image_inputs inputs = inputs_of(b, site, name);
    image_definition_key(&env, site_image(site, name), &inputs, ret_key);
    return 0;
}

/* The command line is filled by the call. */
static int unified_inputs_of(const struct site *site, const struct profile *profile,
                             const struct digest *kernel, const struct digest *image,
                             char cmdline[static UNIFIED_CMDLINE_MAX], struct diags *diags,
                             struct unified_inputs *ret_inputs)
{
    int r = profile_unified_cmdline(profile, site->server.http_port, cmdline);
    if (r < 0)
        return diag_error(diags, &profile->pos, "profile %s: its kernel command line is too long",
                          profile->name);
    *ret_inputs = (struct unified_inputs){.profile = profile->name,
                                          .kernel = *kernel,
                                          .image = profile->image ? image : NULL,
                                          .cmdline = cmdline,
                                          .stub = site->server.efi_stub,
                                          .signing = &site->secure_boot};
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
static int record_as(const struct builder *b, const struct digest *key, const struct built *built)
{
    cleanup_free char *home = record_home(b);
    struct built last;
    if (built_get(home, b->env.artifact_dir, key, &last) == 0 &&
        digest_equal(&last.artifact, &built->artifact))
        return 0;
    int r = built_put(home, b->env.artifact_dir, key, built);
    return r < 0 ? diag_errno(b->env.diags, r, "cannot write to the state folder %s", home) : 0;
}

static int record(const struct builder *b, const struct site *site, const struct digest *initramfs,
                  const struct build_item *item)
{
    struct digest key;
    int r = definition_key(b, site, item->kind, item->name, initramfs, b->env.diags, &key);
    return r < 0 ? r : record_as(b, &key, &item->built);
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
    int r = outcome < 0 ? outcome : sign_artifact(&site->secure_boot, &b->env, &item->built, &item->built);
    if (r == 0)
        outcome = 0; /* signed now */
    if (r == SIGN_NOT_NEEDED && site->secure_boot.key)
        progress_say(b->env.progress, "kernel %s: not signed: it has no EFI stub, or a signature already",
                     def->name);
    if (r >= 0)
        r = record(b, site, initramfs, item);
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

/* The item of the list that is built before this one; NULL: it failed, which is said. */
static const struct digest *part_of(const struct builder *b, const struct build_list *list,
                                    enum artifact_kind kind, const char *name, const struct profile *profile)
{
    VEC_EACH(other, &list->items)
        if (other->kind == kind && str_eq(other->name, name) && other->outcome >= 0)
            return &other->built.artifact;
    diag_error(b->env.diags, &profile->pos, "unified %s: the %s %s that goes into it failed", profile->name,
               artifact_kind_name(kind), name);
    return NULL;
}

static int build_unified(struct builder *b, const struct site *site, const struct build_list *list,
                         struct build_item *item)
{
    const struct profile *profile = site_profile(site, item->name);
    char cmdline[UNIFIED_CMDLINE_MAX];
    struct unified_inputs inputs;
    struct digest key;
    const struct digest *kernel = part_of(b, list, ARTIFACT_KERNEL, profile->kernel, profile);
    const struct digest *image =
        kernel && profile->image ? part_of(b, list, ARTIFACT_IMAGE, profile->image, profile) : NULL;
    bool wanted = image && site_modules(site, profile->kernel);
    const struct digest *modules =
        wanted ? part_of(b, list, ARTIFACT_MODULES, profile->kernel, profile) : NULL;
    if (!kernel || (profile->image && !image) || (wanted && !modules))
        return -EINVAL;
    int r = unified_inputs_of(site, profile, kernel, image, cmdline, b->env.diags, &inputs);
    if (r < 0)
        return r;
    inputs.modules = modules;
    int outcome = unified_build(&inputs, &b->env, &item->built);
    if (outcome < 0)
        return outcome;
    unified_definition_key(&inputs, &b->env, &key);
    r = record_as(b, &key, &item->built);
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
    bool unified = false, kernel = false;
    VEC_EACH(item, &list->items) {
        unified |= item->kind == ARTIFACT_UNIFIED;
        kernel |= item->kind == ARTIFACT_KERNEL;
    }
    int r = unified ? unified_ready(site->server.efi_stub, &b->env) : 0;
    int s = unified || kernel ? sign_ready(&site->secure_boot, &b->env) : 0;
    return r < 0 ? r : s;
}

int builder_build(struct builder *b, const struct site *site, struct build_list *list)
{
    int result = check_ready(b, site, list);
    if (result < 0) {
        VEC_EACH(item, &list->items)
            item->outcome = result;
        return result;
    }
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
    if (r >= 0)
        r = sign_artifact(&site->secure_boot, &env, ret_built, ret_built);
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

/* The profile that a unified image is of; NULL: it has none, which is said. */
static const struct profile *profile_unified(const struct site *site, const char *name, struct diags *diags)
{
    const struct profile *profile = site_profile(site, name);
    if (profile && profile->unified)
        return profile;
    diag_error(diags, NULL, "there is no profile \"%s\" with `unified: yes`", name);
    return NULL;
}

static int find_unified(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                        struct built *ret_built)
{
    struct build_env env = b->env;
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags);
    char cmdline[UNIFIED_CMDLINE_MAX];
    struct built kernel, image, modules;
    struct unified_inputs inputs;
    bool wanted = profile && site_modules(site, profile->kernel);
    env.diags = diags;
    env.only_cached = true;
    int r = profile ? sign_check(&site->secure_boot, (int64_t)time(NULL), diags) : -ENOENT;
    if (r == 0)
        r = find_kernel(b, site, profile->kernel, diags, &kernel);
    if (r == 0 && profile->image)
        r = builder_find_image(b, site, profile->image, diags, &image);
    if (r == 0 && wanted)
        r = find_modules(b, site, profile->kernel, diags, &modules);
    if (r == 0)
        r = unified_inputs_of(site, profile, &kernel.artifact, &image.artifact, cmdline, diags, &inputs);
    if (r == 0)
        inputs.modules = wanted ? &modules.artifact : NULL;
    if (r == 0)
        r = unified_build(&inputs, &env, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r < 0 ? r : 0;
}

static int find_recorded(const struct builder *b, const struct site *site, enum artifact_kind kind,
                         const char *name, struct diags *diags, struct built *ret_built);

/* The record of a unified image, by those of its parts. */
static int find_recorded_unified(const struct builder *b, const struct site *site, const char *name,
                                 struct diags *diags, struct built *ret_built)
{
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags);
    cleanup_free char *home = record_home(b);
    char cmdline[UNIFIED_CMDLINE_MAX];
    struct built kernel, image, modules;
    struct unified_inputs inputs;
    struct digest key;
    bool wanted = profile && site_modules(site, profile->kernel);
    int r = profile ? find_recorded(b, site, ARTIFACT_KERNEL, profile->kernel, diags, &kernel) : -ENOENT;
    if (r == 0 && profile->image)
        r = find_recorded(b, site, ARTIFACT_IMAGE, profile->image, diags, &image);
    if (r == 0 && wanted)
        r = find_recorded(b, site, ARTIFACT_MODULES, profile->kernel, diags, &modules);
    if (r == 0)
        r = unified_inputs_of(site, profile, &kernel.artifact, &image.artifact, cmdline, diags, &inputs);
    if (r < 0)
        return r;
    inputs.modules = wanted ? &modules.artifact : NULL;
    unified_definition_key(&inputs, &b->env, &key);
    r = built_get(home, b->env.artifact_dir, &key, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r;
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
    if (kind == ARTIFACT_UNIFIED)
        return find_recorded_unified(b, site, name, diags, ret_built);
    if (!kernel && (kind != ARTIFACT_IMAGE || !site_image(site, name)))
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
            : kind == ARTIFACT_KERNEL  ? find_kernel(b, site, name, diags, &built)
            : kind == ARTIFACT_MODULES ? find_modules(b, site, name, diags, &built)
                                       : find_unified(b, site, name, diags, &built);
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
