/* The index of modules; the contract is in moduleindex.h. */
#include "init/moduleindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "rambox modules 1\n"

/* ---- reading ---- */

/* Reads digits and moves *at behind them. Returns 0, or -EBADMSG for no number below `limit`. */
static int take_number(const char **at, unsigned limit, unsigned *ret)
{
    unsigned value = 0;
    const char *s = *at;

    if (*s < '0' || *s > '9')
        return -EBADMSG;
    for (; *s >= '0' && *s <= '9'; s++) {
        value = value * 10 + (unsigned)(*s - '0');
        if (value >= limit)
            return -EBADMSG;
    }
    *at = s;
    *ret = value;
    return 0;
}

/* A word of printable characters; its length, 0: none. */
static size_t word_length(const char *s)
{
    size_t n = 0;

    while (s[n] > ' ' && s[n] < 0x7f)
        n++;
    return n;
}

static bool is_good_path(const char *path, size_t length)
{
    if (length == 0 || length > 255 || path[0] == '/')
        return false;
    for (size_t i = 0; i + 1 < length; i++)
        if (path[i] == '.' && path[i + 1] == '.')
            return false;
    return true;
}

/* `m PATH STEP...`; the numbers are checked when it is known how many modules there are. */
static int read_module(const char **at, struct module_entry *ret)
{
    size_t length = word_length(*at);

    if (!is_good_path(*at, length))
        return -EBADMSG;
    *ret = (struct module_entry){.path = *at, .length = (unsigned)length};
    *at += length;
    *at += strcspn(*at, "\n");
    return 0;
}

static int check_steps(const struct module_entry *module, unsigned count)
{
    const char *s = module->path + module->length;
    unsigned number;

    while (*s == ' ') {
        s++;
        if (*s == '?' || *s == '+')
            s++;
        if (take_number(&s, count, &number) < 0)
            return -EBADMSG;
    }
    return *s == '\n' ? 0 : -EBADMSG;
}

/* Compares two patterns, which end at blanks. */
static int compare_patterns(const char *a, const char *b)
{
    while (*a == *b && *a != ' ') {
        a++;
        b++;
    }
    return (*a == ' ' ? 0 : (unsigned char)*a) - (*b == ' ' ? 0 : (unsigned char)*b);
}

/* `a PATTERN NUMBER`, in order. */
static int read_alias(const char **at, struct module_index *index)
{
    const char *pattern = *at;
    size_t length = word_length(pattern);
    unsigned number;

    *at += length;
    if (length == 0 || length > MODULE_INDEX_PATTERN || **at != ' ')
        return -EBADMSG;
    (*at)++;
    if (take_number(at, index->module_count, &number) < 0)
        return -EBADMSG;
    if (index->alias_count && compare_patterns(index->aliases[index->alias_count - 1], pattern) > 0)
        return -EBADMSG;
    index->aliases[index->alias_count++] = pattern;
    return 0;
}

/* How many lines begin with `kind`, a letter and a blank. */
static unsigned count_lines(const char *text, const char *kind)
{
    unsigned n = 0;

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        n += line[0] == kind[0] && line[1] == kind[1];
    return n;
}

static int read_modules(const char **line, struct module_index *index)
{
    const char *at = *line;
    int r = 0;

    while (r == 0 && at[0] == 'm' && at[1] == ' ') {
        at += 2;
        r = read_module(&at, &index->modules[index->module_count]);
        index->module_count += r == 0;
        at += *at == '\n';
    }
    for (unsigned i = 0; r == 0 && i < index->module_count; i++)
        r = check_steps(&index->modules[i], index->module_count);
    *line = at;
    return r;
}

static int read_lines(const char *text, struct module_index *index)
{
    const char *at = text;
    unsigned number;
    int r = read_modules(&at, index);

    index->at_once = at;
    while (r == 0 && at[0] == 'l' && at[1] == ' ') {
        at += 2;
        r = take_number(&at, index->module_count, &number);
        if (r == 0 && *at++ != '\n')
            r = -EBADMSG;
    }
    while (r == 0 && at[0] == 'a' && at[1] == ' ') {
        at += 2;
        r = read_alias(&at, index);
        if (r == 0 && *at++ != '\n')
            r = -EBADMSG;
    }
    return r == 0 && *at ? -EBADMSG : r;
}

int module_index_parse(const char *text, size_t size, struct module_index *ret)
{
    struct module_index index = {0};

    /* A text with a NUL at its end, and none before, needs no other check for its end. */
    if (size <= strlen(HEADER) || text[size - 1] != '\0' || strlen(text) != size - 1 ||
        text[size - 2] != '\n' || strncmp(text, HEADER, strlen(HEADER)) != 0)
        return -EBADMSG;
    text += strlen(HEADER);
    unsigned modules = count_lines(text, "m "), aliases = count_lines(text, "a ");
    if (modules > MODULE_INDEX_MODULES || aliases > MODULE_INDEX_ALIASES)
        return -EBADMSG;
    index.modules = calloc(modules + 1, sizeof(*index.modules));
    index.aliases = calloc(aliases + 1, sizeof(*index.aliases));
    int r = index.modules && index.aliases ? read_lines(text, &index) : -ENOMEM;
    if (r < 0)
        module_index_free(&index);
    else
        *ret = index;
    return r;
}

void module_index_free(struct module_index *index)
{
    free(index->modules);
    free(index->aliases);
    *index = (struct module_index){0};
}

/* ---- asking ---- */

bool module_index_step(const struct module_entry *module, const char **at, enum module_step *ret_step,
                       unsigned *ret_module)
{
    const char *s = *at ? *at : module->path + module->length;

    if (*s != ' ')
        return false;
    s++;
    *ret_step = *s == '?' ? MODULE_BEFORE : *s == '+' ? MODULE_AFTER : MODULE_NEEDS;
    if (*ret_step != MODULE_NEEDS)
        s++;
    if (take_number(&s, MODULE_INDEX_MODULES, ret_module) < 0)
        return false;
    *at = s;
    return true;
}

bool module_index_at_once(const struct module_index *index, const char **at, unsigned *ret_module)
{
    const char *s = *at ? *at : index->at_once;

    if (s[0] != 'l' || s[1] != ' ')
        return false;
    s += 2;
    if (take_number(&s, index->module_count, ret_module) < 0)
        return false;
    *at = s + 1;
    return true;
}

/* Whether `c` is in the set behind [, and where the pattern goes on. A set that is not closed holds nothing.
 */
static bool in_set(const char *set, char c, const char **ret_end)
{
    const char *s = set;
    bool found = false;

    for (; *s != ']' && *s != ' '; s++) {
        if (s[1] == '-' && s[2] != ']' && s[2] != ' ') {
            found |= c >= s[0] && c <= s[2];
            s += 2;
        } else {
            found |= c == *s;
        }
    }
    *ret_end = *s == ']' ? s + 1 : s;
    return found && *s == ']';
}

/* Whether the pattern's next piece takes `c`; *ret_next is behind it. */
static bool takes(const char *pattern, char c, const char **ret_next)
{
    *ret_next = pattern + 1;
    if (*pattern == '?')
        return true;
    if (*pattern == '[')
        return in_set(pattern + 1, c, ret_next);
    return *pattern == c;
}

bool module_alias_matches(const char *pattern, const char *modalias)
{
    const char *star = NULL, *after = NULL, *next; /* the last *, and what it has taken up to */

    while (*modalias) {
        if (*pattern == '*') {
            star = ++pattern;
            after = modalias;
        } else if (*pattern != ' ' && takes(pattern, *modalias, &next)) {
            pattern = next;
            modalias++;
        } else if (star) {
            pattern = star;
            modalias = ++after;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == ' ';
}

/* The first of the aliases from..to, which have the same `depth` characters, whose next is not below `c`. */
static unsigned lower_bound(const struct module_index *index, unsigned from, unsigned to, size_t depth,
                            unsigned char c)
{
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if ((unsigned char)index->aliases[middle][depth] < c)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Tries the whole pattern of those of from..to that go on with the wildcard `c`. */
static void try_wildcard(const struct module_index *index, unsigned from, unsigned to, size_t depth, char c,
                         const char *modalias, void (*found)(void *user, unsigned module), void *user)
{
    unsigned i = lower_bound(index, from, to, depth, (unsigned char)c);

    for (; i < to && index->aliases[i][depth] == c; i++) {
        const char *number = strchr(index->aliases[i], ' ') + 1;
        unsigned module;
        if (module_alias_matches(index->aliases[i], modalias) &&
            take_number(&number, index->module_count, &module) == 0)
            found(user, module);
    }
}

/* The patterns that can match agree with the device's alias up to their first wildcard, or to their end. */
void module_index_match(const struct module_index *index, const char *modalias,
                        void (*found)(void *user, unsigned module), void *user)
{
    static const char wildcards[] = "*?[";
    unsigned from = 0, to = index->alias_count;

    for (size_t depth = 0; from < to; depth++) {
        for (const char *c = wildcards; *c; c++)
            try_wildcard(index, from, to, depth, *c, modalias, found, user);
        if (!modalias[depth] || strchr("*?[ ", modalias[depth])) {
            try_wildcard(index, from, to, depth, ' ', modalias, found, user);
            return;
        }
        unsigned char c = (unsigned char)modalias[depth];
        from = lower_bound(index, from, to, depth, c);
        to = c == 0xff ? to : lower_bound(index, from, to, depth, c + 1);
    }
}

const char *module_event_alias(const char *message, size_t size)
{
    const char *end = message + size, *alias = NULL;

    if (size == 0 || end[-1] != '\0' || strncmp(message, "add@", 4) != 0)
        return NULL;
    for (const char *s = message; s < end; s += strlen(s) + 1)
        if (strncmp(s, "MODALIAS=", 9) == 0)
            alias = s + 9;
    return alias;
}
