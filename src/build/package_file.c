/* See build/package_file.h. */
#include "build/package_file.h"
#include "base/file.h"
#include "base/str.h"
#include "build/fetch.h"

#include <errno.h>

static int unpack(const struct build_env *env, const char *deb, const char *folder)
{
    int r = dir_remove(folder);
    if (r == 0)
        r = dir_make(folder);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    return build_run_tool(env, deb, (const char *const[]){"dpkg-deb", "-x", deb, folder, NULL});
}

static int extract(const struct build_env *env, const struct package_file *file, const struct input *package,
                   struct built *ret_built)
{
    char name[64], lock_name[ARTIFACT_NAME_MAX];
    snprintf(name, sizeof(name), "package-%.50s", file->package);
    artifact_name_format(name, env->arch, lock_name);
    cleanup_free char *work = xasprintf("%s/work/%s", env->cache_dir, lock_name);
    struct built built = {0};
    bool found = false;
    snprintf(built.name, sizeof(built.name), "%s", file->package);
    cleanup_close int lock = build_lock(env, lock_name);
    if (lock < 0)
        return lock;
    int r = unpack(env, package->path, work);
    for (const char *const *place = file->places; r == 0 && !found && *place; place++) {
        cleanup_free char *path = xasprintf("%s/%s", work, *place);
        if (!file_exists(path))
            continue;
        r = artifact_put_file(env->artifact_dir, path, env->diags, &built.artifact);
        found = true;
    }
    if (r == 0 && !found)
        r = diag_error(env->diags, NULL, "the package %s holds no %s", file->package, file->places[0]);
    (void)dir_remove(work);
    if (r == 0)
        *ret_built = built;
    return r;
}

int package_file_get(const struct build_env *env, const struct package_file *file, struct built *ret_built)
{
    cleanup_input struct input package = {0};
    struct built built;
    struct hash hash;
    struct digest key;
    int r = fetch_target_package(env, file->package, &package);
    if (r < 0)
        return r;
    hash_init(&hash);
    hash_field(&hash, file->recipe);
    hash_add(&hash, &package.digest, sizeof(package.digest));
    hash_end(&hash, &key);
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return 0;
    if (env->only_cached)
        return -ENOENT;
    r = extract(env, file, &package, &built);
    if (r < 0)
        return r;
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    return built_get(env->cache_dir, env->artifact_dir, &key, ret_built);
}
