/* What the server learns of machines: it hears what they are made of, tells serve/fitted, and whoever makes
 * kernels for their classes. The store and the log are daemon/events'. */
#pragma once

#include "daemon/generations.h"
#include "publish/publish.h"
#include "serve/boot.h"
#include "serve/fitted.h"
#include "store/store.h"

struct learning;

struct learning_config {
    struct generations *generations;
    struct boot_table *boots;
    struct event_sink *sink;
    uint64_t (*random)(void *user);
    /* A machine that boots a fitted profile is of this hardware class, and the generation has no kernel of
     * it. Called from any thread, also many times for one class: each time a machine of it reports, and when
     * a generation is published. It must not wait. NULL: nobody makes kernels. */
    void (*on_class)(void *user, const char *hardware_class);
    void *user;
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
/* Another generation is current. The loop's thread. */
void learning_generation(struct learning *learning, const struct generation *generation);
/* Every few seconds. */
void learning_tick(struct learning *learning, const struct moment *now);

/* `source`, which must outlive it, for publishing: it knows which kernels have proven themselves. */
struct artifact_source learning_source(struct learning *learning, const struct artifact_source *source);
