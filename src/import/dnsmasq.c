/* dnsmasq: the fields of dhcp-host=, in its configuration or, without the keyword, in the files of
 * dhcp-hostsfile= and dhcp-hostsdir=. The fields have no order; each is known by its form, in the order in
 * which dnsmasq itself tries them. */
#include "import/input.h"

#include <ctype.h>
#include <errno.h>

enum { FIELDS_MAX = 1000 }; /* on a line */

struct part {
    char *text;
    struct pos at;
};

/* One line: its fields, and what they say of the machine. */
struct host_line {
    struct input *s;
    VEC(struct part) fields;
    struct import_host host;
    struct pos at; /* of the first field */
    bool any_mac;  /* there was one, of whatever kind */
    bool ignored;
};

/* What else a configuration says. */
static const struct advice advice[] = {
    {"conf-dir", "rambox reads only what it is given; name that folder too"},
    {"conf-file", "rambox reads only what it is given; name that file too"},
    {"dhcp-boot", "what a node boots is its profile's `kernel` and `image` in rambox.yaml"},
    {"dhcp-hostsdir", "rambox reads only what it is given; name that folder too, with --from dnsmasq"},
    {"dhcp-hostsfile", "rambox reads only what it is given; name that file too, with --from dnsmasq"},
    {"dhcp-ignore", "machines without an entry get nothing unless their subnet says `unknown: allow`"},
    {"dhcp-mac", "write it as a class of rambox.yaml, with `match: {mac: ...}`"},
    {"dhcp-match",
     "write it as a class of rambox.yaml; the boot file for an architecture rambox picks itself"},
    {"dhcp-option", ADVICE_OPTIONS},
    {"dhcp-option-force", ADVICE_OPTIONS},
    {"dhcp-optsdir", ADVICE_OPTIONS},
    {"dhcp-optsfile", ADVICE_OPTIONS},
    {"dhcp-range", "write it as `prefix` and `pools` of a subnet in rambox.yaml"},
    {"dhcp-script", "`rambox serve --events` tells what happens"},
    {"dhcp-userclass", "write it as a class of rambox.yaml, with `match: {user_class: ...}`"},
    {"dhcp-vendorclass", "write it as a class of rambox.yaml, with `match: {vendor_class: ...}`"},
    {"pxe-prompt", "a node boots its profile without asking"},
    {"pxe-service", "a node boots its profile without a menu"},
    {"read-ethers",
     "write the lines of /etc/ethers as `MAC,NAME` into a file, and name it with --from dnsmasq"},
    {"tag-if", "write it as a class of rambox.yaml, which can match several things at once"},
    {0},
};

/* The field that ends before `end` and began at `begin`, blanks around it left out. */
static int add_field(struct host_line *l, const struct lines *line, size_t begin, size_t end,
                     struct str *text)
{
    while (text->len && isspace((unsigned char)text->s[text->len - 1]))
        text->s[--text->len] = '\0';
    while (begin < end && isspace((unsigned char)line->text[begin]))
        begin++;
    struct pos at = {l->s->name, line->number, (unsigned)begin + 1};
    if (l->fields.n == FIELDS_MAX)
        return input_error(l->s, &at, "more than %d fields on one line", FIELDS_MAX);
    VEC_PUSH(&l->fields, ((struct part){str_steal(text), at}));
    return 0;
}

/* The character behind a backslash in quotes. */
static char escaped(char c)
{
    static const char escapes[][2] = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'}, {'b', '\b'}, {'e', '\033'}};
    for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
        if (escapes[i][0] == c)
            return escapes[i][1];
    return c;
}

/* `#` begins a comment at the line's start and behind a blank. */
static bool is_comment(const struct lines *line, size_t i)
{
    return line->text[i] == '#' && (i == 0 || isspace((unsigned char)line->text[i - 1]));
}

/* The line from `start` up to a comment, cut into its fields. In double quotes nothing is special but the
 * backslash. */
static int split_fields(struct host_line *l, const struct lines *line, size_t start)
{
    cleanup_str struct str text = {0};
    size_t begin = start, quote = 0; /* where the open quote is, counted from 1; 0: none is */
    int r = 0;
    for (size_t i = start; r == 0; i++) {
        bool end = i == line->size || (!quote && is_comment(line, i));
        char c = end ? ',' : line->text[i];
        if (end && quote)
            return input_error(l->s, (&(struct pos){l->s->name, line->number, (unsigned)quote}),
                               "the quote (\") that begins here is not closed on this line");
        if (c == ',' && !quote) {
            r = add_field(l, line, begin, i, &text);
            begin = i + 1;
        } else if (c == '"') {
            quote = quote ? 0 : i + 1;
        } else if (c == '\\' && quote && i + 1 < line->size) {
            c = escaped(line->text[++i]);
            str_add_n(&text, &c, 1);
        } else if (text.len || !isspace((unsigned char)c)) {
            str_add_n(&text, &c, 1);
        }
        if (end)
            break;
    }
    return r;
}

/* The kinds of fields. Each returns true when the field is of its kind. */

static bool field_empty(struct host_line *l, const struct part *f)
{
    return f->text[0] == '\0';
}

static bool field_id(struct host_line *l, const struct part *f)
{
    uint8_t id[CLIENT_ID_MAX];
    if (!str_starts(f->text, "id:"))
        return false;
    if (str_eq(f->text, "id:*")) /* the identifier does not count: neither does it here */
        return true;
    int n = strchr(f->text + 3, ':') ? hex_bytes(f->text + 3, id, sizeof(id)) : -EINVAL;
    take_client_id(l->s, &f->at, id, n < 0 ? 0 : (size_t)n, &l->host);
    return true;
}

static bool field_tag(struct host_line *l, const struct part *f)
{
    const char *tag = strchr(f->text, ':');
    char shown[SHOWN_MAX];
    if (str_starts(f->text, "tag:")) {
        input_lost(l->s, &f->at,
                   "tag:%s limits this line to some networks; here the node is known on all of them",
                   show_text(tag + 1, shown));
        return true;
    }
    if (!str_starts(f->text, "set:") && !str_starts(f->text, "net:"))
        return false;
    input_lost(l->s, &f->at,
               "the tag %s is not taken over: what dhcp-option= and dhcp-boot= give by it, a profile gives; "
               "name it with --profile, or as `profile:` in the node's file",
               show_text(tag + 1, shown));
    return true;
}

static bool field_ipv6(struct host_line *l, const struct part *f)
{
    if (f->text[0] != '[')
        return false;
    input_lost(l->s, &f->at, "the IPv6 address is not taken over: rambox gives out IPv4 addresses");
    return true;
}

/* `11:22:33:44:55:66`, with a hardware type before it `1-11:22:...`, with `*` for any byte. */
static bool field_mac(struct host_line *l, const struct part *f)
{
    const char *text = f->text, *dash = strchr(text, '-'), *colon = strchr(text, ':');
    struct mac mac;
    if (!colon)
        return false;
    l->any_mac = true;
    if (strchr(text, '*')) {
        input_lost(l->s, &f->at,
                   "a MAC address with * stands for many machines; not taken over: write a class with "
                   "`match: {mac: ...}` into rambox.yaml, or add each with `rambox node add`");
        return true;
    }
    if (dash && dash < colon && strspn(text, "0123456789abcdefABCDEF") == (size_t)(dash - text)) {
        if (strtoul(text, NULL, 16) != 1) {
            input_lost(l->s, &f->at, "hardware type %.*s is not Ethernet; not taken over",
                       dash - text > 8 ? 8 : (int)(dash - text), text);
            return true;
        }
        text = dash + 1;
    }
    if (take_mac(l->s, &f->at, text, &mac) < 0)
        return true;
    if (!l->host.has_mac)
        l->host.mac = mac;
    else if (!mac_equal(&l->host.mac, &mac))
        input_lost(l->s, &f->at,
                   "a node has one MAC address, that of the card it boots from; this second one is not taken "
                   "over");
    l->host.has_mac = true;
    return true;
}

static bool field_ipv4(struct host_line *l, const struct part *f)
{
    ipv4_t ip;
    if (ipv4_parse(f->text, &ip) < 0)
        return false;
    if (l->host.ip && l->host.ip != ip)
        input_lost(l->s, &f->at, "a node has one address; this second one is not taken over");
    else
        l->host.ip = ip;
    return true;
}

static bool field_ignore(struct host_line *l, const struct part *f)
{
    if (!str_eq(f->text, "ignore"))
        return false;
    l->ignored = true;
    return true;
}

/* `infinite`, or a number with one of the units. */
static bool field_time(struct host_line *l, const struct part *f)
{
    size_t n = strspn(f->text, "0123456789");
    bool is_number = n && (f->text[n] == '\0' || (strchr("smhdw", f->text[n]) && f->text[n + 1] == '\0'));
    if (!is_number && !str_eq(f->text, "infinite"))
        return false;
    input_lost(l->s, &f->at,
               "the lease time is not taken over: a node's address stays its own; `lease` of its subnet says "
               "how often it asks");
    return true;
}

static bool field_name(struct host_line *l, const struct part *f)
{
    if (l->host.name)
        input_lost(l->s, &f->at, "a node has one name; this second one is not taken over");
    else
        l->host.name = xstrdup(f->text);
    return true;
}

static void read_fields(struct host_line *l)
{
    static bool (*const kinds[])(struct host_line *, const struct part *) = {
        field_empty, field_id,     field_tag,  field_ipv6, field_mac,
        field_ipv4,  field_ignore, field_time, field_name,
    };
    VEC_EACH(field, &l->fields)
        for (size_t i = 0; i < ARRAY_SIZE(kinds) && !kinds[i](l, field); i++)
            continue;
}

/* Adds the host of the line, or says why there is none. */
static void finish(struct host_line *l)
{
    if (l->ignored) {
        input_lost(l->s, &l->at,
                   "this machine is ignored by dnsmasq; not taken over: rambox ignores machines without an "
                   "entry too, unless their subnet says `unknown: allow`");
    } else if (l->host.has_mac) {
        *input_add(l->s, &l->at) = l->host;
        l->host = (struct import_host){0};
    } else if (!l->any_mac) { /* else what is wrong with it was said */
        say_without_mac(l->s, &l->at, "this line names no MAC address", &l->host);
    }
}

static int read_host(struct input *s, const struct lines *line, size_t start)
{
    struct host_line l = {.s = s};
    int r = split_fields(&l, line, start);
    if (r == 0) {
        l.at = l.fields.items[0].at;
        l.host.pos = l.at;
        read_fields(&l);
        finish(&l);
    }
    host_clear(&l.host);
    VEC_EACH(field, &l.fields)
        free(field->text);
    VEC_FREE(&l.fields);
    return r;
}

static size_t skip_blanks(const struct lines *line, size_t i)
{
    while (i < line->size && isspace((unsigned char)line->text[i]))
        i++;
    return i;
}

/* An option of the configuration is a keyword alone, or one with `=` behind it; every other line is one of a
 * file of hosts. */
static int read_line(struct input *s, const struct lines *line)
{
    size_t first = skip_blanks(line, 0), end, next;
    char keyword[32];
    if (first == line->size || line->text[first] == '#')
        return 0;
    if (line->size - first > 2 && memcmp(line->text + first, "--", 2) == 0)
        first += 2;
    for (end = first; end < line->size; end++)
        if (!isalnum((unsigned char)line->text[end]) && line->text[end] != '-')
            break;
    next = skip_blanks(line, end);
    bool value = next < line->size && line->text[next] == '=';
    if (end == first || (next < line->size && !value && line->text[next] != '#'))
        return read_host(s, line, first);
    if (end - first >= sizeof(keyword))
        return 0;
    memcpy(keyword, line->text + first, end - first);
    keyword[end - first] = '\0';
    struct pos at = {s->name, line->number, (unsigned)first + 1};
    if (str_eq(keyword, "dhcp-host") && value)
        return read_host(s, line, next + 1);
    input_advise(s, advice, keyword, &at);
    return 0;
}

int read_dnsmasq(struct input *s)
{
    enum { WRONG_MAX = 200 };
    struct lines line = {0};
    unsigned wrong = 0;
    while (lines_next(s, &line)) {
        if (read_line(s, &line) == 0)
            continue;
        if (++wrong == WRONG_MAX)
            return input_error(s, (&(struct pos){.file = s->name}),
                               "more than %d lines are wrong; the rest is not read", WRONG_MAX - 1);
    }
    return wrong ? -EINVAL : 0;
}
