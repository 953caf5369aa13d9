/* What the files of src/builder share: where everything is, and what goes into a build of which definition.
 * Internal to src/builder.
 *
 *     builder.c    this
 *     select.c     names -> the list of what is to be built
 *     build.c      the list -> artifacts
 *     record.c     what each definition was built to last
 *     find.c       what is built already, for publish()
 */
#pragma once

#include "build/env.h"
#include "image/build.h"
#include "model/cmdline.h"
#include "model/site.h"
#include "unified/unified.h"

struct builder {
    struct build_env env; /* of x86_64, with the diagnostics of building */
    struct image_def base;
    char *base_file;   /* that the base's positions name */
    char *init[ARCHS]; /* path of the program; it need not be there */
    uint32_t mtime;    /* of files in images */
};

/* The builder's, for another architecture and with other diagnostics. */
struct build_env builder_env(const struct builder *b, enum cpu_arch arch, struct diags *diags);

/* Whether nodes of this profile unpack the image, by itself or inside their kernel. */
bool builder_profile_uses(const struct site *site, const struct profile *profile, const char *image);

/* What an image is made from besides its definition; the memory it must fit in is the least that a profile
 * which uses it states. What it points to is the builder's. */
struct image_inputs builder_image_inputs(const struct builder *b, const struct site *site, const char *image,
                                         enum cpu_arch arch);

/* What a unified image is made from: its parts, and its command line, which is written to `cmdline` and
 * pointed to. `image` is not read where the profile has none; the modules are left to the caller. 0 or
 * -errno with a diagnostic. */
int builder_unified_inputs(const struct site *site, const struct profile *profile, enum cpu_arch arch,
                           const struct digest *kernel, const struct digest *image,
                           char cmdline[static UNIFIED_CMDLINE_MAX], struct diags *diags,
                           struct unified_inputs *ret_inputs);
