/* One kernel on its way from a definition to an artifact: what was found out so far, and the steps that find
 * out more. Internal to src/kernel.
 *
 *     source.c          kernel_find_source: what it is compiled from
 *     configuration.c   kernel_merge: fragments, symbols, compression and ramdisk, joined
 *     toolchain.c       what compiles it: programs, ccache, make's arguments
 *     folder.c          the build folder, see kernel/folder.h
 *     kernel.c          kernel_configure, and the build as a whole
 *     packaged.c        the distribution's, which none of that is needed for
 *     edit.c            a person's changes to a configuration
 *
 * All functions that can fail return 0, or -errno with a diagnostic.
 */
#pragma once

#include "build/env.h"
#include "build/fetch.h"
#include "build/fragment.h"
#include "build/kbuild.h"
#include "model/kernel.h"

struct built;

/* ---- the state ---- */

/* What differs between the architectures that kernels are built for. */
struct kernel_arch {
    const char *srcarch;  /* folder of the tree */
    const char *compiler; /* as its name is, and the package that has it */
    const char *package;
    const char *packed; /* the target that is compressed, and what it makes */
    const char *packed_file;
    const char *plain; /* the same without EFI_ZBOOT; NULL: a kernel is always compressed */
    const char *plain_file;
};

/* Strings are owned. */
struct kernel_work {
    const struct kernel_def *def;
    const struct build_env *env;
    const struct kernel_arch *arch;
    char *name;  /* of the artifact: `smallest`, `smallest.arm64` */
    char *label; /* `kernel smallest`: begins every message */
    char *out;   /* build folder, kept */
    char *log;
    char *tree;
    char *initramfs; /* the archive to embed, as Kbuild wants it named; NULL: none */
    struct fragments fragments;
    struct digest source; /* stands for the content of the tree */
    char *source_words;   /* the same for people */
    char *compiler;       /* the first line of what it says of itself */
    char *ccache_path;    /* PATH=... with ccache's compilers first; NULL: there is no ccache */
    char *ccache_dir;     /* CCACHE_DIR=...; NULL: none, or the user says where it keeps things */
};

/* Begins one: names and places, for env->arch. Both are only pointed to. */
struct kernel_work kernel_work_of(const struct kernel_def *def, const struct build_env *env);
void kernel_work_clear(struct kernel_work *w);
#define cleanup_kernel_work __attribute__((cleanup(kernel_work_clear)))

/* ---- source.c ---- */

/* Gets the source and says what stands for it (w->source); unpacks nothing yet. Of a tree of the user's,
 * w->tree is set and `ret_input` is not. */
int kernel_find_source(struct kernel_work *w, struct input *ret_input);

/* ---- configuration.c ---- */

/* Fills w->fragments in the order that kernel/kernel.h names; `initramfs` is the artifact to embed, or NULL.
 * The second is without the user's own file for this kernel. */
int kernel_merge(struct kernel_work *w, const struct digest *initramfs);
int kernel_merge_definition(struct kernel_work *w, const struct digest *initramfs);

/* The user's own file for this kernel, CONFIG_DIR/kernels/NAME.config, be it there or not; the caller's.
 * NULL: there is no configuration folder. */
char *kernel_own_config(const struct kernel_work *w);

/* Adds the merged configuration to a key. The ramdisk is in it by its digest, which its name has. */
void kernel_hash_configuration(const struct kernel_work *w, struct hash *hash);

/* ---- toolchain.c ---- */

extern const struct kernel_arch kernel_archs[ARCHS];

/* The compressions of a bzImage, and who does them; the last has no name. */
struct kernel_compression {
    const char *name, *symbol, *program, *package;
};
extern const struct kernel_compression kernel_compressions[];

/* Arguments of make for each architecture, each list ends with NULL. */
extern const char *const *const kernel_make_args[ARCHS];

/* Whether all programs and headers are installed that a build with w->fragments takes. */
int kernel_check_tools(const struct kernel_work *w);

/* Fills w->ccache_path and w->ccache_dir where ccache is installed. */
void kernel_find_ccache(struct kernel_work *w);

/* What the build is run with. `make_env` is filled by the call and pointed to. */
#define KERNEL_MAKE_ENV_MAX 4
struct kbuild kernel_kbuild(const struct kernel_work *w, const char *make_env[static KERNEL_MAKE_ENV_MAX]);

/* ---- kernel.c and packaged.c ---- */

/* Tree, folder and configuration are there afterwards. `input` is of kernel_find_source. */
int kernel_configure(struct kernel_work *w, const struct input *input, const struct digest *initramfs);

/* kernel_build of the distribution's: the kernel in a package, byte for byte. */
int kernel_build_packaged(struct kernel_work *w, struct built *ret_built);
