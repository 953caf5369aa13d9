/* See publish/folder.h: old generations go, and the artifacts that only they had.
 *
 * A generation is renamed to a temporary name before it is removed, so one that has its number is whole; what
 * a cut-short removal leaves goes at the next lock, and what the server could not remove because root made
 * it, at the next that root takes or after the next start of the server (daemon/confine.h). Artifacts go
 * last, and only when the manifests of all generations that stay could be read. */
#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "publish/folder.h"
#include "publish/manifest.h"
#include "publish/publish.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { YOUNG_S = 3600 }; /* an artifact may be of a build that has not told the cache of it yet */

/* The artifacts of the generations that stay. */
struct in_use {
    VEC(struct digest) list;
};

static bool is_in_use(const struct in_use *used, const struct digest *artifact)
{
    VEC_EACH(digest, &used->list)
        if (digest_equal(digest, artifact))
            return true;
    return false;
}

/* False when the generation does not say what it needs. */
static bool note_artifacts(const char *state_dir, unsigned number, struct in_use *used)
{
    cleanup_manifest struct manifest manifest = {0};
    cleanup_free char *path = xasprintf("%s/generations/%u/manifest.json", state_dir, number);
    if (manifest_read(path, &manifest) < 0)
        return false;
    VEC_EACH(artifact, &manifest.artifacts)
        if (!is_in_use(used, &artifact->digest))
            VEC_PUSH(&used->list, artifact->digest);
    return true;
}

/* False when it is there still. */
static bool remove_generation(const char *state_dir, unsigned number)
{
    cleanup_free char *path = generation_path(state_dir, number);
    cleanup_free char *name = xasprintf(".new-leaving-%u", number);
    cleanup_free char *leaving = generations_path(state_dir, name);
    if (dir_remove(leaving) < 0 || rename(path, leaving) < 0)
        return false;
    (void)dir_remove(leaving);
    return true;
}

/* One with another name besides is the cache's too: a definition of today may build to it, and it takes no
 * room of its own. */
static void remove_artifacts(const char *state_dir, const struct in_use *used)
{
    cleanup_free char *store = xasprintf("%s/artifacts", state_dir);
    char **names = NULL;
    if (dir_names(store, NULL, &names) < 0)
        return;
    for (char **name = names; *name; name++) {
        cleanup_free char *path = xasprintf("%s/%s", store, *name);
        struct digest digest;
        struct stat st;
        if (digest_parse(*name, &digest) == 0 && !is_in_use(used, &digest) && lstat(path, &st) == 0 &&
            S_ISREG(st.st_mode) && st.st_nlink == 1 && time(NULL) - st.st_mtime > YOUNG_S)
            unlink(path);
    }
    names_free(names);
}

void generations_prune(const char *state_dir, unsigned before)
{
    cleanup_free unsigned *numbers = NULL;
    struct in_use used = {0};
    bool all_noted = true;
    unsigned current;
    size_t n = 0;
    if (generation_list(state_dir, &numbers, &current) < 0 || !current)
        return;
    while (numbers[n])
        n++;
    if (n <= GENERATIONS_KEPT)
        return;
    for (size_t i = 0; i < n; i++) {
        bool stays = n - i <= GENERATIONS_KEPT || numbers[i] == current || numbers[i] == before;
        if (stays || !remove_generation(state_dir, numbers[i]))
            all_noted &= note_artifacts(state_dir, numbers[i], &used);
    }
    if (all_noted)
        remove_artifacts(state_dir, &used);
    VEC_FREE(&used.list);
}
