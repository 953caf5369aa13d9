/* One file out of a package of the distribution, for the architecture that is built for; nothing is
 * installed. */
#pragma once

#include "build/artifact.h"
#include "build/env.h"

struct package_file {
    const char *package;
    const char *const *places; /* in the package, the first that is there is taken; ends with NULL */
    const char *recipe;        /* of the cache's key: raised when this file makes something else of it */
};

/* Fetches the package (build/fetch.h) and puts the file into the artifact store, once for each version of it.
 * 0; -errno with a diagnostic; with env->only_cached, -ENOENT without one when it is not there. */
int package_file_get(const struct build_env *env, const struct package_file *file, struct built *ret_built);
