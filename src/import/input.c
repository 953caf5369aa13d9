/* See import/input.h. */
#include "import/input.h"

#include <errno.h>

enum { SAID_MAX = 100000 };

/* RFC 3629 §4: the length of the character at `p`, or 0 when there is none of these bytes. */
static size_t utf8_length(const unsigned char *p, size_t size)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (n > size)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((n == 3 && p[0] == 0xe0 && p[1] < 0xa0) || (n == 3 && p[0] == 0xed && p[1] >= 0xa0) ||
        (n == 4 && p[0] == 0xf0 && p[1] < 0x90) || (n == 4 && p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

int clean_text(char *text, size_t size)
{
    if (memchr(text, '\0', size))
        return -EINVAL;
    for (size_t i = 0; i < size;) {
        size_t n = utf8_length((unsigned char *)text + i, size - i);
        if (n == 0)
            text[i] = '?';
        i += n ? n : 1;
    }
    return 0;
}

int input_say(struct input *s, enum severity severity, const struct pos *at, const char *fmt, ...)
{
    cleanup_str struct str text = {0};
    va_list args;
    if (s->said > SAID_MAX && severity != DIAG_ERROR)
        return 0;
    if (s->said++ == SAID_MAX && severity != DIAG_ERROR)
        return diag_add(s->diags, severity, at, "more than %d remarks on this file; the rest is not shown",
                        SAID_MAX);
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    return diag_add(s->diags, severity, at, "%s", str_text(&text));
}

bool input_advise(struct input *s, const struct advice *table, const char *word, const struct pos *at)
{
    for (size_t i = 0; table[i].word; i++) {
        if (!str_eq(table[i].word, word))
            continue;
        if (!(s->advised >> i & 1))
            input_lost(s, at, "%s is not taken over: %s", word, table[i].text);
        s->advised |= 1ULL << i;
        return true;
    }
    return false;
}

struct import_host *input_add(struct input *s, const struct pos *at)
{
    struct import_host *host = VEC_ADD(&s->into->hosts);
    host->pos = *at;
    return host;
}

void host_clear(struct import_host *host)
{
    free(host->name);
    free(host->cmdline);
    *host = (struct import_host){0};
}

bool lines_next(const struct input *s, struct lines *lines)
{
    if (lines->next >= s->size)
        return false;
    lines->text = s->text + lines->next;
    const char *end = memchr(lines->text, '\n', s->size - lines->next);
    lines->size = end ? (size_t)(end - lines->text) : s->size - lines->next;
    lines->next += lines->size + 1;
    lines->number++;
    if (lines->size && lines->text[lines->size - 1] == '\r')
        lines->size--;
    return true;
}

struct cursor cursor_of(const struct input *s)
{
    return (struct cursor){.p = s->text, .end = s->text + s->size, .line = 1, .column = 1};
}

void cursor_skip(struct cursor *c, size_t n)
{
    for (; n && c->p < c->end; n--, c->p++) {
        c->column++;
        if (*c->p == '\n') {
            c->line++;
            c->column = 1;
        }
    }
}

void cursor_skip_line(struct cursor *c)
{
    while (c->p < c->end && *c->p != '\n')
        cursor_skip(c, 1);
}

struct pos cursor_pos(const struct input *s, const struct cursor *c)
{
    return (struct pos){s->name, c->line, c->column};
}

/* All in one, two digits a byte. */
static int hex_run(const char *text, size_t digits, uint8_t *bytes, size_t max)
{
    if (digits % 2 || digits / 2 > max)
        return -EINVAL;
    for (size_t i = 0; i < digits / 2; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return (int)(digits / 2);
}

int hex_bytes(const char *text, uint8_t *bytes, size_t max)
{
    size_t n = 0, length = strlen(text);
    if (length == 0)
        return -EINVAL;
    if (length > 2 && !strpbrk(text, ":-"))
        return hex_run(text, length, bytes, max);
    for (;;) {
        int value = hex_value(*text), low;
        if (value < 0 || n == max)
            return -EINVAL;
        text++;
        if ((low = hex_value(*text)) >= 0) {
            value = value << 4 | low;
            text++;
        }
        bytes[n++] = (uint8_t)value;
        if (*text == '\0')
            return (int)n;
        if (*text != ':' && *text != '-')
            return -EINVAL;
        text++;
    }
}

int take_mac(struct input *s, const struct pos *at, const char *text, struct mac *ret_mac)
{
    struct mac mac;
    char shown[SHOWN_MAX];
    if (hex_bytes(text, mac.b, sizeof(mac.b)) != sizeof(mac.b)) {
        input_lost(s, at,
                   "\"%s\" is no MAC address of an Ethernet card, and rambox knows a node by that; not taken "
                   "over",
                   show_text(text, shown));
        return -EINVAL;
    }
    if (!mac_is_unicast(&mac)) {
        input_lost(s, at, "%s is not the address of one card; not taken over", show_text(text, shown));
        return -EINVAL;
    }
    *ret_mac = mac;
    return 0;
}

void take_client_id(struct input *s, const struct pos *at, const uint8_t *id, size_t size,
                    struct import_host *host)
{
    struct mac mac;
    if (size == 1 + sizeof(mac.b) && id[0] == 1) {
        memcpy(mac.b, id + 1, sizeof(mac.b));
        if (mac_is_unicast(&mac)) {
            if (!host->has_mac)
                host->mac = mac;
            host->has_mac = true;
            return;
        }
    }
    if (size == 1 + sizeof(host->uuid) && id[0] == 0) {
        memcpy(host->uuid, id + 1, sizeof(host->uuid));
        host->has_uuid = true;
        return;
    }
    input_lost(s, at,
               "the client identifier is not taken over: rambox knows a node by its MAC address, whatever "
               "identifier it sends");
}

void say_without_mac(struct input *s, const struct pos *at, const char *why, const struct import_host *host)
{
    char ip[IPV4_TEXT_MAX] = "", uuid[UUID_TEXT_MAX] = "", name[SHOWN_MAX] = "NAME";
    if (host->ip)
        ipv4_format(host->ip, ip);
    if (host->has_uuid)
        uuid_format(host->uuid, uuid);
    if (host->name)
        show_text(host->name, name);
    input_lost(s, at,
               "%s, and rambox knows a node by its MAC address: `rambox node add %s --mac MAC%s%s%s%s`", why,
               name, ip[0] ? " --ip " : "", ip, uuid[0] ? " --uuid " : "", uuid);
}
