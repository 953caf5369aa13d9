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

static struct generation_artifact artifact_of(enum artifact_kind kind, const char *name,
                                              const struct built *built)
{
    return (struct generation_artifact){
        .kind = kind, .name = xstrdup(name), .digest = built->artifact, .size = built->size};
}

/* ---- as it would come out now ---- */

int builder_find_image(struct builder *b, const struct site *site, const char *name, struct diags *diags,
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
    struct build_env env = builder_env(b, wanted.arch, diags);
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
    struct build_env env = builder_env(b, wanted.arch, diags);
    env.only_cached = true;
    r = modules_build(&env, site_kernel(site, wanted.definition), ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_MODULES, name) : r < 0 ? r : 0;
}

static int find_unified(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                        struct built *ret_built)
{
    char cmdline[UNIFIED_CMDLINE_MAX], part[ARTIFACT_NAME_MAX];
    enum cpu_arch arch = ARCH_X86_64;
    unsigned errors = diags->errors;
    const struct profile *profile = profile_unified(site, name, diags, &arch);
    struct build_env env = builder_env(b, arch, diags);
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
        r = builder_unified_inputs(site, profile, arch, &kernel.artifact, &image.artifact, cmdline, diags,
                                   &inputs);
    if (r == 0)
        inputs.modules = wanted ? &modules.artifact : NULL;
    if (r == 0)
        r = unified_build(&inputs, &env, ret_built);
    return r == -ENOENT ? not_built(diags, errors, ARTIFACT_UNIFIED, name) : r < 0 ? r : 0;
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

struct artifact_source builder_source(struct builder *b)
{
    return (struct artifact_source){.find = find, .user = b};
}

/* ---- by the record ---- */

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
    struct build_env env = builder_env(b, arch, diags);
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
        r = builder_unified_inputs(site, profile, arch, &kernel.artifact, &image.artifact, cmdline, diags,
                                   &inputs);
    if (r < 0)
        return r;
    inputs.modules = wanted ? &modules.artifact : NULL;
    unified_definition_key(&inputs, &env, &key);
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

static int find_in_record(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                          struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct built built;
    int r = find_recorded(user, site, kind, name, diags, &built);
    if (r == 0)
        *ret_artifact = artifact_of(kind, name, &built);
    return r;
}

struct artifact_source builder_recorded_source(struct builder *b)
{
    return (struct artifact_source){.find = find_in_record, .user = b};
}
