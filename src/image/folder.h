/* A folder of the host into the tree of an image (ENTRY_TREE). */
#pragma once

#include "image/tree.h"

struct folder_copy {
    struct tree *tree;
    const struct pos *pos; /* of the entry that asks for it */
    uid_t uid;             /* everything in the image belongs to these, whoever owns it on the host */
    gid_t gid;
    /* Whether the definition names this path itself: what is refused here may come from there. */
    bool (*is_named)(void *user, const char *path);
    void *user;
};

/* Puts what is in the folder `from` at `to`: folders, files with their permissions, symbolic links as they
 * are, hard links among them as hard links, FIFOs. A folder that the image has already keeps its mode.
 * Devices, sockets and files with setuid or setgid are refused, unless the definition names them itself and
 * thereby says what they are to be. 0 or -errno with diagnostics. */
int folder_copy(const struct folder_copy *copy, const char *from, const char *to);
