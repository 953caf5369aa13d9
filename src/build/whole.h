/* What is in the cache under its name is whole: it is made beside its place, under a temporary name, and put
 * there at one stroke.
 *
 *     lock = whole_hold(env, final)     alone; another one may have made it while we waited: look again
 *     temp = whole_begin(env, final)    an empty folder
 *     ...
 *     whole_end(env, temp, final)       in its place
 */
#pragma once

#include "build/env.h"

/* Begins whatever is made under a temporary name (FINAL.part.XXXXXX) beside `final`, a path in the cache
 * folder: what two builders want is made by one of them, while the other waits. What a builder that was
 * killed left there goes. A descriptor that holds it until it is closed, or -errno with a diagnostic. */
int whole_hold(const struct build_env *env, const char *final);

/* Makes an empty temporary folder beside `final`; the caller's. NULL after a diagnostic. */
char *whole_begin(const struct build_env *env, const char *final);

/* Puts it in its place. What is there was to be made again, or is no good, and goes. 0, or -errno with a
 * diagnostic; then the temporary folder is gone. */
int whole_end(const struct build_env *env, const char *temp, const char *final);
