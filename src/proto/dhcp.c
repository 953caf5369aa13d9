/* DHCP messages; the contract is in proto/dhcp.h. */
#include "proto/dhcp.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>

#define COOKIE    0x63825363
#define BOOTP_MIN 300 /* RFC 1542 §2.1 */

const char *dhcp_type_name(unsigned type)
{
    static const char *const names[DHCP_TYPE_COUNT] = {"BOOTP", "DISCOVER", "OFFER",   "REQUEST", "DECLINE",
                                                       "ACK",   "NAK",      "RELEASE", "INFORM"};
    return type < DHCP_TYPE_COUNT ? names[type] : "unknown";
}

const char *dhcp_defect_name(enum dhcp_defect defect)
{
    static const char *const names[DHCP_DEFECT_COUNT] = {
        [DHCP_OK] = "ok",
        [DHCP_TOO_SHORT] = "too-short",
        [DHCP_TOO_LONG] = "too-long",
        [DHCP_BAD_OP] = "bad-op",
        [DHCP_BAD_HLEN] = "bad-hlen",
        [DHCP_BAD_COOKIE] = "bad-cookie",
        [DHCP_BAD_OPTION] = "bad-option",
        [DHCP_BAD_OVERLOAD] = "bad-overload",
        [DHCP_BAD_TYPE] = "bad-type",
    };
    return names[defect];
}

/* Walks one field of options. Each part is handed to `each` in order. DHCP_BAD_OPTION when one goes past the
 * end. */
static enum dhcp_defect walk(struct reader r, struct dhcp_packet *p,
                             void (*each)(struct dhcp_packet *p, uint8_t code, const uint8_t *b,
                                          uint8_t size))
{
    while (r.left) {
        uint8_t code = reader_u8(&r);
        if (code == DHCP_PAD)
            continue;
        if (code == DHCP_END)
            return DHCP_OK;
        uint8_t size = reader_u8(&r);
        const uint8_t *b = reader_take(&r, size);
        if (r.failed)
            return DHCP_BAD_OPTION;
        each(p, code, b, size);
    }
    return DHCP_OK; /* END is missing: harmless, since the field's end is known */
}

static void add_size(struct dhcp_packet *p, uint8_t code, const uint8_t *b, uint8_t size)
{
    p->present[code / 8] |= (uint8_t)(1 << code % 8);
    p->slot[code].size = (uint16_t)(p->slot[code].size + size);
}

/* `size` counts up again from 0 here: it is the place of the next part. */
static void add_bytes(struct dhcp_packet *p, uint8_t code, const uint8_t *b, uint8_t size)
{
    struct dhcp_slot *slot = &p->slot[code];
    if (size)
        memcpy(p->data + slot->offset + slot->size, b, size);
    slot->size = (uint16_t)(slot->size + size);
}

/* The fields that hold options, in the order in which parts are joined (RFC 3396 §5). */
struct fields {
    struct reader field[3];
    size_t n;
};

static enum dhcp_defect join(const struct fields *fields, struct dhcp_packet *p)
{
    memset(p->present, 0, sizeof(p->present));
    memset(p->slot, 0, sizeof(p->slot));
    for (size_t i = 0; i < fields->n; i++) {
        enum dhcp_defect defect = walk(fields->field[i], p, add_size);
        if (defect != DHCP_OK)
            return defect;
    }
    uint16_t offset = 0; /* never more than the message, which is at most DHCP_PACKET_MAX */
    for (unsigned code = 0; code < 256; code++) {
        p->slot[code].offset = offset;
        offset = (uint16_t)(offset + p->slot[code].size);
        p->slot[code].size = 0;
    }
    p->data_size = offset;
    for (size_t i = 0; i < fields->n; i++)
        (void)walk(fields->field[i], p, add_bytes);
    return DHCP_OK;
}

/* D15, RFC 2132 §9.3: bit 0: `file` holds options, bit 1: `sname` does. `file` comes first. */
static enum dhcp_defect overload(struct dhcp_packet *p, const uint8_t *sname, const uint8_t *file,
                                 unsigned *ret_bits)
{
    uint8_t bits = 0;
    if (dhcp_has(p, DHCP_OVERLOAD) && (!dhcp_get_u8(p, DHCP_OVERLOAD, &bits) || bits < 1 || bits > 3))
        return DHCP_BAD_OVERLOAD;
    if (!(bits & 1))
        memcpy(p->file, file, 128);
    if (!(bits & 2))
        memcpy(p->sname, sname, 64);
    *ret_bits = bits;
    return DHCP_OK;
}

static enum dhcp_defect parse_options(struct reader options, const uint8_t *sname, const uint8_t *file,
                                      struct dhcp_packet *p)
{
    struct fields fields = {.field = {options}, .n = 1};
    unsigned bits;
    enum dhcp_defect defect = join(&fields, p);
    if (defect == DHCP_OK)
        defect = overload(p, sname, file, &bits);
    if (defect != DHCP_OK)
        return defect;
    if (bits & 1)
        fields.field[fields.n++] = reader_of(file, 128);
    if (bits & 2)
        fields.field[fields.n++] = reader_of(sname, 64);
    if (fields.n > 1) {
        defect = join(&fields, p);
        if (defect != DHCP_OK)
            return defect;
    }
    uint8_t type = DHCP_BOOTP;
    if (dhcp_has(p, DHCP_MESSAGE_TYPE) &&
        (!dhcp_get_u8(p, DHCP_MESSAGE_TYPE, &type) || type < DHCP_DISCOVER || type > DHCP_INFORM))
        return DHCP_BAD_TYPE;
    p->type = type;
    return DHCP_OK;
}

enum dhcp_defect dhcp_parse(const void *data, size_t size, struct dhcp_packet *ret_packet)
{
    struct dhcp_packet *p = ret_packet;
    struct reader r = reader_of(data, size);
    if (size > DHCP_PACKET_MAX)
        return DHCP_TOO_LONG;
    p->op = reader_u8(&r);
    p->htype = reader_u8(&r);
    p->hlen = reader_u8(&r);
    p->hops = reader_u8(&r);
    p->xid = reader_u32(&r);
    p->secs = reader_u16(&r);
    p->flags = reader_u16(&r);
    p->ciaddr = reader_u32(&r);
    p->yiaddr = reader_u32(&r);
    p->siaddr = reader_u32(&r);
    p->giaddr = reader_u32(&r);
    const uint8_t *chaddr = reader_take(&r, sizeof(p->chaddr));
    const uint8_t *sname = reader_take(&r, 64);
    const uint8_t *file = reader_take(&r, 128);
    uint32_t cookie = reader_u32(&r);
    if (r.failed)
        return DHCP_TOO_SHORT;
    if (p->op != DHCP_BOOTREQUEST && p->op != DHCP_BOOTREPLY)
        return DHCP_BAD_OP;
    if (p->hlen > sizeof(p->chaddr))
        return DHCP_BAD_HLEN;
    if (cookie != COOKIE)
        return DHCP_BAD_COOKIE;
    memcpy(p->chaddr, chaddr, sizeof(p->chaddr));
    memset(p->sname, 0, sizeof(p->sname));
    memset(p->file, 0, sizeof(p->file));
    return parse_options(r, sname, file, p);
}

struct reader dhcp_option(const struct dhcp_packet *p, uint8_t code)
{
    if (!dhcp_has(p, code))
        return (struct reader){.failed = true};
    return reader_of(p->data + p->slot[code].offset, p->slot[code].size);
}

bool dhcp_get_u8(const struct dhcp_packet *p, uint8_t code, uint8_t *ret_value)
{
    struct reader r = dhcp_option(p, code);
    if (r.failed || r.left != 1)
        return false;
    *ret_value = reader_u8(&r);
    return true;
}

bool dhcp_get_u16(const struct dhcp_packet *p, uint8_t code, uint16_t *ret_value)
{
    struct reader r = dhcp_option(p, code);
    if (r.failed || r.left != 2)
        return false;
    *ret_value = reader_u16(&r);
    return true;
}

bool dhcp_get_u32(const struct dhcp_packet *p, uint8_t code, uint32_t *ret_value)
{
    struct reader r = dhcp_option(p, code);
    if (r.failed || r.left != 4)
        return false;
    *ret_value = reader_u32(&r);
    return true;
}

bool dhcp_begins(const struct dhcp_packet *p, uint8_t code, const char *text)
{
    struct reader r = dhcp_option(p, code);
    size_t n = strlen(text);
    return !r.failed && r.left >= n && memcmp(r.p, text, n) == 0;
}

bool dhcp_user_class(const struct dhcp_packet *p, bool (*is)(struct reader class, void *user), void *user)
{
    struct reader r = dhcp_option(p, DHCP_USER_CLASS);
    if (r.failed)
        return false;
    if (is(r, user))
        return true;
    while (r.left) {
        struct reader one = reader_sub(&r, reader_u8(&r));
        if (r.failed)
            return false;
        if (is(one, user))
            return true;
    }
    return false;
}

struct reader dhcp_relay_option(const struct dhcp_packet *p, uint8_t code)
{
    struct reader r = dhcp_option(p, DHCP_RELAY_AGENT);
    while (!r.failed && r.left) {
        uint8_t found = reader_u8(&r);
        struct reader value = reader_sub(&r, reader_u8(&r));
        if (!r.failed && found == code)
            return value;
    }
    return (struct reader){.failed = true};
}

/* A host label out of bytes: what follows a NUL or a dot does not belong to it. */
static bool label_of(struct reader r, char ret_name[static 64])
{
    char name[64];
    size_t n = 0;
    if (r.failed)
        return false;
    while (n < r.left && r.p[n] != '\0' && r.p[n] != '.')
        n++;
    if (n >= sizeof(name))
        return false;
    memcpy(name, r.p, n);
    name[n] = '\0';
    if (!is_host_label(name))
        return false;
    memcpy(ret_name, name, n + 1);
    return true;
}

bool dhcp_host_name(const struct dhcp_packet *p, char ret_name[static 64])
{
    return label_of(dhcp_option(p, DHCP_HOST_NAME), ret_name);
}

bool dhcp_fqdn_label(const struct dhcp_packet *p, char ret_name[static 64])
{
    struct reader r = dhcp_option(p, DHCP_FQDN);
    uint8_t flags = reader_u8(&r);
    (void)reader_u16(&r); /* RCODE1 and 2 */
    if (r.failed)
        return false;
    if (flags & DHCP_FQDN_E) /* RFC 1035 §3.1: a length before each label */
        r = reader_sub(&r, reader_u8(&r));
    return label_of(r, ret_name);
}

bool dhcp_mac(const struct dhcp_packet *p, struct mac *ret_mac)
{
    if (p->htype != 1 || p->hlen != sizeof(ret_mac->b))
        return false;
    memcpy(ret_mac->b, p->chaddr, sizeof(ret_mac->b));
    return true;
}

/* Text into a fixed field of zeroes, always with a NUL behind it. */
static void put_field(struct writer *w, const char *text, size_t size)
{
    uint8_t *field = writer_reserve(w, size);
    size_t n = text ? strnlen(text, size - 1) : 0;
    if (!field)
        return;
    memset(field, 0, size);
    if (n)
        memcpy(field, text, n);
}

/* Bytes an option takes on the wire: two more for each part of 255. */
static size_t wire_size(size_t size)
{
    return size + 2 * (size ? (size + 254) / 255 : 1);
}

static void put_parts(struct writer *w, uint8_t code, const uint8_t *b, size_t size)
{
    do {
        size_t part = size < 255 ? size : 255;
        writer_u8(w, code);
        writer_u8(w, (uint8_t)part);
        writer_put(w, b, part);
        b += part;
        size -= part;
    } while (size);
}

static void put_header(struct writer *w, enum dhcp_op op, uint16_t secs, const struct dhcp_head *head)
{
    writer_u8(w, (uint8_t)op);
    writer_u8(w, head->htype);
    writer_u8(w, head->hlen);
    writer_u8(w, 0); /* hops */
    writer_u32(w, head->xid);
    writer_u16(w, secs);
    writer_u16(w, head->flags);
    writer_u32(w, head->ciaddr);
    writer_u32(w, head->yiaddr);
    writer_u32(w, head->siaddr);
    writer_u32(w, head->giaddr);
    writer_put(w, head->chaddr, sizeof(head->chaddr));
    put_field(w, head->sname, 64);
    put_field(w, head->file, 128);
    writer_u32(w, COOKIE);
}

void dhcp_begin(struct dhcp_writer *w, void *data, size_t size, size_t limit, const struct dhcp_head *head,
                const void *relay, size_t relay_size)
{
    *w = (struct dhcp_writer){.w = writer_of(data, size < limit ? size : limit),
                              .relay = relay,
                              .relay_size = relay_size,
                              .reserved = 1 + (relay ? wire_size(relay_size) : 0)};
    put_header(&w->w, DHCP_BOOTREPLY, 0, head);
}

void dhcp_begin_request(struct dhcp_writer *w, void *data, size_t size, const struct dhcp_head *head,
                        uint16_t secs)
{
    *w = (struct dhcp_writer){.w = writer_of(data, size), .reserved = 1};
    put_header(&w->w, DHCP_BOOTREQUEST, secs, head);
}

void dhcp_put(struct dhcp_writer *w, uint8_t code, const void *data, size_t size)
{
    size_t left = writer_left(&w->w);
    if (w->reserved > left || wire_size(size) > left - w->reserved) {
        w->dropped = true;
        return;
    }
    put_parts(&w->w, code, data, size);
}

void dhcp_put_u8(struct dhcp_writer *w, uint8_t code, uint8_t value)
{
    dhcp_put(w, code, &value, 1);
}

void dhcp_put_u16(struct dhcp_writer *w, uint8_t code, uint16_t value)
{
    dhcp_put(w, code, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

void dhcp_put_u32(struct dhcp_writer *w, uint8_t code, uint32_t value)
{
    dhcp_put_addresses(w, code, &value, 1);
}

void dhcp_put_text(struct dhcp_writer *w, uint8_t code, const char *text)
{
    if (text && *text)
        dhcp_put(w, code, text, strlen(text));
}

void dhcp_put_addresses(struct dhcp_writer *w, uint8_t code, const ipv4_t *addresses, size_t n)
{
    uint8_t b[4 * 64]; /* more of a kind are not sent */
    struct writer list = writer_of(b, sizeof(b));
    for (size_t i = 0; i < n && i < 64; i++)
        writer_u32(&list, addresses[i]);
    if (list.used)
        dhcp_put(w, code, b, list.used);
}

int dhcp_end(struct dhcp_writer *w)
{
    if (w->relay)
        put_parts(&w->w, DHCP_RELAY_AGENT, w->relay, w->relay_size);
    writer_u8(&w->w, DHCP_END);
    if (w->w.failed)
        return -ENOBUFS;
    if (w->w.used < BOOTP_MIN && w->w.size >= BOOTP_MIN)
        writer_fill(&w->w, 0, BOOTP_MIN - w->w.used);
    return (int)w->w.used;
}

size_t dhcp_size_limit(const struct dhcp_packet *p, unsigned mtu)
{
    uint16_t asked = 0;
    size_t limit = DHCP_SIZE_MIN;
    if (mtu == 0)
        mtu = 1500;
    if (mtu < DHCP_SIZE_MIN)
        mtu = DHCP_SIZE_MIN;
    if (dhcp_get_u16(p, DHCP_MAX_SIZE, &asked) && asked > limit)
        limit = asked < mtu ? asked : mtu;
    limit -= DHCP_IP_UDP_HEADER;
    return limit < DHCP_REPLY_MAX ? limit : DHCP_REPLY_MAX;
}
