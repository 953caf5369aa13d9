/* Which kernels of hardware classes go into a generation (model/class_kernel.h): every one that is defined
 * and built, when a profile is fitted, and beside it, as `class-CLASS.before`, the one that nodes had until
 * now. Internal to src/publish. */
#pragma once

#include "publish/manifest.h"
#include "publish/publish.h"

/* Adds them to `next`. `now` is the generation that is current, NULL: there is none. One that is not built is
 * left out, with a note. What nodes have until now is, of the current generation, its `class-CLASS`, and its
 * `class-CLASS.before` when the former is the same as in `next`, or has not proven itself. */
void class_kernels_join(const struct site *site, const struct artifact_source *source,
                        const struct manifest *now, struct diags *diags, struct manifest *next);

/* Whether a generation does without this artifact of its when the file is gone or damaged: a kernel of a
 * class, or its modules, which no profile names. Both go then: neither is of use without the other. */
bool class_kernels_spare(const struct site *site, const struct generation_artifact *artifact);
