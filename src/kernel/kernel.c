/* See kernel/kernel.h. */
#include "kernel/kernel.h"
#include "base/file.h"
#include "base/str.h"
#include "build/fetch.h"
#include "build/kbuild.h"
#include "build/kernel_package.h"
#include "build/stamp.h"
#include "kernel/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <time.h>

/* Raised whenever this file builds something else from the same inputs. */
#define RECIPE "kernel 1"
/* The same for a kernel that is taken from a package. */
#define PACKAGED_RECIPE "packaged kernel 1"
/* The same of kernel_definition_key. */
#define DEFINITION_RECIPE "kernel definition 1"

/* The compressions of a bzImage, and who does them. */
static const struct {
    const char *name, *symbol, *program, *package;
} compressions[] = {
    {"gzip", "KERNEL_GZIP", "gzip", "gzip"},     {"bzip2", "KERNEL_BZIP2", "bzip2", "bzip2"},
    {"lzma", "KERNEL_LZMA", "lzma", "xz-utils"}, {"xz", "KERNEL_XZ", "xz", "xz-utils"},
    {"lz4", "KERNEL_LZ4", "lz4c", "lz4"},        {"zstd", "KERNEL_ZSTD", "zstd", "zstd"},
};

/* What differs between the architectures that kernels are built for. */
static const struct kernel_arch {
    const char *srcarch;  /* folder of the tree */
    const char *compiler; /* as its name is, and the package that has it */
    const char *package;
    const char *packed; /* the target that is compressed, and what it makes */
    const char *packed_file;
    const char *plain; /* the same without EFI_ZBOOT; NULL: a kernel is always compressed */
    const char *plain_file;
} kernel_archs[ARCHS] = {
    [ARCH_X86_64] = {.srcarch = "x86",
                     .compiler = "gcc",
                     .package = "gcc",
                     .packed = "bzImage",
                     .packed_file = "arch/x86/boot/bzImage"},
    /* Image is an EFI application (and what other loaders take); vmlinuz.efi is one that unpacks it. */
    [ARCH_ARM64] = {.srcarch = "arm64",
                    .compiler = "aarch64-linux-gnu-gcc",
                    .package = "gcc-aarch64-linux-gnu",
                    .packed = "vmlinuz.efi",
                    .packed_file = "arch/arm64/boot/vmlinuz.efi",
                    .plain = "Image",
                    .plain_file = "arch/arm64/boot/Image"},
};

/* Archives that the kernel can have inside, by how they begin. */
static const struct {
    const char *magic;
    size_t size;
    const char *suffix, *symbol;
} archives[] = {
    {"070701", 6, "", NULL},
    {"\x1f\x8b", 2, ".gz", "RD_GZIP"},
    {"\xfd"
     "7zXZ",
     5, ".xz", "RD_XZ"},
    {"\x28\xb5\x2f\xfd", 4, ".zst", "RD_ZSTD"},
    {"\x02\x21\x4c\x18", 4, ".lz4", "RD_LZ4"},
};

/* One build: what was found out on the way. Strings are owned. */
struct work {
    const struct kernel_def *def;
    const struct build_env *env;
    const struct kernel_arch *arch;
    char *name;  /* of the artifact: `smallest`, `smallest.arm64` */
    char *label; /* `kernel smallest` */
    char *out;   /* build folder, kept */
    char *log;
    char *tree;
    char *initramfs; /* the archive to embed, as Kbuild wants it named; NULL: none */
    struct fragments fragments;
    struct digest source; /* stands for the content of the tree */
    char *source_words;   /* the same for people */
    char *compiler;       /* the first line of what it says of itself */
    char *ccache_path;    /* PATH=... with ccache's compilers first; NULL: there is no ccache */
    char *ccache_dir;     /* CCACHE_DIR=...; NULL: none, or the user says where it keeps things */
};

static void work_clear(struct work *w)
{
    free(w->name);
    free(w->label);
    free(w->out);
    free(w->log);
    free(w->tree);
    free(w->initramfs);
    free(w->source_words);
    free(w->compiler);
    free(w->ccache_path);
    free(w->ccache_dir);
    fragments_free(&w->fragments);
}
#define cleanup_work __attribute__((cleanup(work_clear)))

/* Folders in which ccache, where it is installed, has the names of compilers. By these, not by other words
 * for the compiler, it comes and goes without anything being compiled anew for that. */
static const char *const ccache_folders[] = {"/usr/lib/ccache", "/usr/lib64/ccache"};

static void find_ccache(struct work *w)
{
    const char *path = getenv("PATH");
    for (size_t i = 0; i < ARRAY_SIZE(ccache_folders) && !w->ccache_path; i++) {
        cleanup_free char *compiler = xasprintf("%s/%s", ccache_folders[i], w->arch->compiler);
        if (file_exists(compiler))
            w->ccache_path = xasprintf("PATH=%s:%s", ccache_folders[i], path ? path : "/usr/bin:/bin");
    }
    if (w->ccache_path && !getenv("CCACHE_DIR"))
        w->ccache_dir = xasprintf("CCACHE_DIR=%s/ccache", w->env->cache_dir);
}

static struct work work_of(const struct kernel_def *def, const struct build_env *env)
{
    char name[ARTIFACT_NAME_MAX];
    artifact_name_format(def->name, env->arch, name);
    struct work w = {
        .def = def,
        .env = env,
        .arch = &kernel_archs[env->arch],
        .name = xstrdup(name),
        .label = xasprintf("kernel %s", name),
        .out = kernel_build_folder(def, env),
        .log = xasprintf("%s/work/kernel-%s.log", env->cache_dir, name),
    };
    find_ccache(&w);
    return w;
}

/* ---- source ---- */

static _Thread_local struct hash *tree_hash;

static int hash_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    if (type == FTW_D && str_eq(path + where->base, ".git"))
        return FTW_SKIP_SUBTREE;
    if (type != FTW_F)
        return FTW_CONTINUE;
    hash_field(tree_hash, path);
    hash_add(tree_hash, &st->st_size, sizeof(st->st_size));
    hash_add(tree_hash, &st->st_mtim, sizeof(st->st_mtim));
    return FTW_CONTINUE;
}

/* A tree of the user's is not read whole: names, sizes and times of its files stand for their content. */
static int hash_tree(const char *path, struct digest *ret_digest)
{
    struct hash hash;
    hash_init(&hash);
    tree_hash = &hash;
    int r = nftw(path, hash_entry, 32, FTW_PHYS | FTW_ACTIONRETVAL) < 0 ? -errno : 0;
    tree_hash = NULL;
    if (r == 0)
        hash_end(&hash, ret_digest);
    return r;
}

/* The name that a source has, and the beginning of its hash, since a name may stay. */
static char *words_of_source(const char *path, const struct digest *digest)
{
    char hex[DIGEST_TEXT_MAX];
    const char *slash = strrchr(path, '/');
    return xasprintf("%s (%.12s)", slash && slash[1] ? slash + 1 : path, digest_format(digest, hex));
}

/* Gets the source and says what stands for it; unpacks nothing yet. */
static int find_source(struct work *w, struct input *ret_input)
{
    const struct source *s = &w->def->source;
    const struct digest *sum = s->has_sha256 ? &s->sha256 : NULL;
    int r;
    if (s->kind == SOURCE_TREE) {
        w->tree = xstrdup(s->where);
        r = hash_tree(s->where, &w->source);
        w->source_words = r < 0 ? NULL : words_of_source(s->where, &w->source);
        return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot read the tree %s", w->label, s->where) : 0;
    }
    if (s->kind == SOURCE_PACKAGE)
        r = fetch_package(w->env, s->where, ret_input);
    else if (is_url(s->where))
        r = fetch_url(w->env, s->where, sum, ret_input);
    else {
        cleanup_free char *path = source_path(w->env, s);
        r = fetch_file(w->env, path, sum, ret_input);
    }
    if (r == 0) {
        w->source = ret_input->digest;
        w->source_words = words_of_source(ret_input->path, &w->source);
    }
    return r;
}

/* ---- configuration ---- */

/* CONFIG_DIR/kernels/NAME.config, else SHARE/fragments/NAME.config; the caller's, NULL when there is neither.
 * For another architecture than x86_64 either folder may have a variant of its own: kernels/NAME.ARCH.config,
 * fragments/ARCH/NAME.config. */
static char *fragment_path(const struct build_env *env, const char *name)
{
    const char *arch = arch_name(env->arch);
    bool variant = env->arch != ARCH_X86_64;
    char *const paths[] = {
        env->config_dir && variant ? xasprintf("%s/kernels/%s.%s.config", env->config_dir, name, arch) : NULL,
        env->config_dir ? xasprintf("%s/kernels/%s.config", env->config_dir, name) : NULL,
        variant ? xasprintf("%s/fragments/%s/%s.config", env->share_dir, arch, name) : NULL,
        xasprintf("%s/fragments/%s.config", env->share_dir, name),
    };
    char *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        if (!found && paths[i] && file_exists(paths[i]))
            found = paths[i];
        else
            free(paths[i]);
    }
    return found;
}

static int no_fragment(const struct work *w, const char *name)
{
    cleanup_free char *folder = xasprintf("%s/fragments", w->env->share_dir);
    char **names = NULL;
    const char *nearest = NULL;
    if (dir_names(folder, ".config", &names) == 0) {
        for (char **n = names; *n; n++)
            (*n)[strlen(*n) - strlen(".config")] = '\0';
        nearest = nearest_word(name, (const char *const *)names);
    }
    int r = diag_error(w->env->diags, &w->def->pos, "%s: there is no fragment \"%s\"%s%s%s", w->label, name,
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    names_free(names);
    return r;
}

static int add_fragments(struct work *w)
{
    VEC_EACH(name, &w->def->fragments) {
        cleanup_free char *path = fragment_path(w->env, *name);
        int r = path ? fragments_add_file(&w->fragments, path, w->env->diags) : no_fragment(w, *name);
        if (r < 0)
            return r;
    }
    return 0;
}

/* One compression on, all others off. */
static int add_compression(struct work *w)
{
    const char *wanted = w->def->compression;
    bool known = !wanted;
    for (size_t i = 0; wanted && i < ARRAY_SIZE(compressions); i++) {
        bool on = str_eq(compressions[i].name, wanted);
        if (!on && !fragments_find(&w->fragments, compressions[i].symbol))
            continue;
        fragments_set(&w->fragments, compressions[i].symbol, on ? "y" : "n", &w->def->pos, w->env->diags);
        known = known || on;
    }
    /* Where the kernel itself is plain, an EFI application around it unpacks it. */
    if (wanted && w->arch->plain)
        fragments_set(&w->fragments, "EFI_ZBOOT", "y", &w->def->pos, w->env->diags);
    if (known)
        return 0;
    return diag_error(w->env->diags, &w->def->pos,
                      "%s: \"%s\" is no compression of kernels; expected gzip, bzip2, lzma, xz, lz4 or zstd",
                      w->label, wanted);
}

/* Gives the archive the name that Kbuild knows its compression by, and asks for what unpacks it. The bzImage
 * is compressed as a whole, so an archive that is not compressed stays so in it. */
static int add_initramfs(struct work *w, const struct digest *initramfs)
{
    cleanup_free char *path = artifact_path(w->env->artifact_dir, initramfs);
    char magic[8] = "", hex[DIGEST_TEXT_MAX];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, magic, sizeof(magic)) < 0)
        return diag_errno(w->env->diags, -errno, "%s: cannot read its ramdisk %s", w->label, path);
    size_t i = 0;
    while (i < ARRAY_SIZE(archives) && memcmp(magic, archives[i].magic, archives[i].size) != 0)
        i++;
    if (i == ARRAY_SIZE(archives))
        return diag_error(
            w->env->diags, &w->def->pos,
            "%s: its ramdisk is no cpio archive, or compressed in a way that kernels do not unpack",
            w->label);
    digest_format(initramfs, hex);
    w->initramfs = xasprintf("%s.embed/%s.cpio%s", w->out, hex, archives[i].suffix);
    fragments_set(&w->fragments, "BLK_DEV_INITRD", "y", &w->def->pos, w->env->diags);
    fragments_set(&w->fragments, "INITRAMFS_SOURCE", w->initramfs, &w->def->pos, w->env->diags);
    if (archives[i].symbol)
        fragments_set(&w->fragments, archives[i].symbol, "y", &w->def->pos, w->env->diags);
    else
        fragments_set(&w->fragments, "INITRAMFS_COMPRESSION_NONE", "y", &w->def->pos, w->env->diags);
    return 0;
}

static char *own_config(const struct work *w)
{
    return w->env->config_dir ? xasprintf("%s/kernels/%s.config", w->env->config_dir, w->name) : NULL;
}

/* Without the user's own file for this kernel. */
static int merge_definition(struct work *w, const struct digest *initramfs)
{
    int r = add_fragments(w);
    if (r < 0)
        return r;
    VEC_EACH(symbol, &w->def->symbols)
        fragments_set(&w->fragments, symbol->name, symbol->value, &symbol->pos, w->env->diags);
    r = add_compression(w);
    if (r == 0 && initramfs)
        r = add_initramfs(w, initramfs);
    return r;
}

static int merge(struct work *w, const struct digest *initramfs)
{
    int r = merge_definition(w, initramfs);
    cleanup_free char *own = own_config(w);
    if (r == 0 && own && file_exists(own))
        r = fragments_add_file(&w->fragments, own, w->env->diags);
    return r;
}

/* ---- building ---- */

static int check_tools(const struct work *w)
{
    static const struct build_tool always[] = {
        {"make", "make"}, {"gcc", "gcc"}, {"ld", "binutils"}, {"flex", "flex"}, {"bison", "bison"},
        {"bc", "bc"},     {"tar", "tar"}, {"xz", "xz-utils"}, {"perl", "perl"}, {NULL, NULL},
    };
    int r = build_need(w->env, w->label, always);
    if (r == 0)
        r = build_need(w->env, w->label,
                       (const struct build_tool[]){{w->arch->compiler, w->arch->package}, {0}});
    if (r == 0 && !file_exists("/usr/include/libelf.h"))
        r = diag_error(w->env->diags, NULL,
                       "%s: libelf.h is not installed; install with: apt-get install libelf-dev", w->label);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(compressions); i++) {
        const struct asked *asked = fragments_find(&w->fragments, compressions[i].symbol);
        if (asked && str_eq(asked->value, "y"))
            r = build_need(
                w->env, w->label,
                (const struct build_tool[]){{compressions[i].program, compressions[i].package}, {0}});
    }
    return r;
}

/* The tree's menus are compiled when they are first opened. */
static int check_menu(const struct work *w, const char *program)
{
    bool menu = str_eq(program, "menuconfig") || str_eq(program, "nconfig");
    if (!menu || file_exists("/usr/include/ncurses.h") || file_exists("/usr/include/ncurses/ncurses.h"))
        return 0;
    return diag_error(w->env->diags, NULL,
                      "%s: ncurses.h is not installed; install with: apt-get install libncurses-dev",
                      w->label);
}

/* The merged configuration. The ramdisk is in it by its digest, which its name has. */
static void hash_configuration(const struct work *w, struct hash *hash)
{
    cleanup_str struct str text = {0};
    VEC_EACH(it, &w->fragments.list) {
        /* Not where the ramdisk lies, but what it is. */
        const char *slash = str_eq(it->name, "INITRAMFS_SOURCE") ? strrchr(it->value, '/') : NULL;
        str_printf(&text, "%s=%s\n", it->name, slash ? slash : it->value);
    }
    hash_field(hash, str_text(&text));
}

/* Everything that decides what comes out. */
static int key_of(struct work *w, struct digest *ret_key)
{
    struct hash hash;
    char hex[DIGEST_TEXT_MAX];
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    hash_field(&hash, digest_format(&w->source, hex));
    hash_configuration(w, &hash);
    if (w->env->arch != ARCH_X86_64)
        hash_field(&hash, arch_name(w->env->arch));
    int r = build_hash_compiler(w->env, w->arch->compiler, &hash, &w->compiler);
    if (r == 0)
        hash_end(&hash, ret_key);
    return r;
}

/* What stands for the tree that a build folder belongs to. A tree of the user's changes all the time; make
 * finds out by itself what to do again. */
static const char *tree_of_folder(const struct work *w, char hex[static DIGEST_TEXT_MAX])
{
    return w->def->source.kind == SOURCE_TREE ? w->def->source.where : digest_format(&w->source, hex);
}

static struct kernel_folder folder_of(const struct work *w, const char *tree)
{
    return (struct kernel_folder){
        .label = w->label, .path = w->out, .tree = tree, .fragments = &w->fragments, .env = w->env};
}

/* The archive to embed, linked to under the name that says how it is compressed. */
static int place_initramfs(const struct work *w, const struct digest *initramfs)
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

/* The same inputs give the same bytes: nothing of this machine, user or hour gets in. */
#define REPRODUCIBLE                                                                                         \
    "LOCALVERSION=", "KBUILD_BUILD_USER=rambox", "KBUILD_BUILD_HOST=rambox", "KBUILD_BUILD_VERSION=1",       \
        "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970"

static const char *const native_args[] = {REPRODUCIBLE, NULL};
static const char *const arm64_args[] = {REPRODUCIBLE, "ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-",
                                         NULL};
static const char *const *const make_args[ARCHS] = {[ARCH_X86_64] = native_args, [ARCH_ARM64] = arm64_args};

/* `make_env` is filled here, and to be kept as long as what is returned. */
#define MAKE_ENV_MAX 4
static struct kbuild kbuild_of(const struct work *w, const char *make_env[static MAKE_ENV_MAX])
{
    size_t n = 0;
    if (w->ccache_path)
        make_env[n++] = w->ccache_path;
    if (w->ccache_dir) {
        make_env[n++] = w->ccache_dir;
        make_env[n++] = "CCACHE_MAXSIZE=2G";
    }
    make_env[n] = NULL;
    return (struct kbuild){
        .label = w->label,
        .out = w->out,
        .tree = {.tree = w->tree, .top = "Kconfig", .srcarch = w->arch->srcarch},
        .make_args = make_args[w->env->arch],
        .make_env = make_env,
        .log = w->log,
    };
}

/* Tree, folder and configuration are there afterwards. */
static int configure(struct work *w, const struct input *input, const struct digest *initramfs)
{
    char hex[DIGEST_TEXT_MAX];
    const char *make_env[MAKE_ENV_MAX];
    const struct kernel_folder folder = folder_of(w, tree_of_folder(w, hex));
    int r = w->tree ? 0 : unpack_tree(w->env, input, "Kconfig", &w->tree);
    if (r == 0)
        r = kernel_folder_prepare(&folder);
    if (r == 0 && initramfs)
        r = place_initramfs(w, initramfs);
    if (r < 0)
        return r;
    struct kbuild b = kbuild_of(w, make_env);
    return kbuild_configure(&b, w->env, &w->fragments);
}

static int compile(const struct work *w, struct built *built)
{
    const char *make_env[MAKE_ENV_MAX];
    struct kbuild b = kbuild_of(w, make_env);
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
static void say_changes(const struct work *w, struct built *built)
{
    const struct kernel_folder folder = folder_of(w, NULL);
    cleanup_free char *changes = kernel_folder_changes(
        &folder, &(struct kernel_facts){.source = w->source_words, .compiler = w->compiler});
    snprintf(built->because, sizeof(built->because), "%s", changes);
    if (changes[0])
        progress_say(w->env->progress, "%s is built again: %s", w->label, changes);
}

/* ---- the distribution's ---- */

/* The package's own bytes: they are signed, and nothing may change them. */
static int take_packaged(const struct work *w, const struct input *input, struct built *built)
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

static int build_packaged(struct work *w, struct built *ret_built)
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

int kernel_build(const struct kernel_def *def, const struct digest *initramfs, const struct build_env *env,
                 struct built *ret_built)
{
    cleanup_work struct work w = work_of(def, env);
    cleanup_input struct input input = {0};
    struct built built = {0};
    struct digest key;
    time_t start = time(NULL);
    if (def->source.kind == SOURCE_DISTRIBUTION)
        return build_packaged(&w, ret_built);
    snprintf(built.name, sizeof(built.name), "%s", w.label);
    int r = merge(&w, initramfs);
    if (r == 0 && !env->only_cached)
        r = check_tools(&w);
    if (r == 0)
        r = find_source(&w, &input);
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
    r = configure(&w, &input, initramfs);
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

int kernel_definition_key(const struct kernel_def *def, const struct digest *initramfs,
                          const struct build_env *env, struct digest *ret_key)
{
    cleanup_work struct work w = work_of(def, env);
    const struct source *s = &def->source;
    struct hash hash;
    int r = merge(&w, initramfs);
    if (r < 0)
        return r;
    hash_init(&hash);
    hash_field(&hash, DEFINITION_RECIPE);
    if (env->arch != ARCH_X86_64)
        hash_field(&hash, arch_name(env->arch));
    hash_add(&hash, &s->kind, sizeof(s->kind));
    hash_field(&hash, s->where);
    if (s->has_sha256)
        hash_add(&hash, &s->sha256, sizeof(s->sha256));
    bool file = s->kind == SOURCE_TARBALL || (s->kind == SOURCE_DISTRIBUTION && str_ends(s->where, ".deb"));
    if (file && s->where[0] != '/' && !is_url(s->where)) {
        cleanup_free char *path = source_path(env, s);
        stamp_add(&hash, env->config_dir, path);
    }
    hash_configuration(&w, &hash);
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
    cleanup_work struct work w = work_of(def, env);
    cleanup_input struct input input = {0};
    int r = own ? merge(&w, NULL) : merge_definition(&w, NULL);
    if (r == 0)
        r = find_source(&w, &input);
    if (r == 0 && !w.tree)
        r = unpack_tree(env, &input, "Kconfig", &w.tree);
    if (r < 0)
        return r;
    *ret_inputs = (struct kernel_inputs){.tree = TAKE_PTR(w.tree),
                                         .source = w.source,
                                         .fragments = w.fragments,
                                         .make_args = make_args[env->arch]};
    w.fragments = (struct fragments){0};
    return 0;
}

char *kernel_build_folder(const struct kernel_def *def, const struct build_env *env)
{
    char name[ARTIFACT_NAME_MAX];
    return xasprintf("%s/work/kernel-%s", env->cache_dir, artifact_name_format(def->name, env->arch, name));
}

/* ---- editing ---- */

/* Puts changed lines into the user's file for this kernel; what else is in it, and its comments, stay. */
static int save_changes(const struct work *w, const char *changes, char **ret_path)
{
    cleanup_fragments struct fragments merged = {0}, lines = {0};
    cleanup_str struct str text = {0};
    cleanup_free char *path = own_config(w);
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    cleanup_free char *heading =
        xasprintf("%s: changes made with `rambox kernel config %s`.", w->name, w->name);
    cleanup_free char *old = NULL;
    /* Read as lines first, so that one that is none is said. */
    int r = file_exists(path) ? fragments_add_file(&merged, path, w->env->diags) : dir_make(folder);
    if (r == 0)
        r = fragments_add_text(&lines, path, changes, w->env->diags);
    if (r < 0)
        return r;
    (void)file_read(path, 4 << 20, &old, NULL);
    fragments_edit(old ? old : "", &lines, heading, &text);
    r = file_write_atomic(path, str_text(&text), text.len, 0644);
    if (r < 0)
        return diag_errno(w->env->diags, r, "%s: cannot write %s", w->label, path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

int kernel_edit(const struct kernel_def *def, const struct build_env *env, const char *program,
                char **ret_path)
{
    cleanup_work struct work w = work_of(def, env);
    cleanup_input struct input input = {0};
    cleanup_free char *changes = NULL;
    if (!env->config_dir)
        return diag_error(env->diags, NULL, "%s: there is no configuration folder to keep changes in",
                          w.label);
    if (def->source.kind == SOURCE_DISTRIBUTION)
        return diag_error(env->diags, &def->pos,
                          "%s: it is the distribution's and has no options to change; a kernel from source: "
                          "{package: linux-source-6.1} has",
                          w.label);
    int r = merge(&w, NULL);
    if (r == 0)
        r = check_tools(&w);
    if (r == 0)
        r = check_menu(&w, program);
    if (r == 0)
        r = find_source(&w, &input);
    if (r < 0)
        return r;
    cleanup_free char *lock_name = xasprintf("kernel-%s", w.name);
    cleanup_close int lock = build_lock(env, lock_name);
    if (lock < 0)
        return lock;
    r = configure(&w, &input, NULL);
    const char *make_env[MAKE_ENV_MAX];
    struct kbuild b = kbuild_of(&w, make_env);
    if (r == 0)
        r = kbuild_edit(&b, env, program, &changes);
    if (r < 0)
        return r;
    if (!changes || changes[0] == '\0') {
        *ret_path = NULL;
        return 0;
    }
    return save_changes(&w, changes, ret_path);
}
