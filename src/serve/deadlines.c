/* See serve/deadlines.h. */
#include "serve/deadlines.h"

#include <errno.h>
#include <stdlib.h>

int deadlines_reserve(struct deadlines *d, size_t n)
{
    size_t cap = d->cap ? d->cap : 64;
    if (n <= d->cap)
        return 0;
    while (cap < n)
        cap *= 2;
    struct deadline **heap = realloc(d->heap, cap * sizeof(*heap));
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

static void put(struct deadlines *d, size_t i, struct deadline *item)
{
    d->heap[i] = item;
    item->place = i + 1;
}

static void up(struct deadlines *d, struct deadline *item)
{
    size_t i = item->place - 1;
    for (; i && d->heap[(i - 1) / 2]->at_us > item->at_us; i = (i - 1) / 2)
        put(d, i, d->heap[(i - 1) / 2]);
    put(d, i, item);
}

static void down(struct deadlines *d, struct deadline *item)
{
    size_t i = item->place - 1;
    for (size_t child = 2 * i + 1; child < d->n; child = 2 * i + 1) {
        if (child + 1 < d->n && d->heap[child + 1]->at_us < d->heap[child]->at_us)
            child++;
        if (d->heap[child]->at_us >= item->at_us)
            break;
        put(d, i, d->heap[child]);
        i = child;
    }
    put(d, i, item);
}

void deadlines_set(struct deadlines *d, struct deadline *item, uint64_t at_us)
{
    if (item->place && item->at_us <= at_us)
        return;
    item->at_us = at_us;
    if (!item->place)
        put(d, d->n++, item);
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
    struct deadline *last = d->heap[--d->n];
    size_t place = item->place;
    item->place = 0;
    if (last == item)
        return;
    put(d, place - 1, last);
    up(d, last);
    down(d, last);
}
