/* tftp-load: thousands of TFTP clients in one process, which measure a server and compare every byte.
 *
 * Each client has a socket, and if --addresses says so an address, of its own, as machines have; the protocol
 * is in transfer.h. One thread; epoll tells whose packets came. A client that hears nothing sends again after
 * a second, as ROMs do, so what is repaired faster is the server's work; when the ACK of an OACK draws
 * nothing several times, it asks anew from another port. Nothing is allocated for a packet. `tftp-load
 * --help` lists what can be set.
 *
 * The time of a transfer begins with its first request and ends when its last block was read. Prints
 * figures, a line each, or one JSON object. Exits 0 when every transfer ended well, 1 when a byte differed or
 * the server broke a rule, 2 for wrong options, 3 when transfers were refused or went silent.
 */
#include "base/addr.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "common/histogram.h"
#include "common/measure.h"
#include "common/options.h"
#include "common/setup.h"
#include "tftp/transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 100000,
    EVENTS = 256,
    BATCH = 64,     /* packets of one socket with one call */
    PACKET = 65536, /* room of one */
    ANEW = 5,       /* so often the ACK of an OACK is sent again before the client asks anew */
    TICK_US = 20000 /* how often the clocks of all clients are looked at */
};

struct options {
    ipv4_t server, address;
    uint64_t port, addresses, clients, transfers, slow, abandon, blksize, windowsize, timeout_option, tries;
    uint64_t retransmit_ms, timeout_ms, stall_ms, ramp_ms;
    const char *file, *expect;
    bool tsize, probe, json, help;
};

#define AT(member) offsetof(struct options, member)
static const struct option_spec option_specs[] = {
    {"--server", "ADDRESS", "whom to ask", OPTION_ADDRESS, AT(server), 0, 0},
    {"--port", "N", "at this port (69)", OPTION_NUMBER, AT(port), 1, 65535},
    {"--file", "NAME", "what to ask for", OPTION_TEXT, AT(file), 0, 0},
    {"--expect", "PATH", "the file as it should arrive", OPTION_TEXT, AT(expect), 0, 0},
    {"--address", "FIRST", "our address (the one towards the server)", OPTION_ADDRESS, AT(address), 0, 0},
    {"--addresses", "N", "so many from there on, each client the next (1)", OPTION_NUMBER, AT(addresses), 1,
     1 << 24},
    {"--clients", "N", "transfers at once (1)", OPTION_NUMBER, AT(clients), 1, CLIENTS_MAX},
    {"--transfers", "N", "transfers in all, clients begin again (one each)", OPTION_NUMBER, AT(transfers), 1,
     UINT32_MAX},
    {"--ramp", "S", "begin within S seconds instead of all at once", OPTION_SECONDS, AT(ramp_ms), 0, 600000},
    {"--slow", "N", "N clients more that wait before each ACK and do not count", OPTION_NUMBER, AT(slow), 0,
     CLIENTS_MAX},
    {"--stall", "S", "how long they wait (2)", OPTION_SECONDS, AT(stall_ms), 1, 600000},
    {"--abandon", "N", "N clients more that ask and never say another word", OPTION_NUMBER, AT(abandon), 0,
     CLIENTS_MAX},
    {"--blksize", "N", "ask for this option", OPTION_NUMBER, AT(blksize), 8, 65464},
    {"--windowsize", "N", "ask for this option", OPTION_NUMBER, AT(windowsize), 1, 65535},
    {"--timeout", "N", "ask for this option, seconds", OPTION_NUMBER, AT(timeout_option), 1, 255},
    {"--tsize", NULL, "ask for this option", OPTION_FLAG, AT(tsize), 0, 0},
    {"--probe", NULL, "ask for the size, say ERROR 8, ask again: EDK2's habit", OPTION_FLAG, AT(probe), 0, 0},
    {"--retransmit", "S", "silence after which a client sends again (1)", OPTION_SECONDS, AT(retransmit_ms),
     1, 60000},
    {"--tries", "N", "how often, before it gives up (10)", OPTION_NUMBER, AT(tries), 0, 1000},
    {"--limit", "S", "end after S seconds (60)", OPTION_SECONDS, AT(timeout_ms), 1, 3600000},
    {"--json", NULL, "print one JSON object", OPTION_FLAG, AT(json), 0, 0},
    {"--help", NULL, "print this", OPTION_FLAG, AT(help), 0, 0},
};
#undef AT

static const struct option_table option_table = {
    .program = "tftp-load",
    .usage = "usage: tftp-load --server ADDRESS --file NAME --expect PATH [OPTION...]\n\n",
    .examples =
        "\nexamples: tftp-load --server 10.0.0.1 --file pxelinux.0 --expect /usr/lib/PXELINUX/pxelinux.0\n"
        "          tftp-load --server 10.0.0.1 --file g1/kernel/linux --expect bzImage --clients 100 "
        "--blksize 1408\n",
    .specs = option_specs,
    .n = ARRAY_SIZE(option_specs),
};

enum kind { ORDINARY, SLOW, ABANDONS };

struct client {
    int fd;               /* -1: not at work */
    uint8_t kind;         /* enum kind */
    bool connected, held; /* held: `reply_held` waits for its time (a slow client) */
    unsigned tries;
    int64_t began_us, due_us;
    struct transfer transfer;
};

struct load {
    struct options options;
    struct fetch fetch;
    struct sockaddr_in server;
    int epoll;
    struct client *clients;
    uint32_t n_clients, n_ordinary;
    uint64_t begun;                    /* by ordinary clients, with those whose turn comes with the ramp */
    uint64_t finished, failed, silent; /* silent: of those that failed */
    uint64_t retransmissions, anew, strangers, unsent;
    struct fetch_counts counts, others; /* others: of slow clients and those that abandon */
    uint64_t granted_blksize, granted_window;
    struct histogram times;
    int64_t start_us, now_us, end_us, tick_us; /* end: the last transfer's */
    double cpu_s;
    struct reply reply;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in from[BATCH];
    uint8_t packets[BATCH][PACKET];
};

static volatile int stopped;

static bool counts(const struct client *c)
{
    return c->kind == ORDINARY;
}

/* ---- one client ---- */

static void transmit(struct load *l, struct client *c)
{
    const struct sockaddr *to = c->connected ? NULL : (const struct sockaddr *)&l->server;
    ssize_t n = sendto(c->fd, l->reply.data, l->reply.size, MSG_DONTWAIT, to, to ? sizeof(l->server) : 0);
    if (n < 0 && errno == ECONNREFUSED) /* the answer to an earlier one */
        n = sendto(c->fd, l->reply.data, l->reply.size, MSG_DONTWAIT, to, to ? sizeof(l->server) : 0);
    if (n < 0)
        l->unsent++;
    c->due_us = l->now_us + (int64_t)l->options.retransmit_ms * 1000;
}

static void close_socket(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->connected = c->held = false;
}

static bool in_windows(const struct load *l)
{
    return l->options.windowsize > 1;
}

static int open_socket(struct load *l, struct client *c)
{
    uint32_t index = (uint32_t)(c - l->clients);
    const struct sockaddr_in us = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = l->options.address
                               ? htonl(l->options.address + (uint32_t)(index % l->options.addresses))
                               : INADDR_ANY};
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&us, sizeof(us)) < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN | (in_windows(l) ? EPOLLET : 0), .data.u32 = index};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0 ? -errno : 0;
}

static void fail(struct load *l, struct client *c, bool silent)
{
    close_socket(c);
    if (!counts(c))
        return;
    l->failed++;
    l->silent += silent;
}

static void begin(struct load *l, struct client *c, bool probed)
{
    int r = open_socket(l, c);
    if (r < 0) {
        if (!l->counts.error[0])
            snprintf(l->counts.error, sizeof(l->counts.error), "no socket: %s", strerror(-r));
        fail(l, c, false);
        return;
    }
    c->tries = 0;
    transfer_begin(&c->transfer, &l->fetch, probed, &l->reply);
    transmit(l, c);
}

static void begin_first(struct load *l, struct client *c)
{
    c->began_us = l->now_us;
    begin(l, c, false);
}

static void finish(struct load *l, struct client *c)
{
    close_socket(c);
    if (!counts(c))
        return;
    l->granted_blksize = c->transfer.blksize;
    l->granted_window = c->transfer.window;
    l->finished++;
    l->end_us = l->now_us;
    histogram_add(&l->times, (uint32_t)(l->now_us - c->began_us));
    if (l->begun < l->options.transfers) {
        l->begun++;
        begin_first(l, c);
    }
}

static void hold(struct load *l, struct client *c)
{
    if (!c->held)
        c->due_us = l->now_us + (int64_t)l->options.stall_ms * 1000;
    c->held = true;
}

/* The client does as the step says. False: its socket is not the one it had. */
static bool act(struct load *l, struct client *c, enum transfer_step step)
{
    c->tries = 0;
    switch (step) {
    case TRANSFER_WAITS:
        if (!c->held)
            c->due_us = l->now_us + (int64_t)l->options.retransmit_ms * 1000;
        return true;
    case TRANSFER_SENDS:
        if (c->kind == SLOW)
            hold(l, c);
        else
            transmit(l, c);
        return true;
    case TRANSFER_DONE:
        transmit(l, c);
        finish(l, c);
        return false;
    case TRANSFER_AGAIN:
        transmit(l, c);
        close_socket(c);
        begin(l, c, true);
        return false;
    case TRANSFER_FAILED:
        break;
    }
    fail(l, c, false);
    return false;
}

/* The port that answers first is the transfer's (RFC 1350 §4); from then on the kernel lets no other through.
 */
static bool is_its_server(struct load *l, struct client *c, const struct sockaddr_in *from)
{
    if (c->connected)
        return true;
    if (from->sin_addr.s_addr != l->server.sin_addr.s_addr ||
        connect(c->fd, (const struct sockaddr *)from, sizeof(*from)) < 0) {
        l->strangers++;
        return false;
    }
    c->connected = true;
    return true;
}

/* One packet of those that came. False: the client's socket is not the one it had. */
static bool take_packet(struct load *l, struct client *c, unsigned i)
{
    struct fetch_counts *tally = counts(c) ? &l->counts : &l->others;
    if (c->kind == ABANDONS || !is_its_server(l, c, &l->from[i]))
        return true;
    return act(
        l, c,
        transfer_input(&c->transfer, &l->fetch, tally, l->packets[i], l->messages[i].msg_len, &l->reply));
}

/* In lockstep there is one packet; if there are more, epoll tells so again. */
static void receive_one(struct load *l, struct client *c)
{
    socklen_t size = sizeof(l->from[0]);
    struct sockaddr *from = c->connected ? NULL : (struct sockaddr *)&l->from[0];
    ssize_t n = recvfrom(c->fd, l->packets[0], PACKET, MSG_DONTWAIT, from, from ? &size : NULL);
    if (n < 0)
        return;
    l->messages[0].msg_len = (unsigned)n;
    take_packet(l, c, 0);
}

/* Takes what came for a client, until there is no more. */
static void receive_all(struct load *l, struct client *c)
{
    int n;
    do {
        for (int i = 0; i < BATCH; i++)
            l->messages[i].msg_hdr.msg_namelen = sizeof(l->from[i]);
        n = recvmmsg(c->fd, l->messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            if (!take_packet(l, c, (unsigned)i))
                return;
    } while (n == BATCH);
}

static void begin_anew(struct load *l, struct client *c)
{
    unsigned tries = c->tries;
    l->anew += counts(c);
    close_socket(c);
    begin(l, c, !c->transfer.probing);
    c->tries = tries;
}

static void clock_client(struct load *l, struct client *c)
{
    if (c->fd < 0 || c->due_us > l->now_us || c->kind == ABANDONS)
        return;
    if (c->held) {
        c->held = false;
        transfer_resend(&c->transfer, &l->fetch, &l->reply);
        transmit(l, c);
        return;
    }
    if (++c->tries > l->options.tries) {
        fail(l, c, true);
        return;
    }
    l->retransmissions += counts(c);
    if (c->tries % ANEW == 0 && transfer_has_nothing(&c->transfer)) {
        begin_anew(l, c);
        return;
    }
    transfer_resend(&c->transfer, &l->fetch, &l->reply);
    transmit(l, c);
}

/* ---- all of them ---- */

/* Clients that never began, in their order: all at once, or spread over the ramp. */
static void begin_due(struct load *l, uint32_t *next)
{
    uint64_t due = l->n_clients, elapsed = (uint64_t)(l->now_us - l->start_us) / 1000;
    if (l->options.ramp_ms && elapsed < l->options.ramp_ms)
        due = due * elapsed / l->options.ramp_ms + 1;
    for (; *next < due; ++*next)
        begin_first(l, &l->clients[*next]);
}

static bool over(const struct load *l)
{
    return stopped || l->finished + l->failed == l->begun ||
           l->now_us - l->start_us >= (int64_t)l->options.timeout_ms * 1000;
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    double cpu = cpu_seconds();
    uint32_t next = 0;
    l->start_us = l->now_us = l->end_us = clock_us();
    while (!over(l)) {
        begin_due(l, &next);
        int n = epoll_wait(l->epoll, events, EVENTS, TICK_US / 1000);
        l->now_us = clock_us();
        for (int i = 0; i < n; i++)
            if (l->clients[events[i].data.u32].fd >= 0)
                (in_windows(l) ? receive_all : receive_one)(l, &l->clients[events[i].data.u32]);
        if (l->now_us < l->tick_us)
            continue;
        l->tick_us = l->now_us + TICK_US;
        for (uint32_t i = 0; i < next; i++)
            clock_client(l, &l->clients[i]);
    }
    if (l->finished + l->failed < l->begun) /* the limit came first: the rate is that of all of this time */
        l->end_us = l->now_us;
    l->cpu_s = cpu_seconds() - cpu;
}

/* ---- figures ---- */

static double per_second(const struct load *l, double value)
{
    int64_t us = l->end_us - l->start_us;
    return us > 0 ? value * 1e6 / (double)us : 0;
}

static void print(const struct load *l)
{
    const struct fetch_counts *c = &l->counts;
    const double gb = (double)c->bytes / 1e9;
    const struct figure figures[] = {
        {"clients", l->n_ordinary, "", 0},
        {"transfers", (double)l->options.transfers, "", 0},
        {"finished", (double)l->finished, "", 0},
        {"failed", (double)l->failed, "", 0},
        {"unfinished", (double)(l->options.transfers - l->finished), "", 0},
        {"silent", (double)l->silent, "", 0},
        {"seconds", (double)(l->end_us - l->start_us) / 1e6, "s", 3},
        {"bytes", (double)c->bytes, "", 0},
        {"mb_per_s", per_second(l, (double)c->bytes / 1e6), "MB/s", 2},
        {"transfers_per_s", per_second(l, (double)l->finished), "/s", 1},
        {"time_p50", histogram_share(&l->times, 0.5) / 1e6, "s", 4},
        {"time_p99", histogram_share(&l->times, 0.99) / 1e6, "s", 4},
        {"time_max", l->times.max / 1e6, "s", 4},
        {"blksize", (double)l->granted_blksize, "", 0},
        {"windowsize", (double)l->granted_window, "", 0},
        {"data", (double)c->data, "", 0},
        {"duplicates", (double)c->duplicates, "", 0},
        {"gaps", (double)c->gaps, "", 0},
        {"retransmissions", (double)l->retransmissions, "", 0},
        {"anew", (double)l->anew, "", 0},
        {"mismatches", (double)(c->mismatches + l->others.mismatches), "", 0},
        {"broken", (double)(c->broken + l->others.broken), "", 0},
        {"errors", (double)c->errors, "", 0},
        {"strangers", (double)l->strangers, "", 0},
        {"unsent", (double)l->unsent, "", 0},
        {"client_cpu", gb > 0 ? l->cpu_s / gb : 0, "s/GB", 3},
    };
    figures_print(figures, ARRAY_SIZE(figures), l->options.json);
    const char *error = c->error[0] ? c->error : l->others.error;
    if (error[0])
        fprintf(stderr, "tftp-load: the first failure: %s\n", error);
}

/* ---- making and ending ---- */

static void make_clients(struct load *l)
{
    const struct options *o = &l->options;
    l->n_ordinary = (uint32_t)o->clients;
    l->begun = o->clients;
    l->n_clients = (uint32_t)(o->clients + o->slow + o->abandon);
    l->clients = xcalloc(l->n_clients, sizeof(*l->clients));
    allow_descriptors("tftp-load", l->n_clients);
    /* Who does not count comes first, so that it is there while the others are. */
    for (uint32_t i = 0; i < l->n_clients; i++) {
        l->clients[i].fd = -1;
        l->clients[i].kind = i < o->abandon ? ABANDONS : i < o->abandon + o->slow ? SLOW : ORDINARY;
    }
    for (unsigned i = 0; i < BATCH; i++) {
        l->parts[i] = (struct iovec){l->packets[i], sizeof(l->packets[i])};
        l->messages[i].msg_hdr =
            (struct msghdr){.msg_name = &l->from[i], .msg_iov = &l->parts[i], .msg_iovlen = 1};
    }
}

static int take_options(struct load *l, int argc, char **argv)
{
    struct options *o = &l->options;
    *o = (struct options){.port = 69,
                          .addresses = 1,
                          .clients = 1,
                          .stall_ms = 2000,
                          .retransmit_ms = 1000,
                          .tries = 10,
                          .timeout_ms = 60000};
    if (options_take(&option_table, argc, argv, o) < 0)
        return -EINVAL;
    if (o->help)
        return 0;
    if (!o->server || !o->file || !o->expect) {
        fprintf(stderr, "tftp-load: --server, --file and --expect are needed: see tftp-load --help\n");
        return -EINVAL;
    }
    if (strlen(o->file) > 255) {
        fprintf(stderr, "tftp-load: --file takes a name of at most 255 bytes\n");
        return -EINVAL;
    }
    if (o->transfers < o->clients)
        o->transfers = o->clients;
    l->server = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)o->port), .sin_addr.s_addr = htonl(o->server)};
    l->fetch = (struct fetch){.name = o->file,
                              .blksize = (unsigned)o->blksize,
                              .windowsize = (unsigned)o->windowsize,
                              .timeout = (unsigned)o->timeout_option,
                              .tsize = o->tsize,
                              .probe = o->probe};
    return 0;
}

int main(int argc, char **argv)
{
    static struct load l;
    if (take_options(&l, argc, argv) < 0)
        return 2;
    if (l.options.help)
        return options_usage(&option_table, stdout), 0;
    stop_on_signals(&stopped);
    int r = map_file(l.options.expect, &l.fetch.data, &l.fetch.size);
    if (r < 0) {
        fprintf(stderr, "tftp-load: cannot read %s: %s\n", l.options.expect, strerror(-r));
        return 2;
    }
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_clients(&l);
    run(&l);
    print(&l);
    free(l.clients);
    if (l.counts.mismatches || l.counts.broken || l.others.mismatches || l.others.broken)
        return 1;
    return l.finished < l.options.transfers ? 3 : 0;
}
