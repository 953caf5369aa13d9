/* What the server learns of machines: it hears what they are made of, tells serve/fitted. The store and the
 * log are daemon/events'. */
#pragma once

#include "publish/publish.h"
#include "serve/boot.h"
#include "serve/fitted.h"
#include "store/store.h"

struct learning;

struct learning_config {
    struct boot_table *boots;
    struct event_sink *sink;
    uint64_t (*random)(void *user);
};

/* NULL: memory is gone. `config` is copied. */
struct learning *learning_new(const struct learning_config *config);
void learning_free(struct learning *learning);
struct fitted *learning_fitted(struct learning *learning);

/* Machines and trials of the store, at the start. `site` may be NULL: nothing is published. 0 or -errno. */
int learning_load(struct learning *learning, struct store *store, const struct moment *now,
                  const struct site *site);

/* Every event, after it was told of. Any thread. */
void learning_observe(struct learning *learning, const struct event *event);
/* Every few seconds. */
void learning_tick(struct learning *learning, const struct moment *now);

/* `source`, which must outlive it, for publishing: it knows which kernels have proven themselves. */
struct artifact_source learning_source(struct learning *learning, const struct artifact_source *source);
