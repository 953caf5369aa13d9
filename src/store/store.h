/* The store: what happened. Leases, boots, and what nodes reported. The only door to the database behind it.
 *
 * A write is durable when store_commit returns: one call is one transaction, so many writes share one sync
 * (group commit). Nobody waits on anything else here. A store is used by one thread at a time.
 *
 * What anybody on the network can add to is limited: of boots the last STORE_BOOTS_MAX or a little more are
 * kept, with their events and reports; of a boot's events the first STORE_EVENTS_MAX; of candidates those
 * seen last; of past leases the last STORE_PAST_MAX; of machines those that reported last, STORE_MACHINES_MAX
 * of them and STORE_MACHINES_BYTES of text; of trials the last STORE_TRIALS_MAX.
 */
#pragma once

#include "base/diag.h"
#include "model/boot.h"
#include "model/candidate.h"
#include "model/lease.h"
#include "model/trial.h"

#include <stddef.h>

enum {
    STORE_BOOTS_MAX = 100000,
    STORE_EVENTS_MAX = 500,
    STORE_CANDIDATES_MAX = 10000,
    STORE_PAST_MAX = 200000,
    STORE_MACHINES_MAX = 10000,
    STORE_MACHINES_BYTES = 256 << 20, /* of their JSON; a machine is 5 to 30 KB */
    STORE_TRIALS_MAX = 1000,
};

struct store;

/* Opens or creates the database file; migrates an older schema in one transaction. A newer schema or a
 * damaged file is refused with what to do (a copy `FILE.damaged-N` of each damaged state is kept). One
 * process at a time has it open so (it holds FILE.lock): another waits two seconds, then it is -EBUSY. 0 or
 * -errno with `diags`. */
int store_open(const char *path, struct diags *diags, struct store **ret_store);
/* Opens it to read only, beside a server that writes: nothing is created, migrated or checked, and nobody
 * waits. Whoever walks it must not dawdle: while a walk is open, the log that the server writes cannot be
 * begun anew. 0; -ENOENT when there is no store yet; -errno with `diags`: also -EPROTONOSUPPORT for one of
 * another version. store_commit on it is -EROFS. */
int store_open_reader(const char *path, struct diags *diags, struct store **ret_store);
void store_close(struct store *store);
DEFINE_CLEANUP(struct store *, store_close);

enum store_op_kind {
    STORE_LEASE_PUT, /* inserts or replaces by address; what it ends goes to the past leases */
    STORE_BOOT_BEGIN,
    STORE_BOOT_EVENT,       /* without effect when the boot has STORE_EVENTS_MAX of them */
    STORE_REPORT,           /* the last report of a node, as its JSON text */
    STORE_CANDIDATE_PUT,    /* inserts or replaces by MAC; first_us stays, last_us never goes back */
    STORE_CANDIDATE_DELETE, /* by candidate.mac */
    STORE_MACHINE_PUT, /* inserts or replaces by MAC; where dmi is not said, the one of the same class stays
                        */
    STORE_TRIAL_PUT,   /* inserts or replaces by class and kernel */
};

/* What a node's hardware is, as it reported last. */
struct store_machine {
    struct mac mac;
    char node[64]; /* empty: without an entry */
    char class[MACHINE_CLASS_SIZE];
    int64_t at_us; /* Unix time, microseconds */
    uint64_t boot; /* the boot that reported it; 0: it did not say which it was */
    char *json;    /* see model/machine.h; owned by the op; freed by store_op_clear */
};

struct store_op {
    enum store_op_kind kind;
    union {
        struct lease lease;
        struct boot boot;
        struct boot_event event;
        struct candidate candidate;
        struct store_machine machine;
        struct trial trial;
        struct {
            uint64_t boot;
            int64_t at_us;
            char *json; /* owned by the op; freed by store_op_clear */
        } report;
    };
};
void store_op_clear(struct store_op *op);
/* Bytes of what it owns. */
size_t store_op_owned(const struct store_op *op);

/* Does them all, in order, in one transaction that is on stable storage when this returns 0. On failure
 * nothing was done: -ENOSPC, -EIO, ... */
int store_commit(struct store *store, const struct store_op *ops, size_t n);

/* Calls `each` for every lease, by address; a negative result of it ends the walk and is returned (as in all
 * of these). */
int store_each_lease(struct store *store, int (*each)(void *user, const struct lease *lease), void *user);
/* The leases and quarantines that have ended, newest first. */
int store_each_lease_past(struct store *store, int (*each)(void *user, const struct lease_past *past),
                          void *user);
/* The candidates in the order in which they were first seen. */
int store_each_candidate(struct store *store, int (*each)(void *user, const struct candidate *candidate),
                         void *user);
/* The last `limit` boots, newest first; node NULL: of all. */
int store_each_boot(struct store *store, const char *node, unsigned limit,
                    int (*each)(void *user, const struct boot *boot), void *user);
int store_each_boot_event(struct store *store, uint64_t boot,
                          int (*each)(void *user, const struct boot_event *event), void *user);
/* The machines, by class and then by node. */
int store_each_machine(struct store *store, int (*each)(void *user, const struct store_machine *machine),
                       void *user);
/* The trials, by class; of a class, those that began last first. */
int store_each_trial(struct store *store, int (*each)(void *user, const struct trial *trial), void *user);
