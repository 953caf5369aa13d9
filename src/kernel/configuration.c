/* What a kernel is configured with, see kernel/work.h. */
#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "kernel/work.h"

#include <errno.h>
#include <fcntl.h>

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

/* ---- fragments ---- */

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

static int no_fragment(const struct kernel_work *w, const char *name)
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

static int add_fragments(struct kernel_work *w)
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
static int add_compression(struct kernel_work *w)
{
    const char *wanted = w->def->compression;
    bool known = !wanted;
    for (const struct kernel_compression *c = kernel_compressions; wanted && c->name; c++) {
        bool on = str_eq(c->name, wanted);
        if (!on && !fragments_find(&w->fragments, c->symbol))
            continue;
        fragments_set(&w->fragments, c->symbol, on ? "y" : "n", &w->def->pos, w->env->diags);
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
static int add_initramfs(struct kernel_work *w, const struct digest *initramfs)
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

char *kernel_own_config(const struct kernel_work *w)
{
    return w->env->config_dir ? xasprintf("%s/kernels/%s.config", w->env->config_dir, w->name) : NULL;
}

int kernel_merge_definition(struct kernel_work *w, const struct digest *initramfs)
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

int kernel_merge(struct kernel_work *w, const struct digest *initramfs)
{
    int r = kernel_merge_definition(w, initramfs);
    cleanup_free char *own = kernel_own_config(w);
    if (r == 0 && own && file_exists(own))
        r = fragments_add_file(&w->fragments, own, w->env->diags);
    return r;
}

void kernel_hash_configuration(const struct kernel_work *w, struct hash *hash)
{
    cleanup_str struct str text = {0};
    VEC_EACH(it, &w->fragments.list) {
        /* Not where the ramdisk lies, but what it is. */
        const char *slash = str_eq(it->name, "INITRAMFS_SOURCE") ? strrchr(it->value, '/') : NULL;
        str_printf(&text, "%s=%s\n", it->name, slash ? slash : it->value);
    }
    hash_field(hash, str_text(&text));
}
