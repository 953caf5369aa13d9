/* What the checks of the whole site share. Internal to src/config. */
#pragma once

#include "config/documents.h"

struct check {
    struct mapper *m;
    struct site *site;
    const char *dir, *share_dir; /* where kernel fragments are; share_dir may be NULL */
    bool subnets_known;          /* all prefixes are right, so that an address outside them is a mistake */
    int r;
};

/* The place of one value of an object. */
static inline struct pos at(const struct check *c, const struct pos *owner, const char *key, size_t index)
{
    return marks_find(c->m->marks, owner, key, index);
}

#define FAIL(c, where, ...) ((c)->r = map_error((c)->m, where, __VA_ARGS__))
/* The same at a value whose place is looked for only now: in a large site that takes a while. */
#define FAIL_AT(c, owner, key, index, ...)                                                                   \
    do {                                                                                                     \
        struct pos fail_at_ = at(c, owner, key, index);                                                      \
        FAIL(c, &fail_at_, __VA_ARGS__);                                                                     \
    } while (0)

/* An optional name (NULL: none) must be that of something. */
enum ref { REF_PROFILE, REF_IMAGE, REF_KERNEL, REF_CLASS };
void check_ref(struct check *c, enum ref ref, const char *name, const struct pos *owner, const char *key);

/* Whether the address is one that a host of the network can have. */
bool is_host_address(const struct ipv4_prefix *prefix, ipv4_t address);

/* All subnets: how pools, routers and relays lie, times, and what goes with what. Sets `subnets_known`. */
void check_subnets(struct check *c);
