/* Mappings to structs by tables, so that every key is known in one place and every mistake reads alike:
 *
 *     rambox.yaml:12:5: error: unknown key "profle"; did you mean "profile"?
 *     nodes.d/n1.yaml:2:6: error: "52:54:00:12:34" is no MAC address; expected six bytes like
 * 52:54:00:12:34:56
 *
 * A table lists the keys of one mapping; each has a type, which turns the text of a scalar into a value, or a
 * function that reads a value of a shape of its own. All mistakes of a document are reported, not only the
 * first.
 */
#pragma once

#include "base/diag.h"
#include "base/vec.h"
#include "config/yaml.h"

#include <stdbool.h>
#include <stdint.h>

/* Where each value stands, for the checks that come when everything is read. */
struct mark {
    struct pos owner; /* `pos` of the object that the value belongs to */
    const char *key;  /* the table's */
    size_t index;     /* in a list */
    struct pos at;
};
struct marks {
    VEC(struct mark) list;
};

struct mapper {
    struct diags *diags;
    struct marks *marks; /* NULL: not wanted */
};

/* The meaning of a scalar. */
struct type {
    const char *what;     /* `MAC address`, as in `"x" is no MAC address` */
    const char *expected; /* `six bytes like 52:54:00:12:34:56` */
    int (*parse)(const struct type *type, const char *text, void *target); /* 0; < 0: not such a value */
    size_t size;                                                           /* of *target */
    const char *const *words; /* type_word: the words, ends with NULL; the value is the index, as an enum */
    uint64_t min, max;        /* type_number */
};

struct field {
    const char *key;
    const struct type *type;
    size_t offset; /* of the value in the object; with `list` of its VEC */
    bool list;     /* a list of such values, or one alone */
    bool required;
    /* Instead of a type; is given what is at `offset` in the object. 0 or -EINVAL with a diagnostic. */
    int (*read)(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object);
    const char *expected; /* with `read`: what stands there, in words */
};
#define FIELD(key_, type_, object_, member_, ...)                                                            \
    {                                                                                                        \
        .key = key_, .type = &(type_), .offset = offsetof(object_, member_), __VA_ARGS__                     \
    }

#define FIELD_READ(key_, read_, object_, member_)                                                            \
    {                                                                                                        \
        .key = key_, .read = read_, .offset = offsetof(object_, member_)                                     \
    }

/* Reads the mapping `node` into `object` by the table (ends with key NULL). `owner` is the object's pos,
 * under which the places of its values are kept; `what` names it in messages (`profile default`). Values that
 * are right are stored even when others are wrong. 0, or -EINVAL with a diagnostic for each mistake. */
int map_fields(struct mapper *m, const struct yaml_node *node, const struct field *fields, const char *what,
               const struct pos *owner, void *object);

/* Calls `each` for every NAME: value of a mapping whose keys are names that the user chooses (host labels,
 * each once). */
int map_names(struct mapper *m, const struct yaml_node *node, const char *what,
              int (*each)(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                          void *user),
              void *user);

/* Stores one scalar by its type. 0 or -EINVAL with a diagnostic. */
int map_value(struct mapper *m, const char *key, const struct type *type, const struct yaml_node *value,
              void *target);
/* Says that `node` is not of the shape that is expected here; returns -EINVAL. */
int wrong_shape(struct mapper *m, const char *key, const struct yaml_node *node, const char *expected);

/* Keeps the place of a value that a `read` function found by itself. `key` is a constant. */
void map_mark(struct mapper *m, const struct pos *owner, const char *key, size_t index, const struct pos *at);
/* The place of a value, or `owner` when it is not known. */
struct pos marks_find(const struct marks *marks, const struct pos *owner, const char *key, size_t index);

/* Adds an error, unless there are so many that nobody would read them. Returns -EINVAL. */
int map_error(struct mapper *m, const struct pos *at, const char *fmt, ...) PRINTF(3, 4);

/* Whether the mapping has this key; anything else has none. */
bool has_key(const struct yaml_node *node, const char *key);

/* A value as messages show it: short, and without characters that would disturb a terminal. */
#define SHOWN_MAX 64
const char *show_text(const char *text, char buf[static SHOWN_MAX]);

/* Types that several tables use; the target's C type behind each. Texts replace (and free) what is there. */
extern const struct type type_text;      /* char *: one line, no control characters (they would break out of a
                                            boot script) */
extern const struct type type_label;     /* char *: a host label */
extern const struct type type_user;      /* char *: name of a user of this machine */
extern const struct type type_interface; /* char *: name of a network interface */
extern const struct type type_folder;    /* char *: an absolute path */
extern const struct type type_file;      /* char *: the same, of a file */
extern const struct type type_mac;       /* struct mac: of one card */
extern const struct type type_ipv4;      /* ipv4_t */
extern const struct type type_prefix;    /* struct ipv4_prefix, /8 to /30 */
extern const struct type type_bool;      /* bool */
extern const struct type type_port;      /* uint16_t */
extern const struct type type_seconds;   /* uint32_t, at least 1 */
extern const struct type type_size;      /* uint64_t, bytes */
extern const struct type type_sha256;    /* struct digest */
/* For types made elsewhere. */
int parse_word(const struct type *type, const char *text, void *target);      /* enum */
int parse_word_text(const struct type *type, const char *text, void *target); /* char *, one of the words */
int parse_text(const struct type *type, const char *text, void *target); /* char *, no control characters */
int parse_any_text(const struct type *type, const char *text, void *target); /* char *, anything */
int parse_number16(const struct type *type, const char *text, void *target);
int parse_number32(const struct type *type, const char *text, void *target);
