/* A kernel of the distribution, as its package has it: fetched and unpacked, never installed.
 *
 *     FOLDER/boot/vmlinuz-VERSION         signed, and served as it is
 *     FOLDER/lib/modules/VERSION/         the modules, with depmod's files, which are made when it is
 * unpacked
 *
 * A package that holds no kernel but needs one with the same name (linux-image-amd64) stands for that one.
 */
#pragma once

#include "build/fetch.h"
#include "model/kernel.h"

/* Fetches it, and nothing more: the .deb that has the kernel. `source` is of SOURCE_DISTRIBUTION; a relative
 * path is relative to the folder of the definition that names it. 0, or -errno with a diagnostic; with
 * env->only_cached, -ENOENT without one when it is not there. */
int kernel_package_fetch(const struct build_env *env, const struct source *source, struct input *ret_input);

/* An unpacked one. Strings are owned. */
struct kernel_package {
    char *vmlinuz; /* path of the kernel */
    char *version; /* what `uname -r` says under it: 6.1.0-56-amd64 */
    char *modules; /* folder of its modules */
};
void kernel_package_clear(struct kernel_package *package);
static inline void kernel_package_cleanup(struct kernel_package *package)
{
    kernel_package_clear(package);
}
#define cleanup_kernel_package __attribute__((cleanup(kernel_package_cleanup)))

/* 0, or -errno with a diagnostic. */
int kernel_package_open(const struct build_env *env, const struct input *input,
                        struct kernel_package *ret_package);

/* The path of a file that a source names, relative to the folder of its definition; the caller's. */
char *source_path(const struct build_env *env, const struct source *source);
