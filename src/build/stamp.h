/* What files look like from outside: names, permissions, sizes and times, without reading one.
 *
 * For a record of builds that a process can look up which may read neither the files themselves nor anything
 * outside the configuration folder (the server, see docs/security.md). The process that builds and the one
 * that looks it up have different powers, so the stamp holds only what both see: it never leaves `root`,
 * follows no symbolic link, and does not look into a folder that is not open to everybody.
 */
#pragma once

#include "base/hash.h"

/* Adds what is at `path`, a file or a folder with all beneath it, when it lies beneath the folder `root`,
 * with or without `..` on the way; of any other path, and of one that is not there, adds only that. */
void stamp_add(struct hash *hash, const char *root, const char *path);
