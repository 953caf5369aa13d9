/* Growable arrays of any type, as a struct with `items`, `n` and `cap`:
 *
 *     VEC(struct node) nodes = {0};
 *     struct node *n = VEC_ADD(&nodes);     zeroed; aborts when memory is gone
 *     VEC_EACH(n, &nodes) ...
 *     VEC_FREE(&nodes);                     frees the array, not what its items own
 *
 * Memory: building definitions and images allocates through these and through base/str.h, which end the
 * program when the allocator fails; the serving path allocates with malloc and handles NULL, so that there
 * one request is lost.
 */
#pragma once

#include <stddef.h>

#define VEC(type)                                                                                            \
    struct {                                                                                                 \
        type *items;                                                                                         \
        size_t n, cap;                                                                                       \
    }

/* Returns `items`, moved where needed, with room for one more item of `size` bytes, which is zeroed and
 * counted. Internal to VEC_ADD. */
void *vec_grow(void *items, size_t *n, size_t *cap, size_t size);

#define VEC_ADD(v)                                                                                           \
    ((v)->items = vec_grow((v)->items, &(v)->n, &(v)->cap, sizeof(*(v)->items)), (v)->items + (v)->n - 1)
#define VEC_PUSH(v, value) (*VEC_ADD(v) = (value))
#define VEC_EACH(it, v)    for (__typeof__((v)->items + 0) it = (v)->items; it && it < (v)->items + (v)->n; it++)
#define VEC_FREE(v)        (free((v)->items), (v)->items = NULL, (v)->n = (v)->cap = 0)
