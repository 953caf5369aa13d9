/* See builder/builder.h. */
#include "builder/builder.h"
#include "base/file.h"
#include "build/sign.h"
#include "config/config.h"
#include "kernel/kernel.h"
#include "model/class_kernel.h"
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
    char *init[ARCHS];
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
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        char name[ARTIFACT_NAME_MAX];
        b->init[arch] = xasprintf("%s/%s", libexec_dir, artifact_name_format(INIT, arch, name));
    }
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
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++)
        free(b->init[arch]);
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

/* The part of `kernel/smallest` behind the kind, when that is `kind` or there is none; else NULL. */
static const char *named_as(const char *name, enum artifact_kind kind)
{
    const char *slash = strchr(name, '/'), *word = artifact_kind_name(kind);
    if (!slash)
        return name;
    bool same = (size_t)(slash - name) == strlen(word) && str_starts(name, word);
    return same ? slash + 1 : NULL;
}

/* Whether nodes of this profile unpack the image, by itself or inside their kernel. */
static bool profile_uses(const struct site *site, const struct profile *profile, const char *image)
{
    const struct kernel_def *kernel = profile->kernel ? site_kernel(site, profile->kernel) : NULL;
    return str_eq(profile->image, image) || (kernel && str_eq(kernel->initramfs, image));
}

/* What the profiles that use a definition want it for. */
static arch_set archs_wanted(const struct site *site, enum artifact_kind kind, const char *name)
{
    arch_set archs = 0;
    VEC_EACH(profile, &site->profiles)
        if (kind == ARTIFACT_IMAGE ? profile_uses(site, profile, name) : str_eq(profile->kernel, name))
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

/* ---- building ---- */

static struct image_inputs inputs_of(const struct builder *b, const struct site *site, const char *image,
                                     enum cpu_arch arch)
{
    struct image_inputs inputs = {.base = &b->base, .init = b->init[arch], .mtime = b->mtime};
    VEC_EACH(profile, &site->profiles)
        if (profile->memory && arch_in(profile_archs(profile), arch) && profile_uses(site, profile, image) &&
            (!inputs.memory || profile->memory < inputs.memory))
            inputs.memory = profile->memory;
    return inputs;
}

static struct build_env env_for(const struct builder *b, enum cpu_arch arch, struct diags *diags)
{
    struct build_env env = b->env;
    env.arch = arch;
    env.diags = diags;
    return env;
}

static int definition_key(const struct builder *b, const struct site *site, enum artifact_kind kind,
                          const char *name, enum cpu_arch arch, const struct digest *initramfs,
                          struct diags *diags, struct digest *ret_key)
{
    struct build_env env = env_for(b, arch, diags);
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
    struct image_inputs inputs = inputs_of(b, site, name, arch);
    image_definition_key(&env, site_image(site, name), &inputs, ret_key);
    return 0;
}

/* The command line is filled by the call. */
static int unified_inputs_of(const struct site *site, const struct profile *profile, enum cpu_arch arch,
                             const struct digest *kernel, const struct digest *image,
                             char cmdline[static UNIFIED_CMDLINE_MAX], struct diags *diags,
                             struct unified_inputs *ret_inputs)
{
    int r = profile_unified_cmdline(profile, arch, site->server.http_port, cmdline);
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
    int r = definition_key(b, site, item->kind, item->name, item->arch, initramfs, b->env.diags, &key);
    return r < 0 ? r : record_as(b, &key, &item->built);
}

static int build_image(struct builder *b, const struct site *site, struct build_item *item)
{
    const struct image_def *def = site_image(site, item->name);
    struct build_env env = env_for(b, item->arch, b->env.diags);
    struct image_inputs inputs = inputs_of(b, site, item->name, item->arch);
    image_result_clear(&item->image); /* of an earlier round */
    int outcome = image_build(&env, def, &inputs, &item->image);
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
    struct build_env env = env_for(b, item->arch, b->env.diags);
    const struct digest *initramfs = NULL;
    VEC_EACH(other, &list->items) {
        if (!def->initramfs || other->kind != ARTIFACT_IMAGE || other->arch != item->arch ||
            !str_eq(other->name, def->initramfs))
            continue;
        if (other->outcome < 0)
            return diag_error(b->env.diags, &def->pos, "kernel %s: the image %s to be built into it failed",
                              def->name, def->initramfs);
        initramfs = &other->built.artifact;
    }
    int outcome = kernel_build(def, initramfs, &env, &item->built);
    int r = outcome < 0 ? outcome : sign_artifact(&site->secure_boot, &env, &item->built, &item->built);
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
        if (other->kind == ARTIFACT_KERNEL && other->arch == item->arch && str_eq(other->name, item->name) &&
            other->outcome < 0)
            return other->outcome;
    struct build_env env = env_for(b, item->arch, b->env.diags);
    int outcome = modules_build(&env, site_kernel(site, item->name), &item->built);
    int r = outcome < 0 ? outcome : record(b, site, NULL, item);
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
    struct build_env env = env_for(b, item->arch, b->env.diags);
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
    int r = unified_inputs_of(site, profile, item->arch, kernel, image, cmdline, b->env.diags, &inputs);
    if (r < 0)
        return r;
    inputs.modules = modules;
    int outcome = unified_build(&inputs, &env, &item->built);
    if (outcome < 0)
        return outcome;
    unified_definition_key(&inputs, &env, &key);
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
    bool unified[ARCHS] = {0}, any = false;
    int result = 0;
    VEC_EACH(item, &list->items) {
        unified[item->arch] |= item->kind == ARTIFACT_UNIFIED;
        any |= item->kind != ARTIFACT_IMAGE;
    }
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
        struct build_env env = env_for(b, arch, b->env.diags);
        int r = unified[arch] ? unified_ready(site->server.efi_stub, &env) : 0;
        result = result < 0 ? result : r;
    }
    int r = any ? sign_ready(&site->secure_boot, &b->env) : 0;
    return result < 0 ? result : r;
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

/* ---- finding ---- */

static int not_built(struct diags *diags, unsigned errors, enum artifact_kind kind, const char *name)
{
    if (diags->errors == errors)
        diag_error(diags, NULL, "%s %s is not built as it is defined now; `rambox build` builds it",
                   artifact_kind_name(kind), name);
    return -ENOENT;
}

/* The definition and the architecture that an artifact's name stands for. */
struct wanted {
    char definition[ARTIFACT_NAME_MAX];
    enum cpu_arch arch;
};

static int no_such(struct diags *diags, enum artifact_kind kind, const char *name)
{
    diag_error(diags, NULL, "there is no %s \"%s\"", artifact_kind_name(kind), name);
    return -ENOENT;
}

static int parse_wanted(const struct site *site, enum artifact_kind kind, const char *name,
                        struct diags *diags, struct wanted *ret_wanted)
{
    if (artifact_name_parse(name, ret_wanted->definition, &ret_wanted->arch) < 0 ||
        (kind == ARTIFACT_IMAGE ? !site_image(site, ret_wanted->definition)
                                : !site_kernel(site, ret_wanted->definition)))
        return no_such(diags, kind, name);
    return 0;
}

int builder_find_image(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built)
{
    struct wanted wanted;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_IMAGE, name, diags, &wanted);
    if (r < 0)
        return r;
    struct build_env env = env_for(b, wanted.arch, diags);
    struct image_inputs inputs = inputs_of(b, site, wanted.definition, wanted.arch);
    env.only_cached = true;
    r = image_find(&env, site_image(site, wanted.definition), &inputs, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_IMAGE, name) : r;
}

static int find_kernel(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built)
{
    struct wanted wanted;
    struct built initramfs;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_KERNEL, name, diags, &wanted);
    if (r < 0)
        return r;
    const struct kernel_def *def = site_kernel(site, wanted.definition);
    struct build_env env = env_for(b, wanted.arch, diags);
    env.only_cached = true;
    if (def->initramfs) {
        char image[ARTIFACT_NAME_MAX];
        r = builder_find_image(b, site, artifact_name_format(def->initramfs, wanted.arch, image), diags,
                               &initramfs);
        if (r < 0)
            return r;
    }
    r = kernel_build(def, def->initramfs ? &initramfs.artifact : NULL, &env, ret_built);
    if (r >= 0)
        r = sign_artifact(&site->secure_boot, &env, ret_built, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_KERNEL, name) : r < 0 ? r : 0;
}

static int find_modules(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                        struct built *ret_built)
{
    struct wanted wanted;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_MODULES, name, diags, &wanted);
    if (r < 0)
        return r;
    struct build_env env = env_for(b, wanted.arch, diags);
    env.only_cached = true;
    r = modules_build(&env, site_kernel(site, wanted.definition), ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_MODULES, name) : r < 0 ? r : 0;
}

/* The profile that a unified image is of; NULL: it has none, which is said. */
static const struct profile *profile_unified(const struct site *site, const char *name, struct diags *diags,
                                             enum cpu_arch *ret_arch)
{
    char profile_name[ARTIFACT_NAME_MAX];
    const struct profile *profile =
        artifact_name_parse(name, profile_name, ret_arch) < 0 ? NULL : site_profile(site, profile_name);
    if (profile && profile->unified)
        return profile;
    diag_error(diags, NULL, "there is no profile \"%s\" with `unified: yes`", name);
    return NULL;
}

static int find_unified(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                        struct built *ret_built)
{
    char cmdline[UNIFIED_CMDLINE_MAX], part[ARTIFACT_NAME_MAX];
    enum cpu_arch arch = ARCH_X86_64;
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags, &arch);
    struct build_env env = env_for(b, arch, diags);
    struct built kernel, image, modules;
    struct unified_inputs inputs;
    bool wanted = profile && site_modules(site, profile->kernel);
    env.only_cached = true;
    int r = profile ? sign_check(&site->secure_boot, (int64_t)time(NULL), diags) : -ENOENT;
    if (r == 0)
        r = find_kernel(b, site, artifact_name_format(profile->kernel, arch, part), diags, &kernel);
    if (r == 0 && profile->image)
        r = builder_find_image(b, site, artifact_name_format(profile->image, arch, part), diags, &image);
    if (r == 0 && wanted)
        r = find_modules(b, site, artifact_name_format(profile->kernel, arch, part), diags, &modules);
    if (r == 0)
        r = unified_inputs_of(site, profile, arch, &kernel.artifact, &image.artifact, cmdline, diags,
                              &inputs);
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
    char cmdline[UNIFIED_CMDLINE_MAX], part[ARTIFACT_NAME_MAX];
    enum cpu_arch arch = ARCH_X86_64;
    const struct profile *profile = profile_unified(site, name, diags, &arch);
    struct build_env env = env_for(b, arch, diags);
    cleanup_free char *home = record_home(b);
    struct built kernel, image, modules;
    struct unified_inputs inputs;
    struct digest key;
    bool wanted = profile && site_modules(site, profile->kernel);
    int r = profile ? find_recorded(b, site, ARTIFACT_KERNEL,
                                    artifact_name_format(profile->kernel, arch, part), diags, &kernel)
                    : -ENOENT;
    if (r == 0 && profile->image)
        r = find_recorded(b, site, ARTIFACT_IMAGE, artifact_name_format(profile->image, arch, part), diags,
                          &image);
    if (r == 0 && wanted)
        r = find_recorded(b, site, ARTIFACT_MODULES, artifact_name_format(profile->kernel, arch, part), diags,
                          &modules);
    if (r == 0)
        r = unified_inputs_of(site, profile, arch, &kernel.artifact, &image.artifact, cmdline, diags,
                              &inputs);
    if (r < 0)
        return r;
    inputs.modules = wanted ? &modules.artifact : NULL;
    unified_definition_key(&inputs, &env, &key);
    r = built_get(home, b->env.artifact_dir, &key, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r;
}

/* The record of one definition. A kernel with an image inside needs that image's first. */
static int find_recorded(const struct builder *b, const struct site *site, enum artifact_kind kind,
                         const char *name, struct diags *diags, struct built *ret_built)
{
    cleanup_free char *home = record_home(b);
    struct wanted wanted;
    struct built initramfs;
    struct digest key;
    unsigned errors = diags->errors;
    if (kind == ARTIFACT_UNIFIED)
        return find_recorded_unified(b, site, name, diags, ret_built);
    int r = parse_wanted(site, kind, name, diags, &wanted);
    if (r < 0)
        return r;
    const struct kernel_def *kernel = kind == ARTIFACT_KERNEL ? site_kernel(site, wanted.definition) : NULL;
    bool inside = kernel && kernel->initramfs;
    if (inside) {
        char image[ARTIFACT_NAME_MAX];
        r = find_recorded(b, site, ARTIFACT_IMAGE,
                          artifact_name_format(kernel->initramfs, wanted.arch, image), diags, &initramfs);
    }
    if (r == 0)
        r = definition_key(b, site, kind, wanted.definition, wanted.arch, inside ? &initramfs.artifact : NULL,
                           diags, &key);
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
