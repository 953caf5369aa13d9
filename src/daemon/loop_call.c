/* See daemon/loop_call.h. */
#include "daemon/loop_call.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* On the stack of who asks, and in the list as long as it waits to be run. */
struct call {
    struct call *next;
    void (*run)(void *argument);
    void *argument;
    enum { WAITS, RUNS, DONE } state;
};

struct loop_caller {
    uv_async_t async;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct call *waiting;
    bool closed, handle_closed, freed;
};

static struct call *take(struct loop_caller *c)
{
    pthread_mutex_lock(&c->lock);
    struct call *call = c->waiting;
    if (call) {
        c->waiting = call->next;
        call->state = RUNS;
    }
    pthread_mutex_unlock(&c->lock);
    return call;
}

static void on_calls(uv_async_t *async)
{
    struct loop_caller *c = async->data;
    for (struct call *call; (call = take(c));) {
        call->run(call->argument);
        pthread_mutex_lock(&c->lock);
        call->state = DONE;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
}

int loop_caller_new(uv_loop_t *loop, struct loop_caller **ret_caller)
{
    struct loop_caller *c = calloc(1, sizeof(*c));
    pthread_condattr_t clock;
    if (!c)
        return -ENOMEM;
    int r = uv_async_init(loop, &c->async, on_calls);
    if (r < 0) {
        free(c);
        return r;
    }
    c->async.data = c;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &clock);
    pthread_condattr_destroy(&clock);
    *ret_caller = c;
    return 0;
}

static void destroy(struct loop_caller *c)
{
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct loop_caller *c = handle->data;
    c->handle_closed = true;
    if (c->freed)
        destroy(c);
}

void loop_caller_close(struct loop_caller *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void loop_caller_free(struct loop_caller *c)
{
    if (!c)
        return;
    c->freed = true;
    uv_close((uv_handle_t *)&c->async, on_closed);
}

/* Until it is done, or is not begun in time. Called with the lock held. */
static void await(struct loop_caller *c, const struct call *call)
{
    struct timespec end;
    int r = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += LOOP_CALL_MS / 1000;
    while (call->state == RUNS || (call->state == WAITS && !c->closed && r == 0))
        r = pthread_cond_timedwait(&c->changed, &c->lock, &end);
}

bool loop_call(struct loop_caller *c, void (*run)(void *argument), void *argument)
{
    struct call call = {.run = run, .argument = argument, .state = WAITS};
    pthread_mutex_lock(&c->lock);
    if (!c->closed) {
        call.next = c->waiting;
        c->waiting = &call;
        uv_async_send(&c->async);
        await(c, &call);
    }
    for (struct call **p = &c->waiting; *p && call.state == WAITS; p = &(*p)->next)
        if (*p == &call) {
            *p = call.next;
            break;
        }
    bool done = call.state == DONE;
    pthread_mutex_unlock(&c->lock);
    return done;
}
