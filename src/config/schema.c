/* See config/schema.h. */
#include "config/schema.h"
#include "base/addr.h"
#include "base/hash.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum { ERRORS_MAX = 200 };

int map_error(struct mapper *m, const struct pos *at, const char *fmt, ...)
{
    if (m->diags->errors > ERRORS_MAX)
        return -EINVAL;
    if (m->diags->errors == ERRORS_MAX)
        return diag_error(m->diags, at, "more than %d errors; the rest is not shown", ERRORS_MAX);
    cleanup_str struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    return diag_error(m->diags, at, "%s", str_text(&text));
}

const char *show_text(const char *text, char buf[static SHOWN_MAX])
{
    size_t n = 0;
    for (; text[n] && n < SHOWN_MAX - 4; n++)
        buf[n] = iscntrl((unsigned char)text[n]) ? '?' : text[n];
    /* Not in the middle of a UTF-8 character. */
    if (text[n])
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    memcpy(buf + n, text[n] ? "..." : "", text[n] ? 4 : 1);
    return buf;
}

int wrong_shape(struct mapper *m, const char *key, const struct yaml_node *node, const char *expected)
{
    static const char *const shapes[] = {
        [YAML_SCALAR] = "a single value", [YAML_MAPPING] = "a mapping", [YAML_SEQUENCE] = "a list"};
    if (yaml_is_null(node))
        return map_error(m, &node->pos, "\"%s\" has no value; expected %s", key, expected);
    return map_error(m, &node->pos, "\"%s\" is %s; expected %s", key, shapes[node->kind], expected);
}

int map_value(struct mapper *m, const char *key, const struct type *type, const struct yaml_node *value,
              void *target)
{
    char shown[SHOWN_MAX];
    if (value->kind != YAML_SCALAR || yaml_is_null(value))
        return wrong_shape(m, key, value, type->expected);
    if (type->parse(type, value->text, target) == 0)
        return 0;
    const char *nearest = type->words ? nearest_word(value->text, type->words) : NULL;
    return map_error(m, &value->pos, "\"%s\" is no %s; expected %s%s%s%s", show_text(value->text, shown),
                     type->what, type->expected, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                     nearest ? "\"?" : "");
}

void map_mark(struct mapper *m, const struct pos *owner, const char *key, size_t index, const struct pos *at)
{
    if (m->marks)
        *VEC_ADD(&m->marks->list) = (struct mark){.owner = *owner, .key = key, .index = index, .at = *at};
}

struct pos marks_find(const struct marks *marks, const struct pos *owner, const char *key, size_t index)
{
    if (!marks || !owner->file)
        return *owner;
    VEC_EACH(mark, &marks->list)
        if (mark->owner.line == owner->line && mark->owner.column == owner->column && mark->index == index &&
            str_eq(mark->key, key) && str_eq(mark->owner.file, owner->file))
            return mark->at;
    return *owner;
}

/* Adds one value to the VEC at `target`. All VECs have the same layout; only the type of `items` differs. */
static int add_to_list(struct mapper *m, const struct field *field, const struct yaml_node *value,
                       void *target)
{
    struct {
        void *items;
        size_t n, cap;
    } vec;
    memcpy(&vec, target, sizeof(vec));
    vec.items = vec_grow(vec.items, &vec.n, &vec.cap, field->type->size);
    int r = map_value(m, field->key, field->type, value, (char *)vec.items + (vec.n - 1) * field->type->size);
    if (r < 0)
        vec.n--;
    memcpy(target, &vec, sizeof(vec));
    return r;
}

static int map_field(struct mapper *m, const struct field *field, const struct yaml_node *key,
                     const struct yaml_node *value, const struct pos *owner, void *object)
{
    if (field->read) {
        map_mark(m, owner, field->key, 0, &value->pos);
        return field->read(m, key, value, (char *)object + field->offset);
    }
    void *target = (char *)object + field->offset;
    if (!field->list || value->kind != YAML_SEQUENCE) {
        map_mark(m, owner, field->key, 0, &value->pos);
        return field->list ? add_to_list(m, field, value, target)
                           : map_value(m, field->key, field->type, value, target);
    }
    int r = 0;
    size_t index = 0;
    VEC_EACH(item, &value->items) {
        if (add_to_list(m, field, *item, target) < 0)
            r = -EINVAL;
        else
            map_mark(m, owner, field->key, index++, &(*item)->pos);
    }
    return r;
}

static int unknown_key(struct mapper *m, const struct yaml_node *key, const struct field *fields)
{
    VEC(const char *) names = {0};
    cleanup_str struct str known = {0};
    char shown[SHOWN_MAX];
    for (const struct field *field = fields; field->key; field++) {
        VEC_PUSH(&names, field->key);
        str_printf(&known, "%s%s", known.len ? ", " : "", field->key);
    }
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(key->text, names.items);
    VEC_FREE(&names);
    show_text(key->text, shown);
    if (nearest)
        return map_error(m, &key->pos, "unknown key \"%s\"; did you mean \"%s\"?", shown, nearest);
    return map_error(m, &key->pos, "unknown key \"%s\"; known here: %s", shown, str_text(&known));
}

static int duplicate_key(struct mapper *m, const struct yaml_node *key, const struct yaml_node *earlier)
{
    char shown[SHOWN_MAX];
    return map_error(m, &key->pos, "\"%s\" stands here twice; the first is in line %u",
                     show_text(key->text, shown), earlier->pos.line);
}

int map_fields(struct mapper *m, const struct yaml_node *node, const struct field *fields, const char *what,
               const struct pos *owner, void *object)
{
    const struct yaml_node *seen[32] = {0};
    int r = 0;
    /* A section whose lines are all commented out is an empty one. */
    if (node->kind != YAML_MAPPING && !yaml_is_null(node))
        return wrong_shape(m, what, node, "a mapping (KEY: VALUE, a line each)");
    for (size_t i = 0; i + 1 < node->items.n; i += 2) {
        const struct yaml_node *key = node->items.items[i], *value = node->items.items[i + 1];
        size_t f = 0;
        while (fields[f].key && !str_eq(fields[f].key, key->text))
            f++;
        if (!fields[f].key)
            r = unknown_key(m, key, fields);
        else if (seen[f])
            r = duplicate_key(m, key, seen[f]);
        else if (map_field(m, &fields[f], key, value, owner, object) < 0)
            r = -EINVAL;
        if (fields[f].key && !seen[f])
            seen[f] = key;
    }
    for (size_t f = 0; fields[f].key; f++) {
        const char *expected = fields[f].type ? fields[f].type->expected : fields[f].expected;
        if (fields[f].required && !seen[f])
            r = map_error(m, owner, "%s has no \"%s\"; expected %s", what, fields[f].key, expected);
    }
    return r;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *x = *(const struct yaml_node *const *)a, *y = *(const struct yaml_node *const *)b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->pos.line > y->pos.line) - (x->pos.line < y->pos.line);
}

/* Names may be many, so duplicates are looked for in a sorted copy. */
static int check_names_once(struct mapper *m, const struct yaml_node *node)
{
    int r = 0;
    size_t n = node->items.n / 2;
    cleanup_free const struct yaml_node **keys = xcalloc(n, sizeof(*keys));
    for (size_t i = 0; i < n; i++)
        keys[i] = node->items.items[2 * i];
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < n; i++)
        if (str_eq(keys[i]->text, keys[i - 1]->text))
            r = duplicate_key(m, keys[i], keys[i - 1]);
    return r;
}

int map_names(struct mapper *m, const struct yaml_node *node, const char *what,
              int (*each)(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                          void *user),
              void *user)
{
    char shown[SHOWN_MAX];
    if (node->kind != YAML_MAPPING)
        return wrong_shape(m, what, node, "a mapping of names");
    int r = check_names_once(m, node);
    for (size_t i = 0; i + 1 < node->items.n; i += 2) {
        const struct yaml_node *key = node->items.items[i], *value = node->items.items[i + 1];
        if (!is_host_label(key->text))
            r = map_error(m, &key->pos, "\"%s\" is no %s; expected %s", show_text(key->text, shown),
                          type_label.what, type_label.expected);
        else if (each(m, key, value, user) < 0)
            r = -EINVAL;
    }
    return r;
}

bool has_key(const struct yaml_node *node, const char *key)
{
    for (size_t i = 0; node->kind == YAML_MAPPING && i + 1 < node->items.n; i += 2)
        if (str_eq(node->items.items[i]->text, key))
            return true;
    return false;
}

/* The types. */

static int replace(void *target, const char *text)
{
    char **p = target;
    free(*p);
    *p = xstrdup(text);
    return 0;
}

int parse_any_text(const struct type *type, const char *text, void *target)
{
    (void)type;
    return replace(target, text);
}

int parse_text(const struct type *type, const char *text, void *target)
{
    (void)type;
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return -EINVAL;
    return replace(target, text);
}

static int parse_label(const struct type *type, const char *text, void *target)
{
    (void)type;
    return is_host_label(text) ? replace(target, text) : -EINVAL;
}

static int parse_interface(const struct type *type, const char *text, void *target)
{
    size_t n = strlen(text);
    (void)type;
    if (n < 1 || n > 15 || str_eq(text, ".") || str_eq(text, ".."))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)text[i]) || text[i] == '/')
            return -EINVAL;
    return replace(target, text);
}

static int parse_user(const struct type *type, const char *text, void *target)
{
    size_t n = strlen(text);
    (void)type;
    if (n < 1 || n > 32 || (!isalpha((unsigned char)text[0]) && text[0] != '_'))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i]))
            return -EINVAL;
    return replace(target, text);
}

static int parse_folder(const struct type *type, const char *text, void *target)
{
    return text[0] == '/' ? parse_text(type, text, target) : -EINVAL;
}

static int parse_mac(const struct type *type, const char *text, void *target)
{
    struct mac mac;
    (void)type;
    if (mac_parse(text, &mac) < 0 || !mac_is_unicast(&mac))
        return -EINVAL;
    memcpy(target, &mac, sizeof(mac));
    return 0;
}

static int parse_ipv4(const struct type *type, const char *text, void *target)
{
    ipv4_t address;
    (void)type;
    if (ipv4_parse(text, &address) < 0 || address == 0)
        return -EINVAL;
    memcpy(target, &address, sizeof(address));
    return 0;
}

static int parse_prefix(const struct type *type, const char *text, void *target)
{
    struct ipv4_prefix prefix;
    (void)type;
    if (prefix_parse(text, &prefix) < 0 || prefix.length < 8 || prefix.length > 30)
        return -EINVAL;
    memcpy(target, &prefix, sizeof(prefix));
    return 0;
}

static int parse_bool(const struct type *type, const char *text, void *target)
{
    static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};
    (void)type;
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!str_eq(text, yes[i]) && !str_eq(text, no[i]))
            continue;
        *(bool *)target = str_eq(text, yes[i]);
        return 0;
    }
    return -EINVAL;
}

int parse_word(const struct type *type, const char *text, void *target)
{
    for (unsigned i = 0; type->words[i]; i++) {
        if (!str_eq(type->words[i], text))
            continue;
        memcpy(target, &i, sizeof(i));
        return 0;
    }
    return -EINVAL;
}

int parse_word_text(const struct type *type, const char *text, void *target)
{
    unsigned index;
    return parse_word(type, text, &index) == 0 ? replace(target, text) : -EINVAL;
}

int parse_number16(const struct type *type, const char *text, void *target)
{
    uint64_t value;
    int r = parse_u64(text, type->min, type->max, &value);
    if (r == 0)
        *(uint16_t *)target = (uint16_t)value;
    return r;
}

int parse_number32(const struct type *type, const char *text, void *target)
{
    uint64_t value;
    int r = parse_u64(text, type->min, type->max, &value);
    if (r == 0)
        *(uint32_t *)target = (uint32_t)value;
    return r;
}

static int parse_span(const struct type *type, const char *text, void *target)
{
    uint32_t seconds;
    (void)type;
    int r = parse_seconds(text, &seconds);
    if (r < 0 || seconds == 0)
        return -EINVAL;
    *(uint32_t *)target = seconds;
    return 0;
}

static int parse_bytes(const struct type *type, const char *text, void *target)
{
    uint64_t bytes;
    (void)type;
    int r = parse_size(text, &bytes);
    if (r < 0 || bytes == 0)
        return -EINVAL;
    *(uint64_t *)target = bytes;
    return 0;
}

static int parse_sha256(const struct type *type, const char *text, void *target)
{
    (void)type;
    return digest_parse(text, target);
}

const struct type type_text = {.what = "text of one line",
                               .expected = "printable characters, without line breaks",
                               .parse = parse_text,
                               .size = sizeof(char *)};
const struct type type_label = {.what = "name",
                                .expected = "1 to 63 letters, digits and inner hyphens",
                                .parse = parse_label,
                                .size = sizeof(char *)};
const struct type type_interface = {.what = "network interface",
                                    .expected = "a name of at most 15 characters like eth1",
                                    .parse = parse_interface,
                                    .size = sizeof(char *)};
const struct type type_user = {.what = "user",
                               .expected = "the name of a user of this machine like rambox",
                               .parse = parse_user,
                               .size = sizeof(char *)};
const struct type type_folder = {.what = "folder",
                                 .expected = "an absolute path like /var/lib/rambox",
                                 .parse = parse_folder,
                                 .size = sizeof(char *)};
const struct type type_file = {.what = "file",
                               .expected = "an absolute path like /etc/rambox-secrets/site.pem",
                               .parse = parse_folder,
                               .size = sizeof(char *)};
const struct type type_mac = {.what = "MAC address",
                              .expected = "six bytes like 52:54:00:12:34:56, not multicast, not all zero",
                              .parse = parse_mac,
                              .size = sizeof(struct mac)};
const struct type type_ipv4 = {.what = "IPv4 address",
                               .expected = "four numbers like 192.168.7.11",
                               .parse = parse_ipv4,
                               .size = sizeof(ipv4_t)};
const struct type type_prefix = {.what = "IPv4 prefix",
                                 .expected = "a network and its length, /8 to /30, like 192.168.7.0/24",
                                 .parse = parse_prefix,
                                 .size = sizeof(struct ipv4_prefix)};
const struct type type_bool = {
    .what = "yes or no", .expected = "yes or no", .parse = parse_bool, .size = sizeof(bool)};
const struct type type_port = {.what = "port",
                               .expected = "a number from 1 to 65535",
                               .parse = parse_number16,
                               .size = sizeof(uint16_t),
                               .min = 1,
                               .max = 65535};
const struct type type_seconds = {.what = "span of time",
                                  .expected = "at least 1 s, like 90s, 5m, 12h or 1d",
                                  .parse = parse_span,
                                  .size = sizeof(uint32_t)};
const struct type type_size = {.what = "size",
                               .expected = "bytes like 512K, 64M or 1.5G",
                               .parse = parse_bytes,
                               .size = sizeof(uint64_t)};
const struct type type_sha256 = {.what = "SHA-256",
                                 .expected = "64 hexadecimal digits",
                                 .parse = parse_sha256,
                                 .size = sizeof(struct digest)};
