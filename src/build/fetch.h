/* Inputs of builds: fetched once, verified, and kept.
 *
 * What is fetched lands in a temporary folder or file and is renamed to its place when it is whole and its
 * checksum is right; so what is there is good, and an interrupted download leaves nothing that looks like an
 * input. What is there is not fetched again, unless that was before env->refresh. Of several builders that
 * want the same one fetches it, and the others wait (build/whole.h). build/unpack.h unpacks them.
 */
#pragma once

#include "base/hash.h"
#include "build/env.h"

struct input {
    char *path;           /* of the file; the caller's */
    struct digest digest; /* SHA-256 of it */
    bool cached;          /* nothing was fetched */
};

void input_clear(struct input *input);
static inline void input_cleanup(struct input *input)
{
    input_clear(input);
}
#define cleanup_input __attribute__((cleanup(input_cleanup)))

/* All return 0, or -errno with a diagnostic that says what to do. */

/* A Debian binary package (`NAME` or `NAME=VERSION`), downloaded by apt from the machine's own sources, which
 * verifies its signature; not installed. The file is a .deb. */
int fetch_package(const struct build_env *env, const char *name, struct input *ret_input);

/* The same for the architecture that is built for (env->arch), which need not be the machine's. The machine's
 * own sources are asked with a state of apt that is ours alone, so no architecture is added to the machine.
 */
int fetch_target_package(const struct build_env *env, const char *name, struct input *ret_input);

/* What Debian calls an architecture: amd64, arm64. */
const char *debian_arch(enum cpu_arch arch);

/* A Debian source package. Its sources are found even when the machine's list names binary packages only: a
 * list of our own is derived from the machine's, with the same places and keys. The file is the .dsc, with
 * what it names beside it. */
int fetch_source_package(const struct build_env *env, const char *name, struct input *ret_input);

/* An http(s) URL. The checksum is required and decides what is cached. */
int fetch_url(const struct build_env *env, const char *url, const struct digest *sha256,
              struct input *ret_input);

/* A local file, used where it is; with its checksum verified when `sha256` is not NULL. */
int fetch_file(const struct build_env *env, const char *path, const struct digest *sha256,
               struct input *ret_input);
