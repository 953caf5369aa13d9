/* See build/kconfig.h. One pass over each file, line by line: Kconfig has no construct that needs more for
 * what is asked of it here. Conditions are kept as text; kconfig_explain.c evaluates them when somebody
 * wants to know. */
#include "build/kconfig.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>

#define KCONFIG_FILE_LIMIT (2u << 20)
#define SOURCE_DEPTH_MAX   32

static void entry_clear(struct kconfig_entry *e)
{
    free(e->name);
    free(e->type);
    free(e->depends);
    free(e->file);
}

void kconfig_free(struct kconfig *k)
{
    VEC_EACH(e, &k->entries)
        entry_clear(e);
    VEC_EACH(s, &k->selects) {
        free(s->name);
        free(s->by);
        free(s->condition);
    }
    VEC_FREE(&k->entries);
    VEC_FREE(&k->selects);
}

/* ---- reading ---- */

/* An open `if`, `menu` or `choice`, and the condition it lays on what is in it. */
struct scope {
    char *condition; /* NULL: none so far */
};

struct parser {
    const struct kconfig_tree *tree;
    struct kconfig *kconfig;
    VEC(struct scope) scopes;
    struct kconfig_entry *entry; /* the block that attributes go to; NULL: the innermost scope, or nothing */
    bool scope_takes;            /* attributes go to the innermost scope (menu, choice) */
    unsigned depth;              /* of source */
};

/* a && b, either of which may be NULL; the caller's. Frees a. */
static char *both(char *a, const char *b)
{
    if (!b)
        return a;
    char *joined = a ? xasprintf("(%s) && (%s)", a, b) : xstrdup(b);
    free(a);
    return joined;
}

static char *condition_of_scopes(const struct parser *p)
{
    char *condition = NULL;
    VEC_EACH(s, &p->scopes)
        condition = both(condition, s->condition);
    return condition;
}

static void scope_open(struct parser *p, const char *condition, bool takes)
{
    VEC_PUSH(&p->scopes, ((struct scope){.condition = xstrdup(condition)}));
    p->entry = NULL;
    p->scope_takes = takes;
}

static void scope_close(struct parser *p)
{
    p->entry = NULL;
    p->scope_takes = false;
    if (p->scopes.n)
        free(p->scopes.items[--p->scopes.n].condition);
}

static void entry_open(struct parser *p, const char *name, const char *file, unsigned line)
{
    p->entry = VEC_ADD(&p->kconfig->entries);
    p->entry->name = xstrndup(name, strcspn(name, " \t"));
    p->entry->depends = condition_of_scopes(p);
    p->entry->file = xstrdup(file);
    p->entry->line = line;
    p->scope_takes = false;
}

static void add_dependency(struct parser *p, const char *condition)
{
    if (p->entry)
        p->entry->depends = both(p->entry->depends, condition);
    else if (p->scope_takes && p->scopes.n)
        p->scopes.items[p->scopes.n - 1].condition =
            both(p->scopes.items[p->scopes.n - 1].condition, condition);
}

/* `select NAME if CONDITION` and `imply ...`. */
static void add_select(struct parser *p, const char *rest)
{
    if (!p->entry)
        return;
    size_t length = strcspn(rest, " \t");
    const char *condition = rest + length + strspn(rest + length, " \t");
    struct kconfig_select *s = VEC_ADD(&p->kconfig->selects);
    s->name = xstrndup(rest, length);
    s->by = xstrdup(p->entry->name);
    s->condition = str_starts(condition, "if ") ? xstrdup(condition + 3) : NULL;
}

static void set_type(struct parser *p, const char *type, const char *rest)
{
    if (!p->entry)
        return;
    if (!p->entry->type)
        p->entry->type = xstrdup(type);
    if (rest[0] == '"' || rest[0] == '\'')
        p->entry->prompt = true;
}

static void read_file(struct parser *p, const char *name);

/* `source "drivers/Kconfig"`, with $(SRCARCH) or $SRCARCH in it; unknown variables vanish. */
static void follow(struct parser *p, const char *rest)
{
    cleanup_str struct str name = {0};
    for (const char *c = rest; *c; c++) {
        if (*c == '"' || *c == '\'')
            continue;
        if (*c != '$') {
            str_add_n(&name, c, 1);
            continue;
        }
        const char *variable = c + (c[1] == '(' ? 2 : 1);
        size_t length = strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        if (length == 7 && strncmp(variable, "SRCARCH", 7) == 0)
            str_add(&name, p->tree->srcarch ? p->tree->srcarch : "");
        c = variable + length - (variable[length] == ')' ? 0 : 1);
    }
    p->entry = NULL;
    p->scope_takes = false;
    read_file(p, str_text(&name));
}

/* Words that begin a line, longest first where one begins another. */
enum word {
    WORD_CONFIG,
    WORD_CHOICE,
    WORD_END_SCOPE,
    WORD_MENU,
    WORD_IF,
    WORD_SOURCE,
    WORD_DEPENDS,
    WORD_SELECT,
    WORD_TYPE,
    WORD_PROMPT,
    WORD_HELP,
    WORD_COMMENT,
};
static const struct {
    const char *text;
    enum word word;
} words[] = {
    {"menuconfig", WORD_CONFIG}, {"config", WORD_CONFIG},
    {"choice", WORD_CHOICE},     {"endchoice", WORD_END_SCOPE},
    {"endmenu", WORD_END_SCOPE}, {"endif", WORD_END_SCOPE},
    {"menu", WORD_MENU},         {"if", WORD_IF},
    {"source", WORD_SOURCE},     {"depends", WORD_DEPENDS},
    {"select", WORD_SELECT},     {"imply", WORD_SELECT},
    {"bool", WORD_TYPE},         {"tristate", WORD_TYPE},
    {"string", WORD_TYPE},       {"int", WORD_TYPE},
    {"hex", WORD_TYPE},          {"def_bool", WORD_TYPE},
    {"def_tristate", WORD_TYPE}, {"boolean", WORD_TYPE},
    {"prompt", WORD_PROMPT},     {"help", WORD_HELP},
    {"---help---", WORD_HELP},   {"comment", WORD_COMMENT},
};

static int word_of(const char *line, const char **ret_text, const char **ret_rest)
{
    size_t length = strcspn(line, " \t");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i].text) == length && strncmp(line, words[i].text, length) == 0) {
            *ret_text = words[i].text;
            *ret_rest = line + length + strspn(line + length, " \t");
            return (int)words[i].word;
        }
    return -1;
}

/* One logical line, without its indentation. Returns true when a help text follows. */
static bool read_line(struct parser *p, const char *line, const char *file, unsigned number)
{
    const char *text, *rest;
    switch (word_of(line, &text, &rest)) {
    case WORD_CONFIG:
        entry_open(p, rest, file, number);
        break;
    case WORD_CHOICE:
    case WORD_MENU:
        scope_open(p, NULL, true);
        break;
    case WORD_IF:
        scope_open(p, rest, false);
        break;
    case WORD_END_SCOPE:
        scope_close(p);
        break;
    case WORD_SOURCE:
        follow(p, rest);
        break;
    case WORD_DEPENDS:
        add_dependency(p, str_starts(rest, "on ") || str_starts(rest, "on\t") ? rest + 3 : rest);
        break;
    case WORD_SELECT:
        add_select(p, rest);
        break;
    case WORD_TYPE:
        set_type(p, str_starts(text, "def_") ? text + 4 : text, str_starts(text, "def_") ? "" : rest);
        break;
    case WORD_PROMPT:
        if (p->entry)
            p->entry->prompt = true;
        break;
    case WORD_HELP:
        return true;
    case WORD_COMMENT: /* its `depends on` is about the comment alone */
        p->entry = NULL;
        p->scope_takes = false;
        break;
    default:
        break;
    }
    return false;
}

/* Columns of the indentation, a tab being eight. */
static unsigned indentation(const char *line)
{
    unsigned column = 0;
    for (; *line == ' ' || *line == '\t'; line++)
        column = *line == '\t' ? (column / 8 + 1) * 8 : column + 1;
    return column;
}

/* Cuts an unquoted `#` comment and blanks at the end. */
static void trim(char *line)
{
    char quote = 0;
    for (char *c = line; *c; c++) {
        if (quote)
            quote = *c == quote ? 0 : quote;
        else if (*c == '"' || *c == '\'')
            quote = *c;
        else if (*c == '#') {
            *c = '\0';
            break;
        }
    }
    for (size_t n = strlen(line); n && isspace((unsigned char)line[n - 1]);)
        line[--n] = '\0';
}

static void read_text(struct parser *p, char *text, const char *file)
{
    cleanup_str struct str joined = {0};
    unsigned number = 0, joined_at = 0, help_at = 0;
    bool in_help = false, help_began = false;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        number++;
        size_t length = strlen(line);
        unsigned column = indentation(line);
        bool blank = line[strspn(line, " \t\r")] == '\0';
        /* A help text is all that is indented at least as deep as its first line. */
        if (in_help && !blank && !help_began) {
            help_began = column > 0;
            in_help = help_began;
            help_at = column;
        }
        if (in_help && !blank && column < help_at)
            in_help = false;
        if (!in_help && !blank) {
            bool goes_on = length && line[length - 1] == '\\';
            if (goes_on)
                line[length - 1] = ' ';
            if (joined.len == 0)
                joined_at = number;
            str_add(&joined, line);
            if (!goes_on) {
                char *whole = joined.s + strspn(joined.s, " \t");
                trim(whole);
                cleanup_free char *copy = xstrdup(whole);
                in_help = read_line(p, copy, file, joined_at);
                help_began = false;
                joined.len = 0;
            }
        }
        line = end ? end + 1 : NULL;
    }
}

static void read_file(struct parser *p, const char *name)
{
    const char *const folders[] = {p->tree->out, p->tree->tree};
    if (p->depth >= SOURCE_DEPTH_MAX)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        if (!folders[i])
            continue;
        cleanup_free char *path = xasprintf("%s/%s", folders[i], name);
        cleanup_free char *text = NULL;
        if (file_read(path, KCONFIG_FILE_LIMIT, &text, NULL) < 0)
            continue;
        p->depth++;
        read_text(p, text, name);
        p->depth--;
        return;
    }
}

static int compare_entries(const void *a, const void *b)
{
    const struct kconfig_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order == 0)
        order = strcmp(x->file, y->file);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

int kconfig_read(const struct kconfig_tree *tree, struct kconfig *ret_kconfig)
{
    struct kconfig kconfig = {0};
    struct parser parser = {.tree = tree, .kconfig = &kconfig};
    cleanup_free char *top = xasprintf("%s/%s", tree->tree, tree->top);
    if (!file_exists(top))
        return -ENOENT;
    read_file(&parser, tree->top);
    while (parser.scopes.n)
        scope_close(&parser);
    VEC_FREE(&parser.scopes);
    if (kconfig.entries.n)
        qsort(kconfig.entries.items, kconfig.entries.n, sizeof(struct kconfig_entry), compare_entries);
    *ret_kconfig = kconfig;
    return 0;
}

const struct kconfig_entry *kconfig_find(const struct kconfig *k, const char *name)
{
    size_t low = 0, high = k->entries.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(k->entries.items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->entries.n && str_eq(k->entries.items[low].name, name) ? &k->entries.items[low] : NULL;
}
