/* See fit/catalog.h: the text, and looking things up in it. */
#include "fit/catalog.h"

static void names_clear(void *names)
{
    VEC(char *) *list = names;
    VEC_EACH(name, list)
        free(*name);
    VEC_FREE(list);
}

void catalog_free(struct catalog *c)
{
    VEC_EACH(m, &c->modules) {
        free(m->name);
        free(m->path);
        names_clear(&m->aliases);
        names_clear(&m->firmware);
        names_clear(&m->beside);
    }
    VEC_FREE(&c->modules);
    names_clear(&c->config);
    free(c->kernel);
    c->kernel = NULL;
}

static char *module_name(const char *text, size_t length)
{
    char *name = xstrndup(text, length);
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
    return name;
}

static void add_module(struct catalog *c, const char *value, bool builtin)
{
    size_t length = strcspn(value, " ");
    if (length == 0 || value[length] != ' ' || !value[length + 1])
        return;
    struct catalog_module *m = VEC_ADD(&c->modules);
    m->name = module_name(value, length);
    m->path = xstrdup(value + length + 1);
    m->builtin = builtin;
}

/* `CONFIG_X=y` and `=m`; numbers and texts are of no use here. */
static void add_config(struct catalog *c, const char *value)
{
    const char *equals = strchr(value, '=');
    if (str_starts(value, "CONFIG_") && equals && (str_eq(equals, "=y") || str_eq(equals, "=m")))
        VEC_PUSH(&c->config, xstrndup(value + 7, (size_t)(equals - value) - 7));
}

static void read_line(struct catalog *c, const char *line)
{
    size_t length = strcspn(line, " ");
    cleanup_free char *key = xstrndup(line, length);
    const char *value = line + length + (line[length] == ' ');
    struct catalog_module *last = c->modules.n ? &c->modules.items[c->modules.n - 1] : NULL;
    if (!*value)
        return;
    if (str_eq(key, "module") || str_eq(key, "builtin"))
        add_module(c, value, key[0] == 'b');
    else if (str_eq(key, "config"))
        add_config(c, value);
    else if (str_eq(key, "kernel") && !c->kernel)
        c->kernel = xstrdup(value);
    else if (last && str_eq(key, "alias"))
        VEC_PUSH(&last->aliases, xstrdup(value));
    else if (last && str_eq(key, "firmware"))
        VEC_PUSH(&last->firmware, xstrdup(value));
    else if (last && str_eq(key, "beside"))
        VEC_PUSH(&last->beside, module_name(value, strlen(value)));
}

static int compare_modules(const void *a, const void *b)
{
    return strcmp(((const struct catalog_module *)a)->name, ((const struct catalog_module *)b)->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void catalog_parse(const char *text, struct catalog *ret_catalog)
{
    struct catalog c = {0};
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        cleanup_free char *copy = xstrndup(line, length);
        read_line(&c, copy);
        line += length + (line[length] == '\n');
    }
    if (c.modules.n)
        qsort(c.modules.items, c.modules.n, sizeof(struct catalog_module), compare_modules);
    if (c.config.n)
        qsort(c.config.items, c.config.n, sizeof(char *), compare_names);
    if (!c.kernel)
        c.kernel = xstrdup("an unnamed kernel");
    *ret_catalog = c;
}

const struct catalog_module *catalog_module(const struct catalog *c, const char *name)
{
    cleanup_free char *plain = module_name(name, strlen(name));
    struct catalog_module key = {.name = plain};
    return c->modules.n
               ? bsearch(&key, c->modules.items, c->modules.n, sizeof(struct catalog_module), compare_modules)
               : NULL;
}

bool catalog_has(const struct catalog *c, const char *symbol)
{
    return c->config.n && bsearch(&symbol, c->config.items, c->config.n, sizeof(char *), compare_names);
}

/* How particular a pattern is. `v00008086` says more than `bc01`. */
static unsigned weight_of(const char *alias)
{
    unsigned weight = 0;
    for (; *alias; alias++)
        weight += *alias != '*';
    return weight;
}

static void match_module(const struct catalog_module *m, const char *modalias, struct driver_matches *matches)
{
    struct driver_match best = {.module = m, .sure = ALIAS_NO};
    VEC_EACH(alias, &m->aliases) {
        enum alias_match sure = alias_match(*alias, modalias);
        unsigned weight = sure ? weight_of(*alias) : 0;
        if (sure > best.sure || (sure && sure == best.sure && weight > best.weight)) {
            best.alias = *alias;
            best.sure = sure;
            best.weight = weight;
        }
    }
    if (best.sure)
        VEC_PUSH(&matches->list, best);
}

void catalog_match(const struct catalog *c, const char *modalias, struct driver_matches *matches)
{
    VEC_EACH(m, &c->modules)
        match_module(m, modalias, matches);
}
