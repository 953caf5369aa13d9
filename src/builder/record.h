/* The record: what each definition was built to last. It is kept beside the one by all inputs
 * (build/artifact.h), for the server, which knows the definitions but may not look at what else goes into a
 * build; and in the state folder, beside the artifacts, so that the server finds it when the cache is gone.
 * Internal to src/builder.
 */
#pragma once

#include "build/artifact.h"
#include "builder/builder.h"

/* The key of a definition as it is now; whoever builds it takes the key first. `initramfs` is the image
 * inside a kernel, or NULL. Not for unified images, which have unified_definition_key. 0 or -errno with
 * diagnostics. */
int record_key(const struct builder *b, const struct site *site, enum artifact_kind kind, const char *name,
               enum cpu_arch arch, const struct digest *initramfs, struct diags *diags,
               struct digest *ret_key);

/* Keeps what it was built to. It comes last in a build, so whoever waits for it finds everything. 0 or -errno
 * with a diagnostic. */
int record_put(const struct builder *b, const struct digest *key, const struct built *built);

/* What it was built to last. 0; -ENOENT without a diagnostic when it never was, or that is gone. */
int record_get(const struct builder *b, const struct digest *key, struct built *ret_built);
