/* See daemon/http_service.h. We accept, libmicrohttpd speaks: its epoll descriptor is one handle of our loop.
 */
#include "daemon/http_service.h"
#include "daemon/clock.h"
#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { CONNECTION_MEMORY = 16 << 10, ACCEPTS_A_TURN = 64 };

struct http_service {
    uv_loop_t *loop;
    const struct http_server *server;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    int spare_fd; /* F12: given up for a moment to refuse a client when there are no descriptors left */
    int open_handles;
};

struct http_listener {
    struct http_service *service;
    int fd;
    uv_poll_t poll;
};

/* What a request has so far. */
struct exchange {
    size_t size, room;
    bool too_long;
    uint8_t *body;
};

static ipv4_t peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr || info->client_addr->sa_family != AF_INET)
        return 0;
    return ntohl(((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr.s_addr);
}

static enum MHD_Result reply(struct MHD_Connection *connection, struct http_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->size, answer->body, answer->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    char seconds[16];
    if (!response) {
        free(answer->body);
        return MHD_NO;
    }
    if (answer->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (answer->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    if (answer->retry_after_s) {
        snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    enum MHD_Result r = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return r;
}

/* Keeps a piece of the body. MHD_NO ends the connection: memory is gone. */
static enum MHD_Result take_body(struct exchange *e, size_t limit, const char *data, size_t *size)
{
    if (e->too_long || *size > limit - e->size) {
        e->too_long = true; /* the rest is read and thrown away, so that the client hears the answer */
        *size = 0;
        return MHD_YES;
    }
    if (*size > e->room - e->size) {
        size_t room = (e->size + *size) * 2 < limit ? (e->size + *size) * 2 : limit;
        uint8_t *body = realloc(e->body, room);
        if (!body)
            return MHD_NO;
        e->body = body;
        e->room = room;
    }
    memcpy(e->body + e->size, data, *size);
    e->size += *size;
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **exchange)
{
    struct http_service *s = user;
    struct exchange *e = *exchange;
    (void)version;
    if (!e) {
        *exchange = calloc(1, sizeof(*e));
        return *exchange ? MHD_YES : MHD_NO;
    }
    if (*size)
        return take_body(e, http_body_max(method, url), data, size);
    struct moment now = moment_now();
    struct http_answer answer = {.status = MHD_HTTP_CONTENT_TOO_LARGE};
    if (!e->too_long)
        http_handle(
            s->server, &now,
            &(struct http_request){
                .method = method, .path = url, .body = e->body, .size = e->size, .from = peer_of(connection)},
            &answer);
    return reply(connection, &answer);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **exchange,
                         enum MHD_RequestTerminationCode why)
{
    struct exchange *e = *exchange;
    (void)user;
    (void)connection;
    (void)why;
    if (e)
        free(e->body);
    free(e);
    *exchange = NULL;
}

static void on_timer(uv_timer_t *timer);

/* Lets libmicrohttpd work, and asks when it wants to be called again. */
static void run(struct http_service *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    MHD_run(s->daemon);
    if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
        uv_timer_start(&s->timer, on_timer, ms, 0);
    else
        uv_timer_stop(&s->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

/* F12: with no descriptor left the queue of the kernel would wake us for ever. The newest client is refused.
 */
static void shed(struct http_service *s, int listen_fd)
{
    if (s->spare_fd < 0)
        return;
    close(s->spare_fd);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = poll->data;
    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        int fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            shed(l->service, l->fd);
        if (fd < 0)
            break;
        /* It closes the descriptor itself when it refuses. */
        (void)MHD_add_connection(l->service->daemon, fd, (const struct sockaddr *)&from, size);
    }
    run(l->service);
}

/* Problems of single connections are the clients'. */
static void be_silent(void *user, const char *format, va_list args)
{
    (void)user;
    (void)format;
    (void)args;
}

int http_service_new(uv_loop_t *loop, const struct http_server *server, struct http_service **ret_service)
{
    struct http_service *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->loop = loop;
    s->server = server;
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                 on_request, s, MHD_OPTION_EXTERNAL_LOGGER, be_silent, NULL,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
                                 (unsigned)HTTP_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                 (unsigned)HTTP_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || uv_poll_init(loop, &s->poll, info->epoll_fd) < 0) {
        if (s->daemon)
            MHD_stop_daemon(s->daemon);
        free(s);
        return -ENOMEM;
    }
    uv_timer_init(loop, &s->timer);
    s->poll.data = s->timer.data = s;
    s->open_handles = 2;
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uv_poll_start(&s->poll, UV_READABLE, on_ready);
    *ret_service = s;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct http_service *s = handle->data;
    if (--s->open_handles == 0)
        free(s);
}

void http_service_free(struct http_service *s)
{
    if (!s)
        return;
    uv_poll_stop(&s->poll);
    MHD_stop_daemon(s->daemon);
    if (s->spare_fd >= 0)
        close(s->spare_fd);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->timer, on_closed);
}

int http_service_listen(struct http_service *s, ipv4_t address, uint16_t port, struct diags *diags,
                        struct http_listener **ret_listener)
{
    int fd = socket_open_http(address, port, diags);
    if (fd < 0)
        return fd;
    struct http_listener *l = calloc(1, sizeof(*l));
    int r = l ? uv_poll_init(s->loop, &l->poll, fd) : -ENOMEM;
    if (r < 0) {
        close(fd);
        free(l);
        return diag_errno(diags, r, "cannot serve HTTP");
    }
    l->service = s;
    l->fd = fd;
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_connection);
    *ret_listener = l;
    return 0;
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void http_service_unlisten(struct http_listener *l)
{
    uv_poll_stop(&l->poll);
    close(l->fd);
    uv_close((uv_handle_t *)&l->poll, free_closed);
}
