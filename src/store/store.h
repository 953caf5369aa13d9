/* The store: what happened. Leases, boots, and what nodes reported. The only door to the database behind it.
 *
 * A write is durable when store_commit returns: one call is one transaction, so many writes share one sync
 * (group commit). Nobody waits on anything else here. A store is used by one thread at a time.
 *
 * What anybody on the network can add to is limited: of boots the last STORE_BOOTS_MAX or a little more are
 * kept, with their events and reports; of a boot's events the first STORE_EVENTS_MAX.
 */
#pragma once

#include "base/diag.h"
#include "model/boot.h"
#include "model/lease.h"

#include <stddef.h>

enum { STORE_BOOTS_MAX = 100000, STORE_EVENTS_MAX = 500 };

struct store;

/* Opens or creates the database file; migrates an older schema in one transaction. A newer schema or a
 * damaged file is refused with what to do (a copy `FILE.damaged-N` of each damaged state is kept). 0 or
 * -errno with `diags`. */
int store_open(const char *path, struct diags *diags, struct store **ret_store);
void store_close(struct store *store);
DEFINE_CLEANUP(struct store *, store_close);

enum store_op_kind {
    STORE_LEASE_PUT,    /* inserts or replaces by address */
    STORE_LEASE_DELETE, /* by address */
    STORE_BOOT_BEGIN,
    STORE_BOOT_EVENT, /* without effect when the boot has STORE_EVENTS_MAX of them */
    STORE_REPORT,     /* the last report of a node, as its JSON text */
};

struct store_op {
    enum store_op_kind kind;
    union {
        struct lease lease;
        struct boot boot;
        struct boot_event event;
        struct {
            uint64_t boot;
            int64_t at_us;
            char *json; /* owned by the op; freed by store_op_clear */
        } report;
    };
};
void store_op_clear(struct store_op *op);

/* Does them all, in order, in one transaction that is on stable storage when this returns 0. On failure
 * nothing was done: -ENOSPC, -EIO, ... */
int store_commit(struct store *store, const struct store_op *ops, size_t n);

/* Calls `each` for every lease; a negative result of it ends the walk and is returned. */
int store_each_lease(struct store *store, int (*each)(void *user, const struct lease *lease), void *user);
/* The last `limit` boots, newest first; node NULL: of all. */
int store_each_boot(struct store *store, const char *node, unsigned limit,
                    int (*each)(void *user, const struct boot *boot), void *user);
int store_each_boot_event(struct store *store, uint64_t boot,
                          int (*each)(void *user, const struct boot_event *event), void *user);
