/* Artifacts: finished files kept under their SHA-256, and the record of what was built from what.
 *
 * An artifact is written to a temporary file beside its place, synced and renamed, so a name that exists is
 * always whole; when the disk is full, what was there stays. What one that was killed left goes an hour
 * later, with the next artifact. Two builders may put the same artifact at once. The record maps a cache key
 * (the hash of everything that went into a build) to the artifact that came out, so a build whose inputs did
 * not change is a look-up.
 */
#pragma once

#include "base/diag.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* STORE/<64 hexadecimal digits>; the caller's. Does not say whether it exists. */
char *artifact_path(const char *store, const struct digest *digest);
/* Whether the store has it, as a regular file. */
bool artifact_has(const char *store, const struct digest *digest);

/* Copies a file, or bytes, into the store (made when missing). 0; -errno with a diagnostic (-ENOSPC: the disk
 * is full; nothing of the attempt is left). */
int artifact_put_file(const char *store, const char *path, struct diags *diags, struct digest *ret_digest);
int artifact_put_data(const char *store, const void *data, size_t size, struct diags *diags,
                      struct digest *ret_digest);

/* Removes what builders that were killed left half written: temporary files that nobody has written to for an
 * hour. */
void artifact_remove_left(const char *store);

/* One finished build. */
struct built {
    struct digest artifact;
    uint64_t size;     /* of the artifact, bytes */
    unsigned seconds;  /* the build took */
    unsigned steps;    /* lines of progress it printed; what the next one's progress is measured against */
    char name[64];     /* of the definition */
    char because[256]; /* of a kernel built now: what changed since it was built last; else empty */
};

/* Looks a key up in `cache_dir`/built. When the store has lost the artifact, or is another one than it was
 * built into, it gets the copy of `cache_dir`/artifacts. 0; -ENOENT when it was never built, when its record
 * is damaged, or when neither has the artifact. */
int built_get(const char *cache_dir, const char *store, const struct digest *key, struct built *ret_built);
/* Records a build whose artifact is in the store, and keeps a copy of it. 0 or -errno. */
int built_put(const char *cache_dir, const char *store, const struct digest *key, const struct built *built);
