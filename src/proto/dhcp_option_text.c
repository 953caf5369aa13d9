/* Text to the bytes of DHCP options and back; the contract is in proto/dhcp_options.h. The registry is in
 * proto/dhcp_options.c. */
#include "base/addr.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/dhcp_options.h"

#include <ctype.h>
#include <errno.h>

#define NAME_MAX_SIZE 255 /* RFC 1035 §3.1: of a domain name on the wire */

/* How values of one kind are written and read. `write`: 0 or -EINVAL; what does not fit fails the writer.
 * `read` takes one value off `r` and adds its text; `all` is the whole option, for pointers of compressed
 * names. 0 or -EINVAL. */
struct kind {
    const char *name, *reason;
    int (*write)(const struct dhcp_option_spec *spec, const char *text, struct writer *w);
    int (*read)(const struct dhcp_option_spec *spec, struct reader all, struct reader *r, struct str *out);
};

/* Bytes and text. */

static int write_hex(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    (void)spec;
    text += str_starts(text, "0x") ? 2 : 0;
    while (*text) {
        int high = hex_value(text[0]), low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0)
            return -EINVAL;
        writer_u8(w, (uint8_t)(high << 4 | low));
        text += 2;
        if (text[0] && strchr(":- ", text[0]) && text[1])
            text++;
    }
    return 0;
}

static int read_hex(const struct dhcp_option_spec *spec, struct reader all, struct reader *r, struct str *out)
{
    (void)spec, (void)all;
    while (r->left)
        str_printf(out, "%02x", reader_u8(r));
    return 0;
}

/* Whether a character of n bytes moves the cursor, or can be a line break for whoever reads it as YAML: the
 * control characters, U+2028, U+2029 and the byte order mark. */
static bool is_control(const uint8_t *p, size_t n)
{
    return n == 1   ? iscntrl(p[0])
           : n == 2 ? p[0] == 0xc2 && p[1] < 0xa0
           : n == 3 ? memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0 ||
                          memcmp(p, "\xef\xbb\xbf", 3) == 0
                    : false;
}

static bool is_text(const uint8_t *p, size_t left)
{
    if (left == 0)
        return false;
    while (left) {
        size_t n = utf8_size(p, left);
        if (n == 0 || is_control(p, n))
            return false;
        p += n;
        left -= n;
    }
    return true;
}

static int write_text(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    size_t n = strlen(text);
    (void)spec;
    if (!is_text((const uint8_t *)text, n))
        return -EINVAL;
    writer_put(w, text, n);
    return 0;
}

static int read_text(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                     struct str *out)
{
    size_t n = r->left;
    const uint8_t *text = reader_take(r, n);
    (void)spec, (void)all;
    if (!text || !is_text(text, n))
        return -EINVAL;
    str_add_n(out, text, n);
    return 0;
}

/* Numbers. */

static int write_bool(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"off", "on"}};
    (void)spec;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        for (uint8_t value = 0; value < 2; value++)
            if (str_eq(text, words[i][value])) {
                writer_u8(w, value);
                return 0;
            }
    return -EINVAL;
}

static int read_bool(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                     struct str *out)
{
    uint8_t value = reader_u8(r);
    (void)spec, (void)all;
    if (r->failed || value > 1)
        return -EINVAL;
    str_add(out, value ? "yes" : "no");
    return 0;
}

static const uint32_t number_max[] = {[1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX};

static size_t number_size(const struct dhcp_option_spec *spec)
{
    return spec->kind == DHCP_KIND_U8 ? 1 : spec->kind == DHCP_KIND_U16 ? 2 : 4;
}

static int write_number(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    size_t size = number_size(spec);
    uint64_t value;
    if (text[0] == '0' && text[1])
        return -EINVAL;
    int r = parse_u64(text, spec->min, number_max[size], &value);
    if (r < 0)
        return -EINVAL;
    for (size_t i = size; i-- > 0;)
        writer_u8(w, (uint8_t)(value >> 8 * i));
    return 0;
}

static uint32_t take_number(struct reader *r, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | reader_u8(r);
    return value;
}

static int read_number(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                       struct str *out)
{
    uint32_t value = take_number(r, number_size(spec));
    (void)all;
    if (r->failed || value < spec->min)
        return -EINVAL;
    str_printf(out, "%u", value);
    return 0;
}

static int write_signed(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    bool negative = text[0] == '-';
    uint64_t value;
    (void)spec;
    text += negative;
    if ((text[0] == '0' && (text[1] || negative)) ||
        parse_u64(text, 0, (uint64_t)INT32_MAX + negative, &value) < 0)
        return -EINVAL;
    writer_u32(w, negative ? (uint32_t)(0 - value) : (uint32_t)value);
    return 0;
}

static int read_signed(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                       struct str *out)
{
    uint32_t value = reader_u32(r);
    (void)spec, (void)all;
    if (r->failed)
        return -EINVAL;
    str_printf(out, "%d", (int32_t)value);
    return 0;
}

/* Addresses and routes. */

static int write_ipv4(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    ipv4_t address;
    (void)spec;
    int r = ipv4_parse(text, &address);
    if (r == 0)
        writer_u32(w, address);
    return r;
}

static int read_ipv4(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                     struct str *out)
{
    char text[IPV4_TEXT_MAX];
    ipv4_t address = reader_u32(r);
    (void)spec, (void)all;
    if (r->failed)
        return -EINVAL;
    str_add(out, ipv4_format(address, text));
    return 0;
}

static int write_pair(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    const char *blank = strchr(text, ' ');
    if (!blank)
        return -EINVAL;
    cleanup_free char *first = xstrndup(text, (size_t)(blank - text));
    int r = write_ipv4(spec, first, w);
    return r < 0 ? r : write_ipv4(spec, blank + 1, w);
}

static int read_pair(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                     struct str *out)
{
    int failed = read_ipv4(spec, all, r, out);
    str_add(out, " ");
    return failed < 0 ? failed : read_ipv4(spec, all, r, out);
}

static int write_route(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    const char *via = strstr(text, " via ");
    struct ipv4_prefix to = {0};
    ipv4_t gateway;
    (void)spec;
    if (!via)
        return -EINVAL;
    cleanup_free char *prefix = xstrndup(text, (size_t)(via - text));
    if (!str_eq(prefix, "default") && prefix_parse(prefix, &to) < 0)
        return -EINVAL;
    if (ipv4_parse(via + strlen(" via "), &gateway) < 0)
        return -EINVAL;
    /* RFC 3442: the length, and only those bytes of the address that it reaches into. */
    writer_u8(w, to.length);
    for (unsigned i = 0; i < (to.length + 7u) / 8; i++)
        writer_u8(w, (uint8_t)(to.address >> (24 - 8 * i)));
    writer_u32(w, gateway);
    return 0;
}

static int read_route(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                      struct str *out)
{
    struct ipv4_prefix to = {.length = reader_u8(r)};
    char prefix[PREFIX_TEXT_MAX], gateway[IPV4_TEXT_MAX];
    (void)spec, (void)all;
    if (to.length > 32)
        return -EINVAL;
    for (unsigned i = 0; i < (to.length + 7u) / 8; i++)
        to.address |= (ipv4_t)reader_u8(r) << (24 - 8 * i);
    ipv4_t via = reader_u32(r);
    if (r->failed || (to.address & ~prefix_mask(&to)))
        return -EINVAL;
    str_printf(out, "%s via %s", to.length ? prefix_format(&to, prefix) : "default",
               ipv4_format(via, gateway));
    return 0;
}

/* Domain names (RFC 1035 §3.1, §4.1.4). */

static bool is_label(const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum(text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    return n >= 1 && n <= 63;
}

/* A name, with pointers followed. Each pointer must lead further back, so that there is an end. The root is
 * none. */
static int take_name(struct reader all, struct reader *r, struct str *out)
{
    struct reader cursor = *r;
    size_t size = 0, limit = all.left - r->left;
    bool jumped = false;
    for (;;) {
        uint8_t n = reader_u8(&cursor);
        if (n >= 0xc0) {
            size_t target = (size_t)(n & 0x3f) << 8 | reader_u8(&cursor);
            if (cursor.failed || target >= limit)
                return -EINVAL;
            if (!jumped)
                *r = cursor;
            jumped = true;
            limit = target;
            cursor = all;
            reader_take(&cursor, target);
            continue;
        }
        const uint8_t *label = reader_take(&cursor, n);
        size += n + 1u;
        if (!label || size > NAME_MAX_SIZE || (n && !is_label(label, n)))
            return -EINVAL;
        if (n == 0)
            break;
        str_add(out, out->len ? "." : "");
        str_add_n(out, label, n);
    }
    if (!jumped)
        *r = cursor;
    return out->len ? 0 : -EINVAL;
}

/* The place of a name in what is written; -1 when it is not there. Looks at every label that a pointer can
 * reach. */
static int find_name(const struct writer *w, const char *name)
{
    struct reader all = reader_of(w->base, w->used), r = all;
    while (r.left) {
        cleanup_str struct str there = {0};
        struct reader from = r;
        size_t place = all.left - r.left;
        uint8_t n = reader_u8(&r);
        if (n >= 0xc0)
            reader_u8(&r);
        else if (n && take_name(all, &from, &there) == 0 && str_eq(str_text(&there), name))
            return (int)place;
        else
            reader_take(&r, n);
        if (r.failed)
            break;
    }
    return -1;
}

/* `compress`: what is written so far is names only. */
static int put_name(const char *text, struct writer *w, bool compress)
{
    size_t n = strlen(text);
    cleanup_free char *name = xstrndup(text, n - (n && text[n - 1] == '.'));
    if (strlen(name) + 2 > NAME_MAX_SIZE)
        return -EINVAL;
    struct writer written = *w;
    for (const char *label = name;;) {
        int place = compress ? find_name(&written, label) : -1;
        if (place >= 0) {
            writer_u16(w, (uint16_t)(0xc000 | place));
            return 0;
        }
        const char *dot = strchr(label, '.');
        n = dot ? (size_t)(dot - label) : strlen(label);
        if (!is_label((const uint8_t *)label, n))
            return -EINVAL;
        writer_u8(w, (uint8_t)n);
        writer_put(w, label, n);
        if (!dot)
            break;
        label = dot + 1;
    }
    writer_u8(w, 0);
    return 0;
}

static int write_domain(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    return put_name(text, w, spec->kind == DHCP_KIND_SEARCH);
}

static int read_domain(const struct dhcp_option_spec *spec, struct reader all, struct reader *r,
                       struct str *out)
{
    (void)spec;
    return take_name(all, r, out);
}

/* RFC 3361 §3: a byte says what follows, 0: domains, 1: addresses. The first value decides. */
static int write_sip(const struct dhcp_option_spec *spec, const char *text, struct writer *w)
{
    ipv4_t address;
    uint8_t addresses = ipv4_parse(text, &address) == 0;
    if (w->used == 0)
        writer_u8(w, addresses);
    if (w->used && w->base[0] != addresses)
        return -EINVAL;
    return addresses ? write_ipv4(spec, text, w) : put_name(text, w, false);
}

static int read_sip(const struct dhcp_option_spec *spec, struct reader all, struct reader *r, struct str *out)
{
    if (r->left == all.left)
        reader_u8(r);
    if (all.p[0] > 1)
        return -EINVAL;
    return all.p[0] ? read_ipv4(spec, all, r, out) : take_name(all, r, out);
}

#define DOMAIN_REASON "no domain name; expected labels of letters, digits, - and _ like lab.example"
static const struct kind kinds[DHCP_KINDS] = {
    [DHCP_KIND_HEX] = {"hex", "no bytes; expected pairs of hexadecimal digits like 0a0b or 0a:0b", write_hex,
                       read_hex},
    [DHCP_KIND_TEXT] = {"text", "no text; expected at least one character, and no control characters",
                        write_text, read_text},
    [DHCP_KIND_BOOL] = {"bool", "neither yes nor no; expected one of them", write_bool, read_bool},
    /* Numbers have no reason here: their range is that of the option. */
    [DHCP_KIND_U8] = {"u8", NULL, write_number, read_number},
    [DHCP_KIND_U16] = {"u16", NULL, write_number, read_number},
    [DHCP_KIND_U32] = {"u32", NULL, write_number, read_number},
    [DHCP_KIND_S32] = {"s32",
                       "no number from -2147483648 to 2147483647 in decimal digits without leading zeros",
                       write_signed, read_signed},
    [DHCP_KIND_IPV4] = {"ipv4", "no IPv4 address; expected four numbers like 192.168.7.11", write_ipv4,
                        read_ipv4},
    [DHCP_KIND_PAIR] = {"ipv4_pair",
                        "no pair of IPv4 addresses; expected two with a blank between, like \"10.0.0.0 "
                        "192.168.7.1\"",
                        write_pair, read_pair},
    [DHCP_KIND_DOMAIN] = {"domain", DOMAIN_REASON, write_domain, read_domain},
    [DHCP_KIND_SEARCH] = {"domain_search", DOMAIN_REASON, write_domain, read_domain},
    [DHCP_KIND_ROUTE] = {"route",
                         "no route; expected a network and its gateway like \"10.0.0.0/8 via 192.168.7.1\", "
                         "or \"default via 192.168.7.1\"",
                         write_route, read_route},
    [DHCP_KIND_SIP] = {"sip", "no SIP server; expected domain names, or IPv4 addresses, not both", write_sip,
                       read_sip},
};

const char *dhcp_kind_name(enum dhcp_kind kind)
{
    return kinds[kind].name;
}

int dhcp_kind_find(const char *name)
{
    for (int kind = 0; kind < DHCP_KINDS; kind++)
        if (str_eq(kinds[kind].name, name))
            return kind;
    return -ENOENT;
}

/* Writes down what is wrong; returns -EINVAL. */
static int fault(struct dhcp_option_fault *ret_fault, size_t index, const char *reason)
{
    ret_fault->index = index;
    snprintf(ret_fault->reason, sizeof(ret_fault->reason), "%s", reason);
    return -EINVAL;
}

static int bad_value(struct dhcp_option_fault *ret_fault, size_t index, const struct dhcp_option_spec *spec)
{
    if (kinds[spec->kind].reason)
        return fault(ret_fault, index, kinds[spec->kind].reason);
    ret_fault->index = index;
    snprintf(ret_fault->reason, sizeof(ret_fault->reason),
             "no number from %u to %u in decimal digits without leading zeros", spec->min,
             number_max[number_size(spec)]);
    return -EINVAL;
}

int dhcp_option_encode(const struct dhcp_option_spec *spec, const char *const *values, size_t n, void *data,
                       size_t size, struct dhcp_option_fault *ret_fault)
{
    uint8_t bytes[DHCP_OPTION_DATA_MAX];
    struct writer w = writer_of(bytes, size < sizeof(bytes) ? size : sizeof(bytes));
    if (n == 0)
        return fault(ret_fault, n, "without a value; expected one");
    if (n > 1 && !spec->list)
        return fault(ret_fault, n, "a list; expected one value");
    for (size_t i = 0; i < n && !w.failed; i++)
        if (kinds[spec->kind].write(spec, values[i], &w) < 0)
            return bad_value(ret_fault, i, spec);
    if (w.failed) {
        fault(ret_fault, n, "longer than a DHCP message can carry; expected at most 1200 bytes");
        return -E2BIG;
    }
    if (w.used)
        memcpy(data, bytes, w.used);
    return (int)w.used;
}

void dhcp_option_texts_clear(struct dhcp_option_texts *texts)
{
    VEC_EACH(text, &texts->list)
        free(*text);
    VEC_FREE(&texts->list);
}

static int read_values(const struct dhcp_option_spec *spec, struct reader all,
                       struct dhcp_option_texts *texts)
{
    struct reader r = all;
    do {
        struct str text = {0};
        int failed = r.left ? kinds[spec->kind].read(spec, all, &r, &text) : -EINVAL;
        VEC_PUSH(&texts->list, str_steal(&text));
        if (failed < 0)
            return failed;
    } while (r.left);
    return texts->list.n > 1 && !spec->list ? -EINVAL : 0;
}

enum dhcp_kind dhcp_option_values(const struct dhcp_option_spec *spec, const void *data, size_t size,
                                  struct dhcp_option_texts *ret_texts)
{
    *ret_texts = (struct dhcp_option_texts){0};
    if (read_values(spec, reader_of(data, size), ret_texts) == 0)
        return spec->kind;
    dhcp_option_texts_clear(ret_texts);
    struct str text = {0};
    struct reader r = reader_of(data, size);
    read_hex(spec, r, &r, &text);
    VEC_PUSH(&ret_texts->list, str_steal(&text));
    return DHCP_KIND_HEX;
}

char *dhcp_option_format(uint8_t code, const void *data, size_t size)
{
    struct dhcp_option_spec spec = dhcp_option_by_code(code);
    struct dhcp_option_texts texts;
    struct str line = {0};
    const uint8_t *bytes = data;
    if (size == 0)
        return xstrdup("(empty)");
    /* Some servers end texts with a NUL (RFC 2132 §2 asks them not to, and receivers to bear it). */
    if (spec.kind == DHCP_KIND_TEXT && size > 1 && bytes[size - 1] == '\0')
        size--;
    enum dhcp_kind kind = dhcp_option_values(&spec, data, size, &texts);
    str_add(&line, texts.list.n > 1 ? "[" : kind == DHCP_KIND_HEX ? "0x" : "");
    for (size_t i = 0; i < texts.list.n; i++)
        str_printf(&line, "%s%s", i ? ", " : "", texts.list.items[i]);
    str_add(&line, texts.list.n > 1 ? "]" : "");
    dhcp_option_texts_clear(&texts);
    return str_steal(&line);
}
