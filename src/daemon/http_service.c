/* See daemon/http_service.h. */
#include "daemon/http_service.h"
#include "base/vec.h"
#include "daemon/clock.h"
#include "daemon/http_exchange.h"
#include "daemon/loop_call.h"
#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* TIRED_MS: without descriptors nothing is accepted for so long (F12). */
enum { WORKERS_MAX = 4, ACCEPTS_A_TURN = 64, EVENTS_A_TURN = 16, TIRED_MS = 100 };

struct http_pool {
    struct http_speaker speaker;
    struct MHD_Daemon *workers[WORKERS_MAX];
    unsigned n, next;
};

struct http_listener {
    struct http_service *service;
    struct http_listener *next;
    struct http_pool *pool;
    int fd;
};

struct http_service {
    struct http_server server; /* as the workers have it */
    bool (*ready)(void *user, const char **ret_why);
    bool (*metrics)(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to);
    void *user;
    struct loop_caller *caller;
    struct http_clients *clients;
    struct http_pool plain, tls;
    VEC(struct tls_identity *) identities; /* the last is the one that is shown */
    pthread_t thread;                      /* accepts, and is the clock */
    int epoll_fd, wake_fd;
    int spare_fd; /* F12: given up for a moment to refuse a client when there are no descriptors left */
    pthread_mutex_t lock; /* of the listeners and of `stop` */
    struct http_listener *listeners;
    bool stop;
};

/* ---- what only the loop's thread knows ---- */

struct ready_call {
    struct http_service *service;
    const char *why;
    bool ready;
};

static void run_ready(void *argument)
{
    struct ready_call *c = argument;
    c->ready = c->service->ready(c->service->user, &c->why);
}

static bool ask_ready(void *user, const char **ret_why)
{
    struct ready_call c = {.service = user, .why = "busy"};
    (void)loop_call(c.service->caller, run_ready, &c);
    *ret_why = c.why;
    return c.ready;
}

struct metrics_call {
    struct http_service *service;
    void (*write)(void *to, const char *name, uint64_t value);
    void *to;
};

static void run_metrics(void *argument)
{
    struct metrics_call *c = argument;
    (void)c->service->metrics(c->service->user, c->write, c->to);
}

static bool ask_metrics(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to)
{
    struct metrics_call c = {user, write, to};
    return loop_call(c.service->caller, run_metrics, &c);
}

/* ---- accepting ---- */

/* F12: whether this descriptor is one of the last, which belong to the files of those who came before. The
 * system gives the lowest that is free, so its number says how many are in use. */
static bool is_scarce(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd >= limit.rlim_cur - limit.rlim_cur / 4;
}

/* Says 503 to a client that nobody has a place for, without waiting for what it wants. */
static void turn_away(int fd)
{
    char request[4096];
    (void)send(fd, http_overload, strlen(http_overload), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof(request), MSG_DONTWAIT) >
           0) /* else closing it would take our answer back */
        ;
    close(fd);
}

static void hand_over(struct http_listener *l, int fd, const struct sockaddr_in *from, socklen_t size)
{
    struct http_clients *clients = l->service->clients;
    struct http_pool *pool = l->pool;
    if (is_scarce(fd) || !http_clients_admit(clients, ntohl(from->sin_addr.s_addr))) {
        if (pool->speaker.tls)
            close(fd);
        else
            turn_away(fd);
        return;
    }
    struct MHD_Daemon *worker = pool->workers[pool->next++ % pool->n];
    /* It closes the descriptor itself when it refuses. */
    if (MHD_add_connection(worker, fd, (const struct sockaddr *)from, size) != MHD_YES)
        http_clients_gone(clients);
}

/* F12: with no descriptor left the newest client is refused. False: none can be had at all. */
static bool shed(struct http_service *s, int listen_fd)
{
    if (s->spare_fd < 0)
        return false;
    close(s->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        turn_away(fd);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return s->spare_fd >= 0;
}

/* False: there are no descriptors, and a moment's rest is due. */
static bool accept_some(struct http_listener *l)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_in from = {0};
        socklen_t size = sizeof(from);
        int fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            return shed(l->service, l->fd);
        if (fd < 0)
            return errno != ENOMEM && errno != ENOBUFS;
        hand_over(l, fd, &from, size);
    }
    return true;
}

static void wake(void *user)
{
    const struct http_service *s = user;
    const uint64_t one = 1;
    (void)!write(s->wake_fd, &one, sizeof(one));
}

/* Whether it still is one: an event may be older than its end. */
static bool is_listener(const struct http_service *s, const struct http_listener *listener)
{
    const struct http_listener *l = s->listeners;
    while (l && l != listener)
        l = l->next;
    return l != NULL;
}

static void *thread_main(void *user)
{
    struct http_service *s = user;
    struct epoll_event events[EVENTS_A_TURN];
    uint64_t woken;
    bool rested = true, stop = false;
    while (!stop) {
        struct moment now = moment_now();
        int wait_ms = http_clients_tick(s->clients, &now);
        if (!rested) {
            const struct timespec rest = {.tv_nsec = TIRED_MS * 1000000L};
            nanosleep(&rest, NULL);
        }
        int n = epoll_wait(s->epoll_fd, events, EVENTS_A_TURN, wait_ms);
        rested = true;
        pthread_mutex_lock(&s->lock);
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                (void)!read(s->wake_fd, &woken, sizeof(woken));
            else if (is_listener(s, events[i].data.ptr))
                rested = accept_some(events[i].data.ptr) && rested;
        }
        stop = s->stop;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* ---- workers ---- */

/* One for each processor that we may use. At least one, or -ENOMEM. */
static int start_pool(struct http_service *s, struct http_pool *pool, bool tls)
{
    cpu_set_t cpus;
    int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    pool->speaker = (struct http_speaker){.server = &s->server, .clients = s->clients, .tls = tls};
    while (pool->n < WORKERS_MAX && (int)pool->n < n) {
        struct MHD_Daemon *worker = http_worker_start(&pool->speaker);
        if (!worker)
            break;
        pool->workers[pool->n++] = worker;
    }
    return pool->n ? 0 : -ENOMEM;
}

static void stop_pool(struct http_pool *pool)
{
    while (pool->n)
        MHD_stop_daemon(pool->workers[--pool->n]);
}

int http_service_set_identity(struct http_service *s, struct tls_identity *identity)
{
    VEC_PUSH(&s->identities, identity); /* those before stay: handshakes may use them still */
    http_show(identity);
    return s->tls.n ? 0 : start_pool(s, &s->tls, true);
}

const struct tls_identity *http_service_identity(const struct http_service *s)
{
    return s->identities.n ? s->identities.items[s->identities.n - 1] : NULL;
}

void http_service_set_limits(struct http_service *s, const struct http_limits *limits)
{
    http_clients_set_limits(s->clients, limits);
}

struct http_figures http_service_figures(struct http_service *s)
{
    return http_clients_figures(s->clients);
}

/* ---- the service ---- */

/* What is there of it, without its threads. */
static void destroy(struct http_service *s)
{
    int fds[] = {s->epoll_fd, s->wake_fd, s->spare_fd};
    loop_caller_close(s->caller);
    stop_pool(&s->plain);
    stop_pool(&s->tls);
    loop_caller_free(s->caller);
    http_clients_free(s->clients);
    http_show(NULL);
    VEC_EACH(identity, &s->identities)
        tls_identity_free(*identity);
    VEC_FREE(&s->identities);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int open_descriptors(struct http_service *s)
{
    struct epoll_event event = {.events = EPOLLIN};
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (s->epoll_fd < 0 || s->wake_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &event) < 0)
        return -errno;
    return 0;
}

int http_service_new(uv_loop_t *loop, const struct http_server *server, const struct http_limits *limits,
                     struct http_service **ret_service)
{
    struct http_service *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->epoll_fd = s->wake_fd = s->spare_fd = -1;
    s->ready = server->ready;
    s->metrics = server->metrics;
    s->user = server->user;
    s->server = *server;
    s->server.ready = server->ready ? ask_ready : NULL;
    s->server.metrics = server->metrics ? ask_metrics : NULL;
    s->server.user = s;
    pthread_mutex_init(&s->lock, NULL);
    int r = open_descriptors(s);
    if (r == 0)
        r = loop_caller_new(loop, &s->caller);
    if (r == 0) {
        s->clients = http_clients_new(limits, server->sink, server->counters, wake, s);
        r = s->clients ? start_pool(s, &s->plain, false) : -ENOMEM;
    }
    if (r == 0)
        r = -pthread_create(&s->thread, NULL, thread_main, s);
    if (r < 0) {
        destroy(s);
        return r;
    }
    *ret_service = s;
    return 0;
}

void http_service_free(struct http_service *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    for (struct http_listener *l = s->listeners, *next; l; l = next) {
        next = l->next;
        close(l->fd);
        free(l);
    }
    s->listeners = NULL;
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    wake(s);
    pthread_join(s->thread, NULL);
    destroy(s);
}

int http_service_listen(struct http_service *s, ipv4_t address, uint16_t port, bool tls, struct diags *diags,
                        struct http_listener **ret_listener)
{
    int fd = socket_open_http(address, port, tls, diags);
    if (fd < 0)
        return fd;
    struct http_listener *l = calloc(1, sizeof(*l));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    int r = l ? 0 : -ENOMEM;
    if (r == 0) {
        *l = (struct http_listener){.service = s, .fd = fd, .pool = tls ? &s->tls : &s->plain};
        pthread_mutex_lock(&s->lock);
        r = epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
        if (r == 0) {
            l->next = s->listeners;
            s->listeners = l;
        }
        pthread_mutex_unlock(&s->lock);
    }
    if (r < 0) {
        close(fd);
        free(l);
        return diag_errno(diags, r, "cannot serve HTTP");
    }
    *ret_listener = l;
    return 0;
}

void http_service_unlisten(struct http_listener *l)
{
    struct http_service *s = l->service;
    pthread_mutex_lock(&s->lock);
    struct http_listener **at = &s->listeners;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    close(l->fd); /* and with it leaves the epoll set */
    pthread_mutex_unlock(&s->lock);
    free(l);
}
