/* Programs of an image that its nodes' processors cannot run: a definition is built for each architecture of
 * its profiles, and what it copies from the machine is for one of them. */
#pragma once

#include "build/env.h"
#include "image/tree.h"
#include "model/image.h"

/* Warns of every ELF file of the tree that may be executed and is for another architecture than env->arch.
 * 32-bit programs of the same family are fine: kernels can run them. */
void programs_check(const struct build_env *env, const struct image_def *def, const struct tree *tree);
