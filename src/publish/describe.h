/* A site and its artifacts as flat facts, so that two of them can be compared. Internal to src/publish. */
#pragma once

#include "model/generation.h"

/* One thing of the site, as `key value` pairs in a fixed order. */
struct fact {
    char *key, *text;
};
struct thing {
    unsigned rank;    /* order of the kinds in a diff */
    const char *kind; /* a constant: `node` */
    char *name;       /* empty for the one server */
    VEC(struct fact) facts;
    const struct generation_artifact *artifact; /* of an image or a kernel; NULL: another kind of thing */
};
struct things {
    VEC(struct thing) list; /* sorted by rank and name */
};
void things_clear(struct things *things);
static inline void things_cleanup(struct things *things)
{
    things_clear(things);
}
#define cleanup_things __attribute__((cleanup(things_cleanup)))

/* The artifacts must outlive the result. */
void things_of(const struct site *site, const struct generation_artifact *artifacts, size_t n,
               struct things *ret_things);

/* The lines of generation_diff (publish.h); the caller's. */
char *things_diff(const struct things *from, const struct things *to);
