/* See daemon/committer.h. */
#include "daemon/committer.h"
#include "base/cleanup.h"
#include "daemon/store_pack.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* GROUP_MAX: operations of a transaction. A sync is shared by so many that it costs nothing, and the first
 * reply does not wait for more. SLICE: how many of them may be of the second queue while somebody waits, and
 * SLICE_EVERY_US: how often then. Boots are spread over the whole database, so a slice costs more to write
 * than as many leases. */
enum { GROUP_MAX = 512, SLICE = 32, SLICE_EVERY_US = 10000 };
/* While several clients come at a time, the thread lets operations gather before a sync, which takes longer
 * than that anyway: a tenth more exchanges with 32 clients at a time, half more with 128. A lone client does
 * not wait. */
enum { GATHER_US = 100 };

struct batch {
    struct batch *next;
    void (*done)(void *user, int r);
    void *user;
    int result;
    uint16_t n;
    size_t owned;     /* bytes of what they own */
    uint8_t packed[]; /* n operations */
};

/* What was pushed, newest first; and, of the thread alone, what it took from there, oldest first. */
struct queue {
    _Atomic(struct batch *) pushed;
    atomic_uint n;
    struct batch *first, **last;
};

/* A batch in the transaction at hand, and where its operations are. */
struct member {
    struct batch *batch;
    size_t first, n;
};

struct committer {
    struct store *store;
    uv_thread_t thread;
    sem_t wake;
    uv_async_t finished_async;
    struct queue urgent, later;
    _Atomic(struct batch *) finished; /* newest first */
    atomic_size_t owned;              /* bytes of what waits and what is being written own */
    atomic_bool stop;
    atomic_uint_fast64_t commits, operations, failures, dropped;
    void (*failed)(void *user, int r);
    void *failed_user;
    void (*round)(void *user);
    void *round_user;
    int last_result;   /* told to `failed` */
    bool several;      /* the thread's: in the last transaction more than one waited */
    uint64_t slice_us; /* the thread's: when it last took some of `later` */
    /* The thread's, for the transaction at hand. */
    size_t n_members, n_ops;
    struct member members[GROUP_MAX];
    struct store_op ops[GROUP_MAX];
};

/* Pushes one batch. True when the list was empty. Once it is pushed, the batch may be gone. */
static bool push(_Atomic(struct batch *) *list, struct batch *b)
{
    struct batch *head = atomic_load_explicit(list, memory_order_relaxed);
    do
        b->next = head;
    while (
        !atomic_compare_exchange_weak_explicit(list, &head, b, memory_order_release, memory_order_relaxed));
    return !head;
}

/* Takes all, oldest first. */
static struct batch *take_all(_Atomic(struct batch *) *list)
{
    struct batch *newest = atomic_exchange_explicit(list, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct batch *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* Moves what was pushed behind what waits already. */
static void collect(struct queue *q)
{
    if (!q->first)
        q->last = &q->first;
    *q->last = take_all(&q->pushed);
    while (*q->last)
        q->last = &(*q->last)->next;
}

/* Takes batches into the transaction, up to `limit` operations in all. */
static void take_members(struct committer *c, struct queue *q, size_t limit)
{
    while (q->first && c->n_members < GROUP_MAX && q->first->n <= limit - c->n_ops) {
        struct batch *b = q->first;
        const uint8_t *at = b->packed;
        q->first = b->next;
        c->members[c->n_members++] = (struct member){b, c->n_ops, b->n};
        for (size_t i = 0; i < b->n; i++)
            at = store_unpack(at, &c->ops[c->n_ops++]);
        atomic_fetch_sub(&q->n, 1);
    }
}

/* Commits some members as one transaction. When it fails for what one operation says, or because memory was
 * gone for a moment (F11), each half is tried alone, and so on: nobody pays for another's. A disk that is
 * full or broken is so for all. 0, or an error that occurred. */
static int commit_members(struct committer *c, size_t from, size_t n)
{
    const struct member *first = &c->members[from], *last = &c->members[from + n - 1];
    int r = store_commit(c->store, c->ops + first->first, last->first + last->n - first->first);
    atomic_fetch_add(&c->commits, 1);
    if (n > 1 && (r == -EINVAL || r == -ENOMEM)) {
        int left = commit_members(c, from, n / 2), right = commit_members(c, from + n / 2, n - n / 2);
        return left < 0 ? left : right;
    }
    for (size_t i = from; i < from + n; i++)
        c->members[i].batch->result = r;
    return r;
}

static uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* What nobody waits for: as much as fits when nobody waits for anything; else a slice now and then, and with
 * each transaction when so much has gathered that some would have to be dropped. */
static void take_later(struct committer *c)
{
    uint64_t now = clock_us();
    bool alone = c->n_ops == 0, many = atomic_load(&c->later.n) > COMMITTER_MAX_LATER / 2;
    if (!alone && !many && now - c->slice_us < SLICE_EVERY_US)
        return;
    c->slice_us = now;
    take_members(c, &c->later, alone ? GROUP_MAX : c->n_ops + SLICE);
}

/* One transaction. False when nothing waits. */
static bool commit_some(struct committer *c)
{
    c->n_members = c->n_ops = 0;
    collect(&c->urgent);
    collect(&c->later);
    take_members(c, &c->urgent, GROUP_MAX - SLICE);
    if (c->n_members)
        c->several = c->n_members > 1;
    take_later(c);
    if (!c->n_members)
        return false;
    if (commit_members(c, 0, c->n_members) < 0)
        atomic_fetch_add(&c->failures, 1);
    for (size_t i = 0; i < c->n_ops; i++)
        store_op_clear(&c->ops[i]);
    for (size_t i = 0; i < c->n_members; i++)
        atomic_fetch_sub(&c->owned, c->members[i].batch->owned);
    atomic_fetch_add(&c->operations, c->n_ops);
    for (size_t i = 0; i < c->n_members; i++)
        (void)push(&c->finished, c->members[i].batch);
    uv_async_send(&c->finished_async);
    return true;
}

static void thread_main(void *user)
{
    struct committer *c = user;
    while (!atomic_load(&c->stop)) {
        while (sem_wait(&c->wake) < 0 && errno == EINTR)
            ;
        if (c->several)
            nanosleep(&(struct timespec){.tv_nsec = GATHER_US * 1000L}, NULL);
        while (commit_some(c))
            ;
    }
    while (commit_some(c))
        ;
}

static void call_finished(struct committer *c)
{
    struct batch *list = take_all(&c->finished);
    bool any = list;
    while (list) {
        struct batch *b = list;
        list = b->next;
        if (c->failed && (b->result < 0 || c->last_result < 0))
            c->failed(c->failed_user, b->result);
        c->last_result = b->result;
        if (b->done)
            b->done(b->user, b->result);
        free(b);
    }
    if (any && c->round)
        c->round(c->round_user);
}

static void on_finished(uv_async_t *async)
{
    call_finished(async->data);
}

static void free_closed(uv_handle_t *handle)
{
    struct committer *c = handle->data;
    sem_destroy(&c->wake);
    free(c);
}

int committer_new(uv_loop_t *loop, struct store *store, struct committer **ret_committer)
{
    cleanup_free struct committer *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->store = store;
    if (sem_init(&c->wake, 0, 0) < 0)
        return -errno;
    int r = uv_async_init(loop, &c->finished_async, on_finished);
    if (r < 0)
        return r;
    c->finished_async.data = c;
    uv_unref((uv_handle_t *)&c->finished_async); /* it alone does not keep the loop alive */
    r = uv_thread_create(&c->thread, thread_main, c);
    if (r < 0) {
        uv_close((uv_handle_t *)&c->finished_async, free_closed);
        c = NULL; /* free_closed's now */
        return r;
    }
    *ret_committer = TAKE_PTR(c);
    return 0;
}

/* Room in the queue, and memory. NULL with *ret_error. */
static struct batch *new_batch(struct queue *q, unsigned max, const struct store_op *ops, size_t n,
                               int *ret_error)
{
    size_t size = sizeof(struct batch);
    *ret_error = n > GROUP_MAX - SLICE ? -E2BIG : -ENOBUFS;
    if (n > GROUP_MAX - SLICE)
        return NULL;
    for (size_t i = 0; i < n; i++)
        size += store_packed_size(&ops[i]);
    struct batch *b = NULL;
    if (atomic_fetch_add(&q->n, 1) < max) {
        b = malloc(size);
        *ret_error = -ENOMEM;
    }
    if (!b)
        atomic_fetch_sub(&q->n, 1);
    return b;
}

static int submit(struct committer *c, struct queue *q, unsigned max, const struct store_op *ops, size_t n,
                  const struct batch *head)
{
    int error = -ENOBUFS;
    size_t owned = 0;
    for (size_t i = 0; i < n; i++)
        owned += store_op_owned(&ops[i]);
    bool fits = owned == 0 || atomic_fetch_add(&c->owned, owned) + owned <= COMMITTER_MAX_LATER_BYTES;
    struct batch *b = fits ? new_batch(q, max, ops, n, &error) : NULL;
    if (!b) {
        atomic_fetch_sub(&c->owned, owned);
        for (size_t i = 0; i < n; i++) {
            struct store_op op = ops[i];
            store_op_clear(&op);
        }
        return error;
    }
    *b = *head;
    b->n = (uint16_t)n;
    b->owned = owned;
    uint8_t *at = b->packed;
    for (size_t i = 0; i < n; i++)
        at = store_pack(&ops[i], at);
    if (push(&q->pushed, b))
        sem_post(&c->wake);
    return 0;
}

int committer_submit(struct committer *c, const struct store_op *ops, size_t n,
                     void (*done)(void *user, int r), void *user)
{
    return submit(c, &c->urgent, COMMITTER_MAX_WAITING, ops, n, &(struct batch){.done = done, .user = user});
}

void committer_submit_later(struct committer *c, const struct store_op *ops, size_t n)
{
    if (submit(c, &c->later, COMMITTER_MAX_LATER, ops, n, &(struct batch){0}) < 0)
        atomic_fetch_add(&c->dropped, 1);
}

void committer_on_failure(struct committer *c, void (*failed)(void *user, int r), void *user)
{
    c->failed = failed;
    c->failed_user = user;
}

void committer_on_round(struct committer *c, void (*round)(void *user), void *user)
{
    c->round = round;
    c->round_user = user;
}

struct committer_stats committer_stats(const struct committer *c)
{
    return (struct committer_stats){
        .commits = atomic_load(&c->commits),
        .operations = atomic_load(&c->operations),
        .failures = atomic_load(&c->failures),
        .dropped = atomic_load(&c->dropped),
        .waiting = atomic_load(&c->urgent.n),
        .later = atomic_load(&c->later.n),
    };
}

void committer_free(struct committer *c)
{
    if (!c)
        return;
    atomic_store(&c->stop, true);
    sem_post(&c->wake);
    uv_thread_join(&c->thread);
    call_finished(c);
    uv_close((uv_handle_t *)&c->finished_async, free_closed);
}
