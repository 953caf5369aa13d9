/* A definition to an artifact: plan (image/plan.h), archive (image/cpio.h), compress (image/compress.h), keep
 * (build/artifact.h). What did not change is not built again: the key of a build is the digest of the whole
 * tree, of the compression with its library's version, and of the time stamp. */
#pragma once

#include "build/artifact.h"
#include "image/plan.h"

enum { IMAGE_UNCHANGED = 1 };
#define IMAGE_LARGEST 5

struct image_result {
    struct built built; /* the artifact, its size, how long it took */
    uint64_t archive;   /* size of the archive before compression, bytes */
    uint64_t root;      /* what the root takes in the node's RAM when it is unpacked, bytes */
    unsigned entries;   /* names in it */
    struct image_file {
        char *path;
        uint64_t size;
    } largest[IMAGE_LARGEST]; /* files, the largest first; path NULL behind the last */
};
void image_result_clear(struct image_result *result);

/* 0: built now; IMAGE_UNCHANGED: it was there; -errno with diagnostics, and then what was there before is
 * still there. An image that does not fit the RAM budget is refused (-E2BIG), naming the largest files. */
int image_build(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
                struct image_result *ret_result);

/* The artifact that the definition would build to now, without building. 0; -ENOENT without a diagnostic when
 * it was never built; another -errno with diagnostics. */
int image_find(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
               struct built *ret_built);

/* The key of the definition itself, for the record of what was built from it last. It needs no program, and
 * of files only what everybody sees of those in the configuration folder (build/stamp.h); what else goes into
 * a build (files of the machine, libraries, the package of BusyBox) is not in it. */
void image_definition_key(const struct build_env *env, const struct image_def *def,
                          const struct image_inputs *inputs, struct digest *ret_key);

/* The least RAM, in bytes, of a node that boots an image: see build.c for the sum. */
uint64_t image_memory_needed(uint64_t root, uint64_t compressed);
