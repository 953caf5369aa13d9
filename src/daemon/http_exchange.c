/* See daemon/http_exchange.h. */
#include "daemon/http_exchange.h"
#include "base/str.h"
#include "daemon/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* CONNECTION_MEMORY: for the header of a request and that of its answer. IDLE_S: nothing at all moves; what
 * moves too slowly http_clients cuts. SMALL: a body that is sent from memory, together with its header.
 * WORKER_MAX: of connections; the limits that count are those of http_clients. */
enum { CONNECTION_MEMORY = 16 << 10, IDLE_S = 30, SMALL = 32 << 10, WORKER_MAX = 1 << 16 };

#define TLS_PRIORITIES                                                                                       \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:+SHA256" /* W4: iPXE's are RSA, AES-CBC, SHA-256 */

const char http_overload[] = "HTTP/1.1 503 Service Unavailable\r\n"
                             "Retry-After: 2\r\n"
                             "Content-Length: 0\r\n"
                             "Connection: close\r\n\r\n";

static _Atomic(struct tls_identity *) shown;

void http_show(struct tls_identity *identity)
{
    atomic_store(&shown, identity);
}

static int give_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_n,
                            const gnutls_pk_algorithm_t *algorithms, int algorithms_n,
                            gnutls_pcert_st **ret_chain, unsigned *ret_chain_n, gnutls_privkey_t *ret_key)
{
    const struct tls_identity *t = atomic_load(&shown);
    if (!t)
        return -1;
    *ret_chain = t->chain;
    *ret_chain_n = t->chain_n;
    *ret_key = t->key;
    return 0;
}

/* ---- a request ---- */

/* What a request has so far. */
struct exchange {
    size_t size, room; /* of the body */
    uint8_t *body;
    unsigned refused; /* status that its head alone deserves; 0: none */
    bool begun, too_long, sends_file;
    struct http_target target;
    char text[]; /* the target as it came, taken apart */
};

static struct http_client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* The first that libmicrohttpd has of a request. */
static void *on_target(void *user, const char *target, struct MHD_Connection *connection)
{
    size_t n = strlen(target);
    struct exchange *e = calloc(1, sizeof(*e) + n + 1);
    (void)user;
    (void)connection;
    if (!e)
        return NULL;
    memcpy(e->text, target, n + 1);
    int r = http_target_parse(e->text, &e->target);
    e->refused = r == -ENAMETOOLONG ? 414 : r < 0 ? 400 : 0;
    return e;
}

/* The target is ours to decode. */
static size_t leave_escapes(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strlen(text);
}

static enum MHD_Result count_length(void *counts, enum MHD_ValueKind kind, const char *key, const char *value)
{
    unsigned *n = counts;
    (void)kind;
    (void)value;
    n[0] += strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    n[1] += strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    n[2] += strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

/* RFC 9112 §3.2, §6.3: what leaves open where the request ends, or whose it is, is no request. */
static bool is_ambiguous(struct MHD_Connection *connection)
{
    unsigned n[3] = {0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_length, n);
    return n[0] + n[1] > 1 || n[2] > 1;
}

/* Keeps a piece of the body. MHD_NO ends the connection: memory is gone. */
static enum MHD_Result take_body(struct exchange *e, size_t limit, const char *data, size_t *size)
{
    if (e->refused || e->too_long || *size > limit - e->size) {
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

static const char *header(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* ---- its answer ---- */

static void let_go(void *file)
{
    served_file_unref(file);
}

/* A part of a file as a body: large ones by sendfile, where TLS does not want to see them. Takes the
 * reference over. */
static struct MHD_Response *body_of_file(struct served_file *file, const struct http_range *part,
                                         bool by_memory)
{
    struct MHD_Response *response = NULL;
    if (by_memory || part->size <= SMALL || file->fd < 0) {
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            part->size, (void *)(uintptr_t)(file->data + part->first), let_go, file);
        if (!response)
            served_file_unref(file);
        return response;
    }
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0); /* the response closes it */
    if (fd >= 0)
        response = MHD_create_response_from_fd_at_offset64(part->size, fd, part->first);
    if (fd >= 0 && !response)
        close(fd);
    served_file_unref(file); /* what the descriptor refers to stays */
    return response;
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && value[0]) /* P2: OVMF locks up on an empty one */
        MHD_add_response_header(response, name, value);
}

static struct MHD_Response *response_of(struct http_answer *a, bool by_memory)
{
    char seconds[16] = "";
    struct MHD_Response *response =
        a->what.file ? body_of_file(TAKE_PTR(a->what.file), &a->part, by_memory)
                     : MHD_create_response_from_buffer(
                           a->size, a->body, a->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response)
        return NULL;
    a->body = NULL;
    if (a->retry_after_s)
        snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type);
    add(response, MHD_HTTP_HEADER_ALLOW, a->allow);
    add(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    add(response, MHD_HTTP_HEADER_ETAG, a->etag);
    add(response, MHD_HTTP_HEADER_LAST_MODIFIED, a->modified);
    add(response, MHD_HTTP_HEADER_CONTENT_RANGE, a->content_range);
    add(response, MHD_HTTP_HEADER_ACCEPT_RANGES, a->etag[0] ? "bytes" : NULL);
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, a->no_store ? "no-store" : NULL);
    return response;
}

/* Counts a file among what is sent; when it is one too many, the answer becomes another. */
static void begin_file(const struct http_speaker *s, const struct moment *now, struct http_client *client,
                       struct exchange *e, struct http_answer *a)
{
    if (http_client_begin(s->clients, now, client, &a->what, a->part.size) == 0) {
        e->sends_file = true;
        return;
    }
    served_file_unref(a->what.file);
    http_refuse(s->server, 503, NULL, a);
}

static enum MHD_Result reply(const struct http_speaker *s, const struct moment *now,
                             struct MHD_Connection *connection, struct exchange *e, const char *method,
                             struct http_answer *a, bool closes)
{
    struct http_client *client = client_of(connection);
    bool is_head = str_eq(method, "HEAD");
    unsigned status = a->status;
    if (a->what.file && !is_head && client) {
        begin_file(s, now, client, e, a);
        status = a->status;
    }
    struct MHD_Response *response = response_of(a, s->tls || is_head);
    if (!response) { /* F11, F12: no memory or no descriptor for it */
        if (e->sends_file)
            http_client_end(s->clients, now, client, "no descriptor or memory left");
        e->sends_file = false;
        free(a->body);
        http_refuse(s->server, 503, NULL, a);
        status = a->status;
        response = response_of(a, true);
    }
    if (!response)
        return MHD_NO;
    if (closes)
        add(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static void handle(const struct http_speaker *s, const struct moment *now, struct MHD_Connection *connection,
                   const struct exchange *e, const char *method, struct http_answer *ret_answer)
{
    struct http_client *client = client_of(connection);
    if (e->refused) {
        count(s->server->counters, COUNT_HTTP_BAD, 1);
        http_refuse(s->server, e->refused,
                    e->refused == 414 ? "the request target is too long"
                                      : "this is no request that HTTP knows",
                    ret_answer);
    } else {
        if (client && str_eq(method, "POST") && str_eq(e->target.path, "/v1/report"))
            http_client_booted(s->clients, now, client);
        http_handle(s->server, now,
                    &(struct http_request){.method = method,
                                           .target = e->target,
                                           .body = e->too_long ? NULL : e->body,
                                           .size = e->too_long ? SIZE_MAX : e->size,
                                           .from = client ? http_client_from(client) : 0,
                                           .local = client ? http_client_local(client) : 0,
                                           .header = header,
                                           .user = connection},
                    ret_answer);
    }
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **exchange)
{
    const struct http_speaker *s = user;
    struct exchange *e = *exchange;
    (void)url;
    (void)version;
    if (!e)
        return MHD_NO;
    if (!e->begun) {
        e->begun = true;
        if (!e->refused && is_ambiguous(connection))
            e->refused = 400;
        return MHD_YES;
    }
    if (*size)
        return take_body(e, e->refused ? 0 : http_body_max(method, e->target.path), data, size);
    struct moment now = moment_now();
    struct http_client *client = client_of(connection);
    struct http_answer answer = {0};
    bool over = client && !http_client_request(s->clients, &now, client);
    if (over)
        http_refuse(s->server, 503, NULL, &answer);
    else
        handle(s, &now, connection, e, method, &answer);
    return reply(s, &now, connection, e, method, &answer, over || e->refused);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **exchange,
                         enum MHD_RequestTerminationCode how)
{
    static const char *const reasons[] = {
        [MHD_REQUEST_TERMINATED_COMPLETED_OK] = NULL,
        [MHD_REQUEST_TERMINATED_WITH_ERROR] = "the client closed the connection",
        [MHD_REQUEST_TERMINATED_TIMEOUT_REACHED] = "the client fell silent",
        [MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN] = "the server stops",
        [MHD_REQUEST_TERMINATED_READ_ERROR] = "the client closed the connection",
        [MHD_REQUEST_TERMINATED_CLIENT_ABORT] = "the client closed the connection",
    };
    const struct http_speaker *s = user;
    struct exchange *e = *exchange;
    struct http_client *client = client_of(connection);
    struct moment now = moment_now();
    if (!e)
        return;
    if (client && e->sends_file)
        http_client_end(s->clients, &now, client, reasons[how]);
    else if (client)
        http_client_answered(s->clients, &now, client);
    free(e->body);
    free(e);
    *exchange = NULL;
}

/* ---- connections and workers ---- */

static ipv4_t address_of(const struct sockaddr *sa)
{
    return sa && sa->sa_family == AF_INET
               ? ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr)
               : 0;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **client,
                          enum MHD_ConnectionNotificationCode what)
{
    const struct http_speaker *s = user;
    struct moment now = moment_now();
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_client_close(s->clients, &now, *client);
        *client = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? info->connect_fd : -1;
    struct sockaddr_in local = {0};
    socklen_t size = sizeof(local);
    (void)getsockname(fd, (struct sockaddr *)&local, &size);
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *client = http_client_open(s->clients, &now, fd, info ? address_of(info->client_addr) : 0,
                               address_of((const struct sockaddr *)&local));
}

/* Problems of single connections are the clients'. */
static void be_silent(void *user, const char *format, va_list args)
{
    (void)user;
    (void)format;
    (void)args;
}

struct MHD_Daemon *http_worker_start(struct http_speaker *s)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)give_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (s->tls ? MHD_USE_TLS : 0u);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, be_silent, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)WORKER_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, s->tls ? tls : none, MHD_OPTION_END);
}
