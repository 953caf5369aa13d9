/* See image/build.h. */
#include "image/build.h"
#include "base/file.h"
#include "image/compress.h"
#include "image/cpio.h"
#include "image/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

/* What a small kernel takes for itself, its page tables and its first programs; and what it needs to unpack
 * itself, which it does at 16 MiB and above, with the compressed image behind it. Both measured with a kernel
 * of 2.2 MB that is 9 MB unpacked. */
#define KERNEL_MEMORY (16ULL << 20)
#define KERNEL_START  (33ULL << 20)

void image_result_clear(struct image_result *result)
{
    for (size_t i = 0; i < IMAGE_LARGEST; i++)
        free(result->largest[i].path);
    *result = (struct image_result){0};
}

/* The kernel keeps the compressed image until the root is unpacked, and its RAM file system takes at most
 * half of what is left for files (tmpfs, the default size). */
uint64_t image_memory_needed(uint64_t root, uint64_t compressed)
{
    uint64_t running = KERNEL_MEMORY + compressed + 2 * root;
    uint64_t starting = KERNEL_START + compressed;
    return running > starting ? running : starting;
}

static void key_of(struct tree *tree, const struct image_def *def, const struct image_inputs *inputs,
                   struct digest *ret_key)
{
    struct hash hash;
    cleanup_free char *compression = compression_identity(def->compression, def->level);
    hash_init(&hash);
    hash_field(&hash, "image 1");
    hash_field(&hash, compression);
    hash_add(&hash, &inputs->mtime, sizeof(inputs->mtime));
    tree_hash(tree, &hash);
    hash_end(&hash, ret_key);
}

/* Puts a file in its place among the largest. */
static void note_size(struct image_result *result, const struct tree_entry *entry)
{
    size_t at = IMAGE_LARGEST;
    while (at > 0 && (!result->largest[at - 1].path || result->largest[at - 1].size < entry->inode->size))
        at--;
    if (at == IMAGE_LARGEST)
        return;
    free(result->largest[IMAGE_LARGEST - 1].path);
    memmove(&result->largest[at + 1], &result->largest[at],
            (IMAGE_LARGEST - 1 - at) * sizeof(result->largest[0]));
    result->largest[at] = (struct image_file){xstrdup(entry->path), entry->inode->size};
}

static void measure(struct tree *tree, struct image_result *result)
{
    unsigned counted = 0;
    result->archive = cpio_size(tree);
    result->root = tree_ram_size(tree);
    result->entries = (unsigned)tree->entries.n;
    VEC_EACH(it, &tree->entries) {
        if (S_ISREG((*it)->inode->mode) && (*it)->inode->number > counted)
            note_size(result, *it);
        if ((*it)->inode->number > counted)
            counted = (*it)->inode->number;
    }
}

static int check_memory(const struct build_env *env, const struct image_def *def,
                        const struct image_inputs *inputs, const struct image_result *result)
{
    uint64_t budget = def->memory;
    if (inputs->memory && (!budget || inputs->memory < budget))
        budget = inputs->memory;
    uint64_t needed = image_memory_needed(result->root, result->built.size);
    if (!budget || needed <= budget)
        return 0;
    cleanup_str struct str files = {0};
    char size[SIZE_TEXT_MAX], root[SIZE_TEXT_MAX], packed[SIZE_TEXT_MAX];
    for (size_t i = 0; i < IMAGE_LARGEST && result->largest[i].path; i++)
        str_printf(&files, "%s %s (%s)", i ? "," : "", result->largest[i].path,
                   format_size(result->largest[i].size, size));
    diag_error(
        env->diags, &def->pos,
        "image %s needs %ju MiB of RAM, but its nodes have %ju MiB: %s unpacked (a RAM root has half of the "
        "memory), %s compressed, and 16 MiB for the kernel, or 33 MiB while it starts; the largest files "
        "are%s",
        def->name, (uintmax_t)((needed >> 20) + 1), (uintmax_t)(budget >> 20),
        format_size(result->root, root), format_size(result->built.size, packed), str_text(&files));
    return -E2BIG;
}

/* The archive on its way into the compressor, and the compressed bytes on their way into a file. */
struct file_sink {
    struct sink sink;
    int fd;
    uint64_t written;
};

static int file_sink_write(struct sink *sink, const void *data, size_t n)
{
    struct file_sink *file = (struct file_sink *)sink;
    file->written += n;
    return write_all(file->fd, data, n);
}

struct counted_sink {
    struct sink sink;
    struct sink *next;
    const struct build_env *env;
    const char *task;
    uint64_t done, total;
};

static int counted_sink_write(struct sink *sink, const void *data, size_t n)
{
    struct counted_sink *counted = (struct counted_sink *)sink;
    counted->done += n;
    progress_update(counted->env->progress, counted->task, counted->done, counted->total, NULL);
    return counted->next->write(counted->next, data, n);
}

/* Writes the compressed archive to `path`. */
static int write_image(const struct build_env *env, const struct image_def *def, uint32_t mtime,
                       struct tree *tree, const char *path, uint64_t *ret_size)
{
    cleanup_free char *task = xasprintf("image %s", def->name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct file_sink file = {.sink.write = file_sink_write, .fd = fd};
    CLEANUP(compressor_free) struct compressor *compressor = NULL;
    struct counted_sink counted = {
        .sink.write = counted_sink_write, .env = env, .task = task, .total = cpio_size(tree)};
    if (fd < 0)
        return diag_errno(env->diags, -errno, "cannot write %s", path);
    int r = compressor_new(def->compression, def->level, counted.total, &file.sink, &compressor);
    if (r == -ERANGE)
        return diag_error(env->diags, &def->pos, "image %s: %s has levels 1 to %d, not %d", def->name,
                          compression_name(def->compression), compression_max_level(def->compression),
                          def->level);
    unsigned errors = env->diags->errors;
    if (r == 0) {
        counted.next = compressor_sink(compressor);
        r = cpio_write(tree, mtime, &counted.sink);
    }
    if (r == 0)
        r = compressor_finish(compressor);
    if (r < 0 && env->diags->errors == errors)
        diag_errno(env->diags, r, "image %s: cannot write %s%s", def->name, path,
                   r == -ENOSPC ? "; what was built before is untouched" : "");
    if (r == 0)
        *ret_size = file.written;
    return r;
}

/* Builds in a work folder, which goes away whatever happens. */
static int build(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
                 struct tree *tree, struct image_result *result)
{
    char artifact[ARTIFACT_NAME_MAX];
    cleanup_free char *name = xasprintf("image-%s", artifact_name_format(def->name, env->arch, artifact));
    cleanup_free char *work = xasprintf("%s/work/%s", env->cache_dir, name);
    cleanup_free char *path = xasprintf("%s/image", work);
    cleanup_close int lock = build_lock(env, name);
    if (lock < 0)
        return lock;
    int r = dir_remove(work);
    if (r == 0)
        r = dir_make(work);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    r = write_image(env, def, inputs->mtime, tree, path, &result->built.size);
    if (r == 0)
        r = check_memory(env, def, inputs, result);
    if (r == 0)
        r = artifact_put_file(env->artifact_dir, path, env->diags, &result->built.artifact);
    (void)dir_remove(work);
    return r;
}

int image_build(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
                struct image_result *ret_result)
{
    CLEANUP(tree_free) struct tree *tree = NULL;
    struct image_result result = {0};
    struct digest key;
    time_t start = time(NULL);
    int r = image_plan(env, def, inputs, &tree);
    if (r < 0)
        return r;
    programs_check(env, def, tree);
    key_of(tree, def, inputs, &key);
    measure(tree, &result);
    bool unchanged = built_get(env->cache_dir, env->artifact_dir, &key, &result.built) == 0;
    if (unchanged) {
        r = check_memory(env, def, inputs, &result);
    } else {
        char name[ARTIFACT_NAME_MAX];
        snprintf(result.built.name, sizeof(result.built.name), "%.63s",
                 artifact_name_format(def->name, env->arch, name));
        r = build(env, def, inputs, tree, &result);
        result.built.seconds = (unsigned)(time(NULL) - start);
        if (r == 0 && (r = built_put(env->cache_dir, env->artifact_dir, &key, &result.built)) < 0)
            diag_errno(env->diags, r, "cannot write to the cache folder %s", env->cache_dir);
    }
    if (r < 0) {
        image_result_clear(&result);
        return r;
    }
    *ret_result = result;
    return unchanged ? IMAGE_UNCHANGED : 0;
}

int image_find(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
               struct built *ret_built)
{
    CLEANUP(tree_free) struct tree *tree = NULL;
    struct digest key;
    int r = image_plan(env, def, inputs, &tree);
    if (r < 0)
        return r;
    key_of(tree, def, inputs, &key);
    return built_get(env->cache_dir, env->artifact_dir, &key, ret_built);
}
