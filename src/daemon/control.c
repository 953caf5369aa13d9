/* See daemon/control.h. A connection reads until it has a line, stops reading until that one is answered, and
 * goes on with what it had read. It is freed when its handles are closed and no commit of its waits. */
#include "daemon/control.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { IDLE_MS = 60000 };

struct connection {
    struct control *control; /* NULL: it is closed */
    struct connection *next;
    uv_pipe_t pipe;
    uv_timer_t idle;
    unsigned open_handles;
    bool pending;                   /* a request is being worked on, or its answer written */
    bool last;                      /* closed after the answer */
    struct control_request request; /* while pending */
    struct lease lease;             /* the same: what is being released */
    size_t size;
    char line[CONTROL_LINE_MAX + 1];
};

struct control {
    struct control_host host;
    char *path;
    uv_pipe_t listener;
    struct connection *connections;
    unsigned n;
};

/* Connections. */

static void unref(struct connection *c)
{
    if (c->open_handles == 0 && !c->pending)
        free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    c->open_handles--;
    unref(c);
}

static void hang_up(struct connection *c)
{
    struct control *control = TAKE_PTR(c->control);
    if (!control)
        return;
    for (struct connection **at = &control->connections; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    control->n--;
    uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&c->idle, on_handle_closed);
}

struct answer_write {
    uv_write_t write;
    char *text;
};

static void read_on(struct connection *c);

static void on_written(uv_write_t *write, int status)
{
    struct answer_write *w = write->data;
    struct connection *c = write->handle->data;
    free(w->text);
    free(w);
    c->pending = false;
    if (!c->control)
        return; /* it was closed meanwhile; on_handle_closed comes yet */
    if (status < 0 || c->last)
        hang_up(c);
    else
        read_on(c);
}

static int write_answer(struct connection *c, const json_t *object)
{
    struct answer_write *w = object ? calloc(1, sizeof(*w)) : NULL;
    int r = -ENOMEM;
    if (w)
        w->text = json_dumps(object, JSON_COMPACT);
    if (w && w->text) {
        size_t size = strlen(w->text);
        w->text[size] = '\n'; /* in place of the NUL: uv_write takes sizes */
        w->write.data = w;
        uv_buf_t buf = uv_buf_init(w->text, (unsigned)size + 1);
        r = uv_write(&w->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written);
    }
    if (r < 0 && w)
        free(w->text);
    if (r < 0)
        free(w);
    return r;
}

/* Ends the request with this object, which it takes. NULL: memory is gone, and all that can be said of it is
 * to hang up. The next line is read when the answer is out, so that one who asks and does not listen asks
 * once. */
static void answer(struct connection *c, json_t *object)
{
    int r = write_answer(c, object);
    json_decref(object);
    if (r < 0) {
        c->pending = false;
        hang_up(c);
    }
}

static void answer_error(struct connection *c, const char *error)
{
    answer(c, json_pack("{s:b, s:s}", "ok", 0, "error", error));
}

/* Calls. Each answers at once, or is pending and answers when its commit is done. */

/* What was asked for is done; true: the one who asked is gone, and so is the connection now. */
static bool is_gone(struct connection *c)
{
    if (c->control)
        return false;
    c->pending = false;
    unref(c);
    return true;
}

static void on_lease_committed(void *user, int r)
{
    struct connection *c = user;
    char ip[IPV4_TEXT_MAX], error[CONTROL_ERROR_MAX];
    ipv4_format(c->request.ip, ip);
    if (r == 0)
        log_info("%s is released, as `rambox lease release` asked", ip);
    if (is_gone(c))
        return;
    if (r == 0) {
        answer(c, json_pack("{s:b, s:s}", "ok", 1, "ip", ip));
        return;
    }
    snprintf(error, sizeof(error),
             "%s is free until the server restarts only: the store cannot be written: %s", ip, strerror(-r));
    answer_error(c, error);
}

static void commit(struct connection *c, struct store_op op, void (*done)(void *user, int r))
{
    int r = committer_submit(c->control->host.committer, &op, 1, done, c);
    if (r < 0)
        done(c, r);
}

static void call_lease_release(struct connection *c)
{
    struct moment now = moment_now();
    char ip[IPV4_TEXT_MAX], error[CONTROL_ERROR_MAX];
    int r = dhcp_server_release(c->control->host.dhcp_server, &now, c->request.ip, &c->lease);
    if (r == 0) {
        commit(c, (struct store_op){.kind = STORE_LEASE_PUT, .lease = c->lease}, on_lease_committed);
        return;
    }
    snprintf(error, sizeof(error), "%s is not leased", ipv4_format(c->request.ip, ip));
    answer_error(c, r == -ENOENT ? error : strerror(-r));
}

static void on_candidate_committed(void *user, int r)
{
    struct connection *c = user;
    char mac[MAC_TEXT_MAX];
    if (is_gone(c))
        return;
    if (r < 0)
        answer_error(c, strerror(-r));
    else
        answer(c, json_pack("{s:b, s:s}", "ok", 1, "mac", mac_format(&c->request.mac, mac)));
}

static void call_candidate_forget(struct connection *c)
{
    commit(c, (struct store_op){.kind = STORE_CANDIDATE_DELETE, .candidate = {.mac = c->request.mac}},
           on_candidate_committed);
}

static void on_retry_committed(void *user, int r)
{
    struct connection *c = user;
    char error[CONTROL_ERROR_MAX];
    if (is_gone(c))
        return;
    if (r == 0) {
        answer(c, json_pack("{s:b, s:s}", "ok", 1, "class", c->request.class));
        return;
    }
    snprintf(error, sizeof(error),
             "that is so until the server restarts only: the store cannot be written: %s", strerror(-r));
    answer_error(c, error);
}

static void refuse_retry(struct connection *c, int r, const struct trial *trial)
{
    char error[CONTROL_ERROR_MAX];
    if (r == -ENOENT)
        snprintf(error, sizeof(error), "the current generation has no kernel of class %s", c->request.class);
    else
        snprintf(error, sizeof(error), "the kernel of class %s has not failed: %s", c->request.class,
                 trial->class[0] ? trial_state_words(trial->state) : trial_state_words(TRIAL_WITHDRAWN));
    answer_error(c, error);
}

/* The event that fitted_retry emits puts it into the store, too; this one is waited for. */
static void call_hardware_retry(struct connection *c)
{
    const struct control_host *host = &c->control->host;
    const struct generation *current = host->generations->current;
    struct moment now = moment_now();
    struct trial trial = {0};
    int r = current ? fitted_retry(host->fitted, &now, current, c->request.class, &trial) : -ENOENT;
    if (r == 0)
        commit(c, (struct store_op){.kind = STORE_TRIAL_PUT, .trial = trial}, on_retry_committed);
    else
        refuse_retry(c, r, &trial);
}

static void add_metric(void *to, const char *name, uint64_t value)
{
    json_object_set_new(to, name, json_integer((json_int_t)value));
}

static void call_metrics(struct connection *c)
{
    json_t *metrics = json_object();
    if (metrics)
        http_each_metric(c->control->host.http, add_metric, metrics);
    answer(c, metrics ? json_pack("{s:b, s:o}", "ok", 1, "metrics", metrics) : NULL);
}

static void call_status(struct connection *c)
{
    json_t *status = c->control->host.status(c->control->host.user);
    if (status)
        json_object_set_new(status, "ok", json_true());
    answer(c, status);
}

static void (*const calls[])(struct connection *c) = {
    [CONTROL_CANDIDATE_FORGET] = call_candidate_forget,
    [CONTROL_HARDWARE_RETRY] = call_hardware_retry,
    [CONTROL_LEASE_RELEASE] = call_lease_release,
    [CONTROL_METRICS] = call_metrics,
    [CONTROL_STATUS] = call_status,
};

/* Reading. */

/* Takes one line out of what was read, and begins its call. False: there is none yet. */
static bool take_line(struct connection *c)
{
    char error[CONTROL_ERROR_MAX];
    char *end = memchr(c->line, '\n', c->size);
    if (!end && c->size <= CONTROL_LINE_MAX)
        return false;
    c->pending = true;
    if (!end) {
        c->last = true;
        answer_error(c, "the line is too long");
        return true;
    }
    size_t used = (size_t)(end - c->line) + 1;
    int r = control_request_parse(c->line, used - 1, &c->request, error);
    memmove(c->line, c->line + used, c->size - used);
    c->size -= used;
    if (r < 0)
        answer_error(c, error);
    else
        calls[c->request.call](c);
    return true;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct connection *c = handle->data;
    (void)suggested;
    *ret_buf = uv_buf_init(c->line + c->size, (unsigned)(sizeof(c->line) - c->size));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    (void)buf;
    if (n < 0) {
        hang_up(c);
        return;
    }
    c->size += (size_t)n;
    uv_timer_again(&c->idle);
    read_on(c);
}

/* Begins with the next line that is there; without one, reads. */
static void read_on(struct connection *c)
{
    bool busy = c->pending || take_line(c);
    if (!c->control)
        return;
    if (busy)
        uv_read_stop((uv_stream_t *)&c->pipe);
    else
        uv_read_start((uv_stream_t *)&c->pipe, on_room, on_read);
}

static void on_idle(uv_timer_t *timer)
{
    hang_up(timer->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    struct connection *c = status == 0 ? calloc(1, sizeof(*c)) : NULL;
    if (!c)
        return; /* no memory for a command: it waits in vain, and so do others; the nodes do not */
    uv_pipe_init(control->host.loop, &c->pipe, 0);
    uv_timer_init(control->host.loop, &c->idle);
    c->pipe.data = c->idle.data = c;
    c->open_handles = 2;
    c->control = control;
    c->next = control->connections;
    control->connections = c;
    control->n++;
    if (uv_accept(listener, (uv_stream_t *)&c->pipe) < 0) {
        hang_up(c);
        return;
    }
    uv_timer_start(&c->idle, on_idle, IDLE_MS, IDLE_MS);
    if (control->n > CONTROL_CONNECTIONS_MAX) {
        c->last = c->pending = true;
        answer_error(c, "too many connections");
        return;
    }
    read_on(c);
}

/* The socket. */

/* By way of the folder's descriptor: a path may be longer than a socket's address. */
static int bind_path(int fd, const char *state_dir)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    cleanup_close int folder = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    (void)unlinkat(folder, "control", 0); /* of a server that is gone: the store's lock is ours */
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/control", folder);
    /* A socket's own mode becomes that of its name: there is no moment at which others could connect. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return -errno;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;
    free(control->path);
    free(control);
}

int control_new(const struct control_host *host, struct diags *diags, struct control **ret_control)
{
    struct control *control = xcalloc(1, sizeof(*control));
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -errno : bind_path(fd, host->state_dir);
    control->host = *host;
    control->path = xasprintf("%s/control", host->state_dir);
    uv_pipe_init(host->loop, &control->listener, 0);
    control->listener.data = control;
    if (r == 0)
        r = uv_pipe_open(&control->listener, fd);
    if (r == 0) {
        (void)TAKE_FD(fd);
        r = uv_listen((uv_stream_t *)&control->listener, CONTROL_CONNECTIONS_MAX, on_connection);
    }
    if (r < 0) {
        diag_errno(diags, r, "cannot make %s", control->path);
        control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    while (control->connections)
        hang_up(control->connections);
    unlink(control->path);
    uv_close((uv_handle_t *)&control->listener, on_listener_closed);
}
