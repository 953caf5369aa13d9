/* Why a symbol did not come out as it was asked for, see build/kconfig.h: conditions are evaluated as far as
 * this can be done without running anything. */
#include "base/str.h"
#include "build/kconfig.h"

#include <ctype.h>

/* ---- conditions ---- */

/* `expr := and { || and }`, `and := not { && not }`, `not := ! not | ( expr ) | term [ (= | !=) term ]`. */
struct condition {
    const char *at;
    const struct config_values *values;
    unsigned depth; /* of parentheses; what is nested too deep counts as met */
};

static void skip_blanks(struct condition *c)
{
    c->at += strspn(c->at, " \t");
}

static bool take(struct condition *c, const char *text)
{
    skip_blanks(c);
    if (!str_starts(c->at, text))
        return false;
    c->at += strlen(text);
    return true;
}

/* A symbol, a quoted string, or a macro with balanced parentheses: its length. */
static size_t term_length(const char *s)
{
    if (*s == '"' || *s == '\'') {
        const char *end = strchr(s + 1, *s);
        return end ? (size_t)(end - s) + 1 : strlen(s);
    }
    if (s[0] == '$' && s[1] == '(') {
        size_t i = 1, open = 0;
        do {
            open += s[i] == '(';
            open -= s[i] == ')';
            i++;
        } while (open && s[i]);
        return i;
    }
    size_t n = 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '-' || s[n] == '.')
        n++;
    return n ? n : *s != '\0';
}

static const char *skip_quotes(const char *value)
{
    return value + (value[0] == '"' || value[0] == '\'');
}

/* Compares a value with a term's text; both may be quoted. */
static bool same_value(const char *value, const char *text)
{
    value = skip_quotes(value);
    text = skip_quotes(text);
    size_t length = strcspn(value, "\"'");
    return length == strcspn(text, "\"'") && strncmp(value, text, length) == 0;
}

static bool on(const char *value)
{
    return str_eq(value, "y") || str_eq(value, "m");
}

static bool evaluate(struct condition *c);

/* term [= term]; unknown macros count as met, since only the tree's own tools can tell. */
static bool evaluate_term(struct condition *c)
{
    skip_blanks(c);
    size_t length = term_length(c->at);
    bool macro = c->at[0] == '$';
    cleanup_free char *name = xstrndup(c->at, length);
    c->at += length;
    bool differs = take(c, "!=");
    if (!differs && !take(c, "="))
        return macro || on(config_value(c->values, name)) || str_eq(name, "y") || str_eq(name, "m");
    skip_blanks(c);
    length = term_length(c->at);
    cleanup_free char *text = xstrndup(c->at, length);
    c->at += length;
    return macro || same_value(config_value(c->values, name), text) != differs;
}

static bool evaluate_not(struct condition *c)
{
    skip_blanks(c);
    if (c->at[0] == '!' && c->at[1] != '=') {
        c->at++;
        return !evaluate_not(c);
    }
    if (!take(c, "("))
        return evaluate_term(c);
    bool value = evaluate(c);
    take(c, ")");
    return value;
}

static bool evaluate(struct condition *c)
{
    bool any = false;
    if (++c->depth > 100) {
        c->at += strlen(c->at);
        return true;
    }
    do {
        bool all = true;
        do
            all = evaluate_not(c) && all;
        while (take(c, "&&"));
        any = any || all;
    } while (take(c, "||"));
    c->depth--;
    return any;
}

static bool holds(const char *condition, const struct config_values *values)
{
    return evaluate(&(struct condition){.at = condition, .values = values});
}

/* The end of the part that begins at `s`: the next && on this level, or, when `ors` is set, the next ||. */
static size_t part_length(const char *s, const char *joint)
{
    size_t depth = 0;
    char quote = 0;
    for (size_t i = 0; s[i]; i++) {
        if (quote)
            quote = s[i] == quote ? 0 : quote;
        else if (s[i] == '"' || s[i] == '\'')
            quote = s[i];
        else if (s[i] == '(')
            depth++;
        else if (s[i] == ')')
            depth -= depth > 0;
        else if (depth == 0 && str_starts(s + i, joint))
            return i;
    }
    return strlen(s);
}

/* Strips blanks and a pair of parentheses that encloses the whole. */
static char *bare(const char *s, size_t length)
{
    for (;;) {
        while (length && isspace((unsigned char)s[0]))
            s++, length--;
        while (length && isspace((unsigned char)s[length - 1]))
            length--;
        if (length < 2 || s[0] != '(' || s[length - 1] != ')')
            break;
        size_t depth = 0, i = 0;
        do {
            depth += s[i] == '(';
            depth -= s[i] == ')';
            i++;
        } while (depth && i < length);
        if (i != length)
            break;
        s++;
        length -= 2;
    }
    return xstrndup(s, length);
}

static void add_part(const char *part, const struct config_values *values, struct str *out)
{
    size_t plain = term_length(part);
    bool alternatives = part[part_length(part, "||")] != '\0';
    if (out->len)
        str_add(out, ", ");
    if (part[plain] == '\0' && isalnum((unsigned char)part[0]))
        str_printf(out, "%s (is %s)", part, config_value(values, part));
    else
        str_printf(out, alternatives ? "(%s)" : "%s", part);
}

void kconfig_unmet(const char *condition, const struct config_values *values, struct str *out)
{
    cleanup_free char *whole = bare(condition, strlen(condition));
    /* || binds weaker than &&: a condition with one on its top level is a single part. */
    bool one = whole[part_length(whole, "||")] != '\0';
    for (const char *s = whole; *s;) {
        size_t length = one ? strlen(s) : part_length(s, "&&");
        cleanup_free char *part = bare(s, length);
        if (part[0] && !holds(part, values)) {
            bool joined = part[part_length(part, "&&")] != '\0' && part[part_length(part, "||")] == '\0';
            if (joined)
                kconfig_unmet(part, values, out);
            else
                add_part(part, values, out);
        }
        s += length + (s[length] ? 2 : 0);
    }
}

static const char *nearest_symbol(const struct kconfig *k, const char *name)
{
    VEC(const char *) names = {0};
    VEC_EACH(e, &k->entries)
        VEC_PUSH(&names, e->name);
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(name, names.items);
    VEC_FREE(&names);
    return nearest;
}

static void explain_selects(const struct kconfig *k, const struct config_values *values, const char *name,
                            bool only_on, struct str *out)
{
    unsigned shown = 0;
    VEC_EACH(s, &k->selects) {
        if (!str_eq(s->name, name) || (only_on && !on(config_value(values, s->by))))
            continue;
        if (shown == 5) {
            str_add(out, ", ...");
            break;
        }
        str_printf(out, "%s%s", shown++ ? ", " : " ", s->by);
    }
}

/* What a value of this type looks like, when `value` cannot be one; else NULL. */
static const char *wanted_value(const char *type, const char *value, bool modules)
{
    bool state = str_eq(value, "y") || str_eq(value, "n");
    bool text = value[0] == '"';
    bool hex = str_starts(value, "0x");
    if (!type)
        return NULL;
    if (str_eq(type, "bool") || str_eq(type, "boolean"))
        return state ? NULL : "y or n";
    if (str_eq(type, "tristate"))
        return state || (modules && str_eq(value, "m")) ? NULL
               : modules                                ? "y, m or n"
                                                        : "y or n (modules are off)";
    if (str_eq(type, "string"))
        return text ? NULL : "a text";
    if (str_eq(type, "hex"))
        return hex ? NULL : "a number like 0x2a";
    return !text && !hex && !state && !str_eq(value, "m") ? NULL : "a number like 42";
}

void kconfig_explain(const struct kconfig *k, const struct config_values *values, const struct asked *asked,
                     struct str *out)
{
    const struct kconfig_entry *first = kconfig_find(k, asked->name);
    if (!first) {
        const char *nearest = nearest_symbol(k, asked->name);
        str_add(out, "no such symbol in this tree");
        if (nearest)
            str_printf(out, "; did you mean %s?", nearest);
        return;
    }
    cleanup_str struct str unmet = {0};
    bool prompt = false, reachable = false;
    const char *type = NULL;
    const struct kconfig_entry *end = k->entries.items + k->entries.n;
    for (const struct kconfig_entry *e = first; e < end && str_eq(e->name, asked->name); e++) {
        size_t before = unmet.len;
        if (e->depends)
            kconfig_unmet(e->depends, values, &unmet);
        prompt = prompt || e->prompt;
        reachable = reachable || (e->prompt && unmet.len == before);
        type = type ? type : e->type;
    }
    const char *wanted = wanted_value(type, asked->value, on(config_value(values, "MODULES")));
    if (wanted) {
        str_printf(out, "it is a symbol of type %s; expected %s (%s:%u)", type, wanted, first->file,
                   first->line);
        return;
    }
    if (str_eq(asked->value, "n")) {
        str_add(out, "it is selected by");
        explain_selects(k, values, asked->name, true, out);
        return;
    }
    if (unmet.len && !reachable)
        str_printf(out, "it depends on %s", str_text(&unmet));
    else if (!prompt) {
        str_add(out, "nobody can set it directly; it is selected by");
        explain_selects(k, values, asked->name, false, out);
    } else {
        str_add(out, "its value is bounded or chosen by the tree");
    }
    str_printf(out, " (%s:%u)", first->file, first->line);
}
