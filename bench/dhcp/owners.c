/* See owners.h. Open addressing; an address that was given up keeps its slot, with a MAC of zeroes. */
#include "dhcp/owners.h"
#include "base/str.h"

static const struct mac nobody;

void owners_make(struct owners *o, size_t n)
{
    o->size = 1024;
    while (o->size < 2 * n)
        o->size *= 2;
    o->used = 0;
    o->slots = xcalloc(o->size, sizeof(*o->slots));
}

void owners_free(struct owners *o)
{
    free(o->slots);
    *o = (struct owners){0};
}

static struct owner *slot_of(struct owners *o, ipv4_t ip)
{
    size_t i = (ip * 0x9e3779b1U) & (o->size - 1);
    while (o->slots[i].ip && o->slots[i].ip != ip)
        i = (i + 1) & (o->size - 1);
    return &o->slots[i];
}

static void grow(struct owners *o)
{
    struct owners larger;
    owners_make(&larger, o->size);
    for (size_t i = 0; i < o->size; i++)
        if (o->slots[i].ip) {
            *slot_of(&larger, o->slots[i].ip) = o->slots[i];
            larger.used++;
        }
    free(o->slots);
    *o = larger;
}

const struct mac *owners_take(struct owners *o, ipv4_t ip, const struct mac *mac)
{
    struct owner *slot = slot_of(o, ip);
    if (slot->ip && !mac_equal(&slot->mac, &nobody))
        return mac_equal(&slot->mac, mac) ? NULL : &slot->mac;
    o->used += slot->ip == 0;
    *slot = (struct owner){ip, *mac};
    if (o->used > o->size * 3 / 4)
        grow(o);
    return NULL;
}

void owners_give_up(struct owners *o, ipv4_t ip, const struct mac *mac)
{
    struct owner *slot = slot_of(o, ip);
    if (slot->ip && mac_equal(&slot->mac, mac))
        slot->mac = nobody;
}
