/* `options:` of everybody, classes, subnets, profiles and nodes, and the short forms of some of them; checked
 * and encoded here. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>

/* One option while it is read. */
struct entry {
    struct dhcp_option_spec spec;
    const struct yaml_node *value; /* a scalar or a list of them; NULL: none yet */
    bool always;
};

/* `domain-name-servers (6)`, or `224`. */
#define OPTION_SHOWN_MAX 64
static const char *show_option(const struct dhcp_option_spec *spec, char buf[static OPTION_SHOWN_MAX])
{
    if (spec->name)
        snprintf(buf, OPTION_SHOWN_MAX, "%s (%u)", spec->name, spec->code);
    else
        snprintf(buf, OPTION_SHOWN_MAX, "%u", spec->code);
    return buf;
}

/* The option that a key names, by its name or by its number. */
static int find_option(struct mapper *m, const struct yaml_node *key, struct dhcp_option_spec *ret_spec)
{
    char shown[SHOWN_MAX], option[OPTION_SHOWN_MAX];
    uint64_t code;
    if (isdigit((unsigned char)key->text[0])) {
        if (key->text[0] == '0' || parse_u64(key->text, 1, 254, &code) < 0)
            return map_error(m, &key->pos,
                             "\"%s\" is no code of a DHCP option; expected a number from 1 to 254",
                             show_text(key->text, shown));
        *ret_spec = dhcp_option_by_code((uint8_t)code);
    } else {
        const struct dhcp_option_spec *spec = dhcp_option_by_name(key->text);
        const char *nearest = spec ? NULL : dhcp_option_nearest(key->text);
        show_text(key->text, shown);
        if (nearest)
            return map_error(m, &key->pos, "no DHCP option is named \"%s\"; did you mean \"%s\"?", shown,
                             nearest);
        if (!spec)
            return map_error(m, &key->pos,
                             "no DHCP option is named \"%s\"; expected a name like domain-name-servers, or a "
                             "number from 1 to 254",
                             shown);
        *ret_spec = *spec;
    }
    if (ret_spec->instead)
        return map_error(m, &key->pos, "option %s cannot be set here: %s", show_option(ret_spec, option),
                         ret_spec->instead);
    return 0;
}

/* A key of an option's own mapping: `value`, or the name of a kind. */
static int read_value(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    struct entry *entry = object;
    int kind = dhcp_kind_find(key->text);
    if (entry->value)
        return map_error(m, &key->pos,
                         "this option has a value already; expected one of \"value\" and the kinds");
    entry->value = value;
    if (kind >= 0)
        entry->spec = dhcp_option_as(entry->spec.code, (enum dhcp_kind)kind);
    return 0;
}

static int read_entry(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      struct entry *entry)
{
    char option[OPTION_SHOWN_MAX];
    struct field fields[DHCP_KINDS + 3] = {{.key = "value", .read = read_value},
                                           FIELD("always", type_bool, struct entry, always)};
    if (value->kind != YAML_MAPPING) {
        entry->value = value;
        return 0;
    }
    for (int kind = 0; kind < DHCP_KINDS; kind++)
        fields[2 + kind] = (struct field){.key = dhcp_kind_name((enum dhcp_kind)kind), .read = read_value};
    int r = map_fields(m, value, fields, key->text, &key->pos, entry);
    if (r == 0 && !entry->value)
        r = map_error(m, &value->pos,
                      "option %s has no value; expected \"value\", or a kind like u16, text or hex",
                      show_option(&entry->spec, option));
    return r;
}

/* The texts of a scalar or of a list of scalars. 0 or -EINVAL. */
static int texts_of(struct mapper *m, const char *key, const struct yaml_node *value,
                    struct dhcp_option_texts *texts)
{
    static const char expected[] = "a value, or a list of values";
    int r = 0;
    if (value->kind == YAML_SCALAR && !yaml_is_null(value)) {
        VEC_PUSH(&texts->list, xstrdup(value->text));
        return 0;
    }
    if (value->kind != YAML_SEQUENCE)
        return wrong_shape(m, key, value, expected);
    VEC_EACH(item, &value->items)
        if ((*item)->kind != YAML_SCALAR || yaml_is_null(*item))
            r = wrong_shape(m, key, *item, expected);
        else
            VEC_PUSH(&texts->list, xstrdup((*item)->text));
    return r;
}

/* Encodes the entry's value and adds it, when it is right and the first of its code. */
static int add_option(struct mapper *m, const struct yaml_node *key, const struct entry *entry,
                      struct option_values *values)
{
    char shown[SHOWN_MAX], option[OPTION_SHOWN_MAX];
    uint8_t data[DHCP_OPTION_DATA_MAX];
    struct dhcp_option_texts texts = {0};
    struct dhcp_option_fault fault;
    const struct option_value *earlier = option_values_find(values, entry->spec.code);
    if (earlier)
        return map_error(m, &key->pos, "option %s is set twice; the first is in line %u",
                         show_option(&entry->spec, option), earlier->pos.line);
    int r = texts_of(m, key->text, entry->value, &texts);
    if (r < 0)
        goto out;
    const char *const *list = (const char *const *)texts.list.items;
    int size = dhcp_option_encode(&entry->spec, list, texts.list.n, data, sizeof(data), &fault);
    if (size >= 0) {
        struct option_value *added = VEC_ADD(&values->list);
        *added = (struct option_value){.code = entry->spec.code, .always = entry->always, .pos = key->pos};
        added->size = (uint16_t)size;
        added->data = xmalloc((size_t)size + 1); /* never of nothing */
        memcpy(added->data, data, (size_t)size);
    } else if (fault.index < texts.list.n) {
        const struct yaml_node *value = entry->value;
        const struct pos *at =
            value->kind == YAML_SEQUENCE ? &value->items.items[fault.index]->pos : &value->pos;
        r = map_error(m, at, "\"%s\" is %s", show_text(list[fault.index], shown), fault.reason);
    } else {
        r = map_error(m, &entry->value->pos, "\"%s\" is %s", show_text(key->text, shown), fault.reason);
    }
out:
    dhcp_option_texts_clear(&texts);
    return r;
}

int read_options(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    int r = 0;
    if (value->kind != YAML_MAPPING && !yaml_is_null(value))
        return wrong_shape(m, key->text, value, "a mapping (NAME: VALUE, a line each)");
    for (size_t i = 0; i + 1 < value->items.n; i += 2) {
        const struct yaml_node *name = value->items.items[i], *item = value->items.items[i + 1];
        struct entry entry = {0};
        if (find_option(m, name, &entry.spec) < 0 || read_entry(m, name, item, &entry) < 0 ||
            add_option(m, name, &entry, object) < 0)
            r = -EINVAL;
    }
    return r;
}

/* The short forms. */

static int read_short(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object, const char *name)
{
    struct entry entry = {.spec = *dhcp_option_by_name(name), .value = value};
    return add_option(m, key, &entry, object);
}

int read_mtu(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    return read_short(m, key, value, object, "interface-mtu");
}

int read_routes(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    return read_short(m, key, value, object, "classless-static-routes");
}

int read_dns_search(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                    void *object)
{
    return read_short(m, key, value, object, "domain-search");
}

static bool has_default_route(const struct dhcp_option_spec *spec, const struct option_value *value)
{
    struct dhcp_option_texts texts;
    bool found = false;
    dhcp_option_values(spec, value->data, value->size, &texts);
    VEC_EACH(text, &texts.list)
        found |= str_starts(*text, "default via ");
    dhcp_option_texts_clear(&texts);
    return found;
}

int add_default_route(struct mapper *m, struct option_values *values, ipv4_t router)
{
    const struct dhcp_option_spec *spec = dhcp_option_by_name("classless-static-routes");
    VEC_EACH(value, &values->list) {
        if (value->code != spec->code || has_default_route(spec, value))
            continue;
        char text[IPV4_TEXT_MAX];
        cleanup_free char *route = xasprintf("default via %s", ipv4_format(router, text));
        struct dhcp_option_fault fault;
        uint8_t data[DHCP_OPTION_DATA_MAX];
        int n = dhcp_option_encode(spec, (const char *const[]){route}, 1, data, sizeof(data) - value->size,
                                   &fault);
        if (n < 0)
            return map_error(m, &value->pos, "with the router as default route, the routes are %s",
                             fault.reason);
        value->data = xrealloc(value->data, value->size + (size_t)n);
        memcpy(value->data + value->size, data, (size_t)n);
        value->size = (uint16_t)(value->size + n);
    }
    return 0;
}
