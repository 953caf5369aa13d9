/* See config/config.h: files and folders to a site. */
#include "config/load.h"
#include "base/file.h"
#include "base/str.h"
#include "config/config.h"
#include "config/documents.h"

#include <errno.h>

/* Reads the only document of a file. *ret_yaml is the caller's to free on success. */
static int one_document(struct mapper *m, const char *file, const char *text, size_t size,
                        struct yaml *ret_yaml)
{
    int r = yaml_parse(file, text, size, m->diags, ret_yaml);
    if (r < 0)
        return r;
    if (ret_yaml->documents.n == 1)
        return 0;
    if (ret_yaml->documents.n == 0)
        r = map_error(m, &(struct pos){.file = file}, "nothing is defined in this file");
    else
        r = map_error(m, &ret_yaml->documents.items[1]->pos,
                      "a second document; this kind of file holds one definition");
    yaml_free(ret_yaml);
    return r;
}

/* `images/smallest.yaml` is `smallest`, when that can be a name; the caller's. */
static char *name_of_file(const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    size_t n = strlen(base);
    if (str_ends(base, ".yaml"))
        n -= strlen(".yaml");
    char *name = xstrndup(base, n);
    if (is_host_label(name))
        return name;
    free(name);
    return NULL;
}

/* The name that the definition has, or gets from its file: also when the file could not be read (r < 0), so
 * that those who refer to it are not told that it does not exist. Returns r, or the error of having no name.
 */
static int settle_name(struct mapper *m, const char *file, char **name, int r)
{
    if (!*name)
        *name = name_of_file(file);
    if (*name || r < 0)
        return r;
    return map_error(m, &(struct pos){.file = file},
                     "this definition has no \"name\", and its file's cannot be one; expected %s",
                     type_label.expected);
}

int parse_image_file(struct mapper *m, const char *file, const char *text, size_t size,
                     struct image_def *ret_image)
{
    struct yaml yaml = {0};
    *ret_image = (struct image_def){.pos.file = file};
    int r = one_document(m, file, text, size, &yaml);
    if (r == 0) {
        r = read_image(m, yaml.documents.items[0], ret_image);
        yaml_free(&yaml);
    }
    return settle_name(m, file, &ret_image->name, r);
}

int parse_kernel_file(struct mapper *m, const char *file, const char *text, size_t size,
                      struct kernel_def *ret_kernel)
{
    struct yaml yaml = {0};
    *ret_kernel = (struct kernel_def){.pos.file = file};
    int r = one_document(m, file, text, size, &yaml);
    if (r == 0) {
        r = read_kernel(m, yaml.documents.items[0], ret_kernel);
        yaml_free(&yaml);
    }
    return settle_name(m, file, &ret_kernel->name, r);
}

int parse_main_file(struct mapper *m, const char *file, const char *text, size_t size, struct site *site)
{
    struct yaml yaml = {0};
    int r = one_document(m, file, text, size, &yaml);
    if (r < 0)
        return r;
    r = read_main(m, yaml.documents.items[0], site);
    yaml_free(&yaml);
    return r;
}

int parse_nodes_file(struct mapper *m, const char *file, const char *text, size_t size, struct site *site)
{
    struct yaml yaml = {0};
    int r = yaml_parse(file, text, size, m->diags, &yaml);
    if (r < 0)
        return r;
    VEC_EACH(root, &yaml.documents)
        if (read_node(m, *root, site) < 0)
            r = -EINVAL;
    yaml_free(&yaml);
    return r;
}

/* The public doors to one document. */

static const char *keep_name(struct site *site, const char *name)
{
    return *VEC_ADD(&site->files) = xstrdup(name);
}

int config_parse_image(const char *name, const char *text, size_t size, struct diags *diags,
                       struct image_def *ret_image)
{
    struct image_def image;
    int r = parse_image_file(&(struct mapper){.diags = diags}, name, text, size, &image);
    if (r == 0)
        *ret_image = image;
    else
        image_def_clear(&image);
    return r;
}

int config_parse_kernel(const char *name, const char *text, size_t size, struct diags *diags,
                        struct kernel_def *ret_kernel)
{
    struct kernel_def kernel;
    int r = parse_kernel_file(&(struct mapper){.diags = diags}, name, text, size, &kernel);
    if (r == 0)
        *ret_kernel = kernel;
    else
        kernel_def_clear(&kernel);
    return r;
}

int config_parse_main(const char *name, const char *text, size_t size, struct diags *diags, struct site *site)
{
    return parse_main_file(&(struct mapper){.diags = diags}, keep_name(site, name), text, size, site);
}

int config_parse_nodes(const char *name, const char *text, size_t size, struct diags *diags,
                       struct site *site)
{
    return parse_nodes_file(&(struct mapper){.diags = diags}, keep_name(site, name), text, size, site);
}

/* The folder. */

/* Who reads the files of one folder. `into` is called with each; `shown` is how positions name it. */
struct folder {
    const char *name; /* in the configuration folder, or in the share folder */
    int (*into)(struct loading *l, const char *shown, const char *text, size_t size);
};

static int into_nodes(struct loading *l, const char *shown, const char *text, size_t size)
{
    return parse_nodes_file(&l->mapper, shown, text, size, l->site);
}

static int into_images(struct loading *l, const char *shown, const char *text, size_t size)
{
    struct image_def image;
    int r = parse_image_file(&l->mapper, shown, text, size, &image);
    const struct image_def *other = image.name ? site_image(l->site, image.name) : NULL;
    if (other && !l->builtin)
        r = map_error(&l->mapper, &image.pos, "image %s is defined in %s already", image.name,
                      other->pos.file);
    if (other || !image.name)
        image_def_clear(&image);
    else
        *VEC_ADD(&l->site->images) = image;
    return r;
}

static int into_kernels(struct loading *l, const char *shown, const char *text, size_t size)
{
    struct kernel_def kernel;
    int r = parse_kernel_file(&l->mapper, shown, text, size, &kernel);
    const struct kernel_def *other = kernel.name ? site_kernel(l->site, kernel.name) : NULL;
    if (other && !l->builtin)
        r = map_error(&l->mapper, &kernel.pos, "kernel %s is defined in %s already", kernel.name,
                      other->pos.file);
    if (other || !kernel.name)
        kernel_def_clear(&kernel);
    else
        *VEC_ADD(&l->site->kernels) = kernel;
    return r;
}

static const struct folder nodes_folder = {"nodes.d", into_nodes};
static const struct folder images_folder = {"images", into_images};
static const struct folder kernels_folder = {"kernels", into_kernels};

/* Reads one file, named NAME in the folder `dir`; positions show it as `shown`. */
static int load_file(struct loading *l, const char *dir, const char *name, const char *shown,
                     int (*into)(struct loading *l, const char *shown, const char *text, size_t size))
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name), *text = NULL;
    size_t size;
    shown = keep_name(l->site, shown);
    int r = file_read(path, YAML_SIZE_MAX, &text, &size);
    if (r == -EFBIG)
        return map_error(&l->mapper, &(struct pos){.file = shown}, "longer than %zu MiB",
                         YAML_SIZE_MAX >> 20);
    if (r < 0) {
        map_error(&l->mapper, &(struct pos){.file = shown}, "cannot be read: %s", strerror(-r));
        return r == -ENOENT ? -EINVAL : r; /* -ENOENT means that there is no configuration at all */
    }
    return into(l, shown, text, size);
}

/* `x.yml` would be passed over in silence otherwise. */
static void warn_unread(struct loading *l, const char *path, const char *folder)
{
    char **names;
    if (dir_names(path, ".yml", &names) < 0)
        return;
    for (char **name = names; *name; name++) {
        cleanup_free char *shown = xasprintf("%s/%s", folder, *name);
        diag_warning(l->mapper.diags, &(struct pos){.file = shown}, "not read: definitions end in .yaml");
    }
    names_free(names);
}

/* Reads all `*.yaml` of `dir`/folder; a missing folder is an empty one. With `builtin`, positions show the
 * whole path. */
static int load_folder(struct loading *l, const char *dir, const struct folder *folder)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, folder->name);
    char **names;
    int r = dir_names(path, ".yaml", &names);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        map_error(&l->mapper, &(struct pos){.file = folder->name}, "cannot be read: %s", strerror(-r));
        return r;
    }
    for (char **name = names; *name; name++) {
        cleanup_free char *shown = xasprintf("%s/%s", l->builtin ? path : folder->name, *name);
        int failed = load_file(l, path, *name, shown, folder->into);
        r = r < 0 ? r : failed;
    }
    names_free(names);
    if (!l->builtin)
        warn_unread(l, path, folder->name);
    return r;
}

static int into_main(struct loading *l, const char *shown, const char *text, size_t size)
{
    return parse_main_file(&l->mapper, shown, text, size, l->site);
}

int loading_read(struct loading *l, const char *dir, const char *share_dir)
{
    cleanup_free char *main_path = xasprintf("%s/rambox.yaml", dir);
    if (!file_exists(main_path) && errno == ENOENT) {
        diag_error(l->mapper.diags, NULL, "%s has no rambox.yaml; `rambox init %s` writes a commented one",
                   dir, dir);
        return -ENOENT;
    }
    int r = load_file(l, dir, "rambox.yaml", "rambox.yaml", into_main);
    l->main_unread = r < 0 && l->site->profiles.n == 0;
    const struct folder *const folders[] = {&nodes_folder, &images_folder, &kernels_folder};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        int failed = load_folder(l, dir, folders[i]);
        r = r < 0 ? r : failed;
    }
    l->builtin = true;
    for (size_t i = 1; share_dir && i < ARRAY_SIZE(folders); i++) {
        int failed = load_folder(l, share_dir, folders[i]);
        r = r < 0 ? r : failed;
    }
    return r;
}

void loading_begin(struct loading *l, struct diags *diags)
{
    *l = (struct loading){.site = site_new()};
    l->mapper = (struct mapper){.diags = diags, .marks = &l->marks};
}

void loading_end(struct loading *l)
{
    site_free(l->site);
    l->site = NULL;
    VEC_FREE(&l->marks.list);
}

int config_load(const char *dir, const char *share_dir, struct diags *diags, struct site **ret_site)
{
    struct loading l;
    loading_begin(&l, diags);
    int r = loading_read(&l, dir, share_dir);
    int checked = l.main_unread || r == -ENOENT ? 0 : check_site(&l.mapper, l.site, dir, share_dir);
    r = r < 0 ? r : checked;
    if (r == 0)
        *ret_site = TAKE_PTR(l.site);
    loading_end(&l);
    return r;
}
