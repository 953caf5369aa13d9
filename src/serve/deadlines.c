/* See serve/deadlines.h. */
#include "serve/deadlines.h"

#include <errno.h>
#include <stdlib.h>

enum { CHILDREN = 4 };

int deadlines_reserve(struct deadlines *d, size_t n)
{
    size_t cap = d->cap ? d->cap : 64;
    if (n <= d->cap)
        return 0;
    while (cap < n)
        cap *= 2;
    struct deadline_entry *heap = realloc(d->heap, cap * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    d->heap = heap;
    d->cap = cap;
    return 0;
}

void deadlines_free(struct deadlines *d)
{
    free(d->heap);
    *d = (struct deadlines){0};
}

static void put(struct deadlines *d, size_t i, struct deadline_entry entry)
{
    d->heap[i] = entry;
    entry.item->place = i + 1;
}

static struct deadline_entry entry_of(struct deadline *item)
{
    return (struct deadline_entry){item->at_us, item};
}

static void up(struct deadlines *d, struct deadline *item)
{
    size_t i = item->place - 1;
    for (; i && d->heap[(i - 1) / CHILDREN].at_us > item->at_us; i = (i - 1) / CHILDREN)
        put(d, i, d->heap[(i - 1) / CHILDREN]);
    put(d, i, entry_of(item));
}

/* The child of i that is due first; there is one. */
static size_t first_child(const struct deadlines *d, size_t i)
{
    size_t first = CHILDREN * i + 1, end = first + CHILDREN < d->n ? first + CHILDREN : d->n;
    for (size_t child = first + 1; child < end; child++)
        if (d->heap[child].at_us < d->heap[first].at_us)
            first = child;
    return first;
}

static void down(struct deadlines *d, struct deadline *item)
{
    size_t i = item->place - 1;
    while (CHILDREN * i + 1 < d->n) {
        size_t child = first_child(d, i);
        if (d->heap[child].at_us >= item->at_us)
            break;
        put(d, i, d->heap[child]);
        i = child;
    }
    put(d, i, entry_of(item));
}

void deadlines_set(struct deadlines *d, struct deadline *item, uint64_t at_us)
{
    if (item->place && item->at_us <= at_us)
        return;
    item->at_us = at_us;
    if (!item->place)
        put(d, d->n++, entry_of(item));
    up(d, item);
}

void deadlines_put_off(struct deadlines *d, struct deadline *item, uint64_t at_us)
{
    item->at_us = at_us;
    down(d, item);
}

void deadlines_remove(struct deadlines *d, struct deadline *item)
{
    if (!item->place)
        return;
    struct deadline *last = d->heap[--d->n].item;
    size_t place = item->place;
    item->place = 0;
    if (last == item)
        return;
    put(d, place - 1, entry_of(last));
    up(d, last);
    down(d, last);
}
