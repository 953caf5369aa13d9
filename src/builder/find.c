/* What is built already, see builder/builder.h: as it would come out now, and by the record. */
#include "build/sign.h"
#include "builder/builder.h"
#include "builder/context.h"
#include "builder/record.h"
#include "kernel/kernel.h"
#include "modules/archive.h"
#include "unified/unified.h"

#include <errno.h>
#include <time.h>

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

/* One of the two ways of finding: 0; -ENOENT after a diagnostic; -errno. */
typedef int find_fn(const struct builder *b, const struct site *site, enum artifact_kind kind,
                    const char *name, struct diags *diags, struct built *ret_built);

/* What a unified image is made from. `inputs` points to the rest. */
struct parts {
    struct built kernel, image, modules;
    char cmdline[UNIFIED_CMDLINE_MAX];
    struct unified_inputs inputs;
};

/* Finds all parts of the unified image of `profile`. */
static int find_parts(const struct builder *b, const struct site *site, const struct profile *profile,
                      enum cpu_arch arch, find_fn *find, struct diags *diags, struct parts *parts)
{
    char name[ARTIFACT_NAME_MAX];
    bool wanted = profile->image && site_modules(site, profile->kernel);
    int r = find(b, site, ARTIFACT_KERNEL, artifact_name_format(profile->kernel, arch, name), diags,
                 &parts->kernel);
    if (r == 0 && profile->image)
        r = find(b, site, ARTIFACT_IMAGE, artifact_name_format(profile->image, arch, name), diags,
                 &parts->image);
    if (r == 0 && wanted)
        r = find(b, site, ARTIFACT_MODULES, artifact_name_format(profile->kernel, arch, name), diags,
                 &parts->modules);
    if (r == 0)
        r = builder_unified_inputs(site, profile, arch, &parts->kernel.artifact, &parts->image.artifact,
                                   parts->cmdline, diags, &parts->inputs);
    if (r == 0)
        parts->inputs.modules = wanted ? &parts->modules.artifact : NULL;
    return r;
}

/* ---- as it would come out now ---- */

static int find_image(const struct builder *b, const struct site *site, const char *name, struct diags *diags,
                      struct built *ret_built)
{
    struct wanted wanted;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_IMAGE, name, diags, &wanted);
    if (r < 0)
        return r;
    struct build_env env = builder_env(b, wanted.arch, diags);
    struct image_inputs inputs = builder_image_inputs(b, site, wanted.definition, wanted.arch);
    env.only_cached = true;
    r = image_find(&env, site_image(site, wanted.definition), &inputs, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_IMAGE, name) : r;
}

static int find_kernel(const struct builder *b, const struct site *site, const char *name,
                       struct diags *diags, struct built *ret_built)
{
    struct wanted wanted;
    struct built initramfs;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_KERNEL, name, diags, &wanted);
    if (r < 0)
        return r;
    const struct kernel_def *def = site_kernel(site, wanted.definition);
    struct build_env env = builder_env(b, wanted.arch, diags);
    env.only_cached = true;
    if (def->initramfs) {
        char image[ARTIFACT_NAME_MAX];
        r = find_image(b, site, artifact_name_format(def->initramfs, wanted.arch, image), diags, &initramfs);
        if (r < 0)
            return r;
    }
    r = kernel_build(def, def->initramfs ? &initramfs.artifact : NULL, &env, ret_built);
    if (r >= 0)
        r = sign_artifact(&site->secure_boot, &env, ret_built, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_KERNEL, name) : r < 0 ? r : 0;
}

static int find_modules(const struct builder *b, const struct site *site, const char *name,
                        struct diags *diags, struct built *ret_built)
{
    struct wanted wanted;
    unsigned errors = diags->errors;
    int r = parse_wanted(site, ARTIFACT_MODULES, name, diags, &wanted);
    if (r < 0)
        return r;
    struct build_env env = builder_env(b, wanted.arch, diags);
    env.only_cached = true;
    r = modules_build(&env, site_kernel(site, wanted.definition), ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_MODULES, name) : r < 0 ? r : 0;
}

static find_fn find_now;

static int find_unified(const struct builder *b, const struct site *site, const char *name,
                        struct diags *diags, struct built *ret_built)
{
    enum cpu_arch arch = ARCH_X86_64;
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags, &arch);
    struct build_env env = builder_env(b, arch, diags);
    struct parts parts;
    env.only_cached = true;
    int r = profile ? sign_check(&site->secure_boot, (int64_t)time(NULL), diags) : -ENOENT;
    if (r == 0)
        r = find_parts(b, site, profile, arch, find_now, diags, &parts);
    if (r == 0)
        r = unified_build(&parts.inputs, &env, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r < 0 ? r : 0;
}

static int find_now(const struct builder *b, const struct site *site, enum artifact_kind kind,
                    const char *name, struct diags *diags, struct built *ret_built)
{
    switch (kind) {
    case ARTIFACT_IMAGE:
        return find_image(b, site, name, diags, ret_built);
    case ARTIFACT_KERNEL:
        return find_kernel(b, site, name, diags, ret_built);
    case ARTIFACT_MODULES:
        return find_modules(b, site, name, diags, ret_built);
    case ARTIFACT_UNIFIED:
        return find_unified(b, site, name, diags, ret_built);
    }
    return -EINVAL;
}

int builder_find_image(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built)
{
    return find_image(b, site, name, diags, ret_built);
}

/* ---- by the record ---- */

static find_fn find_recorded;

/* The record of a unified image, by those of its parts. */
static int find_recorded_unified(const struct builder *b, const struct site *site, const char *name,
                                 struct diags *diags, struct built *ret_built)
{
    enum cpu_arch arch = ARCH_X86_64;
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags, &arch);
    struct build_env env = builder_env(b, arch, diags);
    struct parts parts;
    struct digest key;
    int r = profile ? find_parts(b, site, profile, arch, find_recorded, diags, &parts) : -ENOENT;
    if (r < 0)
        return r;
    unified_definition_key(&parts.inputs, &env, &key);
    r = record_get(b, &key, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r;
}

/* The record of one definition. A kernel with an image inside needs that image's first. */
static int find_recorded(const struct builder *b, const struct site *site, enum artifact_kind kind,
                         const char *name, struct diags *diags, struct built *ret_built)
{
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
        r = record_key(b, site, kind, wanted.definition, wanted.arch, inside ? &initramfs.artifact : NULL,
                       diags, &key);
    if (r == 0)
        r = record_get(b, &key, ret_built);
    return r == -ENOENT ? not_built(diags, errors, kind, name) : r;
}

/* ---- for publish() ---- */

static struct generation_artifact artifact_of(enum artifact_kind kind, const char *name,
                                              const struct built *built)
{
    return (struct generation_artifact){
        .kind = kind, .name = xstrdup(name), .digest = built->artifact, .size = built->size};
}

static int source_now(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                      struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct built built;
    int r = find_now(user, site, kind, name, diags, &built);
    if (r == 0)
        *ret_artifact = artifact_of(kind, name, &built);
    return r;
}

static int source_recorded(void *user, const struct site *site, enum artifact_kind kind, const char *name,
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
    return (struct artifact_source){.find = source_now, .user = b};
}

struct artifact_source builder_recorded_source(struct builder *b)
{
    return (struct artifact_source){.find = source_recorded, .user = b};
}
