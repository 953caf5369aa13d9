/* See publish/class_kernels.h. */
#include "publish/class_kernels.h"
#include "base/str.h"
#include "model/class_kernel.h"

static const struct generation_artifact *find(const struct manifest *manifest, enum artifact_kind kind,
                                              const char *name)
{
    if (manifest)
        VEC_EACH(artifact, &manifest->artifacts)
            if (artifact->kind == kind && str_eq(artifact->name, name))
                return artifact;
    return NULL;
}

static void add_as(struct manifest *next, const struct generation_artifact *artifact, const char *name)
{
    struct generation_artifact copy = *artifact;
    copy.name = xstrdup(name);
    *VEC_ADD(&next->artifacts) = copy;
}

/* The kernel, and its modules where it has some. False: not all of it is built, and nothing was added. */
static bool join_built(const struct site *site, const struct artifact_source *source, const char *name,
                       struct manifest *next)
{
    cleanup_diags struct diags unsaid = {0};
    struct generation_artifact kernel = {0}, modules = {0};
    if (find(next, ARTIFACT_KERNEL, name))
        return true; /* a profile names it, too */
    if (source->find(source->user, site, ARTIFACT_KERNEL, name, &unsaid, &kernel) < 0)
        return false;
    if (site_modules(site, name)) {
        if (source->find(source->user, site, ARTIFACT_MODULES, name, &unsaid, &modules) < 0) {
            free(kernel.name);
            return false;
        }
    }
    *VEC_ADD(&next->artifacts) = kernel;
    if (modules.name)
        *VEC_ADD(&next->artifacts) = modules;
    return true;
}

/* The name, in the current generation, of what nodes of the class have until now; NULL: nothing but `kernel`,
 * the new one (which may be NULL, when it is not built). */
static const char *before(const struct artifact_source *source, const struct manifest *now,
                          const char *hardware_class, const struct generation_artifact *kernel,
                          char name[static ARTIFACT_NAME_MAX])
{
    const struct generation_artifact *last =
        find(now, ARTIFACT_KERNEL, class_kernel_format(hardware_class, false, name));
    bool same = last && kernel && digest_equal(&last->digest, &kernel->digest);
    bool proven =
        last && (!source->proven || source->proven(source->proven_user, hardware_class, &last->digest));
    if (last && !same && proven)
        return name;
    const struct generation_artifact *older =
        find(now, ARTIFACT_KERNEL, class_kernel_format(hardware_class, true, name));
    if (older && !(kernel && digest_equal(&older->digest, &kernel->digest)))
        return name;
    return last && !same ? class_kernel_format(hardware_class, false, name) : NULL;
}

static void join_before(const struct artifact_source *source, const struct manifest *now,
                        const char *hardware_class, struct manifest *next)
{
    static const enum artifact_kind kinds[] = {ARTIFACT_KERNEL, ARTIFACT_MODULES};
    char name[ARTIFACT_NAME_MAX], new_name[ARTIFACT_NAME_MAX], before_name[ARTIFACT_NAME_MAX];
    const struct generation_artifact *kernel =
        find(next, ARTIFACT_KERNEL, class_kernel_format(hardware_class, false, new_name));
    const char *from = before(source, now, hardware_class, kernel, name);
    class_kernel_format(hardware_class, true, before_name);
    for (size_t i = 0; from && i < ARRAY_SIZE(kinds); i++) {
        const struct generation_artifact *artifact = find(now, kinds[i], from);
        if (artifact)
            add_as(next, artifact, before_name);
    }
}

void class_kernels_join(const struct site *site, const struct artifact_source *source,
                        const struct manifest *now, struct diags *diags, struct manifest *next)
{
    if (!site_is_fitted(site))
        return;
    VEC_EACH(kernel, &site->kernels) {
        bool unused;
        if (!is_class_kernel(kernel->name))
            continue;
        if (!join_built(site, source, kernel->name, next))
            diag_note(diags, &kernel->pos,
                      "kernel %s is not built as it is defined now, so machines of its class do without it; "
                      "`rambox "
                      "build %s` builds it",
                      kernel->name, kernel->name);
        join_before(source, now, class_kernel_of(kernel->name, &unused), next);
    }
}

bool class_kernels_spare(const struct site *site, const struct generation_artifact *artifact)
{
    bool unused;
    if (artifact->kind != ARTIFACT_KERNEL && artifact->kind != ARTIFACT_MODULES)
        return false;
    VEC_EACH(profile, &site->profiles)
        if (str_eq(profile->kernel, artifact->name))
            return false;
    return class_kernel_of(artifact->name, &unused) != NULL;
}

bool generation_lacks_kernels(const struct generation *generation)
{
    if (site_is_fitted(generation->site))
        VEC_EACH(kernel, &generation->site->kernels)
            if (is_class_kernel(kernel->name) &&
                !generation_artifact(generation, ARTIFACT_KERNEL, kernel->name))
                return true;
    return false;
}
