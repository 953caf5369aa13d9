/* http-load: thousands of HTTP clients in one process that download a file whole and check what they get.
 *
 * Each client has a connection and asks for the file again on it as soon as it has it (or, with --close, on a
 * new one). Status, Content-Length and the number of bytes are checked always, the bytes themselves unless
 * --discard says to leave them in the kernel, which costs this side little, so that more of the machine is
 * the server's. One thread, epoll. `http-load --help` lists what can be set.
 *
 * The time of a download begins with its request (or with its connection) and ends with the last byte. Prints
 * figures, a line each, or one JSON object. Exits 0 when every download ended well, 1 when what came was not
 * the file, 2 for wrong options, 3 when downloads were refused, cut short or too late.
 */
#include "base/addr.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "common/histogram.h"
#include "common/measure.h"
#include "common/options.h"
#include "common/setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 100000,
    EVENTS = 256,
    HEAD_MAX = 4096,    /* of a reply */
    REQUEST_MAX = 1024, /* of a request */
    CHUNK = 1 << 20,    /* bytes with one call */
    SLOW_CHUNK = 512,   /* what a slow reader takes at a time */
    TICK_US = 100000    /* how often a slow reader does */
};

struct options {
    ipv4_t server, address;
    uint64_t port, addresses, clients, downloads, slow, limit_ms;
    const char *path, *expect;
    bool discard, close, json, help;
};

#define AT(member) offsetof(struct options, member)
static const struct option_spec option_specs[] = {
    {"--server", "ADDRESS", "whom to ask", OPTION_ADDRESS, AT(server), 0, 0},
    {"--port", "N", "at this port (8069)", OPTION_NUMBER, AT(port), 1, 65535},
    {"--path", "PATH", "what to ask for, from the / on", OPTION_TEXT, AT(path), 0, 0},
    {"--expect", "FILE", "the file as it should arrive", OPTION_TEXT, AT(expect), 0, 0},
    {"--address", "FIRST", "our address (the one towards the server)", OPTION_ADDRESS, AT(address), 0, 0},
    {"--addresses", "N", "so many from there on, each client the next (1)", OPTION_NUMBER, AT(addresses), 1,
     1 << 24},
    {"--clients", "N", "connections at once (1)", OPTION_NUMBER, AT(clients), 1, CLIENTS_MAX},
    {"--downloads", "N", "downloads in all, clients begin again (one each)", OPTION_NUMBER, AT(downloads), 1,
     UINT32_MAX},
    {"--slow", "N", "N clients more that read 5 KB a second and do not count", OPTION_NUMBER, AT(slow), 0,
     CLIENTS_MAX},
    {"--close", NULL, "a new connection for each download", OPTION_FLAG, AT(close), 0, 0},
    {"--discard", NULL, "count the bytes and do not compare them", OPTION_FLAG, AT(discard), 0, 0},
    {"--limit", "S", "end after S seconds (60)", OPTION_SECONDS, AT(limit_ms), 1, 3600000},
    {"--json", NULL, "print one JSON object", OPTION_FLAG, AT(json), 0, 0},
    {"--help", NULL, "print this", OPTION_FLAG, AT(help), 0, 0},
};
#undef AT

static const struct option_table option_table = {
    .program = "http-load",
    .usage = "usage: http-load --server ADDRESS --path PATH --expect FILE [OPTION...]\n\n",
    .examples =
        "\nexamples: http-load --server 10.0.0.1 --path /g1/kernel/linux --expect bzImage\n"
        "          http-load --server 10.0.0.1 --path /g1/kernel/linux --expect bzImage --clients 1000 "
        "--discard\n",
    .specs = option_specs,
    .n = ARRAY_SIZE(option_specs),
};

enum state { CLOSED, CONNECTING, HEAD, BODY };

struct client {
    int fd;
    uint8_t state;   /* enum state */
    bool slow, last; /* last: the server closes after this reply */
    uint32_t head_n;
    uint64_t body; /* bytes of it that came */
    int64_t began_us;
    char *head; /* HEAD_MAX bytes and a NUL */
};

struct load {
    struct options options;
    struct sockaddr_in server;
    const uint8_t *data;
    uint64_t size;
    int epoll;
    struct client *clients;
    uint32_t n_clients;
    uint64_t begun, finished, failed,
        refused; /* refused: of those that failed, by a status that is not 200 */
    uint64_t bytes, mismatches, connections;
    struct histogram times;
    int64_t start_us, now_us, end_us, tick_us;
    double cpu_s;
    char request[REQUEST_MAX];
    size_t request_size;
    char error[96];
    uint8_t chunk[CHUNK];
};

static volatile int stopped;

/* ---- one client ---- */

static void close_client(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = CLOSED;
}

static void fail(struct load *l, struct client *c, const char *why)
{
    close_client(c);
    if (!l->error[0])
        snprintf(l->error, sizeof(l->error), "%s", why);
    if (!c->slow)
        l->failed++;
}

static void ask(struct load *l, struct client *c)
{
    c->state = HEAD;
    c->head_n = 0;
    c->body = 0;
    c->last = false;
    if (send(c->fd, l->request, l->request_size, MSG_NOSIGNAL) != (ssize_t)l->request_size)
        fail(l, c, "the connection takes no request");
}

static int open_client(struct load *l, struct client *c)
{
    uint32_t index = (uint32_t)(c - l->clients), small = SLOW_CHUNK;
    int on = 1;
    const struct sockaddr_in us = {.sin_family = AF_INET,
                                   .sin_addr.s_addr =
                                       htonl(l->options.address + (uint32_t)(index % l->options.addresses))};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return -errno;
    if (c->slow)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (l->options.address && (setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
                               bind(c->fd, (const struct sockaddr *)&us, sizeof(us)) < 0))
        return -errno;
    if (connect(c->fd, (const struct sockaddr *)&l->server, sizeof(l->server)) < 0 && errno != EINPROGRESS)
        return -errno;
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0 ? -errno : 0;
}

/* A download on a connection of its own. */
static void begin(struct load *l, struct client *c)
{
    c->began_us = l->now_us;
    c->state = CONNECTING;
    l->connections++;
    int r = open_client(l, c);
    if (r < 0)
        fail(l, c, strerror(-r));
}

static void on_connected(struct load *l, struct client *c)
{
    int error = 0;
    socklen_t size = sizeof(error);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - l->clients)};
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        fail(l, c, strerror(error));
        return;
    }
    if (c->slow) /* its clock looks after it */
        event.events = 0;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &event);
    ask(l, c);
}

static void finish(struct load *l, struct client *c)
{
    bool again = c->slow;
    if (!c->slow) {
        l->finished++;
        l->end_us = l->now_us;
        histogram_add(&l->times, (uint32_t)(l->now_us - c->began_us));
        again = l->begun < l->options.downloads;
        l->begun += again;
    }
    if (again && !c->last && !l->options.close) {
        c->began_us = l->now_us;
        ask(l, c);
        return;
    }
    close_client(c);
    if (again)
        begin(l, c);
}

/* The value of a header line, which ends with the line; NULL: there is none. */
static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 2 + n + 1 + strspn(line + 2 + n + 1, " ");
    return NULL;
}

/* Body bytes: false when they are not the file's, and the client has failed. */
static bool take_body(struct load *l, struct client *c, const uint8_t *data, size_t n)
{
    if (n > l->size - c->body || (data && memcmp(l->data + c->body, data, n) != 0)) {
        l->mismatches++;
        fail(l, c, "bytes that are not the file's");
        return false;
    }
    c->body += n;
    if (!c->slow)
        l->bytes += n;
    return true;
}

/* Looks at a whole head: the status, the length, the connection. NULL or what is wrong with it. */
static const char *check_head(struct load *l, struct client *c)
{
    char length[24];
    const char *sent = header(c->head, "Content-Length"), *connection = header(c->head, "Connection");
    int n = snprintf(length, sizeof(length), "%llu", (unsigned long long)l->size);
    c->last = !str_starts(c->head, "HTTP/1.1") || (connection && strncasecmp(connection, "close", 5) == 0);
    if (strncmp(c->head, "HTTP/1.", 7) != 0 || strncmp(c->head + 8, " 200 ", 5) != 0) {
        l->refused += !c->slow;
        return "a status that is not 200";
    }
    if (!sent || strncmp(sent, length, (size_t)n) != 0 || sent[n] != '\r') {
        l->mismatches++;
        return "a Content-Length that is not the file's";
    }
    return NULL;
}

/* What came of the head; what came behind it is body. */
static void take_head(struct load *l, struct client *c, size_t n)
{
    c->head_n += (uint32_t)n;
    c->head[c->head_n] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (c->head_n == HEAD_MAX)
            fail(l, c, "a head without end");
        return;
    }
    const uint8_t *body = (const uint8_t *)end + 4;
    size_t left = c->head_n - (size_t)(end + 4 - c->head);
    end[2] = '\0';
    const char *wrong = check_head(l, c);
    if (wrong) {
        fail(l, c, wrong);
        return;
    }
    c->state = BODY;
    if (take_body(l, c, body, left) && c->body == l->size)
        finish(l, c);
}

/* One read. False when there is no more for now, or the client's connection is not the one it had. */
static bool receive(struct load *l, struct client *c, size_t most)
{
    bool head = c->state == HEAD, discard = l->options.discard && !head;
    void *room = head ? (void *)(c->head + c->head_n) : l->chunk;
    uint64_t wanted = head ? HEAD_MAX - c->head_n : l->size - c->body;
    if (!head && wanted > most)
        wanted = most;
    ssize_t n = recv(c->fd, discard ? NULL : room, wanted, MSG_DONTWAIT | (discard ? MSG_TRUNC : 0));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        fail(l, c, n < 0 ? strerror(errno) : "the connection was closed too early");
        return false;
    }
    if (head) {
        take_head(l, c, (size_t)n);
        return c->state == BODY;
    }
    if (take_body(l, c, discard ? NULL : l->chunk, (size_t)n) && c->body == l->size)
        finish(l, c);
    return c->state == BODY && (uint64_t)n == wanted;
}

/* ---- all of them ---- */

static void on_event(struct load *l, struct client *c)
{
    if (c->state == CONNECTING)
        on_connected(l, c);
    else if (c->state != CLOSED && !c->slow)
        while (receive(l, c, CHUNK))
            ;
}

static void read_slowly(struct load *l)
{
    if (l->now_us < l->tick_us)
        return;
    l->tick_us = l->now_us + TICK_US;
    for (uint32_t i = 0; i < l->n_clients; i++)
        if (l->clients[i].slow && l->clients[i].state >= HEAD)
            (void)receive(l, &l->clients[i], SLOW_CHUNK);
}

static bool over(const struct load *l)
{
    return stopped || l->finished + l->failed == l->begun ||
           l->now_us - l->start_us >= (int64_t)l->options.limit_ms * 1000;
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    double cpu = cpu_seconds();
    l->start_us = l->now_us = l->end_us = clock_us();
    for (uint32_t i = 0; i < l->n_clients; i++)
        begin(l, &l->clients[i]);
    while (!over(l)) {
        int n = epoll_wait(l->epoll, events, EVENTS, TICK_US / 1000);
        l->now_us = clock_us();
        for (int i = 0; i < n; i++)
            on_event(l, &l->clients[events[i].data.u32]);
        read_slowly(l);
    }
    if (l->finished + l->failed < l->begun) /* the limit came first: the rate is that of all of this time */
        l->end_us = l->now_us;
    l->cpu_s = cpu_seconds() - cpu;
}

/* ---- figures ---- */

static void print(const struct load *l)
{
    const double gb = (double)l->bytes / 1e9, s = (double)(l->end_us - l->start_us) / 1e6;
    const struct figure figures[] = {
        {"clients", (double)l->options.clients, "", 0},
        {"downloads", (double)l->options.downloads, "", 0},
        {"finished", (double)l->finished, "", 0},
        {"failed", (double)l->failed, "", 0},
        {"refused", (double)l->refused, "", 0},
        {"mismatches", (double)l->mismatches, "", 0},
        {"connections", (double)l->connections, "", 0},
        {"seconds", s, "s", 3},
        {"bytes", (double)l->bytes, "", 0},
        {"mb_per_s", s > 0 ? gb * 1e3 / s : 0, "MB/s", 2},
        {"downloads_per_s", s > 0 ? (double)l->finished / s : 0, "/s", 1},
        {"time_p50", histogram_share(&l->times, 0.5) / 1e6, "s", 4},
        {"time_p99", histogram_share(&l->times, 0.99) / 1e6, "s", 4},
        {"time_max", l->times.max / 1e6, "s", 4},
        {"client_cpu", gb > 0 ? l->cpu_s / gb : 0, "s/GB", 3},
    };
    figures_print(figures, ARRAY_SIZE(figures), l->options.json);
    if (l->error[0])
        fprintf(stderr, "http-load: the first failure: %s\n", l->error);
}

/* ---- making and ending ---- */

static void make_clients(struct load *l)
{
    l->n_clients = (uint32_t)(l->options.clients + l->options.slow);
    l->begun = l->options.clients;
    l->clients = xcalloc(l->n_clients, sizeof(*l->clients));
    allow_descriptors("http-load", l->n_clients);
    for (uint32_t i = 0; i < l->n_clients; i++) {
        l->clients[i] = (struct client){.fd = -1, .slow = i < l->options.slow};
        l->clients[i].head = xmalloc(HEAD_MAX + 1);
    }
}

static int take_options(struct load *l, int argc, char **argv)
{
    struct options *o = &l->options;
    char server[IPV4_TEXT_MAX];
    *o = (struct options){.port = 8069, .addresses = 1, .clients = 1, .limit_ms = 60000};
    if (options_take(&option_table, argc, argv, o) < 0)
        return -EINVAL;
    if (o->help)
        return 0;
    if (!o->server || !o->path || o->path[0] != '/' || !o->expect) {
        fprintf(stderr, "http-load: --server, --path /... and --expect are needed: see http-load --help\n");
        return -EINVAL;
    }
    if (o->downloads < o->clients)
        o->downloads = o->clients;
    l->server = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)o->port), .sin_addr.s_addr = htonl(o->server)};
    int n =
        snprintf(l->request, sizeof(l->request), "GET %s HTTP/1.1\r\nHost: %s:%u\r\n%s\r\n", o->path,
                 ipv4_format(o->server, server), (unsigned)o->port, o->close ? "Connection: close\r\n" : "");
    l->request_size = (size_t)n;
    if (l->request_size < sizeof(l->request))
        return 0;
    fprintf(stderr, "http-load: --path is too long; at most %d bytes\n", REQUEST_MAX - 100);
    return -EINVAL;
}

static void end(struct load *l)
{
    for (uint32_t i = 0; i < l->n_clients; i++) {
        close_client(&l->clients[i]);
        free(l->clients[i].head);
    }
    free(l->clients);
}

int main(int argc, char **argv)
{
    static struct load l;
    if (take_options(&l, argc, argv) < 0)
        return 2;
    if (l.options.help)
        return options_usage(&option_table, stdout), 0;
    stop_on_signals(&stopped);
    int r = map_file(l.options.expect, &l.data, &l.size);
    if (r < 0) {
        fprintf(stderr, "http-load: cannot read %s: %s\n", l.options.expect, strerror(-r));
        return 2;
    }
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_clients(&l);
    run(&l);
    print(&l);
    end(&l);
    if (l.mismatches)
        return 1;
    return l.finished < l.options.downloads ? 3 : 0;
}
