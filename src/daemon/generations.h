/* The generations that are served: the current one, and the few before it, so that a node that was told to
 * fetch `g12/kernel/...` gets it although 13 was published meanwhile.
 *
 * One thread, that of the loop, publishes, and it answers DHCP: it reads the current generation through a
 * plain pointer that only it changes, between two packets, so no lock and no counter is on the way of a DHCP
 * reply. Other threads take a counted reference, under a mutex held for a look at eight pointers, once for a
 * file and never for a packet. Switching is one store: a request sees the old generation or the new one,
 * never both.
 */
#pragma once

#include "serve/files.h"

#include <pthread.h>

enum { GENERATIONS_HELD = 8 };

struct generations {
    pthread_mutex_t lock;
    struct generation *current;                /* owned by `held`; the loop's thread may read it as it is */
    struct generation *held[GENERATIONS_HELD]; /* most recently current first; one reference each */
};

void generations_init(struct generations *g);
void generations_clear(struct generations *g);

/* Loop's thread: makes it the current one. The reference becomes ours. One of the same number is replaced. */
void generations_publish(struct generations *g, struct generation *generation);
/* Loop's thread, at start: holds an older one too. The reference becomes ours. */
void generations_hold(struct generations *g, struct generation *generation);

/* For files_config: see there. */
struct generation_source generations_source(struct generations *g);
