/* What symbols need, resolved by the Kconfig of the tree itself: share/kconfig/resolve.c is compiled against
 * the tree's scripts/kconfig and run. What it does and what it cannot do stands there.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "build/env.h"
#include "build/kbuild.h"

/* One assignment that is needed on top of what was asked for. */
struct resolved {
    char *symbol;
    bool on;
    char *root;    /* the wanted symbol it is for */
    char *because; /* the symbol that directly needs it; `root` or `symbol` itself when it is wanted */
    char *how;     /* wanted, depends, selects, default, selected, off: see share/kconfig/resolve.c */
    char *prompt;  /* what the tree calls it; may be empty */
};
struct failure {
    char *symbol, *why;
};
struct resolution {
    VEC(struct resolved) list;
    VEC(struct failure) failures;
};
void resolution_free(struct resolution *r);
static inline void resolution_cleanup(struct resolution *r)
{
    resolution_free(r);
}
#define cleanup_resolution __attribute__((cleanup(resolution_cleanup)))

/* Reads what the program printed. Lines of another form are skipped. */
void resolution_parse(const char *text, struct resolution *ret_resolution);

/* Resolves `wants` (ends with NULL; each a symbol, or several joined by | of which one is enough) on top of
 * `f`. `b->out` is a folder of the caller's own, kept for the next time. 0, also when some of them fail;
 * -errno with diagnostics. */
int resolve(const struct kbuild *b, const struct build_env *env, const struct fragments *f,
            const char *const *wants, struct resolution *ret_resolution);
