/* A kernel of the distribution, see kernel/work.h. */
#include "build/kernel_package.h"
#include "kernel/kernel.h"
#include "kernel/work.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

/* Raised whenever this file makes something else of the same package. */
#define PACKAGED_RECIPE "packaged kernel 1"

/* The package's own bytes: they are signed, and nothing may change them. */
static int take_packaged(const struct kernel_work *w, const struct input *input, struct built *built)
{
    cleanup_kernel_package struct kernel_package package = {0};
    struct stat st;
    int r = kernel_package_open(w->env, input, KERNEL_PART_VMLINUZ, &package);
    if (r < 0)
        return r;
    if (stat(package.vmlinuz, &st) < 0)
        return diag_errno(w->env->diags, -errno, "%s: cannot read %s", w->label, package.vmlinuz);
    built->size = (uint64_t)st.st_size;
    return artifact_put_file(w->env->artifact_dir, package.vmlinuz, w->env->diags, &built->artifact);
}

int kernel_build_packaged(struct kernel_work *w, struct built *ret_built)
{
    cleanup_input struct input input = {0};
    struct built built = {0};
    struct digest key;
    struct hash hash;
    char hex[DIGEST_TEXT_MAX];
    time_t start = time(NULL);
    snprintf(built.name, sizeof(built.name), "%s", w->label);
    int r = kernel_package_fetch(w->env, &w->def->source, &input);
    if (r < 0)
        return r;
    hash_init(&hash);
    hash_field(&hash, PACKAGED_RECIPE);
    hash_field(&hash, digest_format(&input.digest, hex));
    if (w->env->arch != ARCH_X86_64) /* the same package is refused for another one */
        hash_field(&hash, arch_name(w->env->arch));
    hash_end(&hash, &key);
    if (built_get(w->env->cache_dir, w->env->artifact_dir, &key, ret_built) == 0)
        return KERNEL_UNCHANGED;
    if (w->env->only_cached)
        return -ENOENT;
    r = take_packaged(w, &input, &built);
    if (r < 0)
        return r;
    built.seconds = (unsigned)(time(NULL) - start);
    r = built_put(w->env->cache_dir, w->env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(w->env->diags, r, "%s: cannot write to the cache %s", w->label, w->env->cache_dir);
    *ret_built = built;
    return 0;
}
