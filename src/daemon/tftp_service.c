/* See daemon/tftp_service.h. */
#include "daemon/tftp_service.h"
#include "base/vec.h"
#include "daemon/clock.h"
#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

/* Datagrams a kernel call, and calls before the other sockets have their turn. FLUSH_AT: how many replies may
 * gather before they are sent. */
enum { BATCH = 64, BATCHES_A_TURN = 8, FLUSH_AT = 256, SEND_BATCH = 128 };

struct tftp_listener {
    struct tftp_service *service;
    struct tftp_listener *next;
    struct endpoint local;
    unsigned mtu;
    int fd, error; /* error: of run_listen */
    uv_poll_t poll;
};

/* A datagram that waits to be sent: its head is ours, its body the transfer's (valid until tftp_reap). */
struct outgoing {
    int fd;
    struct sockaddr_in to;
    size_t head_size, body_size;
    const void *body;
    uint8_t head[TFTP_SMALL_MAX];
};

struct command {
    void (*run)(struct tftp_service *s, void *argument);
    void *argument;
};

struct tftp_service {
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    pthread_mutex_t lock; /* of `command` */
    pthread_cond_t done;
    struct command command; /* run NULL: none waits */
    bool stop;
    struct files *files;
    struct tftp_table *table;
    struct tftp_listener *listeners;
    atomic_size_t transfers;
    /* The queue of what leaves, first to last; `sent` of its first ones are gone already. */
    struct outgoing *queue;
    size_t queued, sent, room;
    bool blocked; /* the kernel's buffer is full: nothing is read until it has room */
    uint8_t data[BATCH][TFTP_REQUEST_MAX + 64];
};

static struct tftp_listener *listener_of(struct tftp_service *s, const struct endpoint *local)
{
    struct tftp_listener *l = s->listeners;
    while (l && (l->local.address != local->address || l->local.port != local->port))
        l = l->next;
    return l;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Reads, or while the kernel's buffer is full waits for room in it. */
static void watch_sockets(struct tftp_service *s, bool blocked)
{
    if (s->blocked == blocked)
        return;
    s->blocked = blocked;
    for (struct tftp_listener *l = s->listeners; l; l = l->next)
        uv_poll_start(&l->poll, blocked ? UV_WRITABLE : UV_READABLE, on_ready);
}

/* Sends the datagrams from `sent` on that leave by the same socket, as many as one call takes. Returns how
 * many are done with, 0 when the buffer is full. */
static size_t send_some(struct tftp_service *s)
{
    struct mmsghdr messages[SEND_BATCH];
    struct iovec parts[SEND_BATCH][2];
    struct outgoing *first = s->queue + s->sent;
    size_t n = 0, left = s->queued - s->sent;
    for (; n < left && n < SEND_BATCH && first[n].fd == first->fd; n++) {
        parts[n][0] = (struct iovec){first[n].head, first[n].head_size};
        parts[n][1] = (struct iovec){(void *)(uintptr_t)first[n].body, first[n].body_size};
        messages[n] = (struct mmsghdr){.msg_hdr = {.msg_name = &first[n].to,
                                                   .msg_namelen = sizeof(first[n].to),
                                                   .msg_iov = parts[n],
                                                   .msg_iovlen = first[n].body_size ? 2 : 1}};
    }
    int r = sendmmsg(first->fd, messages, (unsigned)n, 0);
    if (r > 0)
        return (size_t)r;
    /* An address that cannot be reached loses its datagram; the transfer's own clock deals with it. */
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : 1;
}

/* Sends what is queued. True when all is gone. */
static bool flush(struct tftp_service *s)
{
    while (s->sent < s->queued) {
        size_t n = send_some(s);
        if (n == 0) {
            watch_sockets(s, true);
            return false;
        }
        s->sent += n;
    }
    s->queued = s->sent = 0;
    watch_sockets(s, false);
    return true;
}

static void queue_datagram(void *user, const struct tftp_datagram *d)
{
    struct tftp_service *s = user;
    const struct tftp_listener *l = listener_of(s, &d->flow->local);
    if (!l || d->head_size > sizeof(s->queue->head))
        return;
    if (s->queued >= FLUSH_AT && !s->blocked)
        (void)flush(s);
    if (s->queued == s->room) {
        size_t room = s->room ? s->room * 2 : FLUSH_AT;
        struct outgoing *queue = realloc(s->queue, room * sizeof(*queue));
        if (!queue)
            return; /* as good as lost on the way: it is sent again */
        s->queue = queue;
        s->room = room;
    }
    struct outgoing *o = s->queue + s->queued++;
    o->fd = l->fd;
    o->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(d->flow->remote.port),
                                 .sin_addr.s_addr = htonl(d->flow->remote.address)};
    o->head_size = d->head_size;
    o->body = d->body;
    o->body_size = d->body_size;
    memcpy(o->head, d->head, d->head_size);
}

static void on_timer(uv_timer_t *timer);

/* After every turn: sends, lets go, and sets the clock for what is due next. */
static void finish_turn(struct tftp_service *s)
{
    if (!flush(s))
        return;
    tftp_reap(s->table);
    atomic_store_explicit(&s->transfers, tftp_count(s->table), memory_order_relaxed);
    uint64_t due = tftp_next_deadline(s->table), now = moment_now().mono_us;
    if (due == UINT64_MAX)
        uv_timer_stop(&s->timer);
    else
        uv_timer_start(&s->timer, on_timer, due > now ? (due - now) / 1000 + 1 : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct tftp_service *s = timer->data;
    struct moment now = moment_now();
    if (s->blocked)
        return; /* it ticks when there is room again */
    tftp_tick(s->table, &now);
    finish_turn(s);
}

static bool read_batch(struct tftp_listener *l)
{
    struct tftp_service *s = l->service;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){s->data[i], sizeof(s->data[i])};
        messages[i] = (struct mmsghdr){
            .msg_hdr = {
                .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    int n = recvmmsg(l->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    struct moment now = moment_now();
    for (int i = 0; i < n; i++) {
        struct tftp_flow flow = {.remote = {ntohl(from[i].sin_addr.s_addr), ntohs(from[i].sin_port)},
                                 .local = l->local};
        tftp_input(s->table, &now, &flow, l->mtu, s->data[i], messages[i].msg_len);
    }
    return n == BATCH;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct tftp_listener *l = poll->data;
    struct tftp_service *s = l->service;
    (void)events;
    for (int i = 0; status == 0 && i < BATCHES_A_TURN && !s->blocked; i++)
        if (!read_batch(l))
            break;
    finish_turn(s);
}

/* The thread's side of the calls. */

static void run_listen(struct tftp_service *s, void *argument)
{
    struct tftp_listener *l = argument;
    l->error = uv_poll_init(&s->loop, &l->poll, l->fd);
    if (l->error < 0)
        return;
    l->service = s;
    l->poll.data = l;
    l->next = s->listeners;
    s->listeners = l;
    uv_poll_start(&l->poll, s->blocked ? UV_WRITABLE : UV_READABLE, on_ready);
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Queued datagrams of a socket that is closed are dropped: its number may be another's next. */
static void forget_queued(struct tftp_service *s, int fd)
{
    size_t kept = 0;
    for (size_t i = s->sent; i < s->queued; i++)
        if (s->queue[i].fd != fd)
            s->queue[kept++] = s->queue[i];
    s->queued = kept;
    s->sent = 0;
}

static void run_unlisten(struct tftp_service *s, void *argument)
{
    struct tftp_listener **at = &s->listeners, *l = listener_of(s, argument);
    if (!l)
        return;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    forget_queued(s, l->fd);
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, free_closed);
}

static void run_settings(struct tftp_service *s, void *argument)
{
    tftp_set_settings(s->table, argument);
}

static void run_stop(struct tftp_service *s, void *argument)
{
    (void)argument;
    while (s->listeners)
        run_unlisten(s, &s->listeners->local);
    s->stop = true;
}

static void on_command(uv_async_t *async)
{
    struct tftp_service *s = async->data;
    pthread_mutex_lock(&s->lock);
    struct command c = s->command;
    pthread_mutex_unlock(&s->lock);
    if (!c.run)
        return;
    c.run(s, c.argument);
    if (!s->stop)
        finish_turn(s);
    pthread_mutex_lock(&s->lock);
    s->command = (struct command){0};
    pthread_cond_signal(&s->done);
    pthread_mutex_unlock(&s->lock);
    if (s->stop) {
        uv_close((uv_handle_t *)&s->timer, NULL);
        uv_close((uv_handle_t *)&s->async, NULL);
    }
}

/* The caller's side: hands a command to the thread and waits until it is done. */
static void call(struct tftp_service *s, void (*run)(struct tftp_service *s, void *argument), void *argument)
{
    pthread_mutex_lock(&s->lock);
    s->command = (struct command){run, argument};
    uv_async_send(&s->async);
    while (s->command.run)
        pthread_cond_wait(&s->done, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void *thread_main(void *user)
{
    struct tftp_service *s = user;
    uv_run(&s->loop, UV_RUN_DEFAULT); /* until run_stop closed everything */
    return NULL;
}

static int open_file(void *user, const struct moment *now, const struct file_request *request,
                     struct file_answer *ret_answer, const char **ret_reason)
{
    struct tftp_service *s = user;
    return files_open(s->files, now, request, ret_answer, ret_reason);
}

int tftp_service_new(const struct tftp_settings *settings, struct files *files, struct event_sink *sink,
                     struct counters *counters, uint64_t seed, struct tftp_service **ret_service)
{
    struct tftp_service *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    int r = uv_loop_init(&s->loop);
    if (r < 0) {
        free(s);
        return r;
    }
    s->files = files;
    s->table = tftp_new(
        settings,
        &(struct tftp_host){
            .send = queue_datagram, .open = open_file, .user = s, .sink = sink, .counters = counters},
        seed);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->done, NULL);
    uv_async_init(&s->loop, &s->async, on_command);
    uv_timer_init(&s->loop, &s->timer);
    s->async.data = s->timer.data = s;
    r = s->table ? -pthread_create(&s->thread, NULL, thread_main, s) : -ENOMEM;
    if (r < 0) {
        uv_close((uv_handle_t *)&s->timer, NULL);
        uv_close((uv_handle_t *)&s->async, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
        tftp_free(s->table);
        free(s);
        return r;
    }
    *ret_service = s;
    return 0;
}

void tftp_service_free(struct tftp_service *s)
{
    if (!s)
        return;
    call(s, run_stop, NULL);
    pthread_join(s->thread, NULL);
    uv_loop_close(&s->loop);
    tftp_free(s->table);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->done);
    free(s->queue);
    free(s);
}

int tftp_service_listen(struct tftp_service *s, ipv4_t address, uint16_t port, unsigned mtu,
                        struct diags *diags)
{
    int fd = socket_open_tftp(address, port, diags);
    if (fd < 0)
        return fd;
    struct tftp_listener *l = calloc(1, sizeof(*l));
    if (!l) {
        close(fd);
        return -ENOMEM;
    }
    l->local = (struct endpoint){address, port};
    l->mtu = mtu;
    l->fd = fd;
    call(s, run_listen, l);
    int r = l->error;
    if (r < 0) {
        close(fd);
        free(l);
        return diag_errno(diags, r, "cannot serve TFTP");
    }
    return 0;
}

void tftp_service_unlisten(struct tftp_service *s, ipv4_t address, uint16_t port)
{
    call(s, run_unlisten, &(struct endpoint){address, port});
}

void tftp_service_set_settings(struct tftp_service *s, const struct tftp_settings *settings)
{
    call(s, run_settings, (void *)(uintptr_t)settings);
}

size_t tftp_service_transfers(const struct tftp_service *s)
{
    return atomic_load_explicit(&s->transfers, memory_order_relaxed);
}
