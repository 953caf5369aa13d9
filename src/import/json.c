/* See import/json.h. */
#include "import/json.h"

#include <ctype.h>
#include <errno.h>

enum { DEPTH_MAX = 64, VALUES_MAX = 4 << 20 };

struct parser {
    struct input *s;
    struct cursor c;
    struct json *json;
    unsigned depth;
    bool included; /* a file stands where a value is expected */
};

static int read_value(struct parser *p);

void json_free(struct json *json)
{
    VEC_FREE(&json->values);
    str_free(&json->texts);
}

static struct pos here(const struct parser *p)
{
    return cursor_pos(p->s, &p->c);
}

static int expected(struct parser *p, const char *what)
{
    struct pos pos = here(p);
    int c = cursor_peek(&p->c, 0);
    if (c < 0)
        return input_error(p->s, &pos, "the file ends here; expected %s", what);
    return input_error(p->s, &pos, "unexpected \"%c\"; expected %s", isprint(c) ? c : '?', what);
}

static int skip_comment(struct parser *p)
{
    struct pos begin = here(p);
    cursor_skip(&p->c, 2);
    while (cursor_peek(&p->c, 0) != '*' || cursor_peek(&p->c, 1) != '/') {
        if (cursor_peek(&p->c, 0) < 0)
            return input_error(p->s, &begin, "the comment that begins here has no */");
        cursor_skip(&p->c, 1);
    }
    cursor_skip(&p->c, 2);
    return 0;
}

/* `<?include "FILE"?>` stands for that file's text. */
static int skip_include(struct parser *p)
{
    struct pos begin = here(p);
    while (cursor_peek(&p->c, 0) != '?' || cursor_peek(&p->c, 1) != '>') {
        if (cursor_peek(&p->c, 0) < 0 || cursor_peek(&p->c, 0) == '\n')
            return input_error(p->s, &begin, "the <?include that begins here has no ?> on its line");
        cursor_skip(&p->c, cursor_peek(&p->c, 0) == '<' ? 2 : 1);
    }
    cursor_skip(&p->c, 2);
    p->included = true;
    input_lost(p->s, &begin,
               "the included file is not read: rambox reads only what it is given; name it too");
    return 0;
}

static int skip_blanks(struct parser *p)
{
    int r = 0;
    while (r == 0) {
        int c = cursor_peek(&p->c, 0), second = cursor_peek(&p->c, 1);
        if (c >= 0 && isspace(c))
            cursor_skip(&p->c, 1);
        else if (c == '#' || (c == '/' && second == '/'))
            cursor_skip_line(&p->c);
        else if (c == '/' && second == '*')
            r = skip_comment(p);
        else if (c == '<' && second == '?')
            r = skip_include(p);
        else
            break;
    }
    return r;
}

/* A value that begins here; its index in *ret_index. */
static int add_value(struct parser *p, enum json_kind kind, size_t *ret_index)
{
    struct pos pos = here(p);
    size_t n = p->json->values.n;
    if (n == VALUES_MAX)
        return input_error(p->s, &pos, "more than %d values", VALUES_MAX);
    VEC_PUSH(&p->json->values, ((struct json_value){kind, pos.line, pos.column, p->json->texts.len, n + 1}));
    *ret_index = n;
    return 0;
}

static void add_utf8(struct str *out, unsigned code)
{
    const char bytes[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                           (char)(0x80 | (code & 0x3f))};
    const char two[2] = {(char)(0xc0 | code >> 6), bytes[2]};
    const char one = (char)code;
    if (code < ' ' || (code >= 0xd800 && code < 0xe000)) /* of no use in what is taken over */
        str_add(out, "?");
    else if (code < 0x80)
        str_add_n(out, &one, 1);
    else if (code < 0x800)
        str_add_n(out, two, 2);
    else
        str_add_n(out, bytes, 3);
}

static int read_escape(struct parser *p, struct str *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int c = cursor_peek(&p->c, 0);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    unsigned code = 0;
    if (letter) {
        str_add_n(out, &meanings[letter - letters], 1);
        cursor_skip(&p->c, 1);
        return 0;
    }
    for (size_t i = 1; c == 'u' && i <= 4; i++) {
        int digit = cursor_peek(&p->c, i) < 0 ? -1 : hex_value((char)cursor_peek(&p->c, i));
        if (digit < 0)
            return expected(p, "four hexadecimal digits behind \\u");
        code = code << 4 | (unsigned)digit;
    }
    if (c != 'u')
        return expected(p, "one of \" \\ / b f n r t u behind a backslash");
    add_utf8(out, code);
    cursor_skip(&p->c, 5);
    return 0;
}

static int read_string(struct parser *p)
{
    struct pos begin = here(p);
    struct str *out = &p->json->texts;
    size_t index;
    int r = add_value(p, JSON_VALUE_STRING, &index);
    cursor_skip(&p->c, 1);
    while (r == 0) {
        int c = cursor_peek(&p->c, 0);
        if (c < 0 || c == '\n')
            return input_error(p->s, &begin,
                               "a string that begins here has no closing quote (\") on its line");
        char byte = (char)c;
        cursor_skip(&p->c, 1);
        if (c == '"')
            break;
        if (c == '\\')
            r = read_escape(p, out);
        else
            str_add_n(out, &byte, 1);
    }
    str_add_n(out, "", 1);
    return r;
}

/* A number, true, false, null: nothing that is taken over, so its form is not looked at. Also the place of a
 * file that is included. */
static int read_other(struct parser *p, bool included)
{
    size_t index;
    int r = add_value(p, JSON_VALUE_OTHER, &index);
    const char *begin = p->c.p;
    for (int c; (c = cursor_peek(&p->c, 0)) >= 0 && (isalnum(c) || strchr("+-.", c));)
        cursor_skip(&p->c, 1);
    if (r == 0 && p->c.p == begin && !included)
        return expected(p, "a value");
    str_add_n(&p->json->texts, begin, (size_t)(p->c.p - begin));
    str_add_n(&p->json->texts, "", 1);
    return r;
}

/* The key of a member, and its colon. */
static int read_key(struct parser *p)
{
    if (cursor_peek(&p->c, 0) != '"')
        return expected(p, "a key in double quotes, or \"}\"");
    int r = read_string(p);
    if (r == 0)
        r = skip_blanks(p);
    if (r == 0 && cursor_peek(&p->c, 0) != ':')
        return expected(p, "\":\" behind the key");
    cursor_skip(&p->c, 1);
    p->included = false;
    return r == 0 ? skip_blanks(p) : r;
}

/* An object or an array, with the cursor on its first character. */
static int read_container(struct parser *p, enum json_kind kind)
{
    char close = kind == JSON_VALUE_OBJECT ? '}' : ']';
    struct pos begin = here(p);
    size_t index = 0;
    int r = add_value(p, kind, &index);
    if (r == 0 && p->depth++ == DEPTH_MAX)
        return input_error(p->s, &begin, "values are nested more than %d deep", DEPTH_MAX);
    cursor_skip(&p->c, 1);
    while (r == 0 && (r = skip_blanks(p)) == 0 && cursor_peek(&p->c, 0) != close) {
        if (cursor_peek(&p->c, 0) < 0)
            return input_error(p->s, &begin, "what begins here has no \"%c\"", close);
        if (kind == JSON_VALUE_OBJECT)
            r = read_key(p);
        if (r == 0)
            r = read_value(p);
        if (r == 0)
            r = skip_blanks(p);
        if (r == 0 && cursor_peek(&p->c, 0) == ',')
            cursor_skip(&p->c, 1);
        else if (r == 0 && cursor_peek(&p->c, 0) >= 0 && cursor_peek(&p->c, 0) != close)
            r = expected(p, close == '}' ? "\",\" or \"}\"" : "\",\" or \"]\"");
    }
    if (r < 0)
        return r;
    cursor_skip(&p->c, 1);
    p->json->values.items[index].next = p->json->values.n;
    p->depth--;
    return 0;
}

/* Recursive; DEPTH_MAX bounds it. */
static int read_value(struct parser *p)
{
    bool included = p->included;
    p->included = false;
    switch (cursor_peek(&p->c, 0)) {
    case '{':
        return read_container(p, JSON_VALUE_OBJECT);
    case '[':
        return read_container(p, JSON_VALUE_ARRAY);
    case '"':
        return read_string(p);
    default:
        return read_other(p, included);
    }
}

int json_read(struct input *s, struct json *json)
{
    struct parser p = {.s = s, .c = cursor_of(s), .json = json};
    size_t whole;
    int r = add_value(&p, JSON_VALUE_ARRAY, &whole);
    if (r == 0)
        r = skip_blanks(&p);
    while (r == 0 && cursor_peek(&p.c, 0) >= 0) {
        r = read_value(&p);
        if (r == 0)
            r = skip_blanks(&p);
        if (r == 0 && cursor_peek(&p.c, 0) == ',') {
            cursor_skip(&p.c, 1);
            r = skip_blanks(&p);
        } else if (r == 0 && cursor_peek(&p.c, 0) >= 0) {
            r = expected(&p, "the end of the file");
        }
    }
    if (r == 0)
        json->values.items[whole].next = json->values.n;
    return r;
}

size_t json_member(const struct json *json, size_t object, const char *key)
{
    if (json->values.items[object].kind != JSON_VALUE_OBJECT)
        return 0;
    for (size_t k = object + 1; k < json->values.items[object].next;) {
        size_t value = json->values.items[k].next;
        if (str_eq(json_text(json, k), key))
            return value;
        k = json->values.items[value].next;
    }
    return 0;
}

const char *json_text(const struct json *json, size_t value)
{
    const struct json_value *v = &json->values.items[value];
    return v->kind == JSON_VALUE_OBJECT || v->kind == JSON_VALUE_ARRAY ? NULL : json->texts.s + v->text;
}

struct pos json_pos(const struct input *s, const struct json *json, size_t value)
{
    const struct json_value *v = &json->values.items[value];
    return (struct pos){s->name, v->line, v->column};
}
