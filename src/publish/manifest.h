/* manifest.json of a generation. Internal to src/publish. */
#pragma once

#include "base/diag.h"
#include "model/generation.h"

struct manifest {
    unsigned number;
    int64_t created;           /* Unix time, seconds */
    struct digest definitions; /* of all files in definitions/ */
    VEC(struct generation_artifact) artifacts;
};
void manifest_clear(struct manifest *manifest);
static inline void manifest_cleanup(struct manifest *manifest)
{
    manifest_clear(manifest);
}
#define cleanup_manifest __attribute__((cleanup(manifest_cleanup)))

/* 0 or -errno. */
int manifest_write(const char *path, const struct manifest *manifest);
/* 0; -ENOENT: no such file; -EBADMSG: it is none. *ret_ is written only on success. */
int manifest_read(const char *path, struct manifest *ret_manifest);
