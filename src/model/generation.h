/* A generation: the site and the artifacts built from it, joined, numbered and never changed again. Servers
 * answer from one generation; nodes name it in the files they ask for, so that a kernel and its ramdisk
 * always belong together. */
#pragma once

#include "base/hash.h"
#include "model/arch.h"
#include "model/site.h"

#include <stdatomic.h>

enum artifact_kind {
    ARTIFACT_KERNEL,
    ARTIFACT_IMAGE,
    ARTIFACT_UNIFIED, /* a profile's kernel, image and command line as one program for UEFI firmware */
    ARTIFACT_MODULES, /* modules of a distribution's kernel, a second ramdisk; goes by the kernel's name */
};
const char *artifact_kind_name(enum artifact_kind kind); /* `kernel`, `image`, `unified` or `modules` */
/* The way back. 0 or -EINVAL. */
int artifact_kind_parse(const char *name, enum artifact_kind *ret_kind);

struct generation_artifact {
    enum artifact_kind kind;
    char *name; /* of the kernel or image definition, or of the profile; of modules: the kernel's; with the
                   architecture (artifact_name_format) */
    struct digest digest;
    uint64_t size; /* bytes */
};

struct generation {
    atomic_uint references;
    unsigned number; /* from 1 */
    int64_t created; /* Unix time, seconds */
    struct site *site;
    VEC(struct generation_artifact) artifacts;
};

/* A generation that owns `site`, with one reference. */
struct generation *generation_new(unsigned number, int64_t created, struct site *site);
/* Takes a reference; returns its argument. Safe from any thread that holds one. */
struct generation *generation_ref(struct generation *g);
/* Drops one; the last frees it. NULL is allowed. */
void generation_unref(struct generation *g);
DEFINE_CLEANUP(struct generation *, generation_unref);

const struct generation_artifact *generation_artifact(const struct generation *g, enum artifact_kind kind,
                                                      const char *name);

/* The name under which nodes fetch an artifact, by any protocol: `g12/kernel/smallest`,
 * `g12/image/smallest.arm64`, `g12/modules/distribution`, `g12/unified/default.efi` (there is firmware that
 * wants the ending). */
#define ARTIFACT_PATH_MAX 96
const char *artifact_path_format(unsigned generation, enum artifact_kind kind, const char *name,
                                 char buf[static ARTIFACT_PATH_MAX]);
/* The way back. 0 or -EINVAL. A unified image needs nothing that goes with it, so it may be asked for without
 * a generation, `unified/default.efi`, as in a URL that somebody typed into a firmware's setup: then
 * *ret_generation is 0, the current one. */
int artifact_path_parse(const char *path, unsigned *ret_generation, enum artifact_kind *ret_kind,
                        char ret_name[static ARTIFACT_NAME_MAX]);
