/* See daemon/tftp_worker.h. */
#include "daemon/tftp_worker.h"
#include "daemon/clock.h"
#include "daemon/sockets.h"
#include "daemon/tftp_queue.h"
#include "daemon/tftp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* BATCH: datagrams of a call; BATCHES_A_TURN: calls before the other sockets have their turn; FLUSH_AT:
 * replies that gather before they are sent; AHEAD: datagrams that are foreseen. */
enum {
    BATCH = 128,
    BATCHES_A_TURN = 8,
    FLUSH_AT = 512,
    AHEAD = 8,
    EVENTS = 64,
    DATAGRAM = TFTP_REQUEST_MAX + 64
};

/* LINGER_US: how long a worker looks for the next packets before it sleeps: what it costs to fall asleep and
 * be woken, so that in vain it costs no more than that. LUCK_MAX: how often in vain before it sleeps at once;
 * TRY_AGAIN: and after how many turns it tries again. STRAIGHT: turns between two looks at all sockets. */
enum { LINGER_US = 15, LUCK_MAX = 8, TRY_AGAIN = 64, STRAIGHT = 16 };

struct command {
    void (*run)(struct tftp_worker *w, void *argument);
    void *argument;
};

struct tftp_worker {
    pthread_t thread;
    int epoll_fd, wake_fd, timer_fd;
    uint64_t timer_us;    /* what it is set to; UINT64_MAX: it is not */
    uint64_t now_us;      /* when packets were read last */
    pthread_mutex_t lock; /* of `command` */
    pthread_cond_t done;
    struct command command; /* run NULL: none waits */
    bool stop, port_per_transfer;
    struct files *files;
    struct counters *counters;
    struct tftp_table *table;
    struct tftp_sockets sockets;
    const struct tftp_socket *last; /* the socket of the last reply */
    struct tftp_queue queue;
    struct tftp_socket *idle;
    const struct tftp_socket *busy; /* the listener whose packets came last; NULL: none */
    unsigned luck;                  /* how often to linger in vain; 0: not to linger */
    unsigned turns, straight;       /* straight: turns since epoll was asked */
    int blocked_fd;                 /* its buffer is full: nothing else is done until it has room; -1: none */
    atomic_size_t transfers;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t data[BATCH][DATAGRAM];
};

/* ---- sending ---- */

static void flush(struct tftp_worker *w)
{
    w->blocked_fd = tftp_queue_flush(&w->queue);
}

static const struct tftp_socket *socket_of(struct tftp_worker *w, const struct endpoint *local)
{
    const struct tftp_socket *s = w->last;
    if (!s || s->flow.local.address != local->address || s->flow.local.port != local->port)
        w->last = s = tftp_sockets_find(&w->sockets, local);
    return s;
}

static void queue_datagram(void *user, const struct tftp_datagram *d)
{
    struct tftp_worker *w = user;
    const struct tftp_socket *s = socket_of(w, &d->flow->local);
    if (!s)
        return;
    if (w->queue.n - w->queue.sent >= FLUSH_AT && w->blocked_fd < 0)
        flush(w);
    tftp_queue_add(&w->queue, s->fd, d);
}

static void close_socket(struct tftp_worker *w, struct tftp_socket *s)
{
    tftp_queue_forget(&w->queue, s->fd);
    if (w->blocked_fd == s->fd)
        w->blocked_fd = -1;
    if (w->busy == s)
        w->busy = NULL;
    w->last = NULL;
    tftp_sockets_remove(&w->sockets, s);
}

static void close_idle(struct tftp_worker *w)
{
    while (w->idle) {
        struct tftp_socket *s = w->idle;
        w->idle = s->next_idle;
        s->idle = false;
        if (!tftp_has(w->table, &s->flow)) /* it has: the client asked anew */
            close_socket(w, s);
    }
}

/* After every turn: sends and lets go. */
static void finish_turn(struct tftp_worker *w)
{
    flush(w);
    if (w->blocked_fd >= 0)
        return;
    tftp_reap(w->table);
    close_idle(w);
    atomic_store_explicit(&w->transfers, tftp_count(w->table), memory_order_relaxed);
}

static int watch(struct tftp_worker *w, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* ---- a port for each transfer ---- */

static struct tftp_socket *open_own(struct tftp_worker *w, const struct tftp_socket *listener,
                                    const struct endpoint *remote)
{
    struct tftp_flow flow = {.remote = *remote, .local = listener->flow.local};
    int fd = socket_open_tftp_transfer(flow.local.address, &flow.local.port);
    if (fd < 0)
        return NULL;
    struct tftp_socket *s = tftp_sockets_add(&w->sockets, fd, &flow, listener->mtu);
    if (!s) {
        close(fd);
        return NULL;
    }
    if (watch(w, s->fd, s) == 0)
        return s;
    close_socket(w, s);
    return NULL;
}

/* Its transfer is over, or never began. It is closed when the turn ends: the kernel may have told of packets
 * that wait in it, and an answer may wait to be sent. */
static void set_idle(struct tftp_worker *w, struct tftp_socket *s)
{
    if (s->idle)
        return;
    s->idle = true;
    s->next_idle = w->idle;
    w->idle = s;
}

/* A request is answered from a port of its own. */
static void take_request(struct tftp_worker *w, const struct moment *now, const struct tftp_socket *listener,
                         const struct endpoint *remote, const void *data, size_t size)
{
    struct tftp_socket *s = tftp_sockets_of_client(&w->sockets, remote, listener->flow.local.address);
    if (!s)
        s = open_own(w, listener, remote);
    if (!s) { /* it asks again; who never answered makes room for it */
        count(w->counters, COUNT_TFTP_LIMITED, 1);
        tftp_shed(w->table, now);
        return;
    }
    tftp_input(w->table, now, &s->flow, s->mtu, data, size);
    if (!tftp_has(w->table, &s->flow))
        set_idle(w, s);
}

static void transfer_gone(void *user, const struct tftp_flow *flow)
{
    struct tftp_worker *w = user;
    struct tftp_socket *s = tftp_sockets_find(&w->sockets, &flow->local);
    if (s && tftp_socket_is_own(s))
        set_idle(w, s);
}

/* ---- receiving ---- */

static struct tftp_flow flow_of(const struct tftp_socket *s, const struct sockaddr_in *from)
{
    return (struct tftp_flow){.remote = {ntohl(from->sin_addr.s_addr), ntohs(from->sin_port)},
                              .local = s->flow.local};
}

static void take(struct tftp_worker *w, const struct moment *now, const struct tftp_socket *s,
                 const struct sockaddr_in *from, const void *data, size_t size)
{
    struct tftp_packet packet;
    struct tftp_flow flow = flow_of(s, from);
    if (w->port_per_transfer && !tftp_socket_is_own(s) && tftp_parse(data, size, &packet) == 0 &&
        packet.op == TFTP_RRQ && flow.remote.port != 0)
        take_request(w, now, s, &flow.remote, data, size);
    else
        tftp_input(w->table, now, &flow, s->mtu, data, size);
}

/* Of n datagrams the one at i is next. */
static void foresee(struct tftp_worker *w, const struct tftp_socket *s, int i, int n)
{
    struct tftp_flow flow;
    if (i + AHEAD < n) {
        flow = flow_of(s, &w->from[i + AHEAD]);
        tftp_foresee(w->table, &flow, false);
    }
    if (i + AHEAD / 2 < n) {
        flow = flow_of(s, &w->from[i + AHEAD / 2]);
        tftp_foresee(w->table, &flow, true);
    }
}

/* Returns how many came, and when. */
static int read_batch(struct tftp_worker *w, const struct tftp_socket *s, struct moment *ret_now)
{
    int n = recvmmsg(s->fd, w->messages, BATCH, MSG_DONTWAIT, NULL);
    *ret_now = moment_now();
    w->now_us = ret_now->mono_us;
    for (int i = 0; i < n; i++) {
        foresee(w, s, i, n);
        take(w, ret_now, s, &w->from[i], w->data[i], w->messages[i].msg_len);
        w->messages[i].msg_hdr.msg_namelen = sizeof(w->from[i]);
    }
    return n;
}

static void read_socket(struct tftp_worker *w, const struct tftp_socket *s)
{
    struct moment now;
    if (!tftp_socket_is_own(s))
        w->busy = s;
    for (int i = 0; i < BATCHES_A_TURN && w->blocked_fd < 0; i++)
        if (read_batch(w, s, &now) < BATCH)
            return;
}

/* Between two packets of a busy server are a few microseconds, less than it takes to be put to sleep and
 * woken. So it looks at its socket for a moment, where that was worth it before and no time-out is due.
 * False: nothing came, and it may sleep. */
static bool linger(struct tftp_worker *w)
{
    struct moment now;
    if (!w->busy || w->now_us >= w->timer_us || ++w->straight >= STRAIGHT ||
        (w->luck == 0 && ++w->turns % TRY_AGAIN))
        return false;
    int n = read_batch(w, w->busy, &now);
    for (uint64_t until = now.mono_us + LINGER_US; n <= 0 && now.mono_us < until;)
        n = read_batch(w, w->busy, &now);
    if (n > 0)
        w->luck += w->luck < LUCK_MAX;
    else
        w->luck -= w->luck > 0;
    return n > 0;
}

static void prepare_buffers(struct tftp_worker *w)
{
    for (size_t i = 0; i < BATCH; i++) {
        w->parts[i] = (struct iovec){w->data[i], sizeof(w->data[i])};
        w->messages[i].msg_hdr = (struct msghdr){.msg_name = &w->from[i],
                                                 .msg_namelen = sizeof(w->from[i]),
                                                 .msg_iov = &w->parts[i],
                                                 .msg_iovlen = 1};
    }
}

/* ---- the loop ---- */

static void run_command(struct tftp_worker *w)
{
    uint64_t ignored;
    (void)!read(w->wake_fd, &ignored, sizeof(ignored));
    pthread_mutex_lock(&w->lock);
    if (w->command.run) {
        w->command.run(w, w->command.argument);
        w->command = (struct command){0};
        pthread_cond_signal(&w->done);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Until the socket whose buffer is full has room, or there is a command. */
static void wait_for_room(struct tftp_worker *w)
{
    struct pollfd fds[] = {{.fd = w->wake_fd, .events = POLLIN}, {.fd = w->blocked_fd, .events = POLLOUT}};
    if (poll(fds, 2, -1) < 0)
        return;
    if (fds[0].revents)
        run_command(w);
}

/* The timer is set anew only for an earlier time: what is due is put off again and again before it is
 * reached, and to set a clock costs more than to be woken in vain now and then. Round trips are shorter than
 * a millisecond, and so are the times to wait for an answer. */
static void set_timer(struct tftp_worker *w)
{
    uint64_t due = tftp_next_deadline(w->table);
    if (due >= w->timer_us)
        return;
    const struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(due / 1000000), .tv_nsec = (long)(due % 1000000 * 1000)}};
    if (timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        w->timer_us = due;
}

static void take_timer(struct tftp_worker *w)
{
    uint64_t ignored;
    (void)!read(w->timer_fd, &ignored, sizeof(ignored));
    w->timer_us = UINT64_MAX;
}

static void turn(struct tftp_worker *w)
{
    struct epoll_event events[EVENTS];
    bool command = false;
    set_timer(w);
    if (linger(w))
        return;
    w->straight = 0;
    int n = epoll_wait(w->epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        if (what == &w->wake_fd)
            command = true;
        else if (what == &w->timer_fd)
            take_timer(w);
        else
            read_socket(w, what);
    }
    if (w->timer_us == UINT64_MAX && w->blocked_fd < 0) {
        struct moment now = moment_now();
        tftp_tick(w->table, &now);
    }
    if (command) /* after the events, for it may close their sockets */
        run_command(w);
}

static void *thread_main(void *user)
{
    struct tftp_worker *w = user;
    while (!w->stop) {
        if (w->blocked_fd >= 0)
            wait_for_room(w);
        else
            turn(w);
        finish_turn(w);
    }
    return NULL;
}

/* ---- the thread's side of the calls ---- */

struct listening {
    int fd, error;
    struct endpoint local;
    unsigned mtu;
};

static void run_listen(struct tftp_worker *w, void *argument)
{
    struct listening *l = argument;
    struct tftp_socket *s =
        tftp_sockets_add(&w->sockets, l->fd, &(struct tftp_flow){.local = l->local}, l->mtu);
    if (!s)
        close(l->fd);
    l->error = s ? watch(w, s->fd, s) : -ENOMEM;
    if (s && l->error < 0)
        close_socket(w, s);
}

static void run_unlisten(struct tftp_worker *w, void *argument)
{
    struct tftp_socket *s = tftp_sockets_find(&w->sockets, argument);
    if (s)
        close_socket(w, s);
}

struct setting {
    const struct tftp_settings *settings;
    bool port_per_transfer;
};

static void run_settings(struct tftp_worker *w, void *argument)
{
    const struct setting *s = argument;
    tftp_set_settings(w->table, s->settings);
    w->port_per_transfer = s->port_per_transfer;
}

static void run_stop(struct tftp_worker *w, void *argument)
{
    (void)argument;
    w->stop = true;
}

/* ---- the caller's side ---- */

/* Hands a command to the thread and waits until it is done. */
static void call(struct tftp_worker *w, void (*run)(struct tftp_worker *w, void *argument), void *argument)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    w->command = (struct command){run, argument};
    (void)!write(w->wake_fd, &one, sizeof(one));
    while (w->command.run)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static int open_file(void *user, const struct moment *now, const struct file_request *request,
                     struct file_answer *ret_answer, const char **ret_reason)
{
    struct tftp_worker *w = user;
    return files_open(w->files, now, request, ret_answer, ret_reason);
}

static int start(struct tftp_worker *w, const struct tftp_worker_config *config)
{
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->epoll_fd < 0 || w->wake_fd < 0 || w->timer_fd < 0)
        return -errno;
    int r = watch(w, w->wake_fd, &w->wake_fd);
    if (r == 0)
        r = watch(w, w->timer_fd, &w->timer_fd);
    if (r < 0)
        return r;
    w->table = tftp_new(&config->settings,
                        &(struct tftp_host){.send = queue_datagram,
                                            .open = open_file,
                                            .gone = transfer_gone,
                                            .user = w,
                                            .sink = config->sink,
                                            .counters = config->counters,
                                            .quota = config->quota},
                        config->seed);
    return w->table ? -pthread_create(&w->thread, NULL, thread_main, w) : -ENOMEM;
}

static void destroy(struct tftp_worker *w)
{
    tftp_free(w->table);
    tftp_sockets_clear(&w->sockets);
    tftp_queue_free(&w->queue);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    if (w->timer_fd >= 0)
        close(w->timer_fd);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->done);
    free(w);
}

int tftp_worker_new(const struct tftp_worker_config *config, struct tftp_worker **ret_worker)
{
    struct tftp_worker *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->epoll_fd = w->wake_fd = w->timer_fd = w->blocked_fd = -1;
    w->timer_us = UINT64_MAX;
    w->files = config->files;
    w->counters = config->counters;
    w->port_per_transfer = config->port_per_transfer;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->done, NULL);
    prepare_buffers(w);
    int r = start(w, config);
    if (r < 0) {
        destroy(w);
        return r;
    }
    *ret_worker = w;
    return 0;
}

void tftp_worker_free(struct tftp_worker *w)
{
    if (!w)
        return;
    call(w, run_stop, NULL);
    pthread_join(w->thread, NULL);
    destroy(w);
}

int tftp_worker_listen(struct tftp_worker *w, int fd, const struct endpoint *local, unsigned mtu)
{
    struct listening l = {.fd = fd, .local = *local, .mtu = mtu};
    call(w, run_listen, &l);
    return l.error;
}

void tftp_worker_unlisten(struct tftp_worker *w, const struct endpoint *local)
{
    call(w, run_unlisten, (void *)(uintptr_t)local);
}

void tftp_worker_set_settings(struct tftp_worker *w, const struct tftp_settings *settings,
                              bool port_per_transfer)
{
    call(w, run_settings, &(struct setting){settings, port_per_transfer});
}

size_t tftp_worker_transfers(const struct tftp_worker *w)
{
    return atomic_load_explicit(&w->transfers, memory_order_relaxed);
}
