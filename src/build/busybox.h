/* The trimmed BusyBox of the smallest image: Debian's source package, musl, and the configuration in
 * share/busybox/smallest.config. For arm64 the cross compiler builds it with arm64's own musl (package
 * musl-dev), which is fetched. */
#pragma once

#include "build/artifact.h"
#include "build/env.h"

enum { BUILD_UNCHANGED = 1 };

/* Builds it, or finds it built. 0: built now; BUILD_UNCHANGED: nothing changed since it was built; -errno
 * with diagnostics. The artifact is one static binary. */
int busybox_build(const struct build_env *env, struct built *ret_built);
