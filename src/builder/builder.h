/* Builds what a site asks for, images and kernels alike, and finds what was built. Used by the command line
 * and by the server. */
#pragma once

#include "build/env.h"
#include "image/build.h"
#include "publish/publish.h"

struct builder; /* the built-in base of images, and where everything is */

/* `env` is copied, what it points to is not. `libexec_dir` has rambox's init for the nodes
 * (rambox-init, and rambox-init.arm64 where there was a compiler for it). The
 * times of files in images are SOURCE_DATE_EPOCH when that is set, else 0. 0, or -errno with diagnostics in
 * env->diags. */
int builder_new(const struct build_env *env, const char *libexec_dir, struct builder **ret_builder);
void builder_free(struct builder *b);
DEFINE_CLEANUP(struct builder *, builder_free);

/* Compilations at once (0: one for each processor), and whether to fetch again what was fetched before this
 * call. */
void builder_set_jobs(struct builder *b, unsigned jobs, bool refresh);

/* One thing to build. */
struct build_item {
    enum artifact_kind kind;
    const char *name; /* of the definition; the site's */
    enum cpu_arch arch;
    int outcome; /* 0: built now; IMAGE_UNCHANGED: nothing changed; < 0: failed, with diagnostics */
    struct built built;
    struct image_result image; /* of images */
};
struct build_list {
    arch_set archs; /* for builder_select: which architectures; empty: those that profiles want */
    VEC(struct build_item) items;
};
void build_list_free(struct build_list *list);
static inline void build_list_cleanup(struct build_list *list)
{
    build_list_free(list);
}
#define cleanup_build_list __attribute__((cleanup(build_list_cleanup)))

/* What `names` (ends with NULL; `smallest` is every definition of that name, `image/smallest` one) stand for,
 * or without names all that profiles use, with the kernel of every hardware class where a profile is fitted:
 * images first, each once, before a kernel the image built into it, and the unified images last. A name can
 * be a profile's that has one, too; what goes into it comes before it. Each for the architectures of the
 * profiles that use it (x86_64, where none does), or those of list->archs; `smallest.arm64` is for that one.
 * 0, or -ENOENT with a diagnostic for each unknown name. */
int builder_select(const struct site *site, char *const *names, struct diags *diags, struct build_list *list);

/* Builds all of the list, and records what each definition built to; one that fails does not keep the others
 * from being built. 0 or the first -errno. */
int builder_build(struct builder *b, const struct site *site, struct build_list *list);

/* Finds artifacts for publish(), building and fetching nothing: what would come out if it were built now. It
 * asks the compiler for its version and reads the files of the machine that go into images. */
struct artifact_source builder_source(struct builder *b);

/* Finds them by the record: what came out when the definition, as it is now, was built last. It runs no
 * program and reads nothing outside the configuration, share and cache folders and the artifact store, so
 * that the server can do it in its confinement; a compiler that was upgraded since is no reason to publish
 * nothing. */
struct artifact_source builder_recorded_source(struct builder *b);

/* Everything known of the current artifact of one image, `smallest` or `smallest.arm64`. 0; -ENOENT with a
 * diagnostic when it is not built.
 */
int builder_find_image(struct builder *b, const struct site *site, const char *name, struct diags *diags,
                       struct built *ret_built);
