/* See unified/unified.h. */
#include "unified/unified.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/package_file.h"
#include "build/pe.h"
#include "build/sign.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

/* Raised whenever this file builds something else from the same inputs. */
#define RECIPE            "unified 1"
#define DEFINITION_RECIPE "unified definition 1"

enum {
    STUB_MAX = 1 << 24,
    PART_MAX = 1 << 30, /* a ramdisk; firmware holds all of it in memory twice */
    PAGE = 4096,
    SECTIONS = 4,
};

static const struct build_tool objcopy[ARCHS] = {
    [ARCH_X86_64] = {"objcopy", "binutils"},
    /* its own package is binutils-aarch64-linux-gnu; this one, which the kernel needs, brings it along */
    [ARCH_ARM64] = {"aarch64-linux-gnu-objcopy", "gcc-aarch64-linux-gnu"},
};

/* Of another architecture than x86_64: its package cannot be installed beside the machine's. */
static const struct package_file foreign_stub = {
    .package = "systemd-boot-efi",
    .places = (const char *const[]){"usr/lib/systemd/boot/efi/linuxaa64.efi.stub", NULL},
    .recipe = "stub of the package 1",
};

/* One section to add: a file, and how much of memory it takes. */
struct part {
    const char *section;
    char *path;
    uint64_t size;
};

/* One build. Strings are owned. */
struct work {
    const struct unified_inputs *inputs;
    const struct build_env *env;
    char *label; /* `unified default` */
    char *stub_path;
    char *stub; /* its bytes */
    size_t stub_size;
    char *folder;
    struct part parts[SECTIONS];
    size_t parts_n;
};

static void work_clear(struct work *w)
{
    for (size_t i = 0; i < w->parts_n; i++)
        free(w->parts[i].path);
    if (w->folder)
        (void)dir_remove(w->folder);
    free(w->folder);
    free(w->label);
    free(w->stub_path);
    free(w->stub);
}
#define cleanup_work __attribute__((cleanup(work_clear)))

static struct work work_of(const struct unified_inputs *inputs, const struct build_env *env)
{
    char name[ARTIFACT_NAME_MAX];
    return (struct work){.inputs = inputs,
                         .env = env,
                         .label =
                             xasprintf("unified %s", artifact_name_format(inputs->profile, env->arch, name))};
}

int unified_ready(const char *stub, const struct build_env *env)
{
    const struct build_tool tools[] = {objcopy[env->arch], {0}};
    const char *path = stub ? stub : UNIFIED_STUB;
    int r = build_need(env, "unified", tools);
    if (r < 0 || env->arch != ARCH_X86_64 || file_exists(path))
        return r;
    if (stub)
        diag_error(env->diags, NULL, "unified: the stub %s (server: stub:) is not there", stub);
    else
        diag_error(env->diags, NULL,
                   "unified: not installed: %s; install with: apt-get install systemd-boot-efi, or say where "
                   "it is with server: stub:",
                   path);
    return -ENOENT;
}

/* ---- keys ---- */

static void hash_inputs(const struct unified_inputs *inputs, struct hash *hash)
{
    char hex[DIGEST_TEXT_MAX];
    hash_field(hash, inputs->profile);
    hash_field(hash, digest_format(&inputs->kernel, hex));
    hash_field(hash, inputs->image ? digest_format(inputs->image, hex) : NULL);
    hash_field(hash, inputs->cmdline);
    if (inputs->modules)
        hash_field(hash, digest_format(inputs->modules, hex));
}

static int key_of(const struct work *w, struct digest *ret_key)
{
    struct hash hash;
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    hash_add(&hash, w->stub, w->stub_size);
    hash_inputs(w->inputs, &hash);
    int r = sign_hash(w->inputs->signing, w->env, &hash);
    if (r == 0)
        hash_end(&hash, ret_key);
    return r;
}

void unified_definition_key(const struct unified_inputs *inputs, const struct build_env *env,
                            struct digest *ret_key)
{
    struct hash hash;
    hash_init(&hash);
    hash_field(&hash, DEFINITION_RECIPE);
    hash_field(&hash, inputs->stub);
    hash_inputs(inputs, &hash);
    sign_hash_definition(inputs->signing, env, &hash);
    hash_end(&hash, ret_key);
}

/* ---- parts ---- */

static int find_stub(struct work *w)
{
    struct built built;
    if (w->env->arch == ARCH_X86_64) {
        w->stub_path = xstrdup(w->inputs->stub ? w->inputs->stub : UNIFIED_STUB);
        return 0;
    }
    int r = package_file_get(w->env, &foreign_stub, &built);
    if (r == 0)
        w->stub_path = artifact_path(w->env->artifact_dir, &built.artifact);
    return r;
}

static int read_stub(struct work *w)
{
    int r = find_stub(w);
    if (r < 0)
        return r;
    r = file_read(w->stub_path, STUB_MAX, &w->stub, &w->stub_size);
    if (r == -ENOENT && w->env->arch == ARCH_X86_64)
        return unified_ready(w->inputs->stub, w->env);
    return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot read the stub %s", w->label, w->stub_path) : 0;
}

/* What the stub starts must itself be a program for UEFI, and for the stub's processor. */
static int check_kernel(const struct work *w, const struct pe *stub, const char *path, uint64_t *ret_size)
{
    cleanup_free char *data = NULL;
    size_t size;
    struct pe kernel;
    int r = file_read(path, PART_MAX, &data, &size);
    if (r < 0)
        return diag_errno(w->env->diags, r, "%s: cannot read its kernel %s", w->label, path);
    if (pe_parse(data, size, &kernel) < 0)
        return diag_error(w->env->diags, NULL,
                          "%s: its kernel has no EFI stub (CONFIG_EFI_STUB): add the fragment efi to the "
                          "kernel's definition, or use the kernel efi",
                          w->label);
    if (kernel.machine != stub->machine)
        return diag_error(w->env->diags, NULL, "%s: its kernel and the stub %s are for different processors",
                          w->label, w->stub_path);
    *ret_size = size;
    return 0;
}

/* Takes the path over. */
static void add_part(struct work *w, const char *section, char *path, uint64_t size)
{
    w->parts[w->parts_n++] = (struct part){.section = section, .path = path, .size = size};
}

static int add_text(struct work *w, const char *section, const char *text)
{
    char *path = xasprintf("%s/%s", w->folder, section + 1);
    size_t size = strlen(text);
    int r = file_write_atomic(path, text, size, 0644);
    add_part(w, section, path, size);
    return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot write to %s", w->label, w->folder) : 0;
}

/* Archives begin where the kernel expects one: at a multiple of four. */
static int append(const struct digest *artifact, const struct build_env *env, struct str *text)
{
    static const char zeros[3];
    cleanup_free char *path = artifact_path(env->artifact_dir, artifact), *data = NULL;
    size_t size;
    str_add_n(text, zeros, -text->len % 4);
    int r = file_read(path, PART_MAX, &data, &size);
    if (r == 0)
        str_add_n(text, data, size);
    return r;
}

/* Image and modules as one ramdisk. */
static int add_joined(struct work *w)
{
    cleanup_str struct str text = {0};
    char *path = xasprintf("%s/initrd", w->folder);
    int r = append(w->inputs->image, w->env, &text);
    if (r == 0)
        r = append(w->inputs->modules, w->env, &text);
    if (r == 0)
        r = file_write_atomic(path, str_text(&text), text.len, 0644);
    add_part(w, ".initrd", path, text.len);
    return r < 0 ? diag_errno(w->env->diags, r, "%s: cannot join its image and modules", w->label) : 0;
}

static int gather(struct work *w, const struct pe *stub)
{
    char *kernel = artifact_path(w->env->artifact_dir, &w->inputs->kernel);
    uint64_t kernel_size = 0;
    int r = check_kernel(w, stub, kernel, &kernel_size);
    cleanup_free char *release = xasprintf("ID=rambox\nNAME=rambox\nPRETTY_NAME=\"rambox %s\"\nIMAGE_ID=%s\n",
                                           w->inputs->profile, w->inputs->profile);
    if (r == 0)
        r = add_text(w, ".osrel", release);
    if (r == 0)
        r = add_text(w, ".cmdline", w->inputs->cmdline);
    if (r == 0 && w->inputs->image && w->inputs->modules) {
        r = add_joined(w);
    } else if (r == 0 && w->inputs->image) {
        char *image = artifact_path(w->env->artifact_dir, w->inputs->image);
        struct stat st = {0};
        r = stat(image, &st) < 0 ? -errno : 0;
        if (r < 0)
            diag_errno(w->env->diags, r, "%s: cannot read its image %s", w->label, image);
        add_part(w, ".initrd", image, (uint64_t)st.st_size);
    }
    if (r < 0)
        free(kernel);
    else
        add_part(w, ".linux", kernel, kernel_size);
    return r;
}

/* ---- composition ---- */

static void keep_line(void *user, const char *line)
{
    struct str *said = user;
    if (said->len < 4096)
        str_printf(said, "%s%s", said->len ? "; " : "", line);
}

/* Each part begins on a page behind the one before it. `--preserve-dates` keeps the stub's own time in the
 * header, which would be the present one otherwise. */
static int run_objcopy(const struct work *w, const struct pe *stub, const char *to)
{
    VEC(char *) words = {0};
    cleanup_str struct str said = {0};
    uint64_t at = stub->base + pe_end(stub);
    VEC_PUSH(&words, xstrdup(objcopy[w->env->arch].program));
    VEC_PUSH(&words, xstrdup("--preserve-dates"));
    for (size_t i = 0; i < w->parts_n; i++) {
        const struct part *part = &w->parts[i];
        at = (at + PAGE - 1) / PAGE * PAGE;
        VEC_PUSH(&words, xstrdup("--add-section"));
        VEC_PUSH(&words, xasprintf("%s=%s", part->section, part->path));
        VEC_PUSH(&words, xstrdup("--change-section-vma"));
        VEC_PUSH(&words, xasprintf("%s=0x%llx", part->section, (unsigned long long)at));
        at += part->size;
    }
    VEC_PUSH(&words, xstrdup(w->stub_path));
    VEC_PUSH(&words, xstrdup(to));
    VEC_PUSH(&words, NULL);
    int r = process_run(&(struct process_spec){
        .argv = (const char *const *)words.items, .on_line = keep_line, .user = &said});
    names_free(words.items);
    if (r == 0)
        return 0;
    diag_error(w->env->diags, NULL, "%s: objcopy failed: %s", w->label, str_text(&said));
    return r < 0 ? r : -EIO;
}

static int compose(struct work *w, struct built *built)
{
    cleanup_free char *work = xasprintf("%s/work", w->env->cache_dir);
    const struct secure_boot *signing = w->inputs->signing;
    struct pe stub;
    if (pe_parse(w->stub, w->stub_size, &stub) < 0)
        return diag_error(w->env->diags, NULL, "%s: %s is no stub for UEFI firmware", w->label, w->stub_path);
    int r = dir_make(work);
    w->folder = xasprintf("%s/unified-XXXXXX", work);
    if (r < 0 || !mkdtemp(w->folder))
        return diag_errno(w->env->diags, r < 0 ? r : -errno, "cannot write to the cache folder %s",
                          w->env->cache_dir);
    cleanup_free char *plain = xasprintf("%s/unified.efi", w->folder);
    cleanup_free char *signed_one = xasprintf("%s/signed.efi", w->folder);
    r = gather(w, &stub);
    if (r == 0)
        r = run_objcopy(w, &stub, plain);
    if (r == 0 && signing->key)
        r = sign_file(signing, w->env, w->label, plain, signed_one);
    if (r < 0)
        return r;
    return artifact_put_file(w->env->artifact_dir, signing->key ? signed_one : plain, w->env->diags,
                             &built->artifact);
}

int unified_build(const struct unified_inputs *inputs, const struct build_env *env, struct built *ret_built)
{
    cleanup_work struct work w = work_of(inputs, env);
    struct built built = {0};
    struct digest key;
    time_t start = time(NULL);
    snprintf(built.name, sizeof(built.name), "%s", w.label);
    int r = read_stub(&w);
    if (r == 0)
        r = key_of(&w, &key);
    if (r < 0)
        return r;
    if (built_get(env->cache_dir, env->artifact_dir, &key, ret_built) == 0)
        return UNIFIED_UNCHANGED;
    if (env->only_cached)
        return -ENOENT;
    r = compose(&w, &built);
    if (r < 0)
        return r;
    built.seconds = (unsigned)(time(NULL) - start);
    r = built_put(env->cache_dir, env->artifact_dir, &key, &built);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot write to the cache %s", w.label, env->cache_dir);
    return built_get(env->cache_dir, env->artifact_dir, &key, ret_built);
}
