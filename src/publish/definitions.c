/* See publish/definitions.h. */
#include "publish/definitions.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { DEFINITION_MAX = 4 << 20, SYNC_EACH_MAX = 256 };

void definitions_clear(struct definitions *definitions)
{
    VEC_EACH(file, &definitions->files) {
        free(file->name);
        free(file->data);
    }
    VEC_FREE(&definitions->files);
}

/* Reads the file `path` as `name`. */
static int add_file(struct definitions *definitions, const char *path, const char *name, struct diags *diags)
{
    struct definition_file file = {0};
    int r = file_read(path, DEFINITION_MAX, &file.data, &file.size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", path);
    file.name = xstrdup(name);
    *VEC_ADD(&definitions->files) = file;
    return 0;
}

/* All files of one folder with one ending; a missing folder has none. */
static int add_folder(struct definitions *definitions, const char *dir, const char *folder,
                      const char *suffix, struct diags *diags)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, folder);
    char **names;
    int r = dir_names(path, suffix, &names);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", path);
    for (char **name = names; r == 0 && *name; name++) {
        cleanup_free char *file = xasprintf("%s/%s", path, *name), *shown = xasprintf("%s/%s", folder, *name);
        r = add_file(definitions, file, shown, diags);
    }
    names_free(names);
    return r;
}

int definitions_read(const char *config_dir, struct diags *diags, struct definitions *ret_definitions)
{
    static const struct {
        const char *folder, *suffix;
    } kinds[] = {{"nodes.d", ".yaml"}, {"images", ".yaml"}, {"kernels", ".yaml"}, {"kernels", ".config"}};
    cleanup_definitions struct definitions definitions = {0};
    cleanup_free char *main_file = xasprintf("%s/rambox.yaml", config_dir);
    int r = file_exists(main_file) ? add_file(&definitions, main_file, "rambox.yaml", diags) : 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
        r = add_folder(&definitions, config_dir, kinds[i].folder, kinds[i].suffix, diags);
    if (r < 0)
        return r;
    *ret_definitions = definitions;
    definitions = (struct definitions){0};
    return 0;
}

static bool has_file(const struct definitions *definitions, const char *name)
{
    VEC_EACH(file, &definitions->files)
        if (str_eq(file->name, name))
            return true;
    return false;
}

/* Both kinds of definitions, while the built-in ones are added. */
struct adding {
    struct definitions *builtin;
    const struct definitions *users;
    struct diags *diags;
};

/* Adds one, if it is built in: those are the ones with an absolute place. */
static int add_builtin(const struct adding *a, const char *folder, const char *name, const struct pos *pos)
{
    if (!pos->file || pos->file[0] != '/')
        return 0;
    cleanup_free char *shown = xasprintf("%s/%s.yaml", folder, name);
    if (has_file(a->builtin, shown))
        return 0;
    if (has_file(a->users, shown)) {
        diag_error(a->diags, &(struct pos){.file = shown},
                   "this file is named like the built-in %s, which a profile uses, but defines another one; "
                   "rename the file",
                   name);
        return -EEXIST;
    }
    return add_file(a->builtin, pos->file, shown, a->diags);
}

int definitions_add_builtin(struct definitions *builtin, const struct definitions *users,
                            const struct site *site, struct diags *diags)
{
    const struct adding a = {builtin, users, diags};
    int r = 0;
    VEC_EACH(profile, &site->profiles) {
        const struct kernel_def *kernel = site_kernel(site, profile->kernel);
        const char *image_name = profile->image ? profile->image : kernel->initramfs;
        const struct image_def *image = site_image(site, image_name);
        if (r == 0)
            r = add_builtin(&a, "kernels", kernel->name, &kernel->pos);
        if (r == 0)
            r = add_builtin(&a, "images", image->name, &image->pos);
    }
    /* A user's kernel that no profile uses may name a built-in image. */
    VEC_EACH(kernel, &site->kernels) {
        const struct image_def *image = kernel->initramfs ? site_image(site, kernel->initramfs) : NULL;
        if (r == 0 && image && kernel->pos.file[0] != '/')
            r = add_builtin(&a, "images", image->name, &image->pos);
    }
    return r;
}

/* All that a generation's definitions can be in. */
static const char *const folders[] = {"", "/nodes.d", "/images", "/kernels"};

static int write_file(const char *path, const struct definition_file *file)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : write_all(fd, file->data, file->size);
}

int definitions_write(const struct definitions *definitions, const char *dir)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++) {
        cleanup_free char *path = xasprintf("%s%s", dir, folders[i]);
        r = dir_make(path);
    }
    for (size_t i = 0; r == 0 && i < definitions->files.n; i++) {
        cleanup_free char *path = xasprintf("%s/%s", dir, definitions->files.items[i].name);
        r = write_file(path, &definitions->files.items[i]);
    }
    return r;
}

static int sync_path(const char *path, int (*sync)(int fd))
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || sync(fd) < 0 ? -errno : 0;
}

int definitions_sync(const struct definitions *definitions, const char *dir)
{
    int r = 0;
    if (definitions->files.n > SYNC_EACH_MAX)
        return sync_path(dir, syncfs);
    for (size_t i = 0; r == 0 && i < definitions->files.n; i++) {
        cleanup_free char *path = xasprintf("%s/%s", dir, definitions->files.items[i].name);
        r = sync_path(path, fsync);
    }
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++) {
        cleanup_free char *path = xasprintf("%s%s", dir, folders[i]);
        r = sync_path(path, fsync);
    }
    return r;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct definition_file *)a)->name, ((const struct definition_file *)b)->name);
}

void definitions_hash(struct definitions *definitions, struct digest *ret_digest)
{
    struct hash hash;
    hash_init(&hash);
    if (definitions->files.n)
        qsort(definitions->files.items, definitions->files.n, sizeof(*definitions->files.items),
              compare_files);
    VEC_EACH(file, &definitions->files) {
        uint64_t size = file->size;
        hash_field(&hash, file->name);
        hash_add(&hash, &size, sizeof(size));
        hash_add(&hash, file->data, file->size);
    }
    hash_end(&hash, ret_digest);
}
