/* dhcp-storm: a swarm of DHCP clients in one process, which measures a server and checks what it says.
 *
 * Each client goes through RFC 2131's states by itself: DISCOVER, OFFER, REQUEST, ACK; or with addresses from
 * a file it renews or reboots with them. What nobody answers is sent again as §4.1 says. One thread, packets
 * built before and moved by the hundred, nothing allocated for a packet: see link.h and request.h.
 * `dhcp-storm --help` lists what can be set.
 *
 * Latencies begin with the first transmission of a message and end when its answer was read, so a
 * retransmission counts in full. Prints figures, a line each, or one JSON object. Exits 0 when every exchange
 * ended well, 1 when the server broke a rule (two owners of an address, an ACK that is not what was offered),
 * 2 for wrong options, 3 when exchanges were refused or unanswered.
 */
#include "base/str.h"
#include "base/vec.h"
#include "common/histogram.h"
#include "common/measure.h"
#include "dhcp/link.h"
#include "dhcp/options.h"
#include "dhcp/owners.h"
#include "dhcp/request.h"
#include "proto/dhcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TICK_US = 10000,  /* of the retransmission timers */
    WHEEL = 8192,     /* slots of a tick: 82 s, more than the longest delay */
    DOUBLINGS = 4,    /* §4.1: up to 64 s */
    REQUEST_TRIES = 4 /* §3.1: unanswered REQUESTs before the client begins again */
};
#define NONE UINT32_MAX

enum state { IDLE, SELECTING, REQUESTING, RENEWING, REBOOTING, REFUSED };

static const enum request_kind request_of[] = {[SELECTING] = REQUEST_DISCOVER,
                                               [REQUESTING] = REQUEST_SELECTING,
                                               [RENEWING] = REQUEST_RENEWING,
                                               [REBOOTING] = REQUEST_REBOOTING};

struct client {
    struct mac mac;
    uint8_t state, tries;
    uint32_t xid;
    ipv4_t ip, server;           /* offered, then bound */
    uint32_t began_us, asked_us; /* since the storm began: its DISCOVER, and its REQUEST */
    uint32_t due;                /* tick of the next transmission */
    uint32_t next, prev;         /* in the wheel */
};

struct counts {
    uint64_t bound, sent, received, retransmissions, naks, duplicates, wrong, late, foreign, malformed;
};

struct storm {
    struct options options;
    struct link link;
    struct request requests[REQUEST_KINDS];
    struct client *clients;
    uint32_t n_clients, at; /* `at`: whose exchange begins next */
    uint64_t started, outstanding;
    uint32_t wheel[WHEEL], tick;
    uint32_t round; /* of xids */
    uint64_t random;
    struct owners owners;
    int acked;
    struct str acked_lines;
    int64_t start_us;
    uint32_t now_us, last_bound_us;
    uint32_t loaded_us; /* how long there were exchanges to begin; 0: still */
    uint64_t loaded_bound;
    double cpu_s;
    struct counts counts;
    struct histogram offer, ack, whole;
    struct dhcp_packet packet;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    stopped = number;
}

/* ---- timers ---- */

static void disarm(struct storm *s, struct client *c)
{
    if (c->due == NONE)
        return;
    if (c->prev == NONE)
        s->wheel[c->due % WHEEL] = c->next;
    else
        s->clients[c->prev].next = c->next;
    if (c->next != NONE)
        s->clients[c->next].prev = c->prev;
    c->due = NONE;
}

/* §4.1: the delay doubles with each try, and is one second more or less (a quarter of the first delay). */
static void arm(struct storm *s, struct client *c)
{
    uint64_t first = s->options.retransmit_ms;
    disarm(s, c);
    if (!first)
        return;
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    uint64_t delay_ms = (first << (c->tries < DOUBLINGS ? c->tries : DOUBLINGS)) - first / 4;
    delay_ms += s->random % (first / 2 + 1);
    uint64_t ticks = delay_ms * 1000 / TICK_US + 1;
    c->due = s->now_us / TICK_US + (uint32_t)(ticks < WHEEL ? ticks : WHEEL - 1);
    uint32_t *head = &s->wheel[c->due % WHEEL], index = (uint32_t)(c - s->clients);
    c->prev = NONE;
    c->next = *head;
    if (c->next != NONE)
        s->clients[c->next].prev = index;
    *head = index;
}

/* ---- sending ---- */

static void transmit(struct storm *s, struct client *c)
{
    const struct request *r = &s->requests[request_of[c->state]];
    const struct request_values values = {.mac = c->mac,
                                          .xid = c->xid,
                                          .secs = (uint16_t)((s->now_us - c->began_us) / 1000000),
                                          .ip = c->ip,
                                          .server = c->server};
    request_fill(r, &values, link_add(&s->link, r->size, NULL));
    s->counts.sent++;
    arm(s, c);
}

static void set_state(struct storm *s, struct client *c, enum state state)
{
    c->state = (uint8_t)state;
    c->tries = 0;
    c->asked_us = s->now_us;
    transmit(s, c);
}

/* With a new xid, so that answers to what was before count no more. It has the client's index in it. */
static void begin(struct storm *s, struct client *c, enum state state)
{
    s->round++;
    c->xid = s->round * CLIENTS_MAX + (uint32_t)(c - s->clients);
    set_state(s, c, state);
}

static bool busy(const struct client *c)
{
    return c->state != IDLE && c->state != REFUSED;
}

/* The next client's exchange. False when all are in one already. */
static bool begin_next(struct storm *s)
{
    uint32_t looked = 0;
    while (busy(&s->clients[s->at]) && looked++ < s->n_clients)
        s->at = s->at + 1 == s->n_clients ? 0 : s->at + 1;
    struct client *c = &s->clients[s->at];
    if (busy(c))
        return false;
    s->at = s->at + 1 == s->n_clients ? 0 : s->at + 1;
    s->started++;
    s->outstanding++;
    c->began_us = s->now_us;
    begin(s, c, s->options.renew ? RENEWING : s->options.reboot ? REBOOTING : SELECTING);
    return true;
}

/* How many exchanges may have begun by now. */
static uint64_t allowed(const struct storm *s)
{
    uint64_t n = s->options.exchanges;
    if (s->options.duration_ms && s->now_us / 1000 >= s->options.duration_ms)
        return s->started;
    if (s->options.rate) {
        uint64_t due = (uint64_t)s->now_us * s->options.rate / 1000000 + 1;
        return due < n ? due : n;
    }
    uint64_t room = s->options.burst ? n : s->started + s->options.window - s->outstanding;
    return room < n ? room : n;
}

static bool all_begun(const struct storm *s)
{
    const struct options *o = &s->options;
    return s->started == o->exchanges || (o->duration_ms && s->now_us / 1000 >= o->duration_ms);
}

static void begin_due(struct storm *s)
{
    uint64_t n = allowed(s);
    while (s->started < n && begin_next(s))
        ;
    if (s->loaded_us == 0 && all_begun(s)) {
        s->loaded_us = s->now_us;
        s->loaded_bound = s->counts.bound;
    }
}

static void resend(struct storm *s, struct client *c)
{
    c->due = NONE; /* it is out of the wheel already */
    s->counts.retransmissions++;
    if (c->state == REQUESTING && c->tries + 1 > REQUEST_TRIES) {
        begin(s, c, SELECTING);
        return;
    }
    c->tries = (uint8_t)(c->tries + 1 > UINT8_MAX ? UINT8_MAX : c->tries + 1);
    transmit(s, c);
}

static void turn_wheel(struct storm *s)
{
    for (uint32_t now = s->now_us / TICK_US; s->tick <= now; s->tick++) {
        uint32_t index = s->wheel[s->tick % WHEEL];
        s->wheel[s->tick % WHEEL] = NONE;
        while (index != NONE) {
            struct client *c = &s->clients[index];
            index = c->next;
            resend(s, c);
        }
    }
}

/* ---- replies ---- */

static void wrong(struct storm *s, const struct client *c, const char *what)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
    if (s->counts.wrong++ < 10)
        fprintf(stderr, "dhcp-storm: %s: %s (%s)\n", mac_format(&c->mac, mac), what, ipv4_format(c->ip, ip));
}

static void end_exchange(struct storm *s, struct client *c, enum state state)
{
    disarm(s, c);
    c->state = (uint8_t)state;
    s->outstanding--;
}

static void take_offer(struct storm *s, struct client *c, ipv4_t server)
{
    if (c->ip && c->ip != s->packet.yiaddr)
        owners_give_up(&s->owners, c->ip, &c->mac);
    c->ip = s->packet.yiaddr;
    c->server = server;
    histogram_add(&s->offer, s->now_us - c->asked_us);
    set_state(s, c, REQUESTING);
}

static void take_ack(struct storm *s, struct client *c)
{
    char text[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], other[MAC_TEXT_MAX];
    if (s->packet.yiaddr != c->ip)
        wrong(s, c, "an ACK of another address than it asked for");
    const struct mac *owner = owners_take(&s->owners, s->packet.yiaddr, &c->mac);
    if (owner && s->counts.duplicates++ < 10)
        fprintf(stderr, "dhcp-storm: %s was given to %s, but %s has it\n",
                ipv4_format(s->packet.yiaddr, text), mac_format(&c->mac, mac), mac_format(owner, other));
    if (s->acked >= 0)
        str_printf(&s->acked_lines, "%s %s\n", mac_format(&c->mac, mac), ipv4_format(s->packet.yiaddr, text));
    histogram_add(&s->ack, s->now_us - c->asked_us);
    histogram_add(&s->whole, s->now_us - c->began_us);
    s->counts.bound++;
    s->last_bound_us = s->now_us;
    end_exchange(s, c, IDLE);
}

/* Who was selected begins again, as §3.1 says; who wanted to keep an address has lost it. */
static void take_nak(struct storm *s, struct client *c)
{
    s->counts.naks++;
    if (c->state == REQUESTING)
        begin(s, c, SELECTING);
    else
        end_exchange(s, c, REFUSED);
}

static void take_reply(struct storm *s, const uint8_t *data, size_t size)
{
    const struct dhcp_packet *p = &s->packet;
    uint32_t server = 0, lease = 0;
    s->counts.received++;
    if (!data || dhcp_parse(data, size, &s->packet) != DHCP_OK || p->op != DHCP_BOOTREPLY) {
        s->counts.malformed++;
        return;
    }
    uint32_t index = p->xid % CLIENTS_MAX;
    struct client *c = &s->clients[index < s->n_clients ? index : 0];
    if (memcmp(c->mac.b, p->chaddr, sizeof(c->mac.b)) != 0) {
        s->counts.foreign++;
        return;
    }
    if (p->xid != c->xid || !busy(c) || (c->state == SELECTING) != (p->type == DHCP_OFFER)) {
        s->counts.late++; /* the answer to a retransmission of what was answered */
        return;
    }
    if (!dhcp_get_u32(p, DHCP_SERVER_ID, &server) || server == 0)
        wrong(s, c, "a reply without server identifier");
    if (p->type == DHCP_NAK) {
        take_nak(s, c);
        return;
    }
    if ((p->type != DHCP_OFFER && p->type != DHCP_ACK) || p->yiaddr == 0 ||
        !dhcp_get_u32(p, DHCP_LEASE_TIME, &lease) || lease == 0) {
        wrong(s, c, "a reply that is no OFFER or ACK with an address and a lease time");
        end_exchange(s, c, REFUSED);
    } else if (p->type == DHCP_OFFER) {
        take_offer(s, c, server);
    } else {
        take_ack(s, c);
    }
}

/* What is in the file was received, and all of it that was received before the next packet is looked at. */
static void flush_acked(struct storm *s)
{
    const char *p = str_text(&s->acked_lines);
    size_t left = s->acked_lines.len;
    while (left) {
        ssize_t n = write(s->acked, p, left);
        if (n < 0) {
            perror("dhcp-storm: --acked");
            exit(2);
        }
        p += n;
        left -= (size_t)n;
    }
    s->acked_lines.len = 0;
}

static unsigned receive(struct storm *s)
{
    unsigned n = link_receive(&s->link);
    size_t size = 0;
    s->now_us = (uint32_t)(clock_us() - s->start_us);
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *data = link_message(&s->link, i, &size);
        take_reply(s, data, size);
    }
    flush_acked(s);
    return n;
}

/* ---- the storm ---- */

static bool over(const struct storm *s)
{
    return stopped || (all_begun(s) && s->outstanding == 0) || s->now_us / 1000 >= s->options.timeout_ms;
}

/* Until a reply, the next tick, or with a rate the next millisecond. */
static void wait_for_work(const struct storm *s)
{
    struct pollfd fd = {.fd = s->link.fd, .events = POLLIN};
    uint64_t us = s->options.rate ? 500 : TICK_US - s->now_us % TICK_US;
    (void)ppoll(&fd, 1, &(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void run(struct storm *s)
{
    double cpu = cpu_seconds();
    s->start_us = clock_us();
    while (!over(s)) {
        begin_due(s);
        turn_wheel(s);
        link_flush(&s->link);
        if (receive(s) == 0)
            wait_for_work(s);
    }
    s->cpu_s = cpu_seconds() - cpu;
}

/* ---- figures ---- */

static double ms(uint32_t us)
{
    return us / 1e3;
}

/* How many a second while there were more to begin, so that a straggler at the end counts for what it is:
 * one. When all began at once, over the whole time. */
static double rate(const struct storm *s)
{
    if (s->loaded_us && s->loaded_bound)
        return (double)s->loaded_bound / (s->loaded_us / 1e6);
    return s->last_bound_us ? (double)s->counts.bound / (s->last_bound_us / 1e6) : 0;
}

static void print(const struct storm *s)
{
    const struct counts *c = &s->counts;
    double seconds = s->last_bound_us / 1e6, n = c->bound ? (double)c->bound : 1;
    const struct figure figures[] = {
        {"clients", s->n_clients, "", 0},
        {"started", (double)s->started, "", 0},
        {"bound", (double)c->bound, "", 0},
        {"unbound", (double)(s->started - c->bound), "", 0},
        {"seconds", s->now_us / 1e6, "s", 3},
        {"all_bound", c->bound == s->options.exchanges ? seconds : 0, "s", 3},
        {"exchanges_per_s", rate(s), "/s", 1},
        {"offer_p50", ms(histogram_share(&s->offer, 0.5)), "ms", 3},
        {"offer_p99", ms(histogram_share(&s->offer, 0.99)), "ms", 3},
        {"offer_max", ms(s->offer.max), "ms", 3},
        {"ack_p50", ms(histogram_share(&s->ack, 0.5)), "ms", 3},
        {"ack_p99", ms(histogram_share(&s->ack, 0.99)), "ms", 3},
        {"ack_max", ms(s->ack.max), "ms", 3},
        {"exchange_p50", ms(histogram_share(&s->whole, 0.5)), "ms", 3},
        {"exchange_p99", ms(histogram_share(&s->whole, 0.99)), "ms", 3},
        {"exchange_max", ms(s->whole.max), "ms", 3},
        {"sent", (double)c->sent, "", 0},
        {"received", (double)c->received, "", 0},
        {"retransmissions", (double)c->retransmissions, "", 0},
        {"naks", (double)c->naks, "", 0},
        {"duplicates", (double)c->duplicates, "", 0},
        {"wrong", (double)c->wrong, "", 0},
        {"late", (double)c->late, "", 0},
        {"foreign", (double)c->foreign, "", 0},
        {"malformed", (double)c->malformed, "", 0},
        {"unsent", (double)s->link.unsent, "", 0},
        {"client_cpu", s->cpu_s * 1e6 / n, "us", 2},
    };
    figures_print(figures, ARRAY_SIZE(figures), s->options.json);
}

/* ---- making and ending ---- */

typedef VEC(struct owner) owner_list;

static int read_leases(const char *path, owner_list *list)
{
    char mac[32], ip[32];
    CLEANUP(fclose) FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "dhcp-storm: cannot read %s: %s\n", path, strerror(errno));
        return -EINVAL;
    }
    while (fscanf(file, "%31s %31s%*[^\n]", mac, ip) == 2) {
        struct owner *owner = VEC_ADD(list);
        if (mac_parse(mac, &owner->mac) < 0 || ipv4_parse(ip, &owner->ip) < 0 || owner->ip == 0) {
            fprintf(stderr, "dhcp-storm: %s has a line that is not `MAC ADDRESS`: %s %s\n", path, mac, ip);
            return -EINVAL;
        }
    }
    return 0;
}

static int make_clients(struct storm *s)
{
    const struct options *o = &s->options;
    const char *path = o->renew ? o->renew : o->reboot;
    owner_list leases = {0}, others = {0};
    int r = path ? read_leases(path, &leases) : 0;
    if (r == 0 && o->owned)
        r = read_leases(o->owned, &others);
    s->n_clients = (uint32_t)(path ? leases.n : o->clients);
    if (r == 0 && (s->n_clients == 0 || s->n_clients > CLIENTS_MAX)) {
        fprintf(stderr, "dhcp-storm: %s has %u leases; expected 1 to %u\n", path, s->n_clients,
                (unsigned)CLIENTS_MAX);
        r = -EINVAL;
    }
    s->clients = xcalloc(s->n_clients, sizeof(*s->clients));
    owners_make(&s->owners, s->n_clients + others.n);
    uint64_t mac = 0;
    for (size_t i = 0; i < sizeof(o->mac.b); i++)
        mac = mac << 8 | o->mac.b[i];
    for (uint32_t i = 0; r == 0 && i < s->n_clients; i++) {
        struct client *c = &s->clients[i];
        c->due = c->next = c->prev = NONE;
        for (unsigned b = 0; b < 6; b++)
            c->mac.b[b] = (uint8_t)((mac + i) >> (8 * (5 - b)));
        if (path)
            c->mac = leases.items[i].mac, c->ip = leases.items[i].ip;
    }
    VEC_EACH(other, &others)
        (void)owners_take(&s->owners, other->ip, &other->mac);
    VEC_FREE(&leases);
    VEC_FREE(&others);
    return r;
}

static int open_storm(struct storm *s, struct diags *diags)
{
    struct options *o = &s->options;
    int r = make_clients(s);
    if (r < 0)
        return r;
    if (o->exchanges == 0)
        o->exchanges = s->n_clients;
    for (size_t i = 0; i < WHEEL; i++)
        s->wheel[i] = NONE;
    s->random = (uint64_t)clock_us() | 1;
    s->round = (uint32_t)s->random;
    if (o->acked && (s->acked = open(o->acked, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        return diag_errno(diags, -errno, "cannot write %s", o->acked);
    r = o->direct ? link_open_direct(&s->link, o->interface, diags)
                  : link_open_relay(&s->link, o->server, o->address, diags);
    if (r < 0)
        return r;
    const struct request_spec spec = {.pxe = o->pxe,
                                      .client_id = o->client_id,
                                      .broadcast = o->broadcast,
                                      .frames = o->direct,
                                      .giaddr = s->link.address};
    for (enum request_kind kind = 0; kind < REQUEST_KINDS; kind++)
        request_make(&s->requests[kind], kind, &spec);
    return 0;
}

static int verdict(const struct storm *s)
{
    if (s->counts.duplicates || s->counts.wrong)
        return 1;
    return s->counts.bound < s->options.exchanges && !s->options.duration_ms ? 3 : 0;
}

int main(int argc, char **argv)
{
    static struct storm s = {.acked = -1, .link.fd = -1};
    cleanup_diags struct diags diags = {0};
    s.options = (struct options){
        .clients = 1000, .mac = {{2}}, .window = 256, .retransmit_ms = 4000, .timeout_ms = 60000};
    if (storm_options(argc, argv, &s.options) < 0)
        return 2;
    if (s.options.help)
        return storm_usage(stdout), 0;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int r = open_storm(&s, &diags);
    diags_print(&diags, stderr);
    if (r == 0 && s.clients) {
        run(&s);
        print(&s);
    }
    link_close(&s.link);
    owners_free(&s.owners);
    str_free(&s.acked_lines);
    free(s.clients);
    if (s.acked >= 0)
        close(s.acked);
    return r < 0 ? 2 : verdict(&s);
}
