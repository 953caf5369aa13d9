/* The definitions of a generation as bytes: read once, so that what is checked is what is kept. Internal to
 * src/publish. */
#pragma once

#include "base/diag.h"
#include "base/hash.h"
#include "base/vec.h"
#include "model/site.h"

struct definition_file {
    char *name; /* beneath the folder: `nodes.d/n1.yaml` */
    char *data;
    size_t size;
};
struct definitions {
    VEC(struct definition_file) files;
};
void definitions_clear(struct definitions *definitions);
static inline void definitions_cleanup(struct definitions *definitions)
{
    definitions_clear(definitions);
}
#define cleanup_definitions __attribute__((cleanup(definitions_cleanup)))

/* Reads what of a configuration folder is a definition: not what images copy in, which is in the artifacts
 * already. 0 or -errno with `diags`. */
int definitions_read(const char *config_dir, struct diags *diags, struct definitions *ret_definitions);
/* Adds the built-in definitions that the site's profiles use to `builtin`; those of the user are in `users`.
 * 0; -EEXIST when a file of the user has the name of one of them, but defines something else; -errno. */
int definitions_add_builtin(struct definitions *builtin, const struct definitions *users,
                            const struct site *site, struct diags *diags);
/* Writes them into `dir`, which is made. Not synced. 0 or -errno. */
int definitions_write(const struct definitions *definitions, const char *dir);
/* Makes what definitions_write wrote durable: file by file, or when they are many by one syncfs, which may
 * have to write what others left too. 0 or -errno. */
int definitions_sync(const struct definitions *definitions, const char *dir);
/* Of all names and contents, whatever their order. Sorts them. */
void definitions_hash(struct definitions *definitions, struct digest *ret_digest);
