/* A kernel of the distribution, as its package has it: fetched and unpacked, never installed. Whoever needs
 * such a kernel, to serve it or to learn what its drivers are for, gets it here.
 *
 *     FOLDER/boot/vmlinuz-VERSION         signed, and served as it is
 *     FOLDER/boot/config-VERSION          what it was configured with
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

/* A kernel whose files lie in a folder. Strings are owned. */
struct kernel_package {
    char *version; /* what `uname -r` says under it: 6.1.0-56-amd64 */
    char *vmlinuz; /* path of the kernel; NULL: it has none */
    char *modules; /* folder of its modules; NULL: it has none */
    char *config;  /* path of its configuration, which need not be there */
};
void kernel_package_clear(struct kernel_package *package);
static inline void kernel_package_cleanup(struct kernel_package *package)
{
    kernel_package_clear(package);
}
#define cleanup_kernel_package __attribute__((cleanup(kernel_package_cleanup)))

/* What a kernel is opened for, and must have. */
enum kernel_part { KERNEL_PART_VMLINUZ = 1, KERNEL_PART_MODULES = 2 };

/* Unpacks it, once for each content, into the shared `trees` folder. `parts` are of enum kernel_part. 0;
 * -errno with a diagnostic, which is -ENOENT when the package lacks one of them. */
int kernel_package_open(const struct build_env *env, const struct input *input, unsigned parts,
                        struct kernel_package *ret_package);

/* The one that is installed on some machine, by the folder of its modules, `/lib/modules/VERSION`: its
 * configuration is taken from /boot, and its kernel not at all. Says nothing of what is not there. */
void kernel_package_installed(const char *modules, struct kernel_package *ret_package);

/* The path of a file that a source names, relative to the folder of its definition; the caller's. */
char *source_path(const struct build_env *env, const struct source *source);
