/* The kernel command line -> struct cmdline, by one table. The contract is in cmdline.h. */
#include "init/cmdline.h"

#include <string.h>

#include "init/text.h"

enum kind {
    WORD,   /* present: true */
    UNWORD, /* present: false */
    SWITCH, /* present, or any value but 0, no, off: true */
    TEXT,
    NUMBER,
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t size;   /* TEXT */
    long min, max; /* NUMBER */
};

#define FIELD(name) offsetof(struct cmdline, name), sizeof(((struct cmdline *)0)->name)

static const struct key keys[] = {
    {"shell", WORD, FIELD(shell), 0, 0},
    {"rambox", WORD, FIELD(rambox), 0, 0},
    {"rw", WORD, FIELD(read_write), 0, 0},
    {"ro", UNWORD, FIELD(read_write), 0, 0},
    {"rambox.secure", SWITCH, FIELD(secure), 0, 0},
    {"rambox.console", SWITCH, FIELD(console), 0, 0},
    {"rambox.rootwait", NUMBER, FIELD(rootwait), 0, 3600},
    {"trial", NUMBER, FIELD(trial), 1, 86400},
    {"panic", NUMBER, FIELD(panic), -1000000, 1000000},
    {"init", TEXT, FIELD(init), 0, 0},
    {"root", TEXT, FIELD(root), 0, 0},
    {"rootfstype", TEXT, FIELD(rootfstype), 0, 0},
    {"rootflags", TEXT, FIELD(rootflags), 0, 0},
    {"nfsroot", TEXT, FIELD(nfsroot), 0, 0},
    {"ip", TEXT, FIELD(ip), 0, 0},
    {"rambox.ip", TEXT, FIELD(ip), 0, 0},
    {"rambox.server", TEXT, FIELD(server), 0, 0},
    {"rambox.boot", TEXT, FIELD(boot), 0, 0},
    {"rambox.node", TEXT, FIELD(node), 0, 0},
};

/* A piece of the command line: a word, its key or its value. */
struct span {
    const char *at;
    size_t length;
};

static void problem(struct cmdline *c, const char *key, const char *why)
{
    if (c->problem_count < CMDLINE_PROBLEMS)
        c->problems[c->problem_count++] = (struct cmdline_problem){key, why};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the next word off *text; quotes keep white space inside. Returns false at the end. */
static bool next_word(const char **text, struct span *ret)
{
    const char *s = *text;
    bool quoted = false;

    while (is_space(*s))
        s++;
    if (!*s)
        return false;
    ret->at = s;
    for (; *s && (quoted || !is_space(*s)); s++)
        if (*s == '"')
            quoted = !quoted;
    ret->length = (size_t)(s - ret->at);
    *text = s;
    return true;
}

/* Quotes around a whole span are not part of it; one that was never closed counts as closed at the end. */
static struct span unquote(struct span s)
{
    if (s.length && s.at[0] == '"') {
        s.at++;
        s.length--;
        if (s.length && s.at[s.length - 1] == '"')
            s.length--;
    }
    return s;
}

static bool span_is(struct span s, const char *string)
{
    return strlen(string) == s.length && memcmp(s.at, string, s.length) == 0;
}

static void take_number(struct cmdline *c, const struct key *key, struct span value)
{
    char digits[24];

    if (text_copy(digits, sizeof(digits), value.at, value.length) < 0 ||
        text_number(digits, key->min, key->max, (long *)((char *)c + key->offset)) < 0)
        problem(c, key->name, "is not a number in its range and is not used");
    else if (strcmp(key->name, "panic") == 0)
        c->panic_given = true;
}

static void take(struct cmdline *c, const struct key *key, struct span value, bool has_value)
{
    char *field = (char *)c + key->offset;

    switch (key->kind) {
    case WORD:
    case UNWORD:
        if (!has_value)
            *(bool *)field = key->kind == WORD;
        break;
    case SWITCH:
        *(bool *)field = !span_is(value, "0") && !span_is(value, "no") && !span_is(value, "off");
        break;
    case NUMBER:
        take_number(c, key, value);
        break;
    case TEXT:
        if (text_copy(field, key->size, value.at, value.length) < 0)
            problem(c, key->name, "is too long and is not used");
        break;
    }
}

bool cmdline_next(const char **text, struct cmdline_word *ret)
{
    struct span word, value = {"", 0};

    if (!next_word(text, &word))
        return false;
    word = unquote(word);
    const char *equals = memchr(word.at, '=', word.length);
    size_t length = equals ? (size_t)(equals - word.at) : word.length;
    if (equals)
        value = unquote((struct span){equals + 1, word.length - length - 1});
    *ret = (struct cmdline_word){word.at, length, value.at, value.length, equals != NULL};
    return true;
}

static void take_word(struct cmdline *c, const struct cmdline_word *word)
{
    struct span name = {word->name, word->name_length}, value = {word->value, word->value_length};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (span_is(name, keys[i].name))
            take(c, &keys[i], value, word->has_value);
}

/* ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:... names the host in its fifth field. */
static void take_hostname(struct cmdline *c)
{
    const char *s = c->ip;

    if (s[strspn(s, "0123456789.")] != ':') /* IFACE:METHOD has none */
        return;
    for (int field = 0; field < 4; field++) {
        s = strchr(s, ':');
        if (!s)
            return;
        s++;
    }
    if (text_copy(c->hostname, sizeof(c->hostname), s, strcspn(s, ":")) < 0)
        problem(c, "ip", "names a host longer than 64 characters, which is not used");
}

void cmdline_parse(const char *text, struct cmdline *ret)
{
    struct cmdline_word word;

    *ret = (struct cmdline){.console = true, .rootwait = CMDLINE_ROOTWAIT, .init = CMDLINE_INIT};
    while (cmdline_next(&text, &word))
        take_word(ret, &word);
    if (ret->init[0] != '/') {
        if (ret->init[0])
            problem(ret, "init", "is not an absolute path");
        ret->init_refused = true;
        ret->init[0] = '\0';
    }
    take_hostname(ret);
}
