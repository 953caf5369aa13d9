/* YAML text to a tree whose every node knows its place. The only file that knows libfyaml.
 *
 * Scalars are text: what they mean is up to who reads them (`0644`, `yes` and `1e3` stay as they were
 * written). Anchors and aliases work; an alias is the same node again, so it costs nothing here, and what the
 * tree would be when written out is limited. Merge keys (`<<`) are no key anybody knows.
 */
#pragma once

#include "base/diag.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_SIZE_MAX  ((size_t)4 << 20) /* bytes of a file */
#define YAML_DEPTH_MAX 32u               /* mappings and lists within each other */
#define YAML_WEIGHT_MAX                                                                                      \
    ((size_t)16 << 20) /* bytes of all scalars + 1 for each node, with aliases written out */

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE };

struct yaml_node {
    enum yaml_kind kind;
    struct pos pos; /* file is the name given to yaml_parse */
    char *text;     /* of a scalar: UTF-8 without NUL */
    bool plain;     /* of a scalar: written without quotes */
    VEC(struct yaml_node *)
    items;         /* of a sequence; of a mapping: key, value, key, value, ... (keys are scalars) */
    size_t weight; /* of it and all in it */
};

struct yaml {
    VEC(struct yaml_node *) documents; /* their roots; empty documents are left out */
    VEC(struct yaml_node *) nodes;     /* all of them; owns them */
};

/* Parses all documents. 0, or -EINVAL with `diags` (-EFBIG when it is too long); *ret_yaml is written only on
 * success, to be freed with yaml_free. `name` must outlive it. */
int yaml_parse(const char *name, const char *text, size_t size, struct diags *diags, struct yaml *ret_yaml);
void yaml_free(struct yaml *yaml);
static inline void yaml_cleanup(struct yaml *yaml)
{
    yaml_free(yaml);
}
#define cleanup_yaml __attribute__((cleanup(yaml_cleanup)))

/* `key:` with nothing behind it, or `~` or `null` without quotes. */
bool yaml_is_null(const struct yaml_node *node);
