/* See daemon/generations.h. */
#include "daemon/generations.h"

#include <string.h>

void generations_init(struct generations *g)
{
    *g = (struct generations){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void generations_clear(struct generations *g)
{
    for (size_t i = 0; i < GENERATIONS_HELD; i++)
        generation_unref(g->held[i]);
    memset((void *)g->held, 0, sizeof(g->held));
    g->current = NULL;
}

/* Puts it at place `at`, without what had its number before. Returns what fell out; to be dropped unlocked.
 */
static struct generation *insert(struct generations *g, struct generation *generation, size_t at)
{
    size_t end = 0;
    while (end < GENERATIONS_HELD - 1 && g->held[end] && g->held[end]->number != generation->number)
        end++;
    struct generation *out = g->held[end];
    if (at > end)
        at = end;
    memmove((void *)(g->held + at + 1), (const void *)(g->held + at), (end - at) * sizeof(*g->held));
    g->held[at] = generation;
    return out;
}

void generations_publish(struct generations *g, struct generation *generation)
{
    pthread_mutex_lock(&g->lock);
    struct generation *out = insert(g, generation, 0);
    g->current = generation;
    pthread_mutex_unlock(&g->lock);
    generation_unref(out);
}

void generations_hold(struct generations *g, struct generation *generation)
{
    pthread_mutex_lock(&g->lock);
    struct generation *out = insert(g, generation, GENERATIONS_HELD - 1);
    pthread_mutex_unlock(&g->lock);
    generation_unref(out);
}

static struct generation *get(void *user, unsigned number)
{
    struct generations *g = user;
    struct generation *found = NULL;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < GENERATIONS_HELD && !found; i++)
        if (g->held[i] && (number ? g->held[i]->number == number : g->held[i] == g->current))
            found = generation_ref(g->held[i]);
    pthread_mutex_unlock(&g->lock);
    return found;
}

struct generation_source generations_source(struct generations *g)
{
    return (struct generation_source){.get = get, .user = g};
}
