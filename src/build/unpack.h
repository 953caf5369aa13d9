/* What was fetched, unpacked: each content once, into the shared folder `trees`, whole or not at all
 * (build/whole.h). Nobody may write to what is there. */
#pragma once

#include "build/fetch.h"

/* Both return 0, or -errno with a diagnostic. */

/* Unpacks all files of a .deb into the shared `trees` folder, once for each content. `finish` adds to the
 * folder before anybody else sees it; NULL: nothing. The folder; never write to it. */
int unpack_package(const struct build_env *env, const struct input *input,
                   int (*finish)(const struct build_env *env, const char *folder), char **ret_folder);

/* Unpacks an input into the shared `trees` folder, once for each content: a .deb (and the one tarball below
 * usr/src in it, as source packages of the kernel have), a .dsc (with its patches applied), or a tarball. The
 * path of the tree, which is the folder that has the file `top` (`Kconfig`, `Makefile`) in it. Never write to
 * it. */
int unpack_tree(const struct build_env *env, const struct input *input, const char *top, char **ret_tree);
