/* Node ranges: `n[1-3,7]` is n1 n2 n3 n7; `r[1-2]n[01-02]` is r1n01 r1n02 r2n01 r2n02. Zero padding is kept.
 */
#pragma once

/* Expands one range (a plain name is itself) into names, ending with NULL; free with names_free
 * (base/file.h). 0; -EINVAL when it is malformed (unclosed, empty, backwards, more than 16 brackets); -E2BIG
 * when it would be more than 65,536 names. */
int range_expand(const char *range, char ***ret_names);
