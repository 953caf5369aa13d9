/* Build folders of kernels, CACHE/work/kernel-NAME. They are kept, so that a small change compiles little;
 * and a new one begins as a copy of the folder of another kernel from the same tree, the one whose
 * configuration is nearest, so that Kbuild compiles only what the difference touches. What comes out is the
 * same.
 *
 * Beside a folder are NAME.source (which tree it belongs to), NAME.steps (of its last whole build) and
 * NAME.inputs (what decided it), by which the next build says what changed.
 */
#pragma once

#include "build/env.h"
#include "build/fragment.h"

struct kernel_folder {
    const char *label;                 /* `kernel smallest`: begins every message */
    const char *path;                  /* of the folder */
    const char *tree;                  /* stands for the tree that it is compiled from */
    const struct fragments *fragments; /* what its configuration asks for */
    const struct build_env *env;
};

/* Makes the folder ready to be configured. One that belongs to another tree begins anew, as one that has no
 * kernel yet does where there is something to copy. The caller holds the lock of the build. 0; -errno with a
 * diagnostic. */
int kernel_folder_prepare(const struct kernel_folder *f);

/* How many steps the build of a configured folder will print, for its progress: as many as its last whole
 * build, or, where objects are there, as many as depend on what the configuration changes. An estimate. */
unsigned kernel_folder_steps(const struct kernel_folder *f);

/* Whether the next build compiles everything. */
bool kernel_folder_is_empty(const struct kernel_folder *f);

/* Keeps the steps of a whole build for the next one. */
void kernel_folder_keep_steps(const struct kernel_folder *f, unsigned steps);

/* What decides a build besides its configuration, each in words. */
struct kernel_facts {
    const char *source;   /* `linux-source-6.1_6.1.140-1_all.deb 9c01...` */
    const char *compiler; /* `gcc (Debian 12.2.0-14) 12.2.0` */
};

/* What is different from the last build in this folder, in words for people; empty when none is known. The
 * caller's. */
char *kernel_folder_changes(const struct kernel_folder *f, const struct kernel_facts *facts);
/* Keeps what decided a build that came out well. */
void kernel_folder_keep_facts(const struct kernel_folder *f, const struct kernel_facts *facts);
