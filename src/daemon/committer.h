/* The committer: the one thread that writes to the store.
 *
 * Any thread hands it batches of operations; it makes those that wait one transaction (group commit), and
 * only when that is on stable storage the batches' `done` functions are called, in the thread of the loop. So
 * an ACK leaves after its lease is durable (D20), and a thousand of them wait for one sync.
 *
 * There are two queues. In the first are batches that somebody waits for; they go first. In the second is
 * what nobody waits for: boots and their timelines, reports, candidates. While leases keep coming, of that a
 * small slice goes along now and then, so it is never held up for ever and never holds an ACK up for longer
 * than a slice takes.
 *
 * Submitting takes no lock and never waits: batches are pushed onto a list by compare-and-swap, and the
 * thread is woken when the list was empty. While they wait, operations take as many bytes as they have to
 * say.
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

/* The same for what nobody waits for. At most COMMITTER_MAX_LATER batches wait, whose reports have at most
 * COMMITTER_MAX_LATER_BYTES together; what is more, or for which memory is gone, is dropped and counted. From
 * any thread. */
enum { COMMITTER_MAX_LATER = 65536, COMMITTER_MAX_LATER_BYTES = 128 << 20 };
void committer_submit_later(struct committer *c, const struct store_op *ops, size_t n);

/* Called in the loop each time a commit failed (F3), and with 0 at the first one that works again. */
void committer_on_failure(struct committer *c, void (*failed)(void *user, int r), void *user);

/* Called in the loop when all `done` functions of what became durable together were called: what they have to
 * send can leave together. */
void committer_on_round(struct committer *c, void (*round)(void *user), void *user);

/* Numbers for /metrics. */
struct committer_stats {
    uint64_t commits, operations, failures;
    uint64_t dropped; /* batches of committer_submit_later */
    unsigned waiting, later;
};
struct committer_stats committer_stats(const struct committer *c);

/* Commits what waits, ends the thread and calls the outstanding `done` functions. From the loop's thread,
 * which must run once more (uv_run) before the loop is closed. NULL is allowed. */
void committer_free(struct committer *c);
