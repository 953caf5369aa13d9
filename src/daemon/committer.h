/* The committer: the one thread that writes to the store.
 *
 * Any thread hands it batches of operations; it takes all that wait, makes them one transaction (group
 * commit), and only when that is on stable storage the batches' `done` functions are called, in the thread of
 * the loop. So an ACK leaves after its lease is durable (D20), and a thousand of them wait for one sync.
 *
 * Submitting takes no lock and never waits: batches are pushed onto a list by compare-and-swap, and the
 * thread is woken by a semaphore.
 */
#pragma once

#include "store/store.h"

#include <uv.h>

struct committer;

/* Starts the thread. The store is used by that thread alone until committer_free; it stays the caller's.
 * 0 or -errno. */
int committer_new(uv_loop_t *loop, struct store *store, struct committer **ret_committer);

/* Hands over `n` operations (copied; what they own becomes the committer's, also on failure). `done` is
 * called in the loop with 0 once they are durable, or with the -errno of the commit: then nothing of the
 * batch was written. `done` may be NULL: nobody waits, and a failure is told to the function of
 * committer_on_failure. 0; -ENOMEM; -ENOBUFS when COMMITTER_MAX_WAITING batches wait already (a disk that
 * hangs): `done` is not called then. From any thread. */
enum { COMMITTER_MAX_WAITING = 65536 };
int committer_submit(struct committer *c, const struct store_op *ops, size_t n,
                     void (*done)(void *user, int r), void *user);

/* Called in the loop each time a commit failed (F3), and with 0 at the first one that works again. */
void committer_on_failure(struct committer *c, void (*failed)(void *user, int r), void *user);

/* Numbers for /metrics. */
struct committer_stats {
    uint64_t commits, operations, failures;
};
struct committer_stats committer_stats(const struct committer *c);

/* Commits what waits, ends the thread and calls the outstanding `done` functions. From the loop's thread,
 * which must run once more (uv_run) before the loop is closed. NULL is allowed. */
void committer_free(struct committer *c);
