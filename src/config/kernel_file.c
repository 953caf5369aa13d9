/* kernels/NAME.yaml: one kernel definition. */
#include "base/str.h"
#include "config/documents.h"

#include <ctype.h>
#include <errno.h>

enum { SOURCES = SOURCE_DISTRIBUTION + 1 };

/* The keys of `source:`; exactly one that says where. */
struct source_keys {
    char *where[SOURCES]; /* by enum source_kind */
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

/* Whether a source is a file of its own, whose checksum can be said. */
static bool is_file(const struct source *source)
{
    return source->kind == SOURCE_TARBALL ||
           (source->kind == SOURCE_DISTRIBUTION && str_ends(source->where, ".deb"));
}

static int use_source(struct mapper *m, const struct pos *at, struct source_keys *keys, struct source *source)
{
    int kind = -1, n = 0;
    for (int i = 0; i < SOURCES; i++) {
        kind = keys->where[i] ? i : kind;
        n += keys->where[i] != NULL;
    }
    if (n != 1)
        return map_error(m, at,
                         "\"source\" needs exactly one of package, tarball, tree and distribution; it has %s",
                         n ? "several" : "none");
    source->kind = (enum source_kind)kind;
    free(source->where);
    source->where = TAKE_PTR(keys->where[kind]);
    source->has_sha256 = keys->has_sha256;
    source->sha256 = keys->sha256;
    if (source->kind == SOURCE_TARBALL && is_url(source->where) && !keys->has_sha256)
        return map_error(m, at, "a tarball from a URL needs its \"sha256\": it would be built unchecked");
    if (source->kind == SOURCE_DISTRIBUTION && is_url(source->where) && !keys->has_sha256)
        return map_error(m, at, "a .deb from a URL needs its \"sha256\": it would be booted unchecked");
    if (source->kind == SOURCE_DISTRIBUTION && strchr(source->where, '/') && !is_file(source))
        return map_error(m, at,
                         "\"distribution\" is the name of a package like linux-image-amd64, or a file that "
                         "ends in .deb");
    if (!is_file(source) && keys->has_sha256)
        return map_error(m, at,
                         "\"sha256\" belongs to a tarball or a .deb; a package and a tree are not checked "
                         "by it");
    return 0;
}

static int read_source(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    static const struct field fields[] = {
        FIELD("package", type_text, struct source_keys, where[SOURCE_PACKAGE]),
        FIELD("tarball", type_text, struct source_keys, where[SOURCE_TARBALL]),
        FIELD("tree", type_folder, struct source_keys, where[SOURCE_TREE]),
        FIELD("distribution", type_text, struct source_keys, where[SOURCE_DISTRIBUTION]),
        {.key = "sha256", .read = read_sha256},
        {0},
    };
    struct kernel_def *kernel = object;
    struct source_keys keys = {0};
    kernel->source.pos = value->pos;
    int r = map_fields(m, value, fields, "source", &key->pos, &keys);
    if (r == 0)
        r = use_source(m, &value->pos, &keys, &kernel->source);
    for (int i = 0; i < SOURCES; i++)
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

/* Names, aliases and groups of modules: what an alias can hold, and no blank. */
static int parse_module(const struct type *type, const char *text, void *target)
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_-+.,:*?[]", *p))
            return -EINVAL;
    return text[0] == '\0' || strlen(text) > 200 ? -EINVAL : parse_text(type, text, target);
}

static const struct type type_module = {
    .what = "kernel module",
    .expected =
        "a name like virtio_net, an alias like pci:v00008086d*, or one of the groups network and storage",
    .parse = parse_module,
    .size = sizeof(char *)};

/* What belongs to one kind of kernel only. */
static int check_kinds(struct mapper *m, const struct yaml_node *root, const struct kernel_def *kernel)
{
    static const char *const compiled[] = {"fragments", "symbols", "initramfs", "leaves_out"};
    int r = 0;
    for (size_t i = 0; i + 1 < root->items.n; i += 2) {
        const struct yaml_node *key = root->items.items[i];
        if (kernel->source.kind != SOURCE_DISTRIBUTION) {
            if (str_eq(key->text, "modules"))
                r = map_error(
                    m, &key->pos,
                    "\"modules\" belong to a kernel of the distribution (source: {distribution: "
                    "linux-image-amd64}); one that is built has its drivers inside: name fragments");
            continue;
        }
        for (size_t j = 0; j < ARRAY_SIZE(compiled); j++)
            if (str_eq(key->text, compiled[j]))
                r = map_error(
                    m, &key->pos,
                    "\"%s\" is for kernels that are built; one of the distribution is taken as it "
                    "is: name its \"modules\", or build one from source: {package: linux-source-6.1}",
                    compiled[j]);
    }
    return r;
}

int read_kernel(struct mapper *m, const struct yaml_node *root, struct kernel_def *kernel)
{
    static const struct field fields[] = {
        FIELD("name", type_label, struct kernel_def, name),
        {.key = "source",
         .read = read_source,
         .required = true,
         .expected = "a package, tarball, tree or distribution"},
        FIELD("fragments", type_label, struct kernel_def, fragments, .list = true),
        {.key = "symbols", .read = read_symbols},
        FIELD("modules", type_module, struct kernel_def, modules, .list = true),
        FIELD("compression", type_compression, struct kernel_def, compression),
        FIELD("initramfs", type_label, struct kernel_def, initramfs),
        {.key = "leaves_out", .read = read_leaves_out},
        {0},
    };
    kernel->pos = root->pos;
    int r = map_fields(m, root, fields, "this kernel", &kernel->pos, kernel);
    return r < 0 ? r : check_kinds(m, root, kernel);
}
