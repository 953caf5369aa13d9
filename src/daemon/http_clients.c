/* See daemon/http_clients.h. */
#include "daemon/http_clients.h"
#include "base/cleanup.h"
#include "base/mix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000)

/* SPARE, SPARE_OF_SOURCE: connections above the limit that still hear a whole answer. PROGRESS_EVERY: of what
 * is told, microseconds. TICK_*: milliseconds until the next look, with nothing special, with a file whose
 * progress somebody watches, and with one whose last bytes are on their way. SMALL: bytes of a file that is
 * through at once, so that it is not worth asking the kernel about it. */
enum {
    BUCKETS = 4096,
    SPARE = 256,
    SPARE_OF_SOURCE = 16,
    PROGRESS_EVERY = 100000,
    TICK = 1000,
    TICK_WATCHED = 100,
    TICK_LAST = 10,
    SMALL = 64 << 10
};

#define TOO_SLOW  "the client took too little of it for too long"
#define WENT_AWAY "the client went away"

struct http_source {
    struct http_source *next;
    ipv4_t address;
    unsigned connections, downloads;
};

enum state { ASKING, /* or idle between two requests */ ANSWERING, SENDING, LAST_BYTES };

/* What is sent. */
struct download {
    char name[256], node[64];
    struct mac mac;
    uint64_t boot, size;
    uint64_t started_us, told_us;
    uint64_t acked_before; /* of the connection, when it began */
    uint32_t retransmitted_before;
};

struct http_client {
    struct http_client *next, **at; /* in the list of all */
    struct http_source *source;
    int fd;
    ipv4_t from, local;
    bool over, slow; /* above a limit when it came; was cut */
    bool left;       /* its worker is done with it, our kernel is not: fd is ours, and tick ends it */
    enum state state;
    uint64_t since_us; /* ASKING: since when; SENDING, LAST_BYTES: since when `acked` is what it is */
    uint64_t acked;
    uint64_t moved, moved_us; /* left: what is acknowledged now, and since when */
    struct download *download;
};

struct http_clients {
    pthread_mutex_t lock;
    struct http_limits limits;
    struct event_sink *sink;
    struct counters *counters;
    void (*wake)(void *user);
    void *user;
    struct http_client *first;
    struct http_source *sources[BUCKETS];
    size_t coming, connections, left, downloads, watched, last; /* watched: of known machines; last: of
                                                                   them those in LAST_BYTES */
    uint64_t looked_us;                                         /* when tick looked at all of them */
};

struct http_clients *http_clients_new(const struct http_limits *limits, struct event_sink *sink,
                                      struct counters *counters, void (*wake)(void *user), void *user)
{
    struct http_clients *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->limits = *limits;
    c->sink = sink;
    c->counters = counters;
    c->wake = wake;
    c->user = user;
    return c;
}

static void drop(struct http_clients *c, const struct moment *now, struct http_client *client);

void http_clients_free(struct http_clients *c)
{
    if (!c)
        return;
    struct moment never = {0};
    while (c->first)
        drop(c, &never, c->first);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void http_clients_set_limits(struct http_clients *c, const struct http_limits *limits)
{
    pthread_mutex_lock(&c->lock);
    c->limits = *limits;
    pthread_mutex_unlock(&c->lock);
}

struct http_figures http_clients_figures(struct http_clients *c)
{
    pthread_mutex_lock(&c->lock);
    struct http_figures f = {c->connections, c->downloads};
    pthread_mutex_unlock(&c->lock);
    return f;
}

/* ---- sources ---- */

static struct http_source **source_place(struct http_clients *c, ipv4_t address)
{
    struct http_source **p = &c->sources[mix64(address) % BUCKETS];
    while (*p && (*p)->address != address)
        p = &(*p)->next;
    return p;
}

static void source_drop(struct http_clients *c, struct http_source *source)
{
    if (--source->connections)
        return;
    struct http_source **p = source_place(c, source->address);
    *p = source->next;
    free(source);
}

/* ---- what the kernel knows ---- */

struct flight {
    uint64_t acked;
    uint32_t retransmitted, unsent;
    unsigned state; /* of the connection; 0: not known */
};

static struct flight flight_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return (struct flight){0};
    return (struct flight){info.tcpi_bytes_acked, info.tcpi_total_retrans, info.tcpi_notsent_bytes,
                           info.tcpi_state};
}

/* States as the kernel numbers them; netinet/tcp.h, which has them, and linux/tcp.h exclude each other. */
enum { FIN_WAIT1 = 4, CLOSE = 7, LAST_ACK = 9, CLOSING = 11 };

/* Our side has ended the connection, and our kernel still sends. */
static bool is_ending(int fd)
{
    unsigned state = flight_of(fd).state;
    return state == FIN_WAIT1 || state == CLOSING || state == LAST_ACK;
}

/* Bytes that our kernel holds and the client's has not acknowledged. */
static uint64_t unacknowledged(int fd)
{
    int n = 0;
    return ioctl(fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : (uint64_t)n;
}

/* ---- files ---- */

static bool is_watched(const struct download *d)
{
    return d->boot != 0;
}

/* Header fields count among what is acknowledged, and belong to no file: so a file is never more than its
 * size, and what is not acknowledged yet may be short by them. */
static void tell(struct http_clients *c, const struct moment *now, const struct http_client *client,
                 enum event_kind kind, uint64_t bytes, const char *why)
{
    const struct download *d = client->download;
    uint32_t again = 0;
    if (kind == EVENT_FILE_END && is_watched(d))
        again = flight_of(client->fd).retransmitted - d->retransmitted_before;
    c->sink->emit(c->sink, &(struct event){.kind = kind,
                                           .protocol = PROTOCOL_HTTP,
                                           .at = *now,
                                           .mac = d->mac,
                                           .node = d->node[0] ? d->node : NULL,
                                           .ip = client->from,
                                           .boot = d->boot,
                                           .file = d->name,
                                           .detail = why,
                                           .bytes = bytes < d->size ? bytes : d->size,
                                           .bytes_total = d->size,
                                           .took_us = now->mono_us - d->started_us,
                                           .retransmissions = again});
}

/* Of a file whose bytes all are with our kernel. */
static bool is_on_its_way(const struct http_client *client)
{
    const struct download *d = client->download;
    return (d->size > SMALL || is_watched(d)) && unacknowledged(client->fd) > 0;
}

/* The same, when what is not acknowledged may be the end of the connection. */
static bool has_it_all(const struct http_client *client)
{
    const struct download *d = client->download;
    return !is_on_its_way(client) || flight_of(client->fd).acked - d->acked_before >= d->size;
}

static void ask_again(struct http_client *client, const struct moment *now)
{
    client->state = ASKING;
    client->since_us = now->mono_us;
}

/* The file is over. why NULL: whole. */
static void finish(struct http_clients *c, const struct moment *now, struct http_client *client,
                   const char *why)
{
    struct download *d = client->download;
    uint64_t bytes = d->size;
    if (why) {
        uint64_t acked = flight_of(client->fd).acked;
        bytes = acked > d->acked_before ? acked - d->acked_before : 0;
    }
    count(c->counters,
          !why           ? COUNT_HTTP_FINISHED
          : client->slow ? COUNT_HTTP_TIMEOUT
                         : COUNT_HTTP_ABORTED,
          1);
    count(c->counters, COUNT_HTTP_BYTES, bytes < d->size ? bytes : d->size);
    tell(c, now, client, why ? EVENT_FILE_ABORTED : EVENT_FILE_END, bytes, why);
    c->downloads--;
    c->watched -= is_watched(d);
    c->last -= client->state == LAST_BYTES && is_watched(d);
    client->source->downloads--;
    client->download = NULL;
    free(d);
    ask_again(client, now);
}

int http_client_begin(struct http_clients *c, const struct moment *now, struct http_client *client,
                      const struct file_answer *what, uint64_t size)
{
    struct download *d = client ? malloc(sizeof(*d)) : NULL;
    if (!d)
        return -ENOMEM;
    *d = (struct download){.mac = what->mac,
                           .boot = what->boot,
                           .size = size,
                           .started_us = now->mono_us,
                           .told_us = now->mono_us};
    memcpy(d->name, what->name, sizeof(d->name));
    memcpy(d->node, what->node, sizeof(d->node));
    struct flight flight = {.acked = client->acked};
    if (is_watched(d) || size > SMALL)
        flight = flight_of(client->fd);
    d->acked_before = flight.acked;
    d->retransmitted_before = flight.retransmitted;
    pthread_mutex_lock(&c->lock);
    bool wakes = false;
    bool free_place =
        c->downloads < c->limits.downloads && client->source->downloads < c->limits.downloads_per_source;
    if (free_place) {
        client->download = d;
        client->state = SENDING;
        client->since_us = now->mono_us;
        client->acked = flight.acked;
        client->source->downloads++;
        c->downloads++;
        wakes = is_watched(d) && !c->watched++;
        tell(c, now, client, EVENT_FILE_START, 0, NULL);
    }
    pthread_mutex_unlock(&c->lock);
    count(c->counters, free_place ? COUNT_HTTP_STARTED : COUNT_HTTP_LIMITED, 1);
    if (wakes)
        c->wake(c->user);
    if (!free_place)
        free(d);
    return free_place ? 0 : -EBUSY;
}

void http_client_end(struct http_clients *c, const struct moment *now, struct http_client *client,
                     const char *why)
{
    bool wakes = false;
    pthread_mutex_lock(&c->lock);
    if (client->download) {
        if (!why && !client->slow && is_on_its_way(client)) {
            client->state = LAST_BYTES;
            wakes = is_watched(client->download) && !c->last++;
        } else {
            finish(c, now, client, client->slow ? TOO_SLOW : why);
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (wakes)
        c->wake(c->user);
}

/* ---- connections ---- */

bool http_clients_admit(struct http_clients *c, ipv4_t from)
{
    pthread_mutex_lock(&c->lock);
    const struct http_source *source = *source_place(c, from);
    bool room = c->connections + c->coming < (size_t)c->limits.connections + SPARE &&
                (!source || source->connections < c->limits.per_source + SPARE_OF_SOURCE);
    c->coming += room;
    pthread_mutex_unlock(&c->lock);
    if (!room)
        count(c->counters, COUNT_HTTP_LIMITED_CLIENTS, 1);
    return room;
}

void http_clients_gone(struct http_clients *c)
{
    pthread_mutex_lock(&c->lock);
    c->coming -= c->coming > 0;
    pthread_mutex_unlock(&c->lock);
}

static bool is_over(const struct http_clients *c, const struct http_source *source)
{
    return c->connections > c->limits.connections || source->connections > c->limits.per_source;
}

struct http_client *http_client_open(struct http_clients *c, const struct moment *now, int fd, ipv4_t from,
                                     ipv4_t local)
{
    struct http_client *client = calloc(1, sizeof(*client));
    pthread_mutex_lock(&c->lock);
    c->coming -= c->coming > 0;
    struct http_source **place = source_place(c, from);
    if (client && !*place) {
        *place = calloc(1, sizeof(**place));
        if (*place)
            (*place)->address = from;
    }
    if (!client || !*place) {
        pthread_mutex_unlock(&c->lock);
        free(client);
        return NULL;
    }
    client->source = *place;
    client->source->connections++;
    client->fd = fd;
    client->from = from;
    client->local = local;
    ask_again(client, now);
    client->next = c->first;
    client->at = &c->first;
    if (c->first)
        c->first->at = &client->next;
    c->first = client;
    c->connections++;
    client->over = is_over(c, client->source);
    pthread_mutex_unlock(&c->lock);
    return client;
}

/* A connection ends, with the file that was on its way. */
static void drop(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    if (client->download)
        finish(c, now, client, client->slow ? TOO_SLOW : !has_it_all(client) ? WENT_AWAY : NULL);
    *client->at = client->next;
    if (client->next)
        client->next->at = client->at;
    source_drop(c, client->source);
    c->connections--;
    c->left -= client->left;
    if (client->left)
        close(client->fd);
    free(client);
}

/* A connection that is left ends without the last acknowledgment. With everything sent, that is how it is:
 * boot loaders start the kernel when they have the last byte, and say no more; the file ended when they last
 * said something. */
static void drop_left(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    uint64_t ago = now->mono_us - client->moved_us;
    const struct moment moved = {.mono_us = now->mono_us - ago, .unix_us = now->unix_us - ago};
    if (client->download && !client->slow && !has_it_all(client) && flight_of(client->fd).unsent == 0)
        finish(c, &moved, client, NULL);
    drop(c, now, client);
}

/* A connection that was for one file (HTTP/1.0, as lpxelinux speaks it) is closed as soon as our kernel has
 * the last byte. Then the descriptor stays here until the client's has it too. */
static bool stays(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    if (!client->download || client->slow || client->state != LAST_BYTES || has_it_all(client) ||
        !is_ending(client->fd))
        return false;
    int fd = fcntl(client->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    client->fd = fd;
    client->left = true;
    client->moved = flight_of(fd).acked;
    client->moved_us = now->mono_us;
    c->left++;
    return true;
}

void http_client_close(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&c->lock);
    if (!stays(c, now, client))
        drop(c, now, client);
    pthread_mutex_unlock(&c->lock);
}

void http_client_booted(struct http_clients *c, const struct moment *now, const struct http_client *client)
{
    pthread_mutex_lock(&c->lock);
    for (struct http_client *other = c->left ? c->first : NULL, *next; other; other = next) {
        next = other->next;
        if (other->left && other->from == client->from && flight_of(other->fd).unsent == 0)
            drop_left(c, now, other);
    }
    pthread_mutex_unlock(&c->lock);
}

ipv4_t http_client_from(const struct http_client *client)
{
    return client->from;
}

ipv4_t http_client_local(const struct http_client *client)
{
    return client->local;
}

bool http_client_request(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    pthread_mutex_lock(&c->lock);
    if (client->download) /* who asks for the next has the one before */
        finish(c, now, client, NULL);
    client->state = ANSWERING;
    if (client->over)
        client->over = is_over(c, client->source); /* others may have gone */
    bool over = client->over;
    pthread_mutex_unlock(&c->lock);
    if (over)
        count(c->counters, COUNT_HTTP_LIMITED_CLIENTS, 1);
    return !over;
}

void http_client_answered(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    pthread_mutex_lock(&c->lock);
    if (client->state == ANSWERING)
        ask_again(client, now);
    pthread_mutex_unlock(&c->lock);
}

/* ---- the clock ---- */

/* Its worker sees the end of it and lets go; then what waits to be sent is dropped too. */
static void cut(struct http_clients *c, struct http_client *client)
{
    const struct linger none = {.l_onoff = 1};
    client->slow = true;
    (void)setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    if (!client->download)
        count(c->counters, COUNT_HTTP_SLOW, 1);
    (void)shutdown(client->fd, SHUT_RDWR);
}

static void look_at_file(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    struct download *d = client->download;
    if (client->state == LAST_BYTES && unacknowledged(client->fd) == 0) {
        finish(c, now, client, NULL);
        return;
    }
    uint64_t acked = flight_of(client->fd).acked;
    if (acked - client->acked >= HTTP_PROGRESS) {
        client->acked = acked;
        client->since_us = now->mono_us;
    } else if (!client->slow && now->mono_us - client->since_us > HTTP_STALL_S * SECOND) {
        cut(c, client);
    }
    if (is_watched(d) && now->mono_us - d->told_us >= PROGRESS_EVERY) {
        d->told_us = now->mono_us;
        tell(c, now, client, EVENT_FILE_PROGRESS, acked - d->acked_before, NULL);
    }
}

static void look_at_left(struct http_clients *c, const struct moment *now, struct http_client *client)
{
    struct flight flight = flight_of(client->fd);
    if (flight.acked != client->moved) {
        client->moved = flight.acked;
        client->moved_us = now->mono_us;
    }
    if (!client->download || client->slow || flight.state == CLOSE)
        drop_left(c, now, client);
}

int http_clients_tick(struct http_clients *c, const struct moment *now)
{
    pthread_mutex_lock(&c->lock);
    bool all = now->mono_us - c->looked_us >= TICK * UINT64_C(1000) - 1000;
    if (all)
        c->looked_us = now->mono_us;
    for (struct http_client *client = c->first, *next; client; client = next) {
        next = client->next;
        if (client->download && (all || is_watched(client->download)))
            look_at_file(c, now, client);
        else if (all && client->state == ASKING && !client->slow &&
                 now->mono_us - client->since_us > HTTP_REQUEST_S * SECOND)
            cut(c, client);
        if (client->left)
            look_at_left(c, now, client);
    }
    int ms = c->last ? TICK_LAST : c->watched ? TICK_WATCHED : c->connections || c->coming ? TICK : -1;
    pthread_mutex_unlock(&c->lock);
    return ms;
}
