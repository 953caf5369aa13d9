/* Building a kernel from source, and what tells one build from another, see kernel/kernel.h. */
#include "kernel/kernel.h"
#include "base/file.h"
#include "base/str.h"
#include "build/kbuild.h"
#include "build/kernel_package.h"
#include "build/stamp.h"
#include "build/unpack.h"
#include "kernel/folder.h"
#include "kernel/work.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* Raised whenever this folder builds something else from the same inputs. */
#define RECIPE "kernel 1"
/* The same of kernel_definition_key. */
#define DEFINITION_RECIPE "kernel definition 1"

/* ---- its folder ---- */

/* What stands for the tree that a build folder belongs to. A tree of the user's changes all the time; make
 * finds out by itself what to do again. */
static const char *tree_of_folder(const struct kernel_work *w, char hex[static DIGEST_TEXT_MAX])
{
    return w->def->source.kind == SOURCE_TREE ? w->def->source.where : digest_format(&w->source, hex);
}

static struct kernel_folder folder_of(const struct kernel_work *w, const char *tree)
{
    return (struct kernel_folder){
        .label = w->label, .path = w->out, .tree = tree, .fragments = &w->fragments, .env = w->env};
}

/* The archive to embed, linked to under the name that says how it is compressed. */
static int place_initramfs(const struct kernel_work *w, const struct digest *initramfs)
{
    cleanup_free char *path = artifact_path(w->env->artifact_dir, initramfs);
    cleanup_free char *target = realpath(path, NULL);
    cleanup_free char *folder = xasprintf("%s.embed", w->out);
    int r = target ? dir_remove(folder) : -errno;
    if (r == 0)
        r = dir_make(folder);
    if (r == 0 && target && symlink(target, w->initramfs) < 0)
        r = -errno;
    return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot place its ramdisk in %s", w->label, folder) : 0;
}

int kernel_configure(struct kernel_work *w, const struct input *input, const struct digest *initramfs)
{
    char hex[DIGEST_TEXT_MAX];
    const char *make_env[KERNEL_MAKE_ENV_MAX];
    const struct kernel_folder folder = folder_of(w, tree_of_folder(w, hex));
    int r = w->tree ? 0 : unpack_tree(w->env, input, "Kconfig", &w->tree);
    if (r == 0)
        r = kernel_folder_prepare(&folder);
    if (r == 0 && initramfs)
        r = place_initramfs(w, initramfs);
    if (r < 0)
        return r;
    struct kbuild b = kernel_kbuild(w, make_env);
    return kbuild_configure(&b, w->env, &w->fragments);
}

/* ---- building ---- */

/* Everything that decides what comes out. */
static int key_of(struct kernel_work *w, struct digest *ret_key)
{
    struct hash hash;
    char hex[DIGEST_TEXT_MAX];
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    hash_field(&hash, digest_format(&w->source, hex));
    kernel_hash_configuration(w, &hash);
    if (w->env->arch != ARCH_X86_64)
        hash_field(&hash, arch_name(w->env->arch));
    int r = build_hash_compiler(w->env, w->arch->compiler, &hash, &w->compiler);
    if (r == 0)
        hash_end(&hash, ret_key);
    return r;
}

static int compile(const struct kernel_work *w, struct built *built)
{
    const char *make_env[KERNEL_MAKE_ENV_MAX];
    struct kbuild b = kernel_kbuild(w, make_env);
    const struct kernel_folder folder = folder_of(w, NULL);
    const struct kernel_facts facts = {.source = w->source_words, .compiler = w->compiler};
    const struct asked *zboot = fragments_find(&w->fragments, "EFI_ZBOOT");
    bool packed = !w->arch->plain || (zboot && str_eq(zboot->value, "y"));
    bool whole = kernel_folder_is_empty(&folder);
    cleanup_free char *image =
        xasprintf("%s/%s", w->out, packed ? w->arch->packed_file : w->arch->plain_file);
    b.expected_steps = kernel_folder_steps(&folder);
    int r = kbuild_make(&b, w->env, packed ? w->arch->packed : w->arch->plain, &built->steps);
    if (r < 0)
        return r;
    if (whole)
        kernel_folder_keep_steps(&folder, built->steps);
    kernel_folder_keep_facts(&folder, &facts);
    return artifact_put_file(w->env->artifact_dir, image, w->env->diags, &built->artifact);
}

/* Says why it is built again, before it takes its time. */
static void say_changes(const struct kernel_work *w, struct built *built)
{
    const struct kernel_folder folder = folder_of(w, NULL);
    cleanup_free char *changes = kernel_folder_changes(
        &folder, &(struct kernel_facts){.source = w->source_words, .compiler = w->compiler});
    snprintf(built->because, sizeof(built->because), "%s", changes);
    if (changes[0])
        progress_say(w->env->progress, "%s is built again: %s", w->label, changes);
}

int kernel_build(const struct kernel_def *def, const struct digest *initramfs, const struct build_env *env,
                 struct built *ret_built)
{
    cleanup_kernel_work struct kernel_work w = kernel_work_of(def, env);
    cleanup_input struct input input = {0};
    struct built built = {0};
    struct digest key;
    time_t start = time(NULL);
    if (def->source.kind == SOURCE_DISTRIBUTION)
        return kernel_build_packaged(&w, ret_built);
    snprintf(built.name, sizeof(built.name), "%s", w.label);
    int r = kernel_merge(&w, initramfs);
    if (r == 0 && !env->only_cached)
        r = kernel_check_tools(&w);
    if (r == 0)
        r = kernel_find_source(&w, &input);
    if (r == 0)
        r = key_of(&w, &key);
    if (r < 0)
        return r;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return KERNEL_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    cleanup_free char *lock_name = xasprintf("kernel-%s", w.name);
    cleanup_close int lock = build_lock(env, lock_name);
    if (lock < 0)
        return lock;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return KERNEL_UNCHANGED; /* by the one we waited for */
    say_changes(&w, &built);
    r = kernel_configure(&w, &input, initramfs);
    if (r == 0)
        r = compile(&w, &built);
    if (r < 0)
        return r;
    built.seconds = (unsigned)(time(NULL) - start);
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot write to the cache %s", w.label, env->cache_dir);
    r = built_get(env->cache_dir, env->artifact_dir, &key, ret_built);
    if (r == 0)
        memcpy(ret_built->because, built.because, sizeof(built.because));
    return r;
}

/* The same once more, aloud. */
static int say_why(const struct kernel_def *def, const struct digest *initramfs, const struct build_env *env,
                   int result)
{
    cleanup_kernel_work struct kernel_work w = kernel_work_of(def, env);
    int r = kernel_merge(&w, initramfs);
    return r < 0 ? r : result;
}

int kernel_definition_key(const struct kernel_def *def, const struct digest *initramfs,
                          const struct build_env *env, struct digest *ret_key)
{
    cleanup_diags struct diags notes = {0}; /* the build says them */
    struct build_env quiet = *env;
    quiet.diags = &notes;
    cleanup_kernel_work struct kernel_work w = kernel_work_of(def, &quiet);
    const struct source *s = &def->source;
    struct hash hash;
    int r = kernel_merge(&w, initramfs);
    if (r < 0)
        return say_why(def, initramfs, env, r);
    hash_init(&hash);
    hash_field(&hash, DEFINITION_RECIPE);
    if (env->arch != ARCH_X86_64)
        hash_field(&hash, arch_name(env->arch));
    hash_add(&hash, &s->kind, sizeof(s->kind));
    hash_field(&hash, s->where);
    if (s->has_sha256)
        hash_add(&hash, &s->sha256, sizeof(s->sha256));
    bool file = s->kind == SOURCE_TARBALL || (s->kind == SOURCE_DISTRIBUTION && str_ends(s->where, ".deb"));
    if (file && !is_url(s->where)) {
        cleanup_free char *path = source_path(env, s);
        stamp_add(&hash, env->config_dir, path);
    }
    kernel_hash_configuration(&w, &hash);
    hash_end(&hash, ret_key);
    return 0;
}

/* ---- for those who look at it ---- */

void kernel_inputs_free(struct kernel_inputs *inputs)
{
    free(inputs->tree);
    fragments_free(&inputs->fragments);
    *inputs = (struct kernel_inputs){0};
}

int kernel_inputs(const struct kernel_def *def, const struct build_env *env, bool own,
                  struct kernel_inputs *ret_inputs)
{
    cleanup_kernel_work struct kernel_work w = kernel_work_of(def, env);
    cleanup_input struct input input = {0};
    int r = own ? kernel_merge(&w, NULL) : kernel_merge_definition(&w, NULL);
    if (r == 0)
        r = kernel_find_source(&w, &input);
    if (r == 0 && !w.tree)
        r = unpack_tree(env, &input, "Kconfig", &w.tree);
    if (r < 0)
        return r;
    *ret_inputs = (struct kernel_inputs){.tree = TAKE_PTR(w.tree),
                                         .source = w.source,
                                         .fragments = w.fragments,
                                         .make_args = kernel_make_args[env->arch]};
    w.fragments = (struct fragments){0};
    return 0;
}

char *kernel_build_folder(const struct kernel_def *def, const struct build_env *env)
{
    char name[ARTIFACT_NAME_MAX];
    return xasprintf("%s/work/kernel-%s", env->cache_dir, artifact_name_format(def->name, env->arch, name));
}
