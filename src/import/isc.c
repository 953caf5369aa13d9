/* ISC dhcpd: `host NAME { ... }`, at the top or within group, subnet, shared-network, pool and class blocks,
 * in dhcpd.conf or in dhcpd.leases. The grammar that counts is small: statements that end in `;`, and blocks
 * in braces behind words. */
#include "import/input.h"

#include <ctype.h>
#include <errno.h>

enum { DEPTH_MAX = 64, WORDS_MAX = 4096 };

struct word {
    size_t text; /* in the statement's `words` */
    struct pos at;
};

/* The words since the last statement. `,` is a word of its own. */
struct statement {
    struct str words; /* one after the other, each with its NUL */
    VEC(struct word) list;
};

struct reader {
    struct input *s;
    struct cursor c;
    struct statement statement;
    struct pos blocks[DEPTH_MAX]; /* where the open ones began */
    unsigned depth;
    unsigned host_depth; /* of the statements in the host block that is open; 0: none is */
    struct import_host host;
    char *declared; /* the name behind `host` */
    bool left_out;  /* and it was said why */
};

static const struct advice outside[] = {
    {"class", "write it as a class of rambox.yaml"},
    {"default-lease-time", "a subnet of rambox.yaml has `lease`"},
    {"failover", "rambox keeps its leases by itself"},
    {"filename", "rambox sends the boot file for a machine's architecture; what it boots is its profile"},
    {"if", "write it as a class of rambox.yaml; the boot file for an architecture rambox picks itself"},
    {"lease", "machines get new leases; those with an entry their own address"},
    {"max-lease-time", "a subnet of rambox.yaml has `max_lease`"},
    {"next-server", "rambox is the boot server itself"},
    {"option", ADVICE_OPTIONS},
    {"range", "write it as `pools` of a subnet in rambox.yaml"},
    {"shared-network", "write each of its subnets into rambox.yaml"},
    {"subclass", "add each machine with `rambox node add`"},
    {"subnet", "write it as `prefix` of a subnet in rambox.yaml"},
    {"subnet6", "rambox gives out IPv4 addresses"},
    {0},
};

static const char *word(const struct reader *r, size_t i)
{
    return i < r->statement.list.n ? r->statement.words.s + r->statement.list.items[i].text : "";
}

static const struct pos *at(const struct reader *r, size_t i)
{
    size_t n = r->statement.list.n;
    return &r->statement.list.items[i < n ? i : n - 1].at;
}

/* Statements of a host. */

static void take_hardware(struct reader *r)
{
    if (strcasecmp(word(r, 1), "ethernet") != 0) {
        char shown[SHOWN_MAX];
        input_lost(r->s, at(r, 1), "hardware type %s is not Ethernet; this host is not taken over",
                   show_text(word(r, 1), shown));
        r->left_out = true;
    } else if (take_mac(r->s, at(r, 2), word(r, 2), &r->host.mac) < 0) {
        r->left_out = true;
    } else {
        r->host.has_mac = true;
    }
}

static void take_address(struct reader *r)
{
    char shown[SHOWN_MAX];
    for (size_t i = 1; i < r->statement.list.n; i += 2) {
        ipv4_t ip;
        if (ipv4_parse(word(r, i), &ip) < 0)
            input_lost(r->s, at(r, i),
                       "the address of %s is not taken over: names are not looked up; write it as `ip:` into "
                       "the node's file",
                       show_text(word(r, i), shown));
        else if (r->host.ip && r->host.ip != ip)
            input_lost(r->s, at(r, i), "a node has one address; this second one is not taken over");
        else
            r->host.ip = ip;
    }
}

/* `1:52:54:...`, or text. */
static void take_identifier(struct reader *r)
{
    uint8_t id[CLIENT_ID_MAX];
    int n = strchr(word(r, 2), ':') ? hex_bytes(word(r, 2), id, sizeof(id)) : -EINVAL;
    take_client_id(r->s, at(r, 2), id, n < 0 ? 0 : (size_t)n, &r->host);
}

static void take_option(struct reader *r)
{
    char shown[SHOWN_MAX];
    if (str_eq(word(r, 1), "host-name")) {
        free(r->host.name);
        r->host.name = xstrdup(word(r, 2));
    } else if (str_eq(word(r, 1), "dhcp-client-identifier")) {
        take_identifier(r);
    } else {
        input_lost(r->s, at(r, 0), "option %s is not taken over: write it as `options:` into the node's file",
                   show_text(word(r, 1), shown));
    }
}

static void take_permission(struct reader *r)
{
    if (str_eq(word(r, 0), "allow") || !str_eq(word(r, 1), "booting"))
        return;
    input_lost(r->s, at(r, 0),
               "this host may not boot; not taken over: rambox ignores machines without an entry, unless "
               "their subnet says `unknown: allow`");
    r->left_out = true;
}

/* dhcpd.leases is a journal: what was removed while dhcpd ran stands in it before. */
static void take_deleted(struct reader *r)
{
    char shown[SHOWN_MAX];
    show_text(r->declared, shown);
    input_lost(
        r->s, at(r, 0),
        "%s was removed here; if it stands further up in this file, it comes over all the same: `rambox "
        "node rm %s`",
        shown, shown);
    r->left_out = true;
}

static void take_nothing(struct reader *r)
{
    (void)r;
}

static const struct {
    const char *word;
    void (*take)(struct reader *r);
    const char *instead; /* without `take` */
} host_statements[] = {
    {"hardware", take_hardware, NULL},
    {"fixed-address", take_address, NULL},
    {"option", take_option, NULL},
    {"deny", take_permission, NULL},
    {"ignore", take_permission, NULL},
    {"allow", take_permission, NULL},
    {"deleted", take_deleted, NULL},
    {"dynamic", take_nothing, NULL},
    {"fixed-address6", NULL, "rambox gives out IPv4 addresses"},
    {"filename", NULL,
     "rambox sends the boot file for a machine's architecture; what it boots is its profile"},
    {"next-server", NULL, "rambox is the boot server itself"},
    {"server-name", NULL, "rambox is the boot server itself"},
    {"ddns-hostname", NULL, "rambox changes nothing in the DNS"},
    {"host-identifier", NULL, "rambox knows a node by its MAC address"},
    {"uid", NULL, "rambox knows a node by its MAC address"},
    {"default-lease-time", NULL, "a subnet of rambox.yaml has `lease`"},
    {"max-lease-time", NULL, "a subnet of rambox.yaml has `max_lease`"},
};

static void host_statement(struct reader *r)
{
    char shown[SHOWN_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(host_statements); i++) {
        if (strcasecmp(host_statements[i].word, word(r, 0)) != 0)
            continue;
        if (host_statements[i].take)
            host_statements[i].take(r);
        else
            input_lost(r->s, at(r, 0), "%s is not taken over: %s", host_statements[i].word,
                       host_statements[i].instead);
        return;
    }
    input_lost(r->s, at(r, 0),
               "%s is not taken over: what a node boots and is told, its profile and its "
               "subnet say",
               show_text(word(r, 0), shown));
}

/* Blocks. */

static void begin_host(struct reader *r)
{
    r->host_depth = r->depth;
    r->host = (struct import_host){.pos = *at(r, 0)};
    r->declared = xstrdup(word(r, 1));
    r->left_out = false;
}

static void end_host(struct reader *r)
{
    r->host_depth = 0;
    if (!r->host.name)
        r->host.name = TAKE_PTR(r->declared);
    if (r->host.has_mac && !r->left_out) {
        struct pos pos = r->host.pos;
        *input_add(r->s, &pos) = r->host;
        r->host = (struct import_host){0};
    } else if (!r->left_out) {
        struct pos pos = r->host.pos;
        say_without_mac(r->s, &pos, "this host has no `hardware ethernet`", &r->host);
    }
    free(r->declared);
    r->declared = NULL;
    host_clear(&r->host);
}

static void statement_clear(struct statement *statement)
{
    statement->words.len = 0;
    statement->list.n = 0;
}

static int open_block(struct reader *r)
{
    struct pos here = cursor_pos(r->s, &r->c);
    if (r->depth == DEPTH_MAX)
        return input_error(r->s, &here, "blocks are nested more than %d deep", DEPTH_MAX);
    r->blocks[r->depth++] = r->statement.list.n ? *at(r, 0) : here;
    if (r->host_depth)
        input_lost(r->s, &r->blocks[r->depth - 1], "a block within a host is not taken over");
    else if (strcasecmp(word(r, 0), "host") == 0)
        begin_host(r);
    else if (r->statement.list.n)
        input_advise(r->s, outside, word(r, 0), at(r, 0));
    return 0;
}

static int close_block(struct reader *r)
{
    struct pos here = cursor_pos(r->s, &r->c);
    if (r->statement.list.n)
        return input_error(r->s, at(r, 0), "a statement has no \";\" at its end");
    if (r->depth == 0)
        return input_error(r->s, &here, "this \"}\" closes no block");
    if (r->host_depth == r->depth)
        end_host(r);
    r->depth--;
    return 0;
}

static void end_statement(struct reader *r)
{
    char shown[SHOWN_MAX];
    if (r->statement.list.n == 0)
        return;
    if (r->host_depth && r->host_depth == r->depth)
        host_statement(r);
    else if (r->host_depth)
        return;
    else if (str_eq(word(r, 0), "include"))
        input_lost(r->s, at(r, 0), "the file %s is not read: rambox reads only what it is given; name it too",
                   show_text(word(r, 1), shown));
    else
        input_advise(r->s, outside, word(r, 0), at(r, 0));
}

/* Characters to words. */

static int add_word(struct reader *r, const struct pos *pos, const char *text, size_t n)
{
    if (r->statement.list.n == WORDS_MAX)
        return input_error(r->s, pos, "a statement has more than %d words; is a \";\" missing?", WORDS_MAX);
    VEC_PUSH(&r->statement.list, ((struct word){r->statement.words.len, *pos}));
    str_add_n(&r->statement.words, text, n);
    str_add_n(&r->statement.words, "", 1);
    return 0;
}

/* The character behind a backslash, which the cursor stands on: `\n`, `\101`, `\x41`, or itself. What is no
 * printable ASCII is of no use in a name. */
static char read_escape(struct cursor *c)
{
    static const char names[] = "tnrb";
    int first = cursor_peek(c, 0), value = 0;
    size_t n = 0;
    if (first == 'x')
        for (n = 1; n < 3 && hex_value((char)cursor_peek(c, n)) >= 0; n++)
            value = value << 4 | hex_value((char)cursor_peek(c, n));
    else
        for (; n < 3 && cursor_peek(c, n) >= '0' && cursor_peek(c, n) <= '7'; n++)
            value = value << 3 | (cursor_peek(c, n) - '0');
    cursor_skip(c, n ? n : 1);
    if (n == 0)
        value = first > 0 && strchr(names, first) ? ' ' : first;
    return value >= ' ' && value < 0x7f ? (char)value : '?';
}

static int read_string(struct reader *r)
{
    struct pos begin = cursor_pos(r->s, &r->c);
    cleanup_str struct str text = {0};
    cursor_skip(&r->c, 1);
    for (;;) {
        int c = cursor_peek(&r->c, 0);
        if (c < 0 || c == '\n')
            return input_error(r->s, &begin,
                               "a string that begins here has no closing quote (\") on its line");
        cursor_skip(&r->c, 1);
        if (c == '\\' && cursor_peek(&r->c, 0) >= 0x80) /* the first byte of several stays with them */
            continue;
        if (c == '"')
            return add_word(r, &begin, str_text(&text), text.len);
        char byte = c == '\\' ? read_escape(&r->c) : (char)c;
        str_add_n(&text, &byte, 1);
    }
}

static int read_word(struct reader *r)
{
    struct pos begin = cursor_pos(r->s, &r->c);
    const char *text = r->c.p;
    for (int c; (c = cursor_peek(&r->c, 0)) >= 0 && !isspace(c) && !strchr("{};,\"#", c);)
        cursor_skip(&r->c, 1);
    return add_word(r, &begin, text, (size_t)(r->c.p - text));
}

/* One character that means something by itself, or a word. */
static int read_token(struct reader *r)
{
    struct pos here = cursor_pos(r->s, &r->c);
    int c = cursor_peek(&r->c, 0), result = 0;
    if (c == '"')
        return read_string(r);
    if (c == '#') {
        cursor_skip_line(&r->c);
        return 0;
    }
    if (!strchr("{};,", c) && !isspace(c))
        return read_word(r);
    if (c == ',')
        result = add_word(r, &here, ",", 1);
    else if (c == '{')
        result = open_block(r);
    else if (c == '}')
        result = close_block(r);
    else if (c == ';')
        end_statement(r);
    if (c == '{' || c == '}' || c == ';')
        statement_clear(&r->statement);
    cursor_skip(&r->c, 1);
    return result;
}

int read_isc(struct input *s)
{
    struct reader r = {.s = s, .c = cursor_of(s)};
    int result = 0;
    while (result == 0 && cursor_peek(&r.c, 0) >= 0)
        result = read_token(&r);
    if (result == 0 && r.depth)
        result = input_error(s, &r.blocks[r.depth - 1], "the block that begins here has no \"}\"");
    else if (result == 0 && r.statement.list.n)
        result = input_error(s, at(&r, 0), "a statement has no \";\" at its end");
    free(r.declared);
    host_clear(&r.host);
    str_free(&r.statement.words);
    VEC_FREE(&r.statement.list);
    return result;
}
