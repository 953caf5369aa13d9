/* See build/busybox.h. */
#include "build/busybox.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/fetch.h"
#include "build/kbuild.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define LABEL    "busybox smallest"
#define COMPILER "musl-gcc"

static const struct build_tool tools[] = {
    {"make", "make"},
    {"gcc", "gcc"},
    {COMPILER, "musl-tools"},
    {"bzip2", "bzip2"},
    {"dpkg-source", "dpkg-dev"},
    {NULL, NULL},
};

/* musl has no kernel headers. The distribution's are looked at last, through a folder that has nothing but
 * them, so that no header of the other C library comes along. */
static int link_kernel_headers(const struct build_env *env, const char *folder)
{
    static const char *const parts[] = {"linux", "asm-generic", "mtd", "asm"};
    cleanup_free char *machine = NULL;
    int r = dir_make(folder);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot make %s", folder);
    r = process_output((const char *const[]){"gcc", "-print-multiarch", NULL}, &machine);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot run gcc");
    machine[strcspn(machine, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        cleanup_free char *link = xasprintf("%s/%s", folder, parts[i]);
        cleanup_free char *target = xasprintf("/usr/include/%s/%s", machine, parts[i]);
        if (!file_exists(target)) {
            free(target);
            target = xasprintf("/usr/include/%s", parts[i]);
        }
        if (!file_exists(target))
            return diag_error(env->diags, NULL,
                              LABEL ": the kernel's headers are missing; install the package linux-libc-dev");
        if (symlink(target, link) < 0 && errno != EEXIST)
            return diag_errno(env->diags, -errno, LABEL ": cannot link %s", link);
    }
    return 0;
}

static int compile(const struct build_env *env, const char *tree, const struct fragments *f, const char *out,
                   const char *log, unsigned *ret_steps)
{
    cleanup_free char *headers = xasprintf("%s/headers", out);
    cleanup_free char *flags = xasprintf("EXTRA_CFLAGS=-idirafter %s -fno-pie", headers);
    const char *const args[] = {"CC=musl-gcc", "HOSTCC=gcc", flags, "EXTRA_LDFLAGS=-no-pie", NULL};
    struct kbuild b = {
        .label = LABEL,
        .out = out,
        .tree = {.tree = tree, .top = "Config.in"},
        .old_kconfig = true,
        .make_args = args,
        .log = log,
        .expected_steps = 330,
    };
    int r = link_kernel_headers(env, headers);
    if (r == 0)
        r = kbuild_configure(&b, env, f);
    return r < 0 ? r : kbuild_make(&b, env, "busybox", ret_steps);
}

/* Everything that decides what comes out. */
static int key_of(const struct build_env *env, const struct input *source, const struct fragments *f,
                  struct digest *ret_key)
{
    struct hash hash;
    cleanup_str struct str text = {0};
    char hex[DIGEST_TEXT_MAX];
    fragments_write(f, &text);
    hash_init(&hash);
    hash_field(&hash, LABEL " 1");
    hash_field(&hash, digest_format(&source->digest, hex));
    hash_field(&hash, str_text(&text));
    int r = build_hash_compiler(env, COMPILER, &hash);
    if (r == 0)
        hash_end(&hash, ret_key);
    return r;
}

int busybox_build(const struct build_env *env, struct built *ret_built)
{
    cleanup_free char *config = xasprintf("%s/busybox/smallest.config", env->share_dir);
    cleanup_free char *out = xasprintf("%s/work/busybox-smallest", env->cache_dir);
    cleanup_free char *log = xasprintf("%s.log", out);
    cleanup_free char *binary = xasprintf("%s/busybox", out);
    cleanup_free char *tree = NULL;
    cleanup_fragments struct fragments f = {0};
    cleanup_input struct input source = {0};
    struct built built = {.name = "busybox-smallest"};
    struct digest key;
    time_t start = time(NULL);
    int r = build_need(env, LABEL, tools);
    if (r == 0)
        r = fragments_add_file(&f, config, env->diags);
    if (r == 0)
        r = fetch_source_package(env, "busybox", &source);
    if (r == 0)
        r = key_of(env, &source, &f, &key);
    if (r < 0)
        return r;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return BUILD_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    cleanup_close int lock = build_lock(env, "busybox-smallest");
    if (lock < 0)
        return lock;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return BUILD_UNCHANGED; /* by the one we waited for */
    r = unpack_tree(env, &source, "Config.in", &tree);
    if (r == 0)
        r = dir_remove(out);
    if (r == 0)
        r = compile(env, tree, &f, out, log, &built.steps);
    if (r == 0)
        r = artifact_put_file(env->artifact_dir, binary, env->diags, &built.artifact);
    if (r < 0)
        return r;
    built.seconds = (unsigned)(time(NULL) - start);
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot write to the cache %s", env->cache_dir);
    (void)dir_remove(out);
    return built_get(env->cache_dir, env->artifact_dir, &key, ret_built);
}
