/* Unified kernel images: kernel, ramdisk and command line in one program that UEFI firmware loads and starts
 * by itself, the shortest way from power-on to init. The program begins with a stub of the package
 * systemd-boot-efi, which hands the other parts to the kernel (the format is UAPI's "Unified Kernel Image");
 * objcopy (binutils) adds them as sections, each on a page of its own behind the stub's:
 *
 *     .osrel     an os-release that says what this is
 *     .cmdline   the command line
 *     .initrd    the image, unless the kernel has its initramfs inside, and behind it the modules of a
 *                distribution's kernel
 *     .linux     the kernel, last
 *
 * With `secure_boot:` the result is signed as a whole, so the command line and the ramdisk are as safe from
 * changes as the kernel is. The same inputs give the same bytes, but for the time in a signature.
 */
#pragma once

#include "build/artifact.h"
#include "build/env.h"
#include "model/site.h"

enum { UNIFIED_UNCHANGED = 1 };

struct unified_inputs {
    const char *profile; /* its name */
    struct digest kernel;
    const struct digest *image;   /* NULL: none */
    const struct digest *modules; /* of a distribution's kernel; NULL: none */
    const char *cmdline;
    const char *stub;                  /* NULL: UNIFIED_STUB */
    const struct secure_boot *signing; /* without a key: not signed */
};

#define UNIFIED_STUB "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
/* For arm64 the stub is that of arm64's package systemd-boot-efi, which is fetched, and objcopy the cross
 * compiler's. */

/* Whether everything that building takes besides kernel and image is there: the stub and objcopy; asked
 * before anything is built. 0 or -errno with a diagnostic that names the package. */
int unified_ready(const char *stub, const struct build_env *env);

/* Builds it, or finds it built. 0: built now; UNIFIED_UNCHANGED: nothing changed since it was built; -errno
 * with diagnostics (the kernel lacks CONFIG_EFI_STUB, ...); with env->only_cached, -ENOENT without one when
 * it is not built. */
int unified_build(const struct unified_inputs *inputs, const struct build_env *env, struct built *ret_built);

/* The key of the definition itself, for the record of what was built from it last: the stub, and certificates
 * outside the configuration folder, are in it by their names only. */
void unified_definition_key(const struct unified_inputs *inputs, const struct build_env *env,
                            struct digest *ret_key);
