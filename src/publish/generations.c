/* See publish/publish.h: reading generations, switching between them, comparing them. */
#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "config/config.h"
#include "publish/class_kernels.h"
#include "publish/describe.h"
#include "publish/folder.h"
#include "publish/manifest.h"
#include "publish/publish.h"

#include <errno.h>
#include <sys/stat.h>

/* Settles number 0, and reads the manifest. */
static int read_manifest(const char *state_dir, unsigned *number, struct diags *diags,
                         struct manifest *ret_manifest)
{
    if (*number == 0)
        *number = generations_current(state_dir);
    if (*number == 0) {
        diag_error(diags, NULL, "nothing is published in %s yet; `rambox publish` does that", state_dir);
        return -ENOENT;
    }
    cleanup_free char *path = xasprintf("%s/generations/%u/manifest.json", state_dir, *number);
    int r = manifest_read(path, ret_manifest);
    if (r == -ENOENT)
        diag_error(diags, NULL, "there is no generation %u; `rambox generation list` shows them", *number);
    else if (r < 0)
        diag_error(diags, NULL, "generation %u is damaged: %s cannot be read; publish again", *number, path);
    return r;
}

static bool is_there(const char *state_dir, const struct generation_artifact *artifact)
{
    cleanup_free char *store = xasprintf("%s/artifacts", state_dir);
    cleanup_free char *path = artifact_path(store, &artifact->digest);
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == artifact->size;
}

/* Whether what this one is of is whole: of a kernel that can be spared also its modules, and the other way
 * round. */
static bool is_whole(const char *state_dir, const struct manifest *manifest,
                     const struct generation_artifact *artifact, bool spare)
{
    if (!spare)
        return is_there(state_dir, artifact);
    VEC_EACH(other, &manifest->artifacts)
        if (other->kind != ARTIFACT_IMAGE && str_eq(other->name, artifact->name) &&
            !is_there(state_dir, other))
            return false;
    return true;
}

/* Says of an artifact that it is not there. 0: it can be spared. */
static int say_missing(const char *state_dir, unsigned number, const struct generation_artifact *artifact,
                       bool spare, struct diags *diags)
{
    cleanup_free char *store = xasprintf("%s/artifacts", state_dir);
    cleanup_free char *path = artifact_path(store, &artifact->digest);
    if (spare)
        diag_warning(
            diags, NULL,
            "generation %u needs the %s %s, whose file, or that of what belongs to it, is missing or "
            "of another size: machines of its class do without it; `rambox build` builds it",
            number, artifact_kind_name(artifact->kind), artifact->name);
    else
        diag_error(diags, NULL, "generation %u needs the %s %s, but %s is missing or not %llu bytes long",
                   number, artifact_kind_name(artifact->kind), artifact->name, path,
                   (unsigned long long)artifact->size);
    return spare ? 0 : -EBADMSG;
}

/* Puts the artifacts that are there into the generation. */
static int take_artifacts(const char *state_dir, const struct manifest *manifest,
                          struct generation *generation, struct diags *diags)
{
    int r = 0;
    VEC_EACH(artifact, &manifest->artifacts) {
        bool spare = class_kernels_spare(generation->site, artifact);
        if (is_whole(state_dir, manifest, artifact, spare)) {
            struct generation_artifact taken = *artifact;
            taken.name = xstrdup(artifact->name);
            *VEC_ADD(&generation->artifacts) = taken;
        } else if (say_missing(state_dir, generation->number, artifact, spare, diags) < 0) {
            r = -EBADMSG;
        }
    }
    return r;
}

/* The site of a generation, from nothing but its own folder. */
static int load_site(const char *state_dir, unsigned number, struct diags *diags, struct site **ret_site)
{
    cleanup_free char *definitions = xasprintf("%s/generations/%u/definitions", state_dir, number);
    int r = config_load(definitions, NULL, diags, ret_site);
    return r == -ENOENT ? -EBADMSG : r;
}

int generation_load(const char *state_dir, unsigned number, struct diags *diags,
                    struct generation **ret_generation)
{
    cleanup_manifest struct manifest manifest = {0};
    struct site *site = NULL;
    int r = read_manifest(state_dir, &number, diags, &manifest);
    if (r == 0)
        r = load_site(state_dir, number, diags, &site);
    if (r < 0)
        return r;
    CLEANUP(generation_unref) struct generation *generation = generation_new(number, manifest.created, site);
    r = take_artifacts(state_dir, &manifest, generation, diags);
    if (r < 0)
        return r;
    *ret_generation = TAKE_PTR(generation);
    return 0;
}

int generation_summary(const char *state_dir, unsigned number, struct diags *diags, int64_t *ret_created,
                       unsigned *ret_artifacts)
{
    cleanup_manifest struct manifest manifest = {0};
    int r = read_manifest(state_dir, &number, diags, &manifest);
    if (r < 0)
        return r;
    *ret_created = manifest.created;
    *ret_artifacts = (unsigned)manifest.artifacts.n;
    return 0;
}

int generation_switch(const char *state_dir, unsigned number, struct diags *diags)
{
    CLEANUP(generation_unref) struct generation *generation = NULL;
    cleanup_close int lock = generations_lock(state_dir, diags);
    if (lock < 0)
        return lock;
    int r = generation_load(state_dir, number, diags, &generation);
    if (r < 0)
        return r;
    r = generations_point(state_dir, generation->number);
    return r < 0 ? diag_errno(diags, r, "cannot switch to generation %u", generation->number) : 0;
}

/* One side of a comparison: what it describes must outlive it. */
struct side {
    struct manifest manifest;
    struct site *site;
    struct things things;
};

static void side_clear(struct side *side)
{
    things_clear(&side->things);
    site_free(side->site);
    manifest_clear(&side->manifest);
}

static int load_side(const char *state_dir, unsigned number, struct diags *diags, struct side *side)
{
    int r = read_manifest(state_dir, &number, diags, &side->manifest);
    if (r == 0)
        r = load_site(state_dir, number, diags, &side->site);
    if (r == 0)
        things_of(side->site, side->manifest.artifacts.items, side->manifest.artifacts.n, &side->things);
    return r;
}

int generation_diff(const char *state_dir, unsigned from, unsigned to, struct diags *diags, char **ret_text)
{
    struct side a = {0}, b = {0};
    int r = load_side(state_dir, from, diags, &a);
    if (r == 0)
        r = load_side(state_dir, to, diags, &b);
    if (r == 0)
        *ret_text = things_diff(&a.things, &b.things);
    side_clear(&a);
    side_clear(&b);
    return r;
}

/* Adds the artifact, once; one that is not built has size 0. */
static void preview_artifact(struct manifest *manifest, const struct site *site,
                             const struct artifact_source *source, enum artifact_kind kind,
                             const char *definition, enum cpu_arch arch)
{
    cleanup_diags struct diags unused = {0};
    struct generation_artifact artifact;
    char name[ARTIFACT_NAME_MAX];
    if (!definition)
        return;
    artifact_name_format(definition, arch, name);
    VEC_EACH(other, &manifest->artifacts)
        if (other->kind == kind && str_eq(other->name, name))
            return;
    if (source->find(source->user, site, kind, name, &unused, &artifact) < 0)
        artifact = (struct generation_artifact){.kind = kind, .name = xstrdup(name)};
    *VEC_ADD(&manifest->artifacts) = artifact;
}

int publish_preview(const struct site *site, const char *state_dir, const struct artifact_source *artifacts,
                    struct diags *diags, char **ret_text)
{
    struct side now = {0};
    cleanup_manifest struct manifest next = {0};
    cleanup_things struct things then = {0};
    int r = generations_current(state_dir) ? load_side(state_dir, 0, diags, &now) : 0;
    if (r == 0 && artifacts) {
        VEC_EACH(profile, &site->profiles)
            for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
                if (!arch_in(profile_archs(profile), arch))
                    continue;
                preview_artifact(&next, site, artifacts, ARTIFACT_KERNEL, profile->kernel, arch);
                preview_artifact(&next, site, artifacts, ARTIFACT_IMAGE, profile->image, arch);
                preview_artifact(&next, site, artifacts, ARTIFACT_MODULES,
                                 site_modules(site, profile->kernel), arch);
                preview_artifact(&next, site, artifacts, ARTIFACT_UNIFIED,
                                 profile->unified ? profile->name : NULL, arch);
            }
        class_kernels_join(site, artifacts, now.manifest.artifacts.n ? &now.manifest : NULL, diags, &next);
    } else if (r == 0) {
        things_clear(&now.things);
        if (now.site)
            things_of(now.site, NULL, 0, &now.things);
    }
    if (r == 0) {
        things_of(site, next.artifacts.items, next.artifacts.n, &then);
        *ret_text = things_diff(&now.things, &then);
    }
    side_clear(&now);
    return r;
}
