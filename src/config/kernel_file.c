/* kernels/NAME.yaml: one kernel definition. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>

/* The keys of `source:`; exactly one of the first three. */
struct source_keys {
    char *where[3]; /* by enum source_kind */
    struct digest sha256;
    bool has_sha256;
};

static int read_sha256(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    struct source_keys *keys = object;
    keys->has_sha256 = true;
    return map_value(m, key->text, &type_sha256, value, &keys->sha256);
}

static int use_source(struct mapper *m, const struct pos *at, struct source_keys *keys, struct source *source)
{
    int kind = -1, n = 0;
    for (int i = 0; i < 3; i++) {
        kind = keys->where[i] ? i : kind;
        n += keys->where[i] != NULL;
    }
    if (n != 1)
        return map_error(m, at, "\"source\" needs exactly one of package, tarball and tree; it has %s",
                         n ? "several" : "none");
    source->kind = (enum source_kind)kind;
    free(source->where);
    source->where = TAKE_PTR(keys->where[kind]);
    source->has_sha256 = keys->has_sha256;
    source->sha256 = keys->sha256;
    if (source->kind == SOURCE_TARBALL && is_url(source->where) && !keys->has_sha256)
        return map_error(m, at, "a tarball from a URL needs its \"sha256\": it would be built unchecked");
    if (source->kind != SOURCE_TARBALL && keys->has_sha256)
        return map_error(m, at,
                         "\"sha256\" belongs to a tarball; a package and a tree are not checked by it");
    return 0;
}

static int read_source(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    static const struct field fields[] = {
        FIELD("package", type_text, struct source_keys, where[SOURCE_PACKAGE]),
        FIELD("tarball", type_text, struct source_keys, where[SOURCE_TARBALL]),
        FIELD("tree", type_folder, struct source_keys, where[SOURCE_TREE]),
        {.key = "sha256", .read = read_sha256},
        {0},
    };
    struct kernel_def *kernel = object;
    struct source_keys keys = {0};
    kernel->source.pos = value->pos;
    int r = map_fields(m, value, fields, "source", &key->pos, &keys);
    if (r == 0)
        r = use_source(m, &value->pos, &keys, &kernel->source);
    for (int i = 0; i < 3; i++)
        free(keys.where[i]);
    return r;
}

static bool is_symbol(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return name[0] != '\0' && strlen(name) < 128;
}

/* `SYMBOL: value` pairs, into a list of symbols. `is_name` says what may be a key. */
static int read_pairs(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      const struct type *type, bool (*is_name)(const char *), struct symbol **ret_items,
                      size_t *ret_n, size_t *ret_cap)
{
    char shown[SHOWN_MAX];
    VEC(struct symbol) list = {0};
    int r = 0;
    if (value->kind != YAML_MAPPING)
        return wrong_shape(m, key->text, value, "a mapping of symbols, like `IP_PNP: y`");
    for (size_t i = 0; i + 1 < value->items.n; i += 2) {
        const struct yaml_node *name = value->items.items[i], *text = value->items.items[i + 1];
        const char *bare = str_starts(name->text, "CONFIG_") ? name->text + strlen("CONFIG_") : name->text;
        VEC_EACH(earlier, &list)
            if (str_eq(earlier->name, bare))
                r = map_error(m, &name->pos, "\"%s\" stands here twice; the first is in line %u", bare,
                              earlier->pos.line);
        if (!is_name(bare)) {
            r = map_error(m, &name->pos,
                          "\"%s\" is no symbol; expected letters, digits and _ like IP_PNP_DHCP",
                          show_text(name->text, shown));
            continue;
        }
        struct symbol *symbol = VEC_ADD(&list);
        symbol->name = xstrdup(bare);
        symbol->value = xstrdup("");
        symbol->pos = name->pos;
        if (map_value(m, name->text, type, text, &symbol->value) < 0)
            r = -EINVAL;
    }
    *ret_items = list.items;
    *ret_n = list.n;
    *ret_cap = list.cap;
    return r;
}

/* A .config has no other booleans than y, n and m; `yes` would silently be a string. */
static int parse_symbol_value(const struct type *type, const char *text, void *target)
{
    static const char *const slips[] = {"yes", "no", "true", "false", "on", "off", "Y", "N", "M"};
    for (size_t i = 0; i < ARRAY_SIZE(slips); i++)
        if (str_eq(text, slips[i]))
            return -EINVAL;
    return parse_text(type, text, target);
}

static int read_symbols(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *object)
{
    static const struct type type_symbol_value = {.what = "value of a kernel symbol",
                                                  .expected = "y, n, m, a number or a string",
                                                  .parse = parse_symbol_value,
                                                  .size = sizeof(char *)};
    struct kernel_def *kernel = object;
    return read_pairs(m, key, value, &type_symbol_value, is_symbol, &kernel->symbols.items,
                      &kernel->symbols.n, &kernel->symbols.cap);
}

static bool is_any_name(const char *name)
{
    return name[0] != '\0';
}

static int read_leaves_out(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                           void *object)
{
    static const struct type type_reason = {.what = "reason",
                                            .expected = "a sentence that says why it is left out",
                                            .parse = parse_any_text,
                                            .size = sizeof(char *)};
    struct kernel_def *kernel = object;
    return read_pairs(m, key, value, &type_reason, is_any_name, &kernel->leaves_out.items,
                      &kernel->leaves_out.n, &kernel->leaves_out.cap);
}

static const char *const compressions[] = {"gzip", "xz", "zstd", "lz4", NULL};
static const struct type type_compression = {.what = "compression of a kernel",
                                             .expected = "gzip, xz, zstd or lz4",
                                             .parse = parse_word_text,
                                             .size = sizeof(char *),
                                             .words = compressions};

int read_kernel(struct mapper *m, const struct yaml_node *root, struct kernel_def *kernel)
{
    static const struct field fields[] = {
        FIELD("name", type_label, struct kernel_def, name),
        {.key = "source", .read = read_source, .required = true, .expected = "a package, tarball or tree"},
        FIELD("fragments", type_label, struct kernel_def, fragments, .list = true),
        {.key = "symbols", .read = read_symbols},
        FIELD("compression", type_compression, struct kernel_def, compression),
        FIELD("initramfs", type_label, struct kernel_def, initramfs),
        {.key = "leaves_out", .read = read_leaves_out},
        {0},
    };
    kernel->pos = root->pos;
    return map_fields(m, root, fields, "this kernel", &kernel->pos, kernel);
}
