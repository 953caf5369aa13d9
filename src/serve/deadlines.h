/* Deadlines of many things, the first due at hand: a heap of items that live in their owners. The times stand
 * in the heap too, four siblings in a row, so that to order them thousands of owners need not be looked at.
 *
 * Most deadlines are put off again and again before they are reached (a packet came, a lease was renewed). So
 * an item may be in the heap with an earlier time than its owner's real one: putting a deadline off costs
 * nothing, and whoever finds an item due looks at the owner and puts it off then.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct deadline {
    uint64_t at_us; /* monotonic; not later than the owner's real deadline */
    size_t place;   /* from 1; 0: in no heap */
};

struct deadline_entry {
    uint64_t at_us; /* the item's */
    struct deadline *item;
};

struct deadlines {
    struct deadline_entry *heap;
    size_t n, cap;
};

/* Room for n items altogether. 0 or -ENOMEM. Everything else never fails. */
int deadlines_reserve(struct deadlines *d, size_t n);
void deadlines_free(struct deadlines *d);

/* Puts the item in, or moves it to an earlier time; a later one changes nothing (see above). There must be
 * room. */
void deadlines_set(struct deadlines *d, struct deadline *item, uint64_t at_us);
/* Moves an item that is in to a later time. */
void deadlines_put_off(struct deadlines *d, struct deadline *item, uint64_t at_us);
/* Takes it out, if it is in. */
void deadlines_remove(struct deadlines *d, struct deadline *item);
/* The item that is due first; NULL: none. */
static inline struct deadline *deadlines_first(const struct deadlines *d)
{
    return d->n ? d->heap[0].item : NULL;
}

/* The owner of an item: DEADLINE_OWNER(item, struct transfer, deadline). */
#define DEADLINE_OWNER(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))
