/* What compiles a kernel, see kernel/work.h. */
#include "base/file.h"
#include "base/str.h"
#include "kernel/work.h"

#include <stdlib.h>

const struct kernel_compression kernel_compressions[] = {
    {"gzip", "KERNEL_GZIP", "gzip", "gzip"},
    {"bzip2", "KERNEL_BZIP2", "bzip2", "bzip2"},
    {"lzma", "KERNEL_LZMA", "lzma", "xz-utils"},
    {"xz", "KERNEL_XZ", "xz", "xz-utils"},
    {"lz4", "KERNEL_LZ4", "lz4c", "lz4"},
    {"zstd", "KERNEL_ZSTD", "zstd", "zstd"},
    {0},
};

const struct kernel_arch kernel_archs[ARCHS] = {
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

/* ---- programs ---- */

int kernel_check_tools(const struct kernel_work *w)
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
    for (const struct kernel_compression *c = kernel_compressions; r == 0 && c->name; c++) {
        const struct asked *asked = fragments_find(&w->fragments, c->symbol);
        if (asked && str_eq(asked->value, "y"))
            r = build_need(w->env, w->label, (const struct build_tool[]){{c->program, c->package}, {0}});
    }
    return r;
}

/* Folders in which ccache, where it is installed, has the names of compilers. By these, not by other words
 * for the compiler, it comes and goes without anything being compiled anew for that. */
static const char *const ccache_folders[] = {"/usr/lib/ccache", "/usr/lib64/ccache"};

void kernel_find_ccache(struct kernel_work *w)
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

/* ---- make ---- */

/* The same inputs give the same bytes: nothing of this machine, user or hour gets in. */
#define REPRODUCIBLE                                                                                         \
    "LOCALVERSION=", "KBUILD_BUILD_USER=rambox", "KBUILD_BUILD_HOST=rambox", "KBUILD_BUILD_VERSION=1",       \
        "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970"

static const char *const native_args[] = {REPRODUCIBLE, NULL};
static const char *const arm64_args[] = {REPRODUCIBLE, "ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-",
                                         NULL};
const char *const *const kernel_make_args[ARCHS] = {[ARCH_X86_64] = native_args, [ARCH_ARM64] = arm64_args};

struct kbuild kernel_kbuild(const struct kernel_work *w, const char *make_env[static KERNEL_MAKE_ENV_MAX])
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
        .make_args = kernel_make_args[w->env->arch],
        .make_env = make_env,
        .log = w->log,
    };
}
