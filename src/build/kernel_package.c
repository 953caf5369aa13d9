/* See build/kernel_package.h. */
#include "build/kernel_package.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/unpack.h"

#include <errno.h>
#include <unistd.h>

/* Packages between the one that is named and the one with the kernel: linux-image-amd64 needs one more. */
#define HOPS_MAX 3

static const struct build_tool tools[] = {{"dpkg-deb", "dpkg"}, {"depmod", "kmod"}, {0}};

void kernel_package_clear(struct kernel_package *package)
{
    free(package->version);
    free(package->vmlinuz);
    free(package->modules);
    free(package->config);
    *package = (struct kernel_package){0};
}

char *source_path(const struct build_env *env, const struct source *source)
{
    const char *file = source->pos.file, *where = source->where;
    const char *slash = file && where[0] != '/' ? strrchr(file, '/') : NULL;
    if (!slash)
        return xstrdup(where);
    if (file[0] == '/' || !env->config_dir)
        return xasprintf("%.*s/%s", (int)(slash - file), file, where);
    return xasprintf("%s/%.*s/%s", env->config_dir, (int)(slash - file), file, where);
}

/* ---- fetching ---- */

/* One field of a package; the caller's. */
static int read_field(const struct build_env *env, const struct input *input, const char *field,
                      char **ret_value)
{
    cleanup_free char *output = NULL;
    int r = process_output((const char *const[]){"dpkg-deb", "-f", input->path, field, NULL}, &output);
    if (r != 0)
        return diag_errno(env->diags, r < 0 ? r : -EIO, "%s: dpkg-deb cannot read it", input->path);
    output[strcspn(output, "\n")] = '\0';
    *ret_value = TAKE_PTR(output);
    return 0;
}

/* The kernel that a list of dependencies such as `linux-image-6.1.0-56-amd64 (= 6.1.192-2), other` names, as
 * apt takes it (NAME=VERSION); the caller's, NULL: none. */
static char *kernel_dependency(const char *depends)
{
    for (const char *item = depends ? depends : ""; *item; item += strcspn(item, ","), item += *item == ',') {
        item += strspn(item, " ");
        size_t name = strcspn(item, " ,|:");
        if (!str_starts(item, "linux-image-"))
            continue;
        const char *version = item + name + strspn(item + name, " ");
        if (!str_starts(version, "(= "))
            return xstrndup(item, name);
        version += strlen("(= ");
        return xasprintf("%.*s=%.*s", (int)name, item, (int)strcspn(version, " ),"), version);
    }
    return NULL;
}

/* Whether it has a kernel is said by its content, which is long; its own name says it, too: the version. */
static bool names_a_version(const char *package)
{
    for (const char *dot = strchr(package, '.'); dot; dot = strchr(dot + 1, '.'))
        if (dot[1] >= '0' && dot[1] <= '9' && strchr(dot + 1, '.'))
            return true;
    return false;
}

static int fetch_named(const struct build_env *env, const char *name, struct input *ret_input)
{
    cleanup_free char *at = xstrdup(name);
    bool old = false; /* what names `at` is from the cache */
    for (int hop = 0; hop < HOPS_MAX; hop++) {
        cleanup_input struct input input = {0};
        cleanup_free char *depends = NULL, *package = NULL;
        int r = fetch_target_package(env, at, &input);
        if (r < 0 && old && !env->only_cached)
            diag_note(
                env->diags, NULL,
                "package %s, which needs it, was fetched earlier; `rambox build --refresh` looks up the "
                "newest",
                name);
        if (r == 0)
            r = read_field(env, &input, "Depends", &depends);
        if (r == 0)
            r = read_field(env, &input, "Package", &package);
        if (r < 0)
            return r;
        char *next = package && names_a_version(package) ? NULL : kernel_dependency(depends);
        if (!next) {
            *ret_input = input;
            input = (struct input){0};
            return 0;
        }
        old = input.cached;
        free(at);
        at = next;
    }
    diag_error(env->diags, NULL, "package %s leads from one package to the next, and to no kernel", name);
    return -ELOOP;
}

int kernel_package_fetch(const struct build_env *env, const struct source *source, struct input *ret_input)
{
    const struct digest *sum = source->has_sha256 ? &source->sha256 : NULL;
    int r = env->only_cached ? 0 : build_need(env, "a kernel of the distribution", tools);
    if (r < 0)
        return r;
    if (!str_ends(source->where, ".deb"))
        return fetch_named(env, source->where, ret_input);
    if (is_url(source->where))
        return fetch_url(env, source->where, sum, ret_input);
    cleanup_free char *path = source_path(env, source);
    return fetch_file(env, path, sum, ret_input);
}

/* ---- unpacking ---- */

/* The one name in a folder that begins with `prefix`; the caller's, without it. NULL: none or several. */
static char *only_name(const char *folder, const char *prefix)
{
    char **names = NULL, *found = NULL;
    unsigned n = 0;
    if (dir_names(folder, NULL, &names) < 0)
        return NULL;
    for (char **name = names; *name; name++)
        if (str_starts(*name, prefix) && n++ == 0)
            found = xstrdup(*name + strlen(prefix));
    names_free(names);
    if (n != 1) {
        free(found);
        return NULL;
    }
    return found;
}

/* Where the parts are in a folder. */
static void find_parts(const char *folder, struct kernel_package *ret_package)
{
    /* `lib` is first: where a package has both, the other one is of its programs. */
    static const char *const places[] = {"lib/modules", "usr/lib/modules"};
    struct kernel_package package = {0};
    cleanup_free char *boot = xasprintf("%s/boot", folder);
    package.version = only_name(boot, "vmlinuz-");
    if (package.version)
        package.vmlinuz = xasprintf("%s/vmlinuz-%s", boot, package.version);
    for (size_t i = 0; i < ARRAY_SIZE(places) && !package.modules; i++) {
        cleanup_free char *modules = xasprintf("%s/%s", folder, places[i]);
        if (!package.version) /* a package of modules alone */
            package.version = only_name(modules, "");
        cleanup_free char *of_version = package.version ? xasprintf("%s/%s", modules, package.version) : NULL;
        if (of_version && file_exists(of_version))
            package.modules = TAKE_PTR(of_version);
    }
    if (package.version)
        package.config = xasprintf("%s/config-%s", boot, package.version);
    *ret_package = package;
}

/* depmod knows /lib alone, which on a machine with all in /usr is a link. */
static int link_lib(const char *folder)
{
    cleanup_free char *lib = xasprintf("%s/lib", folder);
    return file_exists(lib) || symlink("usr/lib", lib) == 0 ? 0 : -errno;
}

/* depmod's files, which Debian makes when a kernel is installed. Nothing is recorded when it fails. */
static int run_depmod(const struct build_env *env, const char *folder)
{
    cleanup_kernel_package struct kernel_package package = {0};
    cleanup_free char *output = NULL;
    find_parts(folder, &package);
    if (!package.modules)
        return 0; /* said by who wants some */
    int r = link_lib(folder);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot write to %s", folder);
    r = process_output((const char *const[]){"depmod", "-b", folder, package.version, NULL}, &output);
    if (r == 0)
        return 0;
    if (r < 0)
        return diag_errno(env->diags, r, "cannot run depmod (package kmod)");
    diag_error(env->diags, NULL, "depmod failed with status %d for the modules of %s:\n%s", r,
               package.version, output);
    return -EIO;
}

/* A package is for one architecture, and its kernel is none of another one's. */
static int check_arch(const struct build_env *env, const struct input *input)
{
    cleanup_free char *arch = NULL;
    int r = read_field(env, input, "Architecture", &arch);
    if (r < 0 || str_eq(arch, debian_arch(env->arch)))
        return r;
    diag_error(
        env->diags, NULL,
        "%s is for %s, and the profile that boots it is for %s: give that one a kernel that is built, or a "
        "package of its architecture as a .deb",
        input->path, arch, arch_name(env->arch));
    return -EINVAL;
}

static int lacks(const struct build_env *env, const struct input *input, const char *part)
{
    diag_error(env->diags, NULL, "%s has no %s in it; name a package like linux-image-amd64", input->path,
               part);
    return -ENOENT;
}

int kernel_package_open(const struct build_env *env, const struct input *input, unsigned parts,
                        struct kernel_package *ret_package)
{
    cleanup_kernel_package struct kernel_package package = {0};
    cleanup_free char *folder = NULL;
    int r = check_arch(env, input);
    if (r == 0)
        r = unpack_package(env, input, run_depmod, &folder);
    if (r < 0)
        return r;
    find_parts(folder, &package);
    if ((parts & KERNEL_PART_VMLINUZ) && !package.vmlinuz)
        return lacks(env, input, "kernel boot/vmlinuz-VERSION");
    if ((parts & KERNEL_PART_MODULES) && !package.modules)
        return lacks(env, input, "modules lib/modules/VERSION");
    *ret_package = package;
    package = (struct kernel_package){0};
    return 0;
}

void kernel_package_installed(const char *modules, struct kernel_package *ret_package)
{
    size_t end = strlen(modules);
    while (end > 1 && modules[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && modules[start - 1] != '/')
        start--;
    char *version = xstrndup(modules + start, end - start);
    *ret_package = (struct kernel_package){.version = version,
                                           .modules = xstrndup(modules, end),
                                           .config = xasprintf("/boot/config-%s", version)};
}
