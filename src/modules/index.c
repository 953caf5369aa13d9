/* See modules/index.h. */
#include "modules/index.h"

#include <stdlib.h>

struct alias {
    const char *pattern;
    size_t place;
};

static int compare_aliases(const void *a, const void *b)
{
    const struct alias *x = a, *y = b;
    int order = strcmp(x->pattern, y->pattern);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void add_places(struct str *text, const char *sign, const struct places *places)
{
    for (size_t i = 0; i < places->n; i++)
        str_printf(text, " %s%zu", sign, places->items[i]);
}

void index_write(const struct closure *closure, struct str *text)
{
    VEC(struct alias) aliases = {0};
    str_add(text, "rambox modules 1\n");
    VEC_EACH(m, &closure->list) {
        str_printf(text, "m %s", m->path);
        add_places(text, "", &m->needs);
        add_places(text, "?", &m->before);
        add_places(text, "+", &m->after);
        str_add(text, "\n");
    }
    for (size_t i = 0; i < closure->list.n; i++) {
        const struct module *m = &closure->list.items[i];
        if (m->at_once)
            str_printf(text, "l %zu\n", i);
        VEC_EACH(alias, &m->aliases)
            VEC_PUSH(&aliases, ((struct alias){*alias, i}));
    }
    if (aliases.n)
        qsort(aliases.items, aliases.n, sizeof(*aliases.items), compare_aliases);
    VEC_EACH(alias, &aliases)
        str_printf(text, "a %s %zu\n", alias->pattern, alias->place);
    VEC_FREE(&aliases);
}

void index_write_dep(const struct closure *closure, struct str *text)
{
    VEC_EACH(m, &closure->list) {
        str_printf(text, "%s:", m->path);
        for (size_t i = m->needs.n; i > 0; i--)
            str_printf(text, " %s", closure->list.items[m->needs.items[i - 1]].path);
        str_add(text, "\n");
    }
}

static bool has_module(const struct closure *closure, const char *name, size_t n)
{
    VEC_EACH(m, &closure->list)
        if (strlen(m->name) == n && memcmp(m->name, name, n) == 0)
            return true;
    return false;
}

void index_filter(const struct closure *closure, const char *lines, unsigned word, struct str *text)
{
    for (const char *line = lines; *line;) {
        size_t length = strcspn(line, "\n");
        const char *name = line;
        for (unsigned i = 0; i < word && *name != '\n' && *name; i++) {
            name += strcspn(name, " \n");
            name += *name == ' ';
        }
        if (line[0] != '#' && has_module(closure, name, strcspn(name, " \n")))
            str_printf(text, "%.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}
