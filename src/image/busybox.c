/* See image/busybox.h. */
#include "image/busybox.h"
#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "build/busybox.h"
#include "build/package_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>

/* `{arch}` in a path is the architecture that is built for; the caller's. */
static char *expand_arch(const struct build_env *env, const char *path)
{
    static const char word[] = "{arch}";
    struct str text = {0};
    for (const char *found; (found = strstr(path, word)); path = found + strlen(word)) {
        str_add_n(&text, path, (size_t)(found - path));
        str_add(&text, arch_name(env->arch));
    }
    str_add(&text, path);
    return str_steal(&text);
}

char *definition_path(const struct build_env *env, const struct pos *pos, const char *written)
{
    cleanup_free char *path = expand_arch(env, written);
    const char *file = pos->file ? pos->file : "";
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash)
        return xstrdup(path);
    int folder = (int)(slash - file);
    cleanup_free char *own = xasprintf("%s/%s", env->config_dir ? env->config_dir : "", file);
    if (file[0] != '/' && env->config_dir && file_exists(own))
        return xasprintf("%s/%.*s/%s", env->config_dir, folder, file, path);
    return xasprintf("%.*s/%s", folder, file, path);
}

static const struct package_file distribution = {
    .package = "busybox-static",
    .places = (const char *const[]){"bin/busybox", "usr/bin/busybox", NULL},
    .recipe = "busybox of the package 1",
};

/* Whether an ELF program asks for an interpreter, which is the dynamic loader. -EXDEV: it is of another
 * architecture. */
static int is_dynamic(const char *path, enum cpu_arch arch)
{
    static const uint16_t machines[ARCHS] = {[ARCH_X86_64] = EM_X86_64, [ARCH_ARM64] = EM_AARCH64};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;
    if (fd < 0)
        return -errno;
    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
        return -ENOEXEC;
    if (header.e_machine != machines[arch])
        return -EXDEV;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)header.e_phoff + (off_t)i * header.e_phentsize;
        if (at < 0 || pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
            return -ENOEXEC;
        if (segment.p_type == PT_INTERP)
            return 1;
    }
    return 0;
}

int busybox_find(const struct build_env *env, const struct image_def *def, char **ret_path)
{
    struct built built;
    cleanup_free char *path = NULL;
    int r = 0;
    if (def->busybox == BUSYBOX_DISTRIBUTION)
        r = package_file_get(env, &distribution, &built);
    else if (def->busybox == BUSYBOX_SMALLEST)
        r = busybox_build(env, &built);
    if (r < 0)
        return r;
    if (def->busybox == BUSYBOX_FILE)
        path = definition_path(env, &def->pos, def->busybox_path);
    else if (def->busybox != BUSYBOX_NONE)
        path = artifact_path(env->artifact_dir, &built.artifact);
    r = path ? is_dynamic(path, env->arch) : 0;
    if (r > 0)
        return diag_error(env->diags, &def->pos,
                          "busybox \"%s\" needs shared libraries; a static one is needed", path);
    if (r == -EXDEV)
        return diag_error(env->diags, &def->pos, "busybox \"%s\" is no program for %s", path,
                          arch_name(env->arch));
    if (r == -ENOEXEC)
        return diag_error(env->diags, &def->pos, "busybox \"%s\" is no 64-bit ELF program", path);
    if (r < 0) {
        diag_error(env->diags, &def->pos, "cannot read busybox \"%s\": %s", path, strerror(-r));
        return r;
    }
    *ret_path = TAKE_PTR(path);
    return 0;
}
