/* udp-relay: the bad network between UDP clients and a server; it loses, delays, doubles and reorders.
 *
 *     client --- listener:69  ===  upstream socket of this client --- server:69
 *            \-- TID socket   ===/                                \--- server:TID
 *
 * Each client (address and port) has a socket of its own towards the server. What the server sends from
 * another port than it was asked at goes to the client from another port of ours too, and what the client
 * sends there goes to that port of the server: so transfer identifiers (RFC 1350 §4) stay apart, and a
 * request that was doubled may begin two transfers, as on a real network.
 *
 * Which packets are hit depends on the seed and on their number in their direction alone. Packets that wait
 * the same time keep their order. It runs until SIGTERM or SIGINT and then prints what it did.
 */
#include "base/addr.h"
#include "base/cleanup.h"
#include "base/mix.h"
#include "base/str.h"
#include "base/vec.h"
#include "common/measure.h"
#include "common/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUCKETS = 4096,
    EVENTS = 256,
    DATAGRAM_MAX = 65536,
    DELAY_MAX_MS = 10000,
    IDLE_US = 60000000, /* a client that was silent so long is forgotten; longer than any packet waits */
    SWEEP_US = 5000000,
    BUFFER = 4 << 20 /* of the listener, bytes */
};

struct options {
    ipv4_t listen, server, address;
    uint64_t port, server_port, addresses, seed;
    uint64_t delay_us, jitter_us, hold_us;
    double loss, duplicate, reorder;
    bool json, help;
};

#define AT(member) offsetof(struct options, member)
static const struct option_spec option_specs[] = {
    {"--listen", "ADDRESS", "where clients find us (any)", OPTION_ADDRESS, AT(listen), 0, 0},
    {"--port", "N", "at this port (69)", OPTION_NUMBER, AT(port), 1, 65535},
    {"--server", "ADDRESS", "where the packets go", OPTION_ADDRESS, AT(server), 0, 0},
    {"--server-port", "N", "at this port (69)", OPTION_NUMBER, AT(server_port), 1, 65535},
    {"--address", "FIRST", "our address towards the server (the one that leads there)", OPTION_ADDRESS,
     AT(address), 0, 0},
    {"--addresses", "N", "so many from there on, each client the next (1)", OPTION_NUMBER, AT(addresses), 1,
     1 << 24},
    {"--loss", "PERCENT", "of the packets that are lost", OPTION_SHARE, AT(loss), 0, 0},
    {"--duplicate", "PERCENT", "of the packets that arrive twice", OPTION_SHARE, AT(duplicate), 0, 0},
    {"--reorder", "PERCENT", "of the packets that are held up, so that later ones pass them", OPTION_SHARE,
     AT(reorder), 0, 0},
    {"--hold", "US", "for so long, microseconds (5000)", OPTION_NUMBER, AT(hold_us), 1, DELAY_MAX_MS * 1000},
    {"--delay", "US", "of every packet, microseconds", OPTION_NUMBER, AT(delay_us), 0, DELAY_MAX_MS * 1000},
    {"--jitter", "US", "up to so much more, microseconds", OPTION_NUMBER, AT(jitter_us), 0,
     DELAY_MAX_MS * 1000},
    {"--seed", "N", "of all chances (1)", OPTION_NUMBER, AT(seed), 0, UINT64_MAX},
    {"--json", NULL, "print one JSON object", OPTION_FLAG, AT(json), 0, 0},
    {"--help", NULL, "print this", OPTION_FLAG, AT(help), 0, 0},
};
#undef AT

static const struct option_table option_table = {
    .program = "udp-relay",
    .usage = "usage: udp-relay --server ADDRESS [OPTION...]\n\nBoth directions are treated alike.\n\n",
    .examples = "\nexamples: udp-relay --listen 10.0.0.2 --server 10.0.0.1 --loss 1 --delay 1000\n"
                "          udp-relay --listen 10.0.0.2 --server 10.0.0.1 --loss 10 --duplicate 5 --reorder 5 "
                "--jitter 2000\n",
    .specs = option_specs,
    .n = ARRAY_SIZE(option_specs),
};

enum direction { TO_SERVER, TO_CLIENT, DIRECTIONS };

/* A socket. `flow` is NULL for the listener; `is_tid`: it stands for port `tid` of the server. */
struct port {
    int fd;
    struct flow *flow;
    bool is_tid;
    uint16_t tid;
    struct port *next; /* more TIDs of the flow */
};

/* One client. */
struct flow {
    struct sockaddr_in client;
    struct port upstream;
    struct port *tids;
    int64_t used_us;
    struct flow *next; /* in the bucket */
};

struct packet {
    int64_t due_us;
    uint64_t number; /* of equal ones the first leaves first */
    int fd;
    struct sockaddr_in to;
    size_t size;
    uint8_t data[];
};

struct counts {
    uint64_t packets, lost, duplicated, reordered;
};

struct relay {
    struct options options;
    struct port listener;
    int epoll;
    struct flow *buckets[BUCKETS];
    uint64_t flows, number, unsent;
    uint64_t random[DIRECTIONS];
    struct counts counts[DIRECTIONS];
    VEC(struct packet *) waiting; /* a heap: the one that is due first is the first */
    int64_t now_us, sweep_us;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    stopped = number;
}

/* ---- packets that wait ---- */

static bool before(const struct packet *a, const struct packet *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static void swap(struct packet **a, struct packet **b)
{
    struct packet *p = *a;
    *a = *b;
    *b = p;
}

static void heap_add(struct relay *r, struct packet *p)
{
    VEC_PUSH(&r->waiting, p);
    struct packet **heap = r->waiting.items;
    for (size_t i = r->waiting.n - 1; i && before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&heap[i], &heap[(i - 1) / 2]);
}

static struct packet *heap_take(struct relay *r)
{
    struct packet **heap = r->waiting.items, *first = heap[0];
    size_t n = --r->waiting.n, i = 0;
    heap[0] = heap[n];
    for (;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < n && before(heap[left], heap[least]))
            least = left;
        if (right < n && before(heap[right], heap[least]))
            least = right;
        if (least == i)
            return first;
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

static void send_packet(struct relay *r, int fd, const struct sockaddr_in *to, const void *data, size_t size)
{
    r->unsent += sendto(fd, data, size, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to)) < 0;
}

static void send_due(struct relay *r)
{
    while (r->waiting.n && r->waiting.items[0]->due_us <= r->now_us) {
        cleanup_free struct packet *p = heap_take(r);
        send_packet(r, p->fd, &p->to, p->data, p->size);
    }
}

/* ---- chance ---- */

/* 0 <= x < 1, the next one of this direction. */
static double chance(struct relay *r, enum direction direction)
{
    r->random[direction] += UINT64_C(0x9e3779b97f4a7c15);
    return (double)(mix64(r->random[direction]) >> 11) * 0x1p-53;
}

static int64_t draw_delay(struct relay *r, enum direction direction)
{
    const struct options *o = &r->options;
    double jitter = chance(r, direction), reorder = chance(r, direction);
    int64_t us = (int64_t)o->delay_us + (int64_t)(jitter * (double)o->jitter_us);
    if (reorder >= o->reorder)
        return us;
    r->counts[direction].reordered++;
    return us + (int64_t)o->hold_us;
}

static void pass_once(struct relay *r, enum direction direction, int fd, const struct sockaddr_in *to,
                      const void *data, size_t size)
{
    int64_t delay = draw_delay(r, direction);
    if (delay == 0) {
        send_packet(r, fd, to, data, size);
        return;
    }
    struct packet *p = xmalloc(sizeof(*p) + size);
    *p = (struct packet){
        .due_us = r->now_us + delay, .number = r->number++, .fd = fd, .to = *to, .size = size};
    memcpy(p->data, data, size);
    heap_add(r, p);
}

/* A packet on its way: what becomes of it. */
static void pass(struct relay *r, enum direction direction, int fd, const struct sockaddr_in *to,
                 const void *data, size_t size)
{
    struct counts *c = &r->counts[direction];
    double loss = chance(r, direction), duplicate = chance(r, direction);
    c->packets++;
    if (loss < r->options.loss) {
        c->lost++;
        return;
    }
    pass_once(r, direction, fd, to, data, size);
    if (duplicate >= r->options.duplicate)
        return;
    c->duplicated++;
    pass_once(r, direction, fd, to, data, size);
}

/* ---- sockets ---- */

static int open_port(struct relay *r, struct port *port, ipv4_t address, uint16_t number)
{
    const struct sockaddr_in us = {
        .sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(address)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
    CLEANUP(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&us, sizeof(us)) < 0 ||
        epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    port->fd = TAKE_FD(fd);
    return 0;
}

static void free_flow(struct flow *f)
{
    while (f->tids) {
        struct port *tid = f->tids;
        f->tids = tid->next;
        close(tid->fd);
        free(tid);
    }
    close(f->upstream.fd);
    free(f);
}

static struct flow **bucket(struct relay *r, const struct sockaddr_in *client)
{
    return &r->buckets[mix64((uint64_t)client->sin_addr.s_addr << 16 | client->sin_port) % BUCKETS];
}

static bool same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
}

static struct flow *flow_of(struct relay *r, const struct sockaddr_in *client)
{
    const struct options *o = &r->options;
    struct flow **head = bucket(r, client), *f = *head;
    while (f && !same(&f->client, client))
        f = f->next;
    if (f)
        return f;
    f = xcalloc(1, sizeof(*f));
    f->client = *client;
    f->upstream.flow = f;
    int error =
        open_port(r, &f->upstream, o->address ? o->address + (ipv4_t)(r->flows % o->addresses) : 0, 0);
    if (error < 0) {
        fprintf(stderr, "udp-relay: no socket for one more client: %s\n", strerror(-error));
        free(f);
        return NULL;
    }
    r->flows++;
    f->next = *head;
    *head = f;
    return f;
}

static struct port *tid_of(struct relay *r, struct flow *f, uint16_t number)
{
    struct port *tid = f->tids;
    while (tid && tid->tid != number)
        tid = tid->next;
    if (tid)
        return tid;
    tid = xcalloc(1, sizeof(*tid));
    *tid = (struct port){.flow = f, .is_tid = true, .tid = number, .next = f->tids};
    if (open_port(r, tid, r->options.listen, 0) < 0) {
        free(tid);
        return NULL;
    }
    f->tids = tid;
    return tid;
}

static void forget_idle(struct relay *r)
{
    if (r->now_us < r->sweep_us)
        return;
    r->sweep_us = r->now_us + SWEEP_US;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct flow **at = &r->buckets[i]; *at;) {
            struct flow *f = *at;
            if (r->now_us - f->used_us < IDLE_US) {
                at = &f->next;
                continue;
            }
            *at = f->next;
            free_flow(f);
        }
}

/* ---- packets that come ---- */

static void from_client(struct relay *r, struct port *port, const struct sockaddr_in *from, const void *data,
                        size_t size)
{
    struct flow *f = port->flow ? port->flow : flow_of(r, from);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port =
                                       htons(port->is_tid ? port->tid : (uint16_t)r->options.server_port),
                                   .sin_addr.s_addr = htonl(r->options.server)};
    if (!f || !same(&f->client, from))
        return; /* a stranger at the port of another's transfer */
    f->used_us = r->now_us;
    pass(r, TO_SERVER, f->upstream.fd, &to, data, size);
}

static void from_server(struct relay *r, struct port *port, const struct sockaddr_in *from, const void *data,
                        size_t size)
{
    struct flow *f = port->flow;
    uint16_t number = ntohs(from->sin_port);
    const struct port *through = number == r->options.server_port ? &r->listener : tid_of(r, f, number);
    if (!through || from->sin_addr.s_addr != htonl(r->options.server))
        return;
    f->used_us = r->now_us;
    pass(r, TO_CLIENT, through->fd, &f->client, data, size);
}

static void receive(struct relay *r, struct port *port)
{
    static uint8_t data[DATAGRAM_MAX];
    for (int i = 0; i < EVENTS; i++) { /* the others have their turn too */
        struct sockaddr_in from;
        socklen_t from_size = sizeof(from);
        ssize_t n =
            recvfrom(port->fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (n < 0)
            return;
        if (port->flow && !port->is_tid)
            from_server(r, port, &from, data, (size_t)n);
        else
            from_client(r, port, &from, data, (size_t)n);
    }
}

static void run(struct relay *r)
{
    struct epoll_event events[EVENTS];
    while (!stopped) {
        int64_t wait_us = SWEEP_US;
        if (r->waiting.n && r->waiting.items[0]->due_us - r->now_us < wait_us)
            wait_us = r->waiting.items[0]->due_us - r->now_us;
        wait_us = wait_us < 0 ? 0 : wait_us;
        struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
        int n = epoll_pwait2(r->epoll, events, EVENTS, &wait, NULL);
        r->now_us = clock_us();
        for (int i = 0; i < n; i++)
            receive(r, events[i].data.ptr);
        r->now_us = clock_us();
        send_due(r);
        forget_idle(r);
    }
}

/* ---- making and ending ---- */

static void print(const struct relay *r)
{
    const struct counts *up = &r->counts[TO_SERVER], *down = &r->counts[TO_CLIENT];
    const struct figure figures[] = {
        {"clients", (double)r->flows, "", 0},
        {"to_server", (double)up->packets, "", 0},
        {"to_server_lost", (double)up->lost, "", 0},
        {"to_server_duplicated", (double)up->duplicated, "", 0},
        {"to_server_reordered", (double)up->reordered, "", 0},
        {"to_client", (double)down->packets, "", 0},
        {"to_client_lost", (double)down->lost, "", 0},
        {"to_client_duplicated", (double)down->duplicated, "", 0},
        {"to_client_reordered", (double)down->reordered, "", 0},
        {"unsent", (double)r->unsent, "", 0},
    };
    figures_print(figures, ARRAY_SIZE(figures), r->options.json);
}

static int open_relay(struct relay *r)
{
    struct rlimit limit;
    int buffer = BUFFER;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    r->random[TO_SERVER] = mix64(r->options.seed);
    r->random[TO_CLIENT] = mix64(~r->options.seed);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    int error = open_port(r, &r->listener, r->options.listen, (uint16_t)r->options.port);
    if (error < 0) {
        fprintf(stderr, "udp-relay: cannot listen at port %u: %s\n", (unsigned)r->options.port,
                strerror(-error));
        return error;
    }
    (void)setsockopt(r->listener.fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    return 0;
}

int main(int argc, char **argv)
{
    static struct relay r = {.listener.fd = -1};
    r.options = (struct options){.port = 69, .server_port = 69, .addresses = 1, .seed = 1, .hold_us = 5000};
    if (options_take(&option_table, argc, argv, &r.options) < 0)
        return 2;
    if (r.options.help)
        return options_usage(&option_table, stdout), 0;
    if (!r.options.server) {
        fprintf(stderr, "udp-relay: --server ADDRESS is needed: see udp-relay --help\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (open_relay(&r) < 0)
        return 1;
    run(&r);
    print(&r);
    return 0;
}
