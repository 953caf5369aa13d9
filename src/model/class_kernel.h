/* The kernel of a hardware class: an ordinary kernel definition, kernels/class-CLASS.yaml, that nodes of a
 * fitted profile get by what they are made of. A class is 12 lower-case hexadecimal digits (model/machine.h).
 *
 * A generation has up to two of a class: `class-CLASS`, as it is defined now, and `class-CLASS.before`, the
 * one that was there before and that nodes get until the other has proven itself. Both are names of
 * artifacts, of x86_64. */
#pragma once

#include "model/arch.h"

#include <stdbool.h>

/* Whether a definition is called so. */
bool is_class_kernel(const char *definition);

/* `class-1a2b3c4d5e6f`, or with `before` `class-1a2b3c4d5e6f.before`. Returns buf. */
const char *class_kernel_format(const char *hardware_class, bool before, char buf[static ARTIFACT_NAME_MAX]);
/* The class that an artifact of either name belongs to: its 12 digits within `artifact`; NULL: it is of none.
 */
const char *class_kernel_of(const char *artifact, bool *ret_before);
