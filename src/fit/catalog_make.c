/* Making a catalog, see fit/catalog.h: `modinfo` (which reads modules of every compression) says what the
 * modules of a kernel are for, build/kernel_package.h where they are. */
#include "base/file.h"
#include "base/process.h"
#include "build/kernel_package.h"
#include "fit/catalog.h"

#include <errno.h>
#include <ftw.h>
#include <unistd.h>

/* Raised whenever the text has more in it. */
#define CATALOG_VERSION "1"

/* ---- modules ---- */

static _Thread_local struct {
    char **items;
    size_t n, cap;
} files; /* what nftw found */

static int take_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    const char *name = path + where->base;
    (void)st;
    if (type == FTW_F && strstr(name, ".ko"))
        VEC_PUSH(&files, xstrdup(path));
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `.../kernel/drivers/net/e1000e.ko.xz` to `drivers/net/e1000e`; the caller's. */
static char *object_of(const char *path)
{
    const char *kernel = strstr(path, "/kernel/");
    const char *start = kernel ? kernel + strlen("/kernel/") : path;
    const char *suffix = strstr(start, ".ko");
    return xstrndup(start, suffix ? (size_t)(suffix - start) : strlen(start));
}

static void add_beside(const char *value, struct str *out)
{
    cleanup_free char *copy = xstrdup(value);
    char *save = NULL;
    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
        if (!str_eq(word, "pre:") && !str_eq(word, "post:"))
            str_printf(out, "beside %s\n", word);
}

static void add_field(const char *key, const char *value, struct str *out)
{
    if (str_eq(key, "filename")) {
        cleanup_free char *object = object_of(value);
        const char *slash = strrchr(object, '/');
        str_printf(out, "module %s %s\n", slash ? slash + 1 : object, object);
    } else if (str_eq(key, "alias") || str_eq(key, "firmware")) {
        str_printf(out, "%s %s\n", key, value);
    } else if (str_eq(key, "softdep")) {
        add_beside(value, out);
    }
}

/* `alias:          pci:...` */
static void take_info(void *user, const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon || line[0] == '\t')
        return;
    cleanup_free char *key = xstrndup(line, (size_t)(colon - line));
    add_field(key, colon + 1 + strspn(colon + 1, " "), user);
}

static int read_modules(const struct build_env *env, const char *folder, struct str *out)
{
    VEC(const char *) argv = {0};
    files.n = 0;
    int r = nftw(folder, take_file, 32, FTW_PHYS) < 0 ? -errno : 0;
    if (r < 0)
        r = diag_errno(env->diags, r, "cannot read %s", folder);
    else if (files.n == 0)
        r = diag_error(env->diags, NULL, "%s holds no modules", folder);
    if (files.n)
        qsort(files.items, files.n, sizeof(char *), compare_paths);
    VEC_PUSH(&argv, "modinfo");
    VEC_EACH(file, &files)
        VEC_PUSH(&argv, *file);
    VEC_PUSH(&argv, NULL);
    if (r == 0)
        r = process_run(&(struct process_spec){.argv = argv.items, .on_line = take_info, .user = out});
    if (r == -ENOENT)
        diag_errno(env->diags, r, "modinfo is not installed; install the package kmod");
    else if (r > 0)
        r = diag_error(env->diags, NULL, "modinfo failed with status %d on the modules in %s", r, folder);
    VEC_EACH(file, &files)
        free(*file);
    VEC_FREE(&files);
    VEC_FREE(&argv);
    return r;
}

/* ---- what is built in ---- */

/* modules.builtin.modinfo: `8250.file=drivers/tty/serial/8250/8250`, each ended by NUL. The lines of one
 * module stand together, its file last, so what is said of it is held back until then. */
static void read_builtin(const char *folder, struct str *out)
{
    cleanup_free char *path = xasprintf("%s/modules.builtin.modinfo", folder);
    cleanup_free char *data = NULL;
    cleanup_free char *last = NULL;
    cleanup_str struct str held = {0};
    size_t size = 0;
    if (file_read(path, 16 << 20, &data, &size) < 0)
        return; /* kernels before 5.2 have none */
    for (const char *s = data; s < data + size; s += strlen(s) + 1) {
        const char *dot = strchr(s, '.'), *equals = dot ? strchr(dot, '=') : NULL;
        if (!equals)
            continue;
        cleanup_free char *name = xstrndup(s, (size_t)(dot - s));
        cleanup_free char *key = xstrndup(dot + 1, (size_t)(equals - dot) - 1);
        if (!str_eq(name, last)) {
            str_add(out, str_text(&held));
            held.len = 0;
            free(last);
            last = xstrdup(name);
        }
        if (str_eq(key, "file")) {
            str_printf(out, "builtin %s %s\n", name, equals + 1);
            str_add(out, held.len ? str_text(&held) : "");
            held.len = 0;
        } else if (str_eq(key, "alias") || str_eq(key, "firmware")) {
            str_printf(&held, "%s %s\n", key, equals + 1);
        }
    }
}

/* ---- whole ---- */

static void read_config(const char *path, struct str *out)
{
    cleanup_free char *text = NULL;
    char *save = NULL;
    if (file_read(path, 4 << 20, &text, NULL) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (str_starts(line, "CONFIG_"))
            str_printf(out, "config %s\n", line);
}

static int make_catalog(const struct build_env *env, const struct kernel_package *kernel, struct str *out)
{
    str_printf(out, "kernel %s\n", kernel->version);
    int r = read_modules(env, kernel->modules, out);
    if (r < 0)
        return r;
    read_builtin(kernel->modules, out);
    read_config(kernel->config, out);
    return 0;
}

/* Makes the catalog of a package and keeps it at `path`. */
static int make_of_package(const struct build_env *env, const struct input *input, const char *path,
                           struct str *out)
{
    cleanup_kernel_package struct kernel_package kernel = {0};
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    int r = kernel_package_open(env, input, KERNEL_PART_MODULES, &kernel);
    if (r == 0)
        r = make_catalog(env, &kernel, out);
    if (r < 0)
        return r;
    r = dir_make(parent);
    if (r == 0)
        r = file_write_atomic(path, str_text(out), out->len, 0644);
    return r < 0 ? diag_errno(env->diags, r, "cannot keep %s", path) : 0;
}

/* Those of a package, or of a .deb, from the cache when they are known. */
static int text_of_package(const struct build_env *env, const char *source, struct str *out)
{
    cleanup_free char *where = xstrdup(source), *cached = NULL;
    cleanup_input struct input input = {0};
    char hex[DIGEST_TEXT_MAX];
    int r = kernel_package_fetch(env, &(struct source){.kind = SOURCE_DISTRIBUTION, .where = where}, &input);
    if (r < 0)
        return r;
    cleanup_free char *path =
        xasprintf("%s/drivers/%.16s." CATALOG_VERSION, env->cache_dir, digest_format(&input.digest, hex));
    if (file_read(path, 64 << 20, &cached, NULL) < 0)
        return make_of_package(env, &input, path, out);
    str_add(out, cached);
    return 0;
}

static int text_of_folder(const struct build_env *env, const char *folder, struct str *out)
{
    cleanup_kernel_package struct kernel_package kernel = {0};
    kernel_package_installed(folder, &kernel);
    return make_catalog(env, &kernel, out);
}

int catalog_get(const struct build_env *env, const char *source, struct catalog *ret_catalog)
{
    cleanup_str struct str text = {0};
    bool folder = strchr(source, '/') && !str_ends(source, ".deb");
    int r = folder ? text_of_folder(env, source, &text) : text_of_package(env, source, &text);
    if (r == 0)
        catalog_parse(str_text(&text), ret_catalog);
    return r;
}
