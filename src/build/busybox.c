/* See build/busybox.h. */
#include "build/busybox.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/kbuild.h"
#include "build/unpack.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define LABEL      "busybox smallest"
#define CROSS      "aarch64-linux-gnu-"
#define CROSS_MUSL "usr/lib/aarch64-linux-musl/musl-gcc.specs" /* in the package musl-dev of arm64 */

/* By architecture: what compiles, and where the kernel's headers are. For arm64 that is the distribution's
 * cross compiler with arm64's own musl, which is fetched and not installed. */
static const struct {
    struct build_tool compiler;
    const char *headers; /* NULL: the machine's own */
    const char *headers_package;
} targets[ARCHS] = {
    [ARCH_X86_64] = {{"musl-gcc", "musl-tools"}, NULL, "linux-libc-dev"},
    [ARCH_ARM64] = {{CROSS "gcc", "gcc-aarch64-linux-gnu"},
                    "/usr/aarch64-linux-gnu/include",
                    "linux-libc-dev-arm64-cross"},
};

/* What goes into a build. */
struct inputs {
    struct input source; /* BusyBox's */
    struct input musl;   /* of another architecture; path NULL: the machine has it */
    struct fragments config;
};

static void inputs_clear(struct inputs *i)
{
    input_clear(&i->source);
    input_clear(&i->musl);
    fragments_free(&i->config);
}
#define cleanup_inputs __attribute__((cleanup(inputs_clear)))

/* musl has no kernel headers. The distribution's are looked at last, through a folder that has nothing but
 * them, so that no header of the other C library comes along. */
static int link_kernel_headers(const struct build_env *env, const char *folder)
{
    static const char *const parts[] = {"linux", "asm-generic", "mtd", "asm"};
    cleanup_free char *machine = NULL;
    const char *include = targets[env->arch].headers;
    int r = dir_make(folder);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot make %s", folder);
    r = include ? 0 : process_output((const char *const[]){"gcc", "-print-multiarch", NULL}, &machine);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot run gcc");
    if (machine)
        machine[strcspn(machine, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        cleanup_free char *link = xasprintf("%s/%s", folder, parts[i]);
        cleanup_free char *target = include ? xasprintf("%s/%s", include, parts[i])
                                            : xasprintf("/usr/include/%s/%s", machine, parts[i]);
        if (!include && !file_exists(target)) {
            free(target);
            target = xasprintf("/usr/include/%s", parts[i]);
        }
        if (!file_exists(target))
            return diag_error(env->diags, NULL,
                              LABEL ": the kernel's headers are missing; install the package %s",
                              targets[env->arch].headers_package);
        if (symlink(target, link) < 0 && errno != EEXIST)
            return diag_errno(env->diags, -errno, LABEL ": cannot link %s", link);
    }
    return 0;
}

/* Unpacks the other architecture's musl into `folder`, and has its rules for the compiler (specs) name its
 * files there. The path of these rules; the caller's. */
static int place_musl(const struct build_env *env, const char *deb, const char *folder, char **ret_specs)
{
    cleanup_free char *path = xasprintf("%s/" CROSS_MUSL, folder);
    cleanup_free char *output = NULL, *text = NULL;
    cleanup_str struct str moved = {0};
    int r = dir_make(folder);
    if (r == 0)
        r = process_output((const char *const[]){"dpkg-deb", "-x", deb, folder, NULL}, &output);
    if (r != 0)
        return diag_error(env->diags, NULL, LABEL ": cannot unpack %s: %s", deb,
                          output ? output : strerror(-r));
    r = file_read(path, 1 << 16, &text, NULL);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": %s has no " CROSS_MUSL, deb);
    for (const char *p = text, *next; *p; p = next) {
        next = strstr(p, "/usr/");
        str_add_n(&moved, p, next ? (size_t)(next - p) : strlen(p));
        if (!next)
            break;
        str_printf(&moved, "%s/usr/", folder);
        next += strlen("/usr/");
    }
    r = file_write_atomic(path, str_text(&moved), moved.len, 0644);
    if (r < 0)
        return diag_errno(env->diags, r, LABEL ": cannot write %s", path);
    *ret_specs = TAKE_PTR(path);
    return 0;
}

static int compile(const struct build_env *env, const char *tree, const struct inputs *inputs,
                   const char *out, const char *log, unsigned *ret_steps)
{
    cleanup_free char *headers = xasprintf("%s/headers", out), *musl = xasprintf("%s/musl", out);
    cleanup_free char *flags = xasprintf("EXTRA_CFLAGS=-idirafter %s -fno-pie", headers);
    cleanup_free char *specs = NULL, *cc = NULL;
    int r = link_kernel_headers(env, headers);
    if (r == 0 && inputs->musl.path)
        r = place_musl(env, inputs->musl.path, musl, &specs);
    if (r < 0)
        return r;
    cc = xasprintf("CC=%s%s%s", targets[env->arch].compiler.program, specs ? " -specs " : "",
                   specs ? specs : "");
    const char *const args[] = {
        cc, "HOSTCC=gcc", flags, "EXTRA_LDFLAGS=-no-pie", specs ? "CROSS_COMPILE=" CROSS : NULL, NULL};
    struct kbuild b = {
        .label = LABEL,
        .out = out,
        .tree = {.tree = tree, .top = "Config.in"},
        .old_kconfig = true,
        .make_args = args,
        .log = log,
        .expected_steps = 330,
    };
    r = kbuild_configure(&b, env, &inputs->config);
    return r < 0 ? r : kbuild_make(&b, env, "busybox", ret_steps);
}

/* Everything that decides what comes out. */
static int key_of(const struct build_env *env, const struct inputs *inputs, struct digest *ret_key)
{
    struct hash hash;
    cleanup_str struct str text = {0};
    char hex[DIGEST_TEXT_MAX];
    fragments_write(&inputs->config, &text);
    hash_init(&hash);
    hash_field(&hash, LABEL " 1");
    hash_field(&hash, digest_format(&inputs->source.digest, hex));
    hash_field(&hash, str_text(&text));
    if (inputs->musl.path)
        hash_field(&hash, digest_format(&inputs->musl.digest, hex));
    int r = build_hash_compiler(env, targets[env->arch].compiler.program, &hash, NULL);
    if (r == 0)
        hash_end(&hash, ret_key);
    return r;
}

static int find_inputs(const struct build_env *env, struct inputs *inputs)
{
    cleanup_free char *config = xasprintf("%s/busybox/smallest.config", env->share_dir);
    const struct build_tool tools[] = {
        {"make", "make"},
        {"gcc", "gcc"},
        targets[env->arch].compiler,
        {"bzip2", "bzip2"},
        {"dpkg-source", "dpkg-dev"},
        {NULL, NULL},
    };
    int r = build_need(env, LABEL, tools);
    if (r == 0)
        r = fragments_add_file(&inputs->config, config, env->diags);
    if (r == 0)
        r = fetch_source_package(env, "busybox", &inputs->source);
    if (r == 0 && targets[env->arch].headers)
        r = fetch_target_package(env, "musl-dev", &inputs->musl);
    return r;
}

int busybox_build(const struct build_env *env, struct built *ret_built)
{
    char name[ARTIFACT_NAME_MAX];
    artifact_name_format("busybox-smallest", env->arch, name);
    cleanup_free char *out = xasprintf("%s/work/%s", env->cache_dir, name);
    cleanup_free char *log = xasprintf("%s.log", out);
    cleanup_free char *binary = xasprintf("%s/busybox", out);
    cleanup_free char *tree = NULL;
    cleanup_inputs struct inputs inputs = {0};
    struct built built = {0};
    struct digest key;
    time_t start = time(NULL);
    snprintf(built.name, sizeof(built.name), "%.63s", name);
    int r = find_inputs(env, &inputs);
    if (r == 0)
        r = key_of(env, &inputs, &key);
    if (r < 0)
        return r;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return BUILD_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    cleanup_close int lock = build_lock(env, name);
    if (lock < 0)
        return lock;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return BUILD_UNCHANGED; /* by the one we waited for */
    r = unpack_tree(env, &inputs.source, "Config.in", &tree);
    if (r == 0)
        r = dir_remove(out);
    if (r == 0)
        r = compile(env, tree, &inputs, out, log, &built.steps);
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
