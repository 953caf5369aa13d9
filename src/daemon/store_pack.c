/* See daemon/store_pack.h. */
#include "daemon/store_pack.h"
#include "base/cleanup.h"

#include <string.h>

enum { FIELDS_MAX = 8 };

/* Fields that are seldom full, in the order of their places; each is written as its length and that many
 * bytes. All other bytes of the operation are written as they are. */
struct field {
    size_t at, size;
};
#define FIELD(path)                                                                                          \
    {                                                                                                        \
        offsetof(struct store_op, path), sizeof(((struct store_op *)NULL)->path)                             \
    }
#define END_OF(member) (offsetof(struct store_op, member) + sizeof(((struct store_op *)NULL)->member))

static const struct kind {
    size_t size; /* of the operation with the member of its kind; 0: of the longest */
    struct field fields[FIELDS_MAX];
} kinds[] = {
    [STORE_LEASE_PUT] = {END_OF(lease), {FIELD(lease.client.b), FIELD(lease.hostname)}},
    [STORE_BOOT_BEGIN] = {END_OF(boot), {FIELD(boot.node)}},
    [STORE_BOOT_EVENT] = {END_OF(event), {FIELD(event.what), FIELD(event.detail)}},
    [STORE_REPORT] = {END_OF(report), {{0}}},
    [STORE_MACHINE_PUT] = {END_OF(machine), {FIELD(machine.node)}},
    [STORE_TRIAL_PUT] = {END_OF(trial), {FIELD(trial.node), FIELD(trial.stage)}},
};

static const struct kind *kind_of(const struct store_op *op)
{
    static const struct kind whole = {0};
    return (size_t)op->kind < ARRAY_SIZE(kinds) ? &kinds[op->kind] : &whole;
}

/* Its bytes that say something. */
static size_t used(const struct store_op *op, const struct field *field)
{
    const uint8_t *b = (const uint8_t *)op + field->at;
    if (op->kind == STORE_LEASE_PUT && field->at == offsetof(struct store_op, lease.client.b))
        return op->lease.client.size <= field->size ? op->lease.client.size : field->size;
    return strnlen((const char *)b, field->size);
}

size_t store_packed_size(const struct store_op *op)
{
    const struct kind *kind = kind_of(op);
    size_t size = kind->size ? kind->size : sizeof(*op);
    for (const struct field *f = kind->fields; f < kind->fields + FIELDS_MAX && f->size; f++)
        size = size - f->size + sizeof(uint16_t) + used(op, f);
    return size;
}

static uint8_t *put(uint8_t *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

uint8_t *store_pack(const struct store_op *op, uint8_t *to)
{
    const struct kind *kind = kind_of(op);
    const uint8_t *from = (const uint8_t *)op;
    size_t at = 0, size = kind->size ? kind->size : sizeof(*op);
    for (const struct field *f = kind->fields; f < kind->fields + FIELDS_MAX && f->size; f++) {
        uint16_t n = (uint16_t)used(op, f);
        to = put(to, from + at, f->at - at);
        to = put(to, &n, sizeof(n));
        to = put(to, from + f->at, n);
        at = f->at + f->size;
    }
    return put(to, from + at, size - at);
}

static const uint8_t *get(const uint8_t *from, void *to, size_t size)
{
    memcpy(to, from, size);
    return from + size;
}

const uint8_t *store_unpack(const uint8_t *from, struct store_op *ret_op)
{
    memcpy(&ret_op->kind, from, sizeof(ret_op->kind)); /* the first member is never cut */
    const struct kind *kind = kind_of(ret_op);
    uint8_t *to = (uint8_t *)ret_op;
    size_t at = 0, size = kind->size ? kind->size : sizeof(*ret_op);
    for (const struct field *f = kind->fields; f < kind->fields + FIELDS_MAX && f->size; f++) {
        uint16_t n;
        from = get(from, to + at, f->at - at);
        from = get(from, &n, sizeof(n));
        from = get(from, to + f->at, n);
        if (n < f->size)
            to[f->at + n] = '\0';
        at = f->at + f->size;
    }
    return get(from, to + at, size - at);
}
