/* See fit/makefiles.h. */
#include "fit/makefiles.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>

#define KBUILD_FILE_LIMIT (1u << 20)
#define NESTED_MAX        16

void kbuild_rules_free(struct kbuild_rules *r)
{
    VEC_EACH(rule, &r->list) {
        free(rule->target);
        free(rule->symbol);
        free(rule->within);
    }
    VEC_FREE(&r->list);
}

void driver_symbols_free(struct driver_symbols *d)
{
    free(d->symbol);
    VEC_EACH(gate, &d->gates)
        free(*gate);
    VEC_FREE(&d->gates);
    d->symbol = NULL;
}

/* ---- reading ---- */

/* The name behind the first `CONFIG_`; the caller's, or NULL. */
static char *symbol_in(const char *text)
{
    const char *config = strstr(text, "CONFIG_");
    size_t length = 0;
    if (!config)
        return NULL;
    config += strlen("CONFIG_");
    while (isalnum((unsigned char)config[length]) || config[length] == '_')
        length++;
    return length ? xstrndup(config, length) : NULL;
}

/* The conditions that are open, and the symbol each one asks to be on (NULL: something else). */
struct reader {
    struct kbuild_rules *rules;
    char *conditions[NESTED_MAX];
    unsigned nested; /* may be more than NESTED_MAX; the deepest are then not kept */
};

static void open_condition(struct reader *r, const char *line)
{
    /* `ifdef CONFIG_X`, `ifeq ($(CONFIG_X),y)` and `ifneq ($(CONFIG_X),)` ask for it; the others for its
     * absence. */
    bool positive = str_starts(line, "ifdef ") || (str_starts(line, "ifeq ") && strstr(line, ",y)")) ||
                    (str_starts(line, "ifneq ") && (strstr(line, ",)") || strstr(line, ", )")));
    if (r->nested < NESTED_MAX)
        r->conditions[r->nested] = positive ? symbol_in(line) : NULL;
    r->nested++;
}

static void drop_condition(struct reader *r)
{
    unsigned i = r->nested - 1;
    if (i < NESTED_MAX) {
        free(r->conditions[i]);
        r->conditions[i] = NULL;
    }
}

static const char *innermost(const struct reader *r)
{
    unsigned n = r->nested < NESTED_MAX ? r->nested : NESTED_MAX;
    while (n && !r->conditions[n - 1])
        n--;
    return n ? r->conditions[n - 1] : NULL;
}

/* `obj-$(CONFIG_X) += a.o b/`. The lists by which the top Makefile of old kernels enters folders (drivers-y,
 * net-y, core-y) are of the same form. */
static bool is_list(const char *name)
{
    static const char *const lists[] = {"obj-", "drivers-", "core-", "net-", "virt-", "libs-"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (str_starts(name, lists[i]))
            return true;
    return false;
}

static void read_list(struct reader *r, const char *line)
{
    const char *equals = strchr(line, '=');
    if (!equals || !is_list(line))
        return;
    cleanup_free char *name = xstrndup(line, (size_t)(equals - line));
    cleanup_free char *symbol = symbol_in(name);
    cleanup_free char *targets = xstrdup(equals + 1);
    char *save = NULL;
    for (char *t = strtok_r(targets, " \t", &save); t; t = strtok_r(NULL, " \t", &save)) {
        if (!str_ends(t, ".o") && !str_ends(t, "/"))
            continue;
        struct kbuild_rule *rule = VEC_ADD(&r->rules->list);
        rule->target = xstrdup(t);
        rule->symbol = xstrdup(symbol);
        rule->within = xstrdup(innermost(r));
    }
}

static void read_logical_line(struct reader *r, char *line)
{
    char *comment = strchr(line, '#');
    if (comment)
        *comment = '\0';
    line += strspn(line, " \t");
    if (str_starts(line, "ifdef ") || str_starts(line, "ifndef ") || str_starts(line, "ifeq ") ||
        str_starts(line, "ifneq ")) {
        open_condition(r, line);
    } else if (str_starts(line, "else") && r->nested) {
        drop_condition(r);
    } else if (str_starts(line, "endif") && r->nested) {
        drop_condition(r);
        r->nested--;
    } else {
        read_list(r, line);
    }
}

void kbuild_rules_parse(const char *text, struct kbuild_rules *ret_rules)
{
    struct kbuild_rules rules = {0};
    struct reader reader = {.rules = &rules};
    cleanup_str struct str joined = {0};
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        bool goes_on = length && line[length - 1] == '\\';
        str_add_n(&joined, line, length - goes_on);
        line += length + (line[length] == '\n');
        if (goes_on && *line) {
            str_add(&joined, " ");
            continue;
        }
        str_add(&joined, "");
        cleanup_free char *whole = str_steal(&joined);
        read_logical_line(&reader, whole);
    }
    for (; reader.nested; reader.nested--)
        drop_condition(&reader);
    *ret_rules = rules;
}

/* ---- looking up ---- */

/* The rules of a folder's Kbuild or Makefile; none when it has neither. */
static void rules_of(const char *tree, const char *folder, struct kbuild_rules *ret_rules)
{
    static const char *const names[] = {"Kbuild", "Makefile"};
    *ret_rules = (struct kbuild_rules){0};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cleanup_free char *path = xasprintf("%s/%s/%s", tree, folder, names[i]);
        cleanup_free char *text = NULL;
        if (file_read(path, KBUILD_FILE_LIMIT, &text, NULL) == 0) {
            kbuild_rules_parse(text, ret_rules);
            return;
        }
    }
}

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *s = words; s && (s = strstr(s, word)); s += length)
        if ((s == words || s[-1] == '|') && (s[length] == '\0' || s[length] == '|'))
            return true;
    return false;
}

/* What the rules ask for a target: found, the symbols joined by |, or always. */
static bool find_target(const struct kbuild_rules *rules, const char *target, char **ret_symbols,
                        const char **ret_within)
{
    cleanup_str struct str symbols = {0};
    bool found = false, always = false;
    const char *within = NULL;
    VEC_EACH(rule, &rules->list) {
        if (!str_eq(rule->target, target))
            continue;
        found = true;
        always = always || (!rule->symbol && !rule->within);
        if (!rule->symbol)
            within = rule->within;
        else if (!has_word(str_text(&symbols), rule->symbol))
            str_printf(&symbols, "%s%s", symbols.len ? "|" : "", rule->symbol);
    }
    if (!found)
        return false;
    *ret_symbols = always || !symbols.len ? NULL : str_steal(&symbols);
    *ret_within = always ? NULL : within;
    return true;
}

static void add_gate(struct driver_symbols *d, const char *gate)
{
    VEC_EACH(known, &d->gates)
        if (str_eq(*known, gate))
            return;
    if (gate && !str_eq(gate, d->symbol))
        VEC_PUSH(&d->gates, xstrdup(gate));
}

/* Finds `path` (a file or a folder with its slash) in the Kbuild file of one of the folders above it. Returns
 * the length of that folder's name, or -1. */
static int find_above(const char *tree, const char *path, char **ret_symbols, char **ret_within)
{
    size_t length = strlen(path) - str_ends(path, "/");
    while (length) {
        while (length && path[length - 1] != '/')
            length--;
        cleanup_free char *folder = length ? xstrndup(path, length - 1) : xstrdup(".");
        cleanup_kbuild_rules struct kbuild_rules rules = {0};
        const char *within;
        rules_of(tree, folder, &rules);
        if (find_target(&rules, path + length, ret_symbols, &within)) {
            *ret_within = xstrdup(within);
            return (int)length;
        }
        length -= length > 0;
    }
    return -1;
}

int driver_symbols_find(const char *tree, const char *object, struct driver_symbols *ret_symbols)
{
    struct driver_symbols d = {0};
    cleanup_free char *path = xasprintf("%s.o", object);
    cleanup_free char *within = NULL;
    int length = find_above(tree, path, &d.symbol, &within);
    if (length < 0)
        return -ENOENT;
    add_gate(&d, within);
    /* The folders on the way; what the top ones need is nothing but being there. */
    while (length > 1) {
        cleanup_free char *folder = xstrndup(object, (size_t)length);
        cleanup_free char *symbols = NULL, *condition = NULL;
        length = find_above(tree, folder, &symbols, &condition);
        add_gate(&d, symbols);
        add_gate(&d, condition);
    }
    *ret_symbols = d;
    return 0;
}
