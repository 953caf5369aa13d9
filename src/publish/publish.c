/* See publish/publish.h: making a generation.
 *
 * Everything is written into a folder with a temporary name and synced; only then does it get its number, and
 * only then does `current` point to it. Cut short before the last step, what was current still is. */
#include "publish/publish.h"
#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "config/config.h"
#include "publish/class_kernels.h"
#include "publish/definitions.h"
#include "publish/folder.h"
#include "publish/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

struct job {
    const char *config_dir, *share_dir, *state_dir;
    const struct artifact_source *source;
    struct diags *diags;
    char *temp; /* the folder that becomes the generation */
    struct manifest manifest;
    struct site *site;
};

/* The artifact must be whole: what nodes get is what was built. */
static int verify(const struct job *job, const struct generation_artifact *artifact, struct diags *diags)
{
    const char *noun = artifact_kind_name(artifact->kind);
    cleanup_free char *store = xasprintf("%s/artifacts", job->state_dir);
    cleanup_free char *path = artifact_path(store, &artifact->digest);
    struct digest digest;
    struct stat st;
    if (stat(path, &st) < 0)
        return diag_errno(diags, -errno, "%s %s: %s cannot be served; build it again", noun, artifact->name,
                          path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != artifact->size)
        return diag_error(diags, NULL, "%s %s: %s is not %llu bytes long; remove it and build again", noun,
                          artifact->name, path, (unsigned long long)artifact->size);
    int r = hash_file(path, &digest);
    if (r < 0)
        return diag_errno(diags, r, "%s %s: %s cannot be read", noun, artifact->name, path);
    if (!digest_equal(&digest, &artifact->digest))
        return diag_error(diags, NULL, "%s %s: %s is damaged; remove it and build again", noun,
                          artifact->name, path);
    return 0;
}

static int join_one(struct job *job, enum artifact_kind kind, const char *definition, enum cpu_arch arch)
{
    struct generation_artifact artifact = {0};
    char name[ARTIFACT_NAME_MAX];
    if (!definition)
        return 0;
    artifact_name_format(definition, arch, name);
    VEC_EACH(other, &job->manifest.artifacts)
        if (other->kind == kind && str_eq(other->name, name))
            return 0;
    int r = job->source->find(job->source->user, job->site, kind, name, job->diags, &artifact);
    if (r < 0)
        return r;
    *VEC_ADD(&job->manifest.artifacts) = artifact;
    return verify(job, &artifact, job->diags);
}

/* Takes an artifact out of those from `first` on, and what else has its name: a kernel and its modules. */
static void leave_out(struct manifest *manifest, size_t first, const char *name)
{
    cleanup_free char *left = xstrdup(name); /* `name` may be that of one of them */
    size_t kept = first;
    for (size_t i = first; i < manifest->artifacts.n; i++) {
        struct generation_artifact artifact = manifest->artifacts.items[i];
        if (str_eq(artifact.name, left))
            free(artifact.name);
        else
            manifest->artifacts.items[kept++] = artifact;
    }
    manifest->artifacts.n = kept;
}

/* Those of hardware classes, which need not be there: one whose file is gone or damaged keeps nobody from
 * publishing an edit. */
static void join_classes(struct job *job)
{
    cleanup_manifest struct manifest now = {0};
    cleanup_free char *path =
        xasprintf("%s/generations/%u/manifest.json", job->state_dir, generations_current(job->state_dir));
    bool any = manifest_read(path, &now) == 0;
    size_t first = job->manifest.artifacts.n, i = first;
    class_kernels_join(job->site, job->source, any ? &now : NULL, job->diags, &job->manifest);
    while (i < job->manifest.artifacts.n) {
        const struct generation_artifact *artifact = &job->manifest.artifacts.items[i++];
        cleanup_diags struct diags why = {0};
        if (verify(job, artifact, &why) == 0)
            continue;
        diag_warning(job->diags, NULL, "machines of its class do without it: %s", why.list.items[0].text);
        leave_out(&job->manifest, first, artifact->name);
        i = first;
    }
}

/* All artifacts that the profiles need; says all that is missing, not only the first. */
static int join_artifacts(struct job *job)
{
    int r = 0;
    VEC_EACH(profile, &job->site->profiles)
        for (enum cpu_arch arch = 0; arch < ARCHS; arch++) {
            if (!arch_in(profile_archs(profile), arch))
                continue;
            int kernel = join_one(job, ARTIFACT_KERNEL, profile->kernel, arch);
            int image = join_one(job, ARTIFACT_IMAGE, profile->image, arch);
            int modules =
                kernel < 0 ? 0 /* said already */
                           : join_one(job, ARTIFACT_MODULES, site_modules(job->site, profile->kernel), arch);
            int unified = join_one(job, ARTIFACT_UNIFIED, profile->unified ? profile->name : NULL, arch);
            r = r < 0 ? r : kernel < 0 ? kernel : image < 0 ? image : modules < 0 ? modules : unified;
        }
    if (r == 0)
        join_classes(job);
    return r;
}

/* T7: beyond 65535 blocks TFTP's numbers begin anew, which some loaders cannot follow. 1408 bytes is the
 * smallest block in which a kernel or an image is usually fetched (PXELINUX). */
static void warn_of_size(const struct job *job)
{
    enum { BLOCKS = 65535, BLOCK = 1408 };
    VEC_EACH(artifact, &job->manifest.artifacts) {
        char size[SIZE_TEXT_MAX];
        if (artifact->size / BLOCK < BLOCKS)
            continue;
        diag_warning(
            job->diags, NULL,
            "%s %s: %s are more than %d blocks of TFTP (of %d bytes each): a loader that cannot count "
            "on from there stops; let it load by HTTP, or in larger blocks (server: tftp: "
            "max_blksize), or try server: tftp: rollover: 1",
            artifact_kind_name(artifact->kind), artifact->name, format_size(artifact->size, size), BLOCKS,
            BLOCK);
    }
}

/* The definitions are read once; what is then checked is that copy. */
static int copy_definitions(struct job *job)
{
    cleanup_definitions struct definitions definitions = {0}, builtin = {0};
    cleanup_free char *folder = xasprintf("%s/definitions", job->temp);
    int r = definitions_read(job->config_dir, job->diags, &definitions);
    if (r < 0)
        return r;
    r = definitions_write(&definitions, folder);
    if (r < 0) {
        diag_errno(job->diags, r, "cannot write to %s", job->state_dir);
        return r;
    }
    r = config_load(folder, job->share_dir, job->diags, &job->site);
    if (r == 0)
        r = definitions_add_builtin(&builtin, &definitions, job->site, job->diags);
    if (r < 0)
        return r;
    r = definitions_write(&builtin, folder);
    if (r < 0)
        return diag_errno(job->diags, r, "cannot write to %s", job->state_dir);
    VEC_EACH(file, &builtin.files)
        *VEC_ADD(&definitions.files) = *file;
    builtin.files.n = 0;
    free(builtin.files.items);
    builtin.files.items = NULL;
    r = definitions_sync(&definitions, folder);
    if (r < 0)
        return diag_errno(job->diags, r, "cannot write to %s", job->state_dir);
    definitions_hash(&definitions, &job->manifest.definitions);
    return 0;
}

static bool same_artifacts(const struct manifest *a, const struct manifest *b)
{
    if (a->artifacts.n != b->artifacts.n)
        return false;
    for (size_t i = 0; i < a->artifacts.n; i++) {
        const struct generation_artifact *x = &a->artifacts.items[i], *y = &b->artifacts.items[i];
        if (x->kind != y->kind || x->size != y->size || !str_eq(x->name, y->name) ||
            !digest_equal(&x->digest, &y->digest))
            return false;
    }
    return true;
}

/* The current generation's number when it is the same as this one, else 0. */
static unsigned unchanged(const struct job *job)
{
    cleanup_manifest struct manifest current = {0};
    unsigned number = generations_current(job->state_dir);
    cleanup_free char *path = xasprintf("%s/generations/%u/manifest.json", job->state_dir, number);
    if (number == 0 || manifest_read(path, &current) < 0 || current.number != number)
        return 0;
    return digest_equal(&current.definitions, &job->manifest.definitions) &&
                   same_artifacts(&current, &job->manifest)
               ? number
               : 0;
}

static int next_number(const struct job *job, unsigned *ret_number)
{
    cleanup_free unsigned *numbers = NULL;
    unsigned current, last = 0;
    int r = generation_list(job->state_dir, &numbers, &current);
    if (r < 0)
        return r;
    for (unsigned *number = numbers; *number; number++)
        last = *number;
    if (last == UINT32_MAX)
        return -ERANGE;
    *ret_number = last + 1;
    return 0;
}

/* Gives the finished folder its number, then points to it. */
static int commit(struct job *job, unsigned *ret_number)
{
    int r = next_number(job, &job->manifest.number);
    if (r < 0)
        return r;
    cleanup_free char *manifest = xasprintf("%s/manifest.json", job->temp);
    cleanup_free char *final = generation_path(job->state_dir, job->manifest.number);
    cleanup_free char *folder = xasprintf("%s/generations", job->state_dir);
    job->manifest.created = (int64_t)time(NULL);
    r = manifest_write(manifest, &job->manifest);
    if (r == 0)
        r = dir_sync(job->temp);
    if (r == 0 && rename(job->temp, final) < 0)
        r = -errno;
    if (r == 0)
        r = dir_sync(folder);
    if (r == 0)
        r = generations_point(job->state_dir, job->manifest.number);
    if (r == 0)
        *ret_number = job->manifest.number;
    return r;
}

static int run(struct job *job, unsigned *ret_number)
{
    if (mkdir(job->temp, 0755) < 0)
        return diag_errno(job->diags, -errno, "cannot write to %s", job->state_dir);
    int r = copy_definitions(job);
    if (r == 0)
        r = join_artifacts(job);
    if (r < 0)
        return r;
    unsigned same = unchanged(job);
    if (same) {
        *ret_number = same;
        return PUBLISH_UNCHANGED;
    }
    warn_of_size(job);
    unsigned before = generations_current(job->state_dir);
    r = commit(job, ret_number);
    if (r < 0)
        return diag_errno(job->diags, r, "cannot publish to %s; what was published still is", job->state_dir);
    generations_prune(job->state_dir, before);
    return 0;
}

int publish(const char *config_dir, const char *share_dir, const char *state_dir,
            const struct artifact_source *artifacts, struct diags *diags, unsigned *ret_number)
{
    struct job job = {.config_dir = config_dir,
                      .share_dir = share_dir,
                      .state_dir = state_dir,
                      .source = artifacts,
                      .diags = diags};
    cleanup_close int lock = generations_lock(state_dir, diags);
    if (lock < 0)
        return lock;
    job.temp = generations_path(state_dir, ".new");
    int r = run(&job, ret_number);
    dir_remove(job.temp);
    free(job.temp);
    manifest_clear(&job.manifest);
    site_free(job.site);
    return r;
}
