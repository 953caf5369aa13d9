/* See modules/archive.h. */
#include "modules/archive.h"
#include "base/file.h"
#include "build/kernel_package.h"
#include "build/stamp.h"
#include "image/compress.h"
#include "image/cpio.h"
#include "image/tree.h"
#include "modules/index.h"

#include <errno.h>
#include <time.h>

/* Raised whenever this folder builds something else from the same inputs. */
#define RECIPE            "modules 1"
#define DEFINITION_RECIPE "modules definition 1"

enum { TEXT_MAX = 64 << 20, ARCHIVE_MAX = 1 << 30 };

/* A level that takes seconds for all drivers of network cards and disks, where the highest takes a minute for
 * 5 % less. */
#define ZSTD_LEVEL 15

static enum compression compression_of(const struct kernel_def *def, int *ret_level)
{
    static const enum compression kinds[] = {COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_LZ4};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_eq(def->compression, compression_name(kinds[i]))) {
            *ret_level = 0;
            return kinds[i];
        }
    *ret_level = ZSTD_LEVEL;
    return COMPRESSION_ZSTD;
}

/* The same package is refused for another architecture. */
static void hash_arch(struct hash *hash, const struct build_env *env)
{
    if (env->arch != ARCH_X86_64)
        hash_field(hash, arch_name(env->arch));
}

static void key_of(const struct build_env *env, const struct kernel_def *def, const struct digest *package,
                   struct digest *ret_key)
{
    struct hash hash;
    char hex[DIGEST_TEXT_MAX];
    int level;
    enum compression kind = compression_of(def, &level);
    cleanup_free char *compression = compression_identity(kind, level);
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    hash_field(&hash, digest_format(package, hex));
    hash_field(&hash, compression);
    VEC_EACH(name, &def->modules)
        hash_field(&hash, *name);
    hash_arch(&hash, env);
    hash_end(&hash, ret_key);
}

void modules_definition_key(const struct build_env *env, const struct kernel_def *def, struct digest *ret_key)
{
    const struct source *s = &def->source;
    struct hash hash;
    hash_init(&hash);
    hash_field(&hash, DEFINITION_RECIPE);
    hash_field(&hash, s->where);
    hash_field(&hash, def->compression);
    if (s->has_sha256)
        hash_add(&hash, &s->sha256, sizeof(s->sha256));
    if (str_ends(s->where, ".deb") && !is_url(s->where)) {
        cleanup_free char *path = source_path(env, s);
        stamp_add(&hash, env->config_dir, path);
    }
    VEC_EACH(name, &def->modules)
        hash_field(&hash, *name);
    hash_arch(&hash, env);
    hash_end(&hash, ret_key);
}

/* ---- the tree ---- */

static const struct tree_attr file_attr = {.mode = 0644}, folder_attr = {.mode = 0755};

/* The folders above a file, down from `folder`, which stand in the archive. */
static int add_folders(struct tree *tree, const char *folder, const char *path)
{
    int r = 0;
    for (const char *slash = path + strlen(folder); r == 0 && slash; slash = strchr(slash + 1, '/')) {
        cleanup_free char *above = xstrndup(path, (size_t)(slash - path));
        if (!tree_find(tree, above))
            r = tree_dir(tree, above, &folder_attr, NULL);
    }
    return r;
}

static int add_module(struct tree *tree, const char *folder, const struct module *m, struct diags *diags)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, m->path), *data = NULL;
    size_t size = 0;
    int r = add_folders(tree, folder, path);
    if (r == 0 && str_ends(m->file, ".ko"))
        return tree_file(tree, path, m->file, &file_attr, NULL);
    if (r == 0)
        r = module_read(m, diags, &data, &size);
    return r < 0 ? r : tree_data(tree, path, data, size, &file_attr, NULL);
}

static int add_text(struct tree *tree, const char *folder, const char *name, const struct str *text)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    return tree_data(tree, path, str_text(text), text->len, &file_attr, NULL);
}

/* What depmod wrote of all modules, less what is not here. */
static int add_filtered(struct tree *tree, const char *folder, const char *modules, const char *name,
                        unsigned word, const struct closure *closure)
{
    cleanup_free char *from = xasprintf("%s/%s", modules, name), *lines = NULL;
    cleanup_str struct str text = {0};
    if (file_read(from, TEXT_MAX, &lines, NULL) < 0)
        return 0; /* an old depmod does not write it */
    index_filter(closure, lines, word, &text);
    return add_text(tree, folder, name, &text);
}

static int make_tree(const struct build_env *env, const struct kernel_package *package,
                     const struct closure *closure, struct tree **ret_tree)
{
    CLEANUP(tree_free) struct tree *tree = tree_new(env->diags);
    cleanup_free char *folder = xasprintf("/lib/modules/%s", package->version);
    cleanup_str struct str index = {0}, dep = {0};
    tree->partial = true;
    int r = tree_dir(tree, "/lib/modules", &folder_attr, NULL);
    if (r == 0)
        r = tree_dir(tree, folder, &folder_attr, NULL);
    VEC_EACH(m, &closure->list)
        if (r == 0)
            r = add_module(tree, folder, m, env->diags);
    index_write(closure, &index);
    index_write_dep(closure, &dep);
    if (r == 0)
        r = add_text(tree, folder, "rambox.index", &index);
    if (r == 0)
        r = add_text(tree, folder, "modules.dep", &dep);
    if (r == 0)
        r = add_filtered(tree, folder, package->modules, "modules.alias", 2, closure);
    if (r == 0)
        r = add_filtered(tree, folder, package->modules, "modules.softdep", 1, closure);
    if (r == 0)
        *ret_tree = TAKE_PTR(tree);
    return r;
}

/* ---- building ---- */

/* Compresses the tree's archive into the artifact store. */
static int store(const struct build_env *env, const struct kernel_def *def, struct tree *tree,
                 struct built *built)
{
    struct memory_sink packed = memory_sink_of(ARCHIVE_MAX);
    CLEANUP(compressor_free) struct compressor *compressor = NULL;
    int level;
    enum compression kind = compression_of(def, &level);
    uint64_t size = cpio_size(tree);
    progress_update(env->progress, "compress", 0, size, built->name);
    int r = compressor_new(kind, level, size, &packed.sink, &compressor);
    if (r == 0)
        r = cpio_write(tree, 0, compressor_sink(compressor));
    if (r == 0)
        r = compressor_finish(compressor);
    if (r < 0)
        diag_errno(env->diags, r, "modules %s: cannot pack them", built->name);
    if (r == 0) {
        built->size = packed.bytes.len;
        r = artifact_put_data(env->artifact_dir, str_text(&packed.bytes), packed.bytes.len, env->diags,
                              &built->artifact);
    }
    str_free(&packed.bytes);
    return r;
}

static void say_closure(const struct build_env *env, const struct kernel_def *def,
                        const struct closure *closure)
{
    size_t firmware = 0;
    VEC_EACH(m, &closure->list)
        firmware += m->firmware.n;
    progress_say(env->progress, "modules %s: %zu modules, which may ask for %zu firmware files%s", def->name,
                 closure->list.n, firmware, firmware ? " (`rambox kernel modules` names them)" : "");
}

static int build(const struct build_env *env, const struct kernel_def *def, const struct input *input,
                 struct built *built)
{
    cleanup_kernel_package struct kernel_package package = {0};
    cleanup_closure struct closure closure = {0};
    CLEANUP(tree_free) struct tree *tree = NULL;
    int r = kernel_package_open(env, input, KERNEL_PART_MODULES, &package);
    if (r == 0)
        r = closure_find(package.modules, def->modules.items, def->modules.n, &def->pos, env->diags,
                         &closure);
    if (r == 0)
        r = make_tree(env, &package, &closure, &tree);
    if (r == 0)
        r = store(env, def, tree, built);
    if (r == 0)
        say_closure(env, def, &closure);
    return r;
}

int modules_build(const struct build_env *env, const struct kernel_def *def, struct built *ret_built)
{
    cleanup_input struct input input = {0};
    struct built built = {0};
    struct digest key;
    time_t start = time(NULL);
    snprintf(built.name, sizeof(built.name), "%s", def->name);
    int r = kernel_package_fetch(env, &def->source, &input);
    if (r < 0)
        return r;
    key_of(env, def, &input.digest, &key);
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return MODULES_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    r = build(env, def, &input, &built);
    if (r < 0)
        return r;
    built.seconds = (unsigned)(time(NULL) - start);
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, "modules %s: cannot write to the cache %s", def->name,
                          env->cache_dir);
    *ret_built = built;
    return 0;
}

int modules_find(const struct build_env *env, const struct kernel_def *def, struct closure *ret_closure,
                 char **ret_version)
{
    cleanup_input struct input input = {0};
    cleanup_kernel_package struct kernel_package package = {0};
    int r = kernel_package_fetch(env, &def->source, &input);
    if (r == 0)
        r = kernel_package_open(env, &input, KERNEL_PART_MODULES, &package);
    if (r == 0)
        r = closure_find(package.modules, def->modules.items, def->modules.n, &def->pos, env->diags,
                         ret_closure);
    if (r == 0)
        *ret_version = TAKE_PTR(package.version);
    return r;
}
