/* What the Kconfig files of a tree say about symbols: their prompts and dependencies. Enough to list every
 * symbol and to explain why one did not come out as asked; the tree's own Kconfig stays the judge of a
 * configuration.
 *
 * Understood: config, menuconfig, choice, menu, if, source (with $(SRCARCH) and $(KCONFIG_...) variables from
 * the caller), depends on, select, imply, help. Macros such as $(cc-option,...) stay text: nothing is run.
 */
#pragma once

#include "base/diag.h"
#include "base/str.h"
#include "base/vec.h"
#include "build/fragment.h"

/* One `config NAME` block. A symbol may have several. */
struct kconfig_entry {
    char *name;
    char *type;    /* bool, tristate, string, int, hex; NULL when this block does not say */
    bool prompt;   /* a person can set it (under its dependencies) */
    char *depends; /* the whole condition: its own `depends on`, and those of the menus and ifs around it;
                      NULL: none */
    char *file;    /* relative to the tree */
    unsigned line;
};

/* A select or imply: `by` turns `name` on, under `condition` (NULL: always). */
struct kconfig_select {
    char *name, *by, *condition;
};

struct kconfig {
    VEC(struct kconfig_entry) entries; /* sorted by name */
    VEC(struct kconfig_select) selects;
};

void kconfig_free(struct kconfig *k);
static inline void kconfig_cleanup(struct kconfig *k)
{
    kconfig_free(k);
}
#define cleanup_kconfig __attribute__((cleanup(kconfig_cleanup)))

struct kconfig_tree {
    const char *tree;    /* folder of the sources */
    const char *out;     /* build folder, looked in first (BusyBox generates files there); NULL: none */
    const char *top;     /* the file to begin with: `Kconfig`, `Config.in` */
    const char *srcarch; /* value of $(SRCARCH): `x86` */
};

/* Reads all files. A file that is named but missing is skipped. 0 or -errno (of the first file). */
int kconfig_read(const struct kconfig_tree *tree, struct kconfig *ret_kconfig);

/* The first block of a symbol; more may follow in the array. NULL: no such symbol. */
const struct kconfig_entry *kconfig_find(const struct kconfig *k, const char *name);

/* Appends those parts of `condition` that do not hold under `values`, such as `NET (is n)`, separated by
 * `, `. Parts that are joined by || are shown together, in parentheses. Nothing is appended when it holds. */
void kconfig_unmet(const char *condition, const struct config_values *values, struct str *out);

/* Appends one sentence about why `asked` did not come out: no such symbol (and the nearest one), a value
 * that its type does not have, its unmet dependencies, or that nothing but another symbol can set it. */
void kconfig_explain(const struct kconfig *k, const struct config_values *values, const struct asked *asked,
                     struct str *out);
