/* See daemon/committer.h. */
#include "daemon/committer.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

struct batch {
    struct batch *next;
    void (*done)(void *user, int r);
    void *user;
    int result;
    size_t n;
    struct store_op ops[];
};

struct committer {
    struct store *store;
    uv_thread_t thread;
    sem_t wake;
    uv_async_t finished_async;
    _Atomic(struct batch *) waiting;  /* newest first */
    _Atomic(struct batch *) finished; /* newest first */
    atomic_uint n_waiting;
    atomic_bool stop;
    atomic_uint_fast64_t commits, operations, failures;
    void (*failed)(void *user, int r);
    void *failed_user;
    int last_result; /* told to `failed` */
};

/* Pushes one batch, or a whole list whose last is `last`. */
static void push(_Atomic(struct batch *) *list, struct batch *first, struct batch *last)
{
    struct batch *head = atomic_load_explicit(list, memory_order_relaxed);
    do
        last->next = head;
    while (!atomic_compare_exchange_weak_explicit(list, &head, first, memory_order_release,
                                                  memory_order_relaxed));
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

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        store_op_clear(&b->ops[i]);
    free(b);
}

/* One transaction for the whole list. When the group fails for what one of its operations says, each batch
 * is tried alone, so that nobody pays for another's. */
static int commit_group(struct committer *c, struct batch *list)
{
    size_t n = 0, at = 0;
    for (struct batch *b = list; b; b = b->next)
        n += b->n;
    struct store_op *ops = calloc(n ? n : 1, sizeof(*ops));
    int r = -ENOMEM;
    if (ops) {
        for (struct batch *b = list; b; b = b->next) {
            memcpy(ops + at, b->ops, b->n * sizeof(*ops));
            at += b->n;
        }
        r = store_commit(c->store, ops, n);
    }
    free(ops);
    for (struct batch *b = list; b; b = b->next)
        b->result = r == -EINVAL || r == -ENOMEM ? store_commit(c->store, b->ops, b->n) : r;
    atomic_fetch_add(&c->commits, 1);
    atomic_fetch_add(&c->operations, n);
    return r;
}

static void commit_waiting(struct committer *c)
{
    struct batch *list = take_all(&c->waiting), *last = list;
    if (!list)
        return;
    unsigned batches = 1;
    for (; last->next; last = last->next)
        batches++;
    if (commit_group(c, list) < 0)
        atomic_fetch_add(&c->failures, 1);
    atomic_fetch_sub(&c->n_waiting, batches);
    /* `finished` is newest first; this list is oldest first, so turn it round batch by batch. */
    while (list) {
        struct batch *next = list->next;
        push(&c->finished, list, list);
        list = next;
    }
    uv_async_send(&c->finished_async);
}

static void thread_main(void *user)
{
    struct committer *c = user;
    while (!atomic_load(&c->stop)) {
        while (sem_wait(&c->wake) < 0 && errno == EINTR)
            ;
        commit_waiting(c);
    }
    commit_waiting(c);
}

static void call_finished(struct committer *c)
{
    struct batch *list = take_all(&c->finished);
    while (list) {
        struct batch *b = list;
        list = b->next;
        if (c->failed && (b->result < 0 || c->last_result < 0))
            c->failed(c->failed_user, b->result);
        c->last_result = b->result;
        if (b->done)
            b->done(b->user, b->result);
        batch_free(b);
    }
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

int committer_submit(struct committer *c, const struct store_op *ops, size_t n,
                     void (*done)(void *user, int r), void *user)
{
    int r = -ENOBUFS;
    struct batch *b = NULL;
    if (atomic_fetch_add(&c->n_waiting, 1) < COMMITTER_MAX_WAITING) {
        b = malloc(sizeof(*b) + n * sizeof(*ops));
        r = -ENOMEM;
    }
    if (!b) {
        atomic_fetch_sub(&c->n_waiting, 1);
        for (size_t i = 0; i < n; i++) {
            struct store_op op = ops[i];
            store_op_clear(&op);
        }
        return r;
    }
    *b = (struct batch){.done = done, .user = user, .n = n};
    memcpy(b->ops, ops, n * sizeof(*ops));
    push(&c->waiting, b, b);
    sem_post(&c->wake);
    return 0;
}

void committer_on_failure(struct committer *c, void (*failed)(void *user, int r), void *user)
{
    c->failed = failed;
    c->failed_user = user;
}

struct committer_stats committer_stats(const struct committer *c)
{
    return (struct committer_stats){
        .commits = atomic_load(&c->commits),
        .operations = atomic_load(&c->operations),
        .failures = atomic_load(&c->failures),
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
