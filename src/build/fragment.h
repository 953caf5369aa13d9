/* Configuration fragments: lines of a .config, as people write them, merged in order.
 *
 * A line is `CONFIG_NAME=value`, `# CONFIG_NAME is not set`, another comment, or empty. A later line wins;
 * when it changes what an earlier one asked for, that is said, with both places. Where a symbol is not in all
 * versions of the tree, `CONFIG_NAME=value # where it exists` says so: a tree that does not know it is fine.
 */
#pragma once

#include "base/diag.h"
#include "base/str.h"
#include "base/vec.h"

#include <stddef.h>

struct asked {
    char *name;  /* without CONFIG_ */
    char *value; /* as in a .config: y, m, n, 42, 0x2a, "text" with its quotes */
    char *file;  /* where it was asked for */
    unsigned line, column;
    bool if_known; /* "where it exists" */
};

struct fragments {
    VEC(struct asked) list; /* in the order in which the names were first asked for; every name once */
};

void fragments_free(struct fragments *f);
static inline void fragments_cleanup(struct fragments *f)
{
    fragments_free(f);
}
#define cleanup_fragments __attribute__((cleanup(fragments_cleanup)))

/* Adds the lines of a file, or of a text that `name` stands for. 0; -errno with diagnostics (a line that is
 * none of the above: -EINVAL with its place). Overrides are notes. */
int fragments_add_file(struct fragments *f, const char *path, struct diags *diags);
int fragments_add_text(struct fragments *f, const char *name, const char *text, struct diags *diags);

/* Adds one symbol with its value as people write it in YAML: y, n, m and numbers stay, anything else becomes
 * a quoted string. */
void fragments_set(struct fragments *f, const char *name, const char *value, const struct pos *at,
                   struct diags *diags);

/* Adds all that another one asks for; whatever it asks for differently wins, without a note. */
void fragments_add_all(struct fragments *f, const struct fragments *other);

/* NULL when it was not asked for. */
const struct asked *fragments_find(const struct fragments *f, const char *name);

/* The merged lines, as a .config. */
void fragments_write(const struct fragments *f, struct str *out);

/* The text of a fragment with other values: the line of a symbol is replaced where it stands, and what has no
 * line comes behind the rest, below a comment `heading` (without its #). Comments stay. */
void fragments_edit(const char *text, const struct fragments *changes, const char *heading, struct str *out);

/* What symbols have as value in a .config; absent ones are `n`. Values keep their quotes. */
struct config_values {
    VEC(struct asked) list; /* sorted by name; file is NULL */
};
void config_values_free(struct config_values *c);
static inline void config_values_cleanup(struct config_values *c)
{
    config_values_free(c);
}
#define cleanup_config_values __attribute__((cleanup(config_values_cleanup)))

/* Reads a .config. 0 or -errno. */
int config_values_read(const char *path, struct config_values *ret_values);
/* The value, `n` when absent. */
const char *config_value(const struct config_values *c, const char *name);
