/* What happens to trials, in its order, until it is told; and the words for it. Internal to serve/fitted.c,
 * which holds the lock while it adds and takes, and not while it tells. */
#pragma once

#include "base/str.h"
#include "serve/event.h"
#include "serve/trials.h"

/* One piece. */
struct told {
    struct moment at;
    struct trial trial;
    struct mac mac; /* whom it is about: mostly the one that tries it */
    char node[64];
    uint64_t boot;
    char text[200]; /* empty: nothing for people, only for the store */
    struct told *next;
};

struct trial_news {
    struct told *first, *last; /* the oldest, the youngest; without a first there is no last */
};

/* One more about this trial, as it is now, without words. NULL: memory is gone, and nobody is told. */
struct told *trial_news_add(struct trial_news *news, const struct moment *now,
                            const struct trial_entry *entry);
/* Its words for people; NULL is allowed. */
void trial_news_note(struct told *told, const char *fmt, ...) PRINTF(2, 3);
/* It began; it is over, and `reason` says why unless it is proven. */
enum trial_reason { TRIAL_TIME_IS_UP, TRIAL_ANOTHER_BOOT, TRIAL_ANOTHER_KERNEL };
void trial_news_begin(struct trial_news *news, const struct moment *now, const struct trial_entry *entry);
void trial_news_end(struct trial_news *news, const struct moment *now, const struct trial_entry *entry,
                    enum trial_reason reason);
/* Takes the oldest out; the caller's to free. NULL: there is none. */
struct told *trial_news_take(struct trial_news *news);
