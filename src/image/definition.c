/* See image/build.h: the key of a definition, which is what the server goes by. */
#include "build/stamp.h"
#include "image/build.h"
#include "image/busybox.h"

/* Raised whenever this file puts something else into a key. */
#define RECIPE "image definition 1"

static void add_number(struct hash *hash, int64_t number)
{
    hash_add(hash, &number, sizeof(number));
}

/* A file or folder that the definition names: by its name, and in the configuration folder by how it
 * looks too. */
static void add_path(struct hash *hash, const struct build_env *env, const struct pos *pos, const char *path)
{
    hash_field(hash, path);
    if (!path)
        return;
    cleanup_free char *full = definition_path(env, pos, path);
    stamp_add(hash, env->config_dir, full);
}

static void add_entry(struct hash *hash, const struct build_env *env, const struct image_entry *entry)
{
    const int64_t numbers[] = {entry->kind,         entry->has_mode,      (int64_t)entry->mode,
                               (int64_t)entry->uid, (int64_t)entry->gid,  entry->device,
                               entry->major,        (int64_t)entry->minor};
    hash_add(hash, numbers, sizeof(numbers));
    hash_field(hash, entry->path);
    hash_field(hash, entry->content);
    hash_add(hash, &entry->sha256, sizeof(entry->sha256));
    if (entry->kind == ENTRY_FILE_COPY || entry->kind == ENTRY_TREE)
        add_path(hash, env, &entry->pos, entry->from);
    else
        hash_field(hash, entry->from);
}

static void add_definition(struct hash *hash, const struct build_env *env, const struct image_def *def)
{
    add_number(hash, def->busybox);
    add_path(hash, env, &def->pos, def->busybox_path);
    add_path(hash, env, &def->pos, def->init);
    hash_field(hash, def->hostname);
    hash_field(hash, def->timezone);
    hash_field(hash, def->devices);
    add_number(hash, def->compression);
    add_number(hash, def->level);
    add_number(hash, (int64_t)def->entries.n);
    VEC_EACH(entry, &def->entries)
        add_entry(hash, env, entry);
}

void image_definition_key(const struct build_env *env, const struct image_def *def,
                          const struct image_inputs *inputs, struct digest *ret_key)
{
    struct hash hash;
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    add_definition(&hash, env, def);
    if (env->arch != ARCH_X86_64)
        hash_field(&hash, arch_name(env->arch));
    add_number(&hash, def->base);
    if (def->base)
        add_definition(&hash, env, inputs->base);
    hash_end(&hash, ret_key);
}
