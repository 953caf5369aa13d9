/* The BusyBox of an image (H16): which file on this machine it is. */
#pragma once

#include "build/env.h"
#include "model/image.h"

/* Finds, fetches or builds what the definition asks for. 0, and the path is the caller's (NULL with
 * BUSYBOX_NONE); -errno with a diagnostic. It is checked to be a program without an interpreter: a node has
 * no shared libraries for it. */
int busybox_find(const struct build_env *env, const struct image_def *def, char **ret_path);

/* A path as it is written in a definition, absolute or relative to the folder of the file that it stands in,
 * with `{arch}` for the architecture that is built for; the caller's. That file (`pos`) is one of the user's
 * folder, or else one that came with rambox. */
char *definition_path(const struct build_env *env, const struct pos *pos, const char *written);
