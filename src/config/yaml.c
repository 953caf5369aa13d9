/* See config/yaml.h. The tree is built from libfyaml's events with a stack of open mappings and sequences, so
 * the depth of a document costs no C stack. */
#include "config/yaml.h"
#include "base/str.h"

#include <errno.h>
#include <libfyaml.h>

struct anchor {
    char *name;
    struct yaml_node *node;
};

struct builder {
    const char *name;
    struct diags *diags;
    struct yaml yaml;
    VEC(struct yaml_node *) open; /* the mappings and sequences around the next node */
    VEC(struct anchor) anchors;   /* of this document; a later one of the same name wins */
    size_t weight;                /* of all documents */
};

static struct pos pos_of(const struct builder *b, const struct fy_mark *mark)
{
    struct pos pos = {.file = b->name};
    if (mark) {
        pos.line = (unsigned)mark->line + 1;
        pos.column = (unsigned)mark->column + 1;
    }
    return pos;
}

void yaml_free(struct yaml *yaml)
{
    VEC_EACH(node, &yaml->nodes) {
        free((*node)->text);
        VEC_FREE(&(*node)->items);
        free(*node);
    }
    VEC_FREE(&yaml->nodes);
    VEC_FREE(&yaml->documents);
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text[0] == '\0' || str_eq(node->text, "~") || str_eq(node->text, "null"));
}

static void forget_anchors(struct builder *b)
{
    VEC_EACH(anchor, &b->anchors)
        free(anchor->name);
    VEC_FREE(&b->anchors);
}

/* Puts a finished or just opened node where it belongs. */
static int attach(struct builder *b, struct yaml_node *node)
{
    if (b->open.n == 0) {
        if (!yaml_is_null(node))
            VEC_PUSH(&b->yaml.documents, node);
        return 0;
    }
    struct yaml_node *parent = b->open.items[b->open.n - 1];
    if (parent->kind == YAML_MAPPING && parent->items.n % 2 == 0) {
        if (node->kind != YAML_SCALAR)
            return diag_error(b->diags, &node->pos, "a key must be a word, not a list or a mapping");
        if (parent->items.n == 0)
            parent->pos = node->pos;
    }
    VEC_PUSH(&parent->items, node);
    return 0;
}

static int add_weight(struct builder *b, const struct pos *pos, size_t weight)
{
    if (weight > YAML_WEIGHT_MAX - b->weight)
        return diag_error(
            b->diags, pos,
            "too much: with its aliases written out this is more than %zu MiB; use fewer aliases",
            YAML_WEIGHT_MAX >> 20);
    b->weight += weight;
    for (size_t i = 0; i < b->open.n; i++)
        b->open.items[i]->weight += weight;
    return 0;
}

/* libfyaml stops at such bytes without a word, so they are looked for first. */
static int check_characters(const struct builder *b, const char *text, size_t size)
{
    struct pos pos = {.file = b->name, .line = 1, .column = 1};
    for (size_t i = 0; i < size;) {
        size_t n = utf8_size(text + i, size - i);
        if (n == 0)
            return diag_error(b->diags, &pos, "the byte 0x%02x is no UTF-8 text", (unsigned char)text[i]);
        if (text[i] == '\0')
            return diag_error(b->diags, &pos, "a NUL character cannot stand here");
        pos.column = text[i] == '\n' ? 1 : pos.column + 1;
        pos.line += text[i] == '\n';
        i += n;
    }
    return 0;
}

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind, struct fy_event *event)
{
    struct yaml_node *node = xcalloc(1, sizeof(*node));
    node->kind = kind;
    node->pos = pos_of(b, fy_event_start_mark(event));
    node->weight = 1;
    /* A value that is not there has no mark of its own: it stands where its key stands. */
    struct yaml_node *parent = b->open.n ? b->open.items[b->open.n - 1] : NULL;
    if (!node->pos.line && parent)
        node->pos = parent->items.n ? parent->items.items[parent->items.n - 1]->pos : parent->pos;
    VEC_PUSH(&b->yaml.nodes, node);
    return node;
}

static void remember_anchor(struct builder *b, struct fy_token *anchor, struct yaml_node *node)
{
    size_t n = 0;
    const char *text = anchor ? fy_token_get_text(anchor, &n) : NULL;
    if (text)
        *VEC_ADD(&b->anchors) = (struct anchor){.name = xstrndup(text, n), .node = node};
}

static int add_scalar(struct builder *b, struct fy_event *event)
{
    size_t n = 0;
    struct fy_token *token = event->scalar.value;
    const char *text = token ? fy_token_get_text(token, &n) : NULL;
    struct yaml_node *node = new_node(b, YAML_SCALAR, event);
    enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
    node->plain = style == FYSS_PLAIN;
    /* libfyaml's mark is behind the opening quote. */
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && node->pos.column > 1)
        node->pos.column--;
    node->text = xstrndup(text ? text : "", n);
    remember_anchor(b, event->scalar.anchor, node);
    if (text && memchr(text, '\0', n))
        return diag_error(b->diags, &node->pos, "a NUL character cannot stand here");
    node->weight += n;
    int r = add_weight(b, &node->pos, node->weight);
    return r < 0 ? r : attach(b, node);
}

static int open_node(struct builder *b, struct fy_event *event, enum yaml_kind kind, struct fy_token *anchor)
{
    struct yaml_node *node = new_node(b, kind, event);
    remember_anchor(b, anchor, node);
    if (b->open.n >= YAML_DEPTH_MAX)
        return diag_error(b->diags, &node->pos, "more than %u mappings and lists within each other",
                          YAML_DEPTH_MAX);
    int r = add_weight(b, &node->pos, 1);
    if (r == 0)
        r = attach(b, node);
    VEC_PUSH(&b->open, node);
    return r;
}

static int add_alias(struct builder *b, struct fy_event *event)
{
    struct pos pos = pos_of(b, fy_event_start_mark(event));
    size_t n = 0;
    pos.column -= pos.column > 1; /* libfyaml's mark is behind the `*` */
    const char *text = event->alias.anchor ? fy_token_get_text(event->alias.anchor, &n) : NULL;
    struct yaml_node *node = NULL;
    for (size_t i = b->anchors.n; text && i-- > 0 && !node;)
        if (strlen(b->anchors.items[i].name) == n && memcmp(b->anchors.items[i].name, text, n) == 0)
            node = b->anchors.items[i].node;
    if (!node)
        return diag_error(b->diags, &pos, "no anchor \"&%.*s\" stands before this", (int)n, text ? text : "");
    VEC_EACH(open, &b->open)
        if (*open == node)
            return diag_error(b->diags, &pos, "the alias \"*%.*s\" would hold itself", (int)n, text);
    int r = add_weight(b, &pos, node->weight);
    return r < 0 ? r : attach(b, node);
}

static int take_event(struct builder *b, struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        return add_scalar(b, event);
    case FYET_ALIAS:
        return add_alias(b, event);
    case FYET_MAPPING_START:
        return open_node(b, event, YAML_MAPPING, event->mapping_start.anchor);
    case FYET_SEQUENCE_START:
        return open_node(b, event, YAML_SEQUENCE, event->sequence_start.anchor);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        if (b->open.n)
            b->open.n--;
        return 0;
    case FYET_DOCUMENT_END:
        forget_anchors(b);
        return 0;
    default:
        return 0;
    }
}

/* Hands on what the parser had to say; at least one error. */
static int report_syntax(struct builder *b, struct fy_diag *diag)
{
    void *iterator = NULL;
    bool any = false;
    for (struct fy_diag_error *e; (e = fy_diag_errors_iterate(diag, &iterator));) {
        struct pos pos = {.file = b->name, .line = (unsigned)e->line, .column = (unsigned)e->column};
        if (!any)
            diag_error(b->diags, &pos, "this is not YAML: %s", e->msg ? e->msg : "syntax error");
        any = true;
    }
    if (!any)
        diag_error(b->diags, &(struct pos){.file = b->name}, "this is not YAML");
    return -EINVAL;
}

static int build(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
    int r = 0;
    struct fy_event *event;
    while (r == 0 && (event = fy_parser_parse(parser))) {
        r = take_event(b, event);
        fy_parser_event_free(parser, event);
    }
    if (r == 0 && fy_parser_get_stream_error(parser))
        r = report_syntax(b, diag);
    return r;
}

int yaml_parse(const char *name, const char *text, size_t size, struct diags *diags, struct yaml *ret_yaml)
{
    struct builder b = {.name = name, .diags = diags};
    if (size > YAML_SIZE_MAX) {
        diag_error(diags, &(struct pos){.file = name}, "longer than %zu MiB", YAML_SIZE_MAX >> 20);
        return -EFBIG;
    }
    int r = check_characters(&b, text, size);
    if (r < 0)
        return r;
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (!diag)
        return -ENOMEM;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&config);
    r = parser && fy_parser_set_string(parser, text, size) == 0 ? build(&b, parser, diag) : -ENOMEM;
    if (parser)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    forget_anchors(&b);
    VEC_FREE(&b.open);
    if (r < 0)
        yaml_free(&b.yaml);
    else
        *ret_yaml = b.yaml;
    return r;
}
