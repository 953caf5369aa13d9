/* The modules of a distribution's kernel as an artifact: an initramfs piece that nodes get beside their
 * image, with /lib/modules/VERSION, the modules that the definition asks for with all that they need
 * (modules/ closure.h), uncompressed as the kernel takes them, and the texts to find them by
 * (modules/index.h).
 *
 * It holds neither / nor /lib, which the image has, be it as a link: the image is unpacked first. */
#pragma once

#include "build/artifact.h"
#include "build/env.h"
#include "model/kernel.h"
#include "modules/closure.h"

enum { MODULES_UNCHANGED = 1 };

/* Builds it, or finds it built. 0: built now; MODULES_UNCHANGED; -errno with diagnostics; with
 * env->only_cached, -ENOENT without one when it is not built as it is defined now. */
int modules_build(const struct build_env *env, const struct kernel_def *def, struct built *ret_built);

/* The key of the definition itself, for the record of what was built from it last: it runs no program. */
void modules_definition_key(const struct build_env *env, const struct kernel_def *def,
                            struct digest *ret_key);

/* What it would hold, and the version of the kernel (the caller's), fetching what is not there. 0 or -errno
 * with diagnostics. */
int modules_find(const struct build_env *env, const struct kernel_def *def, struct closure *ret_closure,
                 char **ret_version);
