/* See image/programs.h. */
#include "image/programs.h"
#include "base/str.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    uint16_t machine;
    enum cpu_arch arch;
} machines[] = {
    {EM_X86_64, ARCH_X86_64}, {EM_386, ARCH_X86_64}, {EM_AARCH64, ARCH_ARM64}, {EM_ARM, ARCH_ARM64}};

/* What a file's program is for; ARCH_UNKNOWN: it is none, or for what we do not build. */
static enum cpu_arch arch_of_program(const char *path)
{
    unsigned char
        header[20]; /* e_machine is its last field, of both classes; all of ours are little-endian */
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header, ELFMAG, SELFMAG) != 0)
        return ARCH_UNKNOWN;
    unsigned machine = header[18] | (unsigned)header[19] << 8;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
        if (machines[i].machine == machine)
            return machines[i].arch;
    return ARCH_UNKNOWN;
}

void programs_check(const struct build_env *env, const struct image_def *def, const struct tree *tree)
{
    char name[ARTIFACT_NAME_MAX];
    VEC_EACH(it, &tree->entries) {
        const struct tree_inode *inode = (*it)->inode;
        if (!S_ISREG(inode->mode) || !(inode->mode & 0111) || !inode->source)
            continue;
        enum cpu_arch arch = arch_of_program(inode->source);
        if (arch == ARCH_UNKNOWN || arch == env->arch)
            continue;
        diag_warning(env->diags, &def->pos,
                     "image %s: %s is a program for %s, which its nodes cannot run; `{arch}` in a path "
                     "stands for %s here",
                     artifact_name_format(def->name, env->arch, name), (*it)->path, arch_name(arch),
                     arch_name(env->arch));
    }
}
