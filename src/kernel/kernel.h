/* From a kernel definition to a kernel in the artifact store: a bzImage that is built (H26, H28), with a
 * person's own changes to its configuration; or the one in a package of the distribution, byte for byte.
 *
 * The configuration is allnoconfig plus, in this order: the definition's fragments, its symbols, its
 * compression, and kernels/NAME.config of the user when there is one (which is what kernel_edit writes).
 * Every symbol asked for is checked to have survived. What was built is found again by the hash of all
 * inputs: the source, the merged configuration, the compiler, the embedded ramdisk.
 *
 * It is for env->arch: a bzImage for x86_64; for arm64 an EFI application, vmlinuz.efi where the definition
 * names a compression, else the plain Image. There a fragment is looked for as fragments/arm64/NAME.config
 * (or the user's kernels/NAME.arm64.config) first, and kernels/NAME.arm64.config is what kernel_edit writes.
 */
#pragma once

#include "build/artifact.h"
#include "build/env.h"
#include "build/fragment.h"
#include "model/kernel.h"

enum { KERNEL_UNCHANGED = 1 };

/* Builds it, or finds it built. `initramfs` is the artifact to embed (H18; a newc cpio, compressed or not),
 * or NULL. 0: built now; KERNEL_UNCHANGED: nothing changed since it was built; -errno with diagnostics; with
 * env->only_cached, -ENOENT without one when it is not built as it is defined now. */
int kernel_build(const struct kernel_def *def, const struct digest *initramfs, const struct build_env *env,
                 struct built *ret_built);

/* The key of the definition itself, for the record of what was built from it last: its source by name (a
 * tarball in the configuration folder by how it looks too, build/stamp.h), the merged configuration, and the
 * embedded ramdisk. It runs no program and reads nothing but fragments; the compiler, and what a package or a
 * tree holds, are not in it. 0 or -errno with diagnostics; notes are left to the build. */
int kernel_definition_key(const struct kernel_def *def, const struct digest *initramfs,
                          const struct build_env *env, struct digest *ret_key);

/* What a kernel is made from, for those who look at its tree without building it. */
struct kernel_inputs {
    char *tree;                   /* unpacked; never write to it */
    struct digest source;         /* stands for its content */
    struct fragments fragments;   /* what its configuration asks for */
    const char *const *make_args; /* for struct kbuild */
};
void kernel_inputs_free(struct kernel_inputs *inputs);
static inline void kernel_inputs_cleanup(struct kernel_inputs *inputs)
{
    kernel_inputs_free(inputs);
}
#define cleanup_kernel_inputs __attribute__((cleanup(kernel_inputs_cleanup)))

/* Gets them; `own`: with the user's kernels/NAME.config. 0 or -errno with diagnostics. */
int kernel_inputs(const struct kernel_def *def, const struct build_env *env, bool own,
                  struct kernel_inputs *ret_inputs);

/* The folder in which it is built, whether it is there or not; the caller's. */
char *kernel_build_folder(const struct kernel_def *def, const struct build_env *env);

/* Configures the kernel, lets a person change the configuration with the tree's own `program` (`menuconfig`),
 * and puts what changed into CONFIG_DIR/kernels/NAME.config, whose other lines stay. *ret_path is that file,
 * or NULL when nothing was changed; the caller's. 0 or -errno with diagnostics. */
int kernel_edit(const struct kernel_def *def, const struct build_env *env, const char *program,
                char **ret_path);
