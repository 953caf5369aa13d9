/* The TFTP server engine; the contract is in serve/tftp.h. */
#include "serve/tftp.h"
#include "base/cleanup.h"
#include "base/mix.h"
#include "serve/deadlines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MS               UINT64_C(1000)
#define SECOND           UINT64_C(1000000)
#define RTO_FIRST        (500 * MS) /* before anything is measured */
#define RTO_MIN          (5 * MS)
#define RTO_MAX          (2 * SECOND)
#define TRIES_UNVERIFIED 3 /* what a spoofed request can draw besides the first answer */
/* Some thirty tries: enough on a network that loses every second packet. */
#define GIVE_UP        (60 * SECOND) /* without progress */
#define GIVE_UP_LAST   (5 * SECOND)  /* for the ACK of the last block alone (T11) */
#define PROGRESS_EVERY (100 * MS)
#define TRANSFERS      20000
#define WINDOW_MAX     64
#define IP_UDP_TFTP    32     /* headers in front of a block (T4) */
#define LATE           SECOND /* how long after its transfer moved a request can be a late copy */
#define BUCKETS        4096

/* How many transfers one address has (H7). */
struct peer {
    ipv4_t address;
    unsigned transfers;
    struct peer *next;
};

/* One transfer. Blocks count from 1 and never wrap here; block_number makes the number on the wire. */
struct transfer {
    struct tftp_flow flow;
    struct transfer *next; /* in the bucket; among the ended */
    struct peer *source;
    struct deadline deadline;
    uint64_t deadline_us; /* the real one */

    struct file_answer what;
    const uint8_t *data;
    uint64_t size;
    struct tftp_options granted;
    unsigned blksize, window;
    uint64_t last;   /* the final block, which is shorter than blksize (T8) */
    uint64_t acked;  /* blocks the client has */
    uint64_t sent;   /* the last block of the window on its way */
    uint64_t newest; /* the last block ever sent: what is not beyond it is a retransmission */
    bool greeting;   /* the OACK waits for its ACK 0 */
    bool verified;   /* the client answered once: it is where it says */
    bool netascii;   /* what.file is a copy that this transfer alone has */

    uint64_t srtt_us, rttvar_us, rtt_min_us, rto_us; /* RFC 6298; srtt 0: nothing measured yet */
    uint64_t window_us;                              /* when the window at hand was sent */
    uint64_t fresh;                                  /* its first block that was never sent before */
    bool timed_out;                                  /* it was sent because of a time-out */

    unsigned tries; /* retransmissions since there was progress */
    uint64_t progress_us, started_us, told_us;
    uint32_t retransmissions;
};

struct tftp_table {
    struct tftp_settings settings;
    struct tftp_host host;
    uint64_t seed;
    struct transfer *buckets[BUCKETS];
    struct peer *sources[BUCKETS];
    struct transfer *ended; /* their files stay until tftp_reap */
    struct deadlines deadlines;
    size_t transfers;
    uint64_t bytes_sent; /* not counted yet: the counter is everybody's, and this is for each packet */
    struct tftp_quota own_quota;
};

static void set_settings(struct tftp_table *t, const struct tftp_settings *settings)
{
    struct tftp_settings *s = &t->settings;
    *s = *settings;
    if (!s->max_transfers)
        s->max_transfers = TRANSFERS;
    if (s->max_blksize < TFTP_BLKSIZE_MIN || s->max_blksize > TFTP_BLKSIZE_MAX)
        s->max_blksize = TFTP_BLKSIZE_MAX;
    if (s->max_window < 1 || s->max_window > WINDOW_MAX)
        s->max_window = WINDOW_MAX;
}

struct tftp_table *tftp_new(const struct tftp_settings *settings, const struct tftp_host *host, uint64_t seed)
{
    struct tftp_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->host = *host;
    t->seed = seed;
    tftp_quota_init(&t->own_quota);
    if (!t->host.quota)
        t->host.quota = &t->own_quota;
    set_settings(t, settings);
    return t;
}

void tftp_set_settings(struct tftp_table *t, const struct tftp_settings *settings)
{
    set_settings(t, settings);
}

size_t tftp_count(const struct tftp_table *t)
{
    return t->transfers;
}

/* ---- who ---- */

static size_t bucket_of(const struct tftp_table *t, const struct tftp_flow *flow)
{
    uint64_t key =
        (uint64_t)flow->remote.address << 32 | (uint32_t)flow->remote.port << 16 | flow->local.port;
    return mix64(key ^ t->seed) % BUCKETS;
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->address == b->address && a->port == b->port;
}

static struct transfer *find(const struct tftp_table *t, const struct tftp_flow *flow)
{
    struct transfer *x = t->buckets[bucket_of(t, flow)];
    while (x &&
           !(same_endpoint(&x->flow.remote, &flow->remote) && same_endpoint(&x->flow.local, &flow->local)))
        x = x->next;
    return x;
}

bool tftp_has(const struct tftp_table *t, const struct tftp_flow *flow)
{
    return find(t, flow);
}

static struct peer **source_place(struct tftp_table *t, ipv4_t address)
{
    struct peer **p = &t->sources[mix64(address ^ t->seed) % BUCKETS];
    while (*p && (*p)->address != address)
        p = &(*p)->next;
    return p;
}

static void source_drop(struct tftp_table *t, ipv4_t address)
{
    struct peer **p = source_place(t, address), *source = *p;
    if (source && --source->transfers == 0) {
        *p = source->next;
        free(source);
    }
}

static void emit(struct tftp_table *t, const struct moment *now, const struct transfer *x,
                 enum event_kind kind, const char *detail)
{
    const struct file_answer *what = &x->what;
    uint64_t bytes = x->acked * x->blksize;
    t->host.sink->emit(t->host.sink, &(struct event){
                                         .kind = kind,
                                         .at = *now,
                                         .mac = what->mac,
                                         .node = what->node[0] ? what->node : NULL,
                                         .ip = x->flow.remote.address,
                                         .boot = what->boot,
                                         .file = what->name,
                                         .detail = detail,
                                         .bytes = bytes < x->size ? bytes : x->size,
                                         .bytes_total = x->size,
                                         .took_us = now->mono_us - x->started_us,
                                         .retransmissions = x->retransmissions,
                                     });
}

/* Takes the transfer off the table. Its memory stays until what was queued of it is sent. */
static void end(struct tftp_table *t, struct transfer *x)
{
    for (struct transfer **p = &t->buckets[bucket_of(t, &x->flow)]; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            break;
        }
    deadlines_remove(&t->deadlines, &x->deadline);
    source_drop(t, x->flow.remote.address);
    tftp_quota_end(t->host.quota);
    t->transfers--;
    x->next = t->ended;
    t->ended = x;
}

static void count_bytes(struct tftp_table *t)
{
    if (t->bytes_sent)
        count(t->host.counters, COUNT_TFTP_BYTES, t->bytes_sent);
    t->bytes_sent = 0;
}

static void finish(struct tftp_table *t, const struct moment *now, struct transfer *x)
{
    count_bytes(t);
    count(t->host.counters, COUNT_TFTP_FINISHED, 1);
    emit(t, now, x, EVENT_FILE_END, NULL);
    end(t, x);
}

static void abort_transfer(struct tftp_table *t, const struct moment *now, struct transfer *x,
                           enum counter counter, const char *why)
{
    count_bytes(t);
    count(t->host.counters, counter, 1);
    emit(t, now, x, EVENT_FILE_ABORTED, why);
    end(t, x);
}

void tftp_reap(struct tftp_table *t)
{
    while (t->ended) {
        struct transfer *x = t->ended;
        t->ended = x->next;
        if (x->netascii)
            tftp_quota_give_bytes(t->host.quota, x->size);
        if (t->host.gone)
            t->host.gone(t->host.user, &x->flow);
        served_file_unref(x->what.file);
        free(x);
    }
    count_bytes(t);
}

void tftp_free(struct tftp_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (t->buckets[i])
            end(t, t->buckets[i]);
    tftp_reap(t);
    deadlines_free(&t->deadlines);
    free(t);
}

/* ---- sending ---- */

static void send_small(struct tftp_table *t, const struct tftp_flow *flow, const void *data, size_t size)
{
    t->host.send(t->host.user, &(struct tftp_datagram){.flow = flow, .head = data, .head_size = size});
}

static void send_error(struct tftp_table *t, const struct tftp_flow *flow, enum tftp_error code,
                       const char *message)
{
    uint8_t buf[TFTP_SMALL_MAX];
    send_small(t, flow, buf, tftp_write_error(buf, code, message));
}

/* T7: 65535 is followed by 0, or by 1 where a client wants it so. */
static uint16_t block_number(const struct tftp_table *t, uint64_t block)
{
    return t->settings.rollover == 1 && block ? (uint16_t)((block - 1) % 65535 + 1) : (uint16_t)block;
}

static void send_block(struct tftp_table *t, struct transfer *x, uint64_t block)
{
    uint8_t head[TFTP_DATA_HEADER];
    uint64_t offset = (block - 1) * x->blksize, left = x->size - offset;
    size_t size = left < x->blksize ? (size_t)left : x->blksize;
    tftp_write_data(head, block_number(t, block));
    t->host.send(t->host.user, &(struct tftp_datagram){.flow = &x->flow,
                                                       .head = head,
                                                       .head_size = sizeof(head),
                                                       .body = size ? x->data + offset : NULL,
                                                       .body_size = size});
    if (block > x->newest) {
        x->newest = block;
        t->bytes_sent += size;
    } else {
        x->retransmissions++;
        count(t->host.counters, COUNT_TFTP_RETRANSMITTED, 1);
    }
}

static void arm(struct tftp_table *t, struct transfer *x, uint64_t now_us)
{
    x->deadline_us = now_us + x->rto_us;
    deadlines_set(&t->deadlines, &x->deadline, x->deadline_us);
}

/* Sends what waits for an ACK: the OACK, or the window behind what the client has. */
static void send_window(struct tftp_table *t, struct transfer *x, uint64_t now_us)
{
    uint8_t buf[TFTP_SMALL_MAX];
    x->window_us = now_us;
    x->timed_out = x->tries > 0;
    x->fresh = x->newest + 1;
    if (x->greeting) {
        x->fresh = 0;
        send_small(t, &x->flow, buf, tftp_write_oack(buf, &x->granted));
    } else {
        x->sent = x->acked + x->window < x->last ? x->acked + x->window : x->last;
        for (uint64_t block = x->acked + 1; block <= x->sent; block++)
            send_block(t, x, block);
    }
    arm(t, x, now_us);
}

/* ---- time ---- */

static uint64_t rto_limit(const struct transfer *x)
{
    uint64_t asked = x->granted.timeout * SECOND; /* the client waits so long itself */
    return asked && asked < RTO_MAX ? asked : RTO_MAX;
}

/* An answer to the window at hand cannot be here before a round trip has passed. What is much faster than any
 * was answers an earlier one; to send again for each of those would multiply packets. */
static bool is_answer(const struct transfer *x, uint64_t now_us)
{
    return now_us - x->window_us >= x->rtt_min_us / 2;
}

/* What to wait for an answer by what was measured. */
static uint64_t rto_of(const struct transfer *x)
{
    uint64_t rto = x->srtt_us + 4 * x->rttvar_us;
    return rto < RTO_MIN ? RTO_MIN : rto > rto_limit(x) ? rto_limit(x) : rto;
}

/* RFC 6298 §2, with a granularity that fits local networks. */
static void take_sample(struct transfer *x, uint64_t rtt)
{
    if (x->srtt_us == 0) {
        x->srtt_us = rtt ? rtt : 1;
        x->rttvar_us = rtt / 2;
        x->rtt_min_us = rtt;
    } else {
        uint64_t off = rtt > x->srtt_us ? rtt - x->srtt_us : x->srtt_us - rtt;
        x->rttvar_us = (3 * x->rttvar_us + off) / 4;
        x->srtt_us = (7 * x->srtt_us + rtt) / 8;
        if (rtt < x->rtt_min_us)
            x->rtt_min_us = rtt;
    }
    x->rto_us = rto_of(x);
}

/* An ACK of `block` came for the window at hand. A window that began anew behind a gap gives a measurement:
 * who reported the gap had thrown away what it got of these blocks.
 *
 * Karn: of what a time-out sent twice nobody knows which one is answered. If the answer is there as soon as
 * usual, the time-out repaired a loss, and the next need not be longer. Else the round trip may have become
 * so long, and the time-out stays as long as it has become until there is a measurement. */
static void measure(struct transfer *x, uint64_t now_us, uint64_t block)
{
    uint64_t rtt = now_us - x->window_us;
    bool answers = is_answer(x, now_us);
    if (x->timed_out && x->srtt_us && answers && rtt <= rto_of(x))
        x->rto_us = rto_of(x);
    else if (!x->timed_out && (block >= x->fresh || answers))
        take_sample(x, rtt);
}

static void time_out(struct tftp_table *t, struct transfer *x, const struct moment *now)
{
    uint64_t quiet = now->mono_us - x->progress_us;
    bool all_sent = x->verified && !x->greeting && x->sent == x->last && x->acked + x->window >= x->last;
    if (all_sent && x->acked + 1 == x->last && quiet >= GIVE_UP_LAST) {
        x->acked = x->last; /* T11: it has everything and went away; its last ACK was lost */
        finish(t, now, x);
        return;
    }
    if (x->verified ? quiet >= GIVE_UP : x->tries >= TRIES_UNVERIFIED) {
        abort_transfer(t, now, x, COUNT_TFTP_TIMEOUT,
                       x->verified ? "the client fell silent" : "the client never answered");
        return;
    }
    x->tries++;
    x->rto_us = x->rto_us * 2 < rto_limit(x) ? x->rto_us * 2 : rto_limit(x);
    send_window(t, x, now->mono_us);
}

void tftp_tick(struct tftp_table *t, const struct moment *now)
{
    for (;;) {
        struct deadline *due = deadlines_first(&t->deadlines);
        if (!due || due->at_us > now->mono_us)
            return;
        struct transfer *x = DEADLINE_OWNER(due, struct transfer, deadline);
        if (x->deadline_us > now->mono_us) {
            deadlines_put_off(&t->deadlines, due, x->deadline_us);
            continue;
        }
        deadlines_remove(&t->deadlines, due);
        time_out(t, x, now);
    }
}

uint64_t tftp_next_deadline(const struct tftp_table *t)
{
    const struct deadline *first = deadlines_first(&t->deadlines);
    return first ? first->at_us : UINT64_MAX;
}

/* ---- ACK ---- */

/* The block that a number means, among what is on its way: acked..sent. UINT64_MAX: none of them. */
static uint64_t block_of(const struct tftp_table *t, const struct transfer *x, uint16_t number)
{
    for (uint64_t block = x->sent; block > x->acked; block--)
        if (block_number(t, block) == number)
            return block;
    return block_number(t, x->acked) == number ? x->acked : UINT64_MAX;
}

static void take_ack(struct tftp_table *t, struct transfer *x, const struct moment *now, uint16_t number)
{
    uint64_t block = block_of(t, x, number);
    if (block == UINT64_MAX)
        return;
    if (block == x->acked && !x->greeting)
        return; /* T1: a duplicate, also one that means that the first block of a window is missing: its
                   time-out is near */
    bool whole = block == x->sent; /* else the client misses the block behind it */
    measure(x, now->mono_us, block);
    bool answers = whole || is_answer(x, now->mono_us); /* T6, RFC 7440 §4 */
    x->greeting = false;
    x->verified = true;
    x->acked = block;
    x->tries = 0;
    x->progress_us = now->mono_us;
    if (block == x->last) {
        finish(t, now, x);
        return;
    }
    if (answers)
        send_window(t, x, now->mono_us);
    if (now->mono_us - x->told_us >= PROGRESS_EVERY) {
        x->told_us = now->mono_us;
        emit(t, now, x, EVENT_FILE_PROGRESS, NULL);
    }
}

/* ---- requests ---- */

static void refuse(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                   const struct file_answer *what, enum counter counter, enum tftp_error code,
                   const char *why)
{
    count(t->host.counters, counter, 1);
    send_error(t, flow, code, why);
    t->host.sink->emit(t->host.sink, &(struct event){
                                         .kind = EVENT_FILE_REFUSED,
                                         .at = *now,
                                         .mac = what->mac,
                                         .node = what->node[0] ? what->node : NULL,
                                         .ip = flow->remote.address,
                                         .boot = what->boot,
                                         .file = what->name,
                                         .detail = why,
                                     });
}

/* H7, F12: whether another transfer may begin; then it counts until tftp_quota_end. What may not is dropped
 * without a word; the client asks again. */
static bool admit(struct tftp_table *t, const struct moment *now, ipv4_t address)
{
    const struct tftp_settings *s = &t->settings;
    const struct peer *source = *source_place(t, address);
    if (s->per_source && source && source->transfers >= s->per_source)
        return false;
    return tftp_quota_begin(t->host.quota, now->mono_us, s->max_transfers, s->cps, s->pause_s);
}

/* T3..T6: what is granted of what was asked. */
static void grant(const struct tftp_table *t, struct transfer *x, const struct tftp_request *request,
                  unsigned mtu)
{
    unsigned room = (mtu ? mtu : 1500) - IP_UDP_TFTP;
    struct tftp_options o = request->options;
    if (mtu && mtu < 576)
        room = 576 - IP_UDP_TFTP;
    if (room > t->settings.max_blksize)
        room = t->settings.max_blksize;
    if (o.blksize > room)
        o.blksize = (uint16_t)room;
    if (o.windowsize > t->settings.max_window)
        o.windowsize = (uint16_t)t->settings.max_window;
    o.tsize = x->size;
    x->granted = o;
    x->blksize = o.has & TFTP_O_BLKSIZE ? o.blksize : TFTP_BLKSIZE;
    x->window = o.has & TFTP_O_WINDOWSIZE ? o.windowsize : 1;
    x->last = x->size / x->blksize + 1;
    x->greeting = o.has != 0;
}

/* Bytes of the text as netascii has it (RFC 764): LF becomes CR LF, CR becomes CR NUL. */
static uint64_t netascii_size(const struct served_file *file)
{
    uint64_t more = 0;
    for (uint64_t i = 0; i < file->size; i++)
        more += file->data[i] == '\n' || file->data[i] == '\r';
    return file->size + more;
}

/* The text so written; `size` is netascii_size(). NULL: no memory. */
static struct served_file *netascii(const struct served_file *file, uint64_t size)
{
    size_t n = 0;
    uint8_t *text = malloc(size + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < file->size; i++) {
        uint8_t c = file->data[i];
        if (c == '\n')
            text[n++] = '\r';
        text[n++] = c;
        if (c == '\r')
            text[n++] = '\0';
    }
    struct served_file *converted = served_file_of_bytes(file->kind, text, n);
    if (!converted)
        free(text);
    return converted;
}

/* Puts the converted text in the place of x->what.file. All copies together take TFTP_NETASCII_MAX at most.
 * 0, or -EFBIG: then there is no file any more. */
static int convert(struct tftp_table *t, struct transfer *x)
{
    struct served_file *file = x->what.file;
    uint64_t size = file->size <= TFTP_NETASCII_MAX ? netascii_size(file) : 0;
    x->netascii = file->size <= TFTP_NETASCII_MAX && tftp_quota_take_bytes(t->host.quota, size);
    x->what.file = x->netascii ? netascii(file, size) : NULL;
    served_file_unref(file);
    if (x->what.file)
        return 0;
    if (x->netascii)
        tftp_quota_give_bytes(t->host.quota, size);
    return -EFBIG;
}

/* Puts a transfer in the table. 0 or -ENOMEM. */
static int enter(struct tftp_table *t, struct transfer *x)
{
    struct peer **place = source_place(t, x->flow.remote.address);
    if (deadlines_reserve(&t->deadlines, t->transfers + 1) < 0)
        return -ENOMEM;
    if (!*place) {
        *place = calloc(1, sizeof(**place));
        if (!*place)
            return -ENOMEM;
        (*place)->address = x->flow.remote.address;
    }
    (*place)->transfers++;
    struct transfer **head = &t->buckets[bucket_of(t, &x->flow)];
    x->next = *head;
    *head = x;
    t->transfers++;
    return 0;
}

/* Whether we cannot do at the moment what we can do later (F11, F12): the client is to ask again. */
static bool is_shortage(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* Opens the file into x->what; answers with an ERROR when that fails for good. */
static int open_file(struct tftp_table *t, struct transfer *x, const struct moment *now,
                     const struct tftp_request *request)
{
    const char *why = "no such file";
    struct file_request wanted = {
        .name = request->name, .from = x->flow.remote.address, .local = x->flow.local.address};
    int r = t->host.open(t->host.user, now, &wanted, &x->what, &why);
    if (r < 0) {
        bool missing = r == -ENOENT;
        x->what.file = NULL;
        if (is_shortage(r))
            count(t->host.counters, COUNT_TFTP_LIMITED, 1);
        else
            refuse(t, now, &x->flow, &x->what, missing ? COUNT_TFTP_NOT_FOUND : COUNT_TFTP_REFUSED,
                   missing        ? TFTP_E_NOT_FOUND
                   : r == -EACCES ? TFTP_E_ACCESS
                                  : TFTP_E_UNDEFINED,
                   why);
        return r;
    }
    if (request->mode == TFTP_NETASCII && convert(t, x) < 0) {
        refuse(t, now, &x->flow, &x->what, COUNT_TFTP_REFUSED, TFTP_E_ILLEGAL,
               "too large for netascii: use octet");
        return -EFBIG;
    }
    x->data = x->what.file->data;
    x->size = x->what.file->size;
    return 0;
}

/* A transfer that is ready to be entered; NULL when the request was refused, or memory is gone. */
static struct transfer *prepare(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                                unsigned mtu, const struct tftp_request *request)
{
    struct transfer *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->flow = *flow;
    if (open_file(t, x, now, request) < 0) {
        free(x);
        return NULL;
    }
    x->started_us = x->progress_us = x->told_us = now->mono_us;
    grant(t, x, request, mtu);
    x->rto_us = RTO_FIRST < rto_limit(x) ? RTO_FIRST : rto_limit(x);
    if (enter(t, x) == 0)
        return x;
    if (x->netascii)
        tftp_quota_give_bytes(t->host.quota, x->size);
    served_file_unref(x->what.file);
    free(x);
    return NULL;
}

static void begin(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow, unsigned mtu,
                  const struct tftp_request *request)
{
    if (!admit(t, now, flow->remote.address)) {
        count(t->host.counters, COUNT_TFTP_LIMITED, 1);
        return;
    }
    struct transfer *x = prepare(t, now, flow, mtu, request);
    if (!x) {
        tftp_quota_end(t->host.quota);
        return;
    }
    count(t->host.counters, COUNT_TFTP_STARTED, 1);
    emit(t, now, x, EVENT_FILE_START, NULL);
    send_window(t, x, now->mono_us);
}

static void read_request(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                         unsigned mtu, const struct tftp_request *request, struct transfer *x)
{
    char name[TFTP_NAME_MAX + 1];
    bool same =
        x && file_name_normalise(request->name, name, sizeof(name)) == 0 && strcmp(name, x->what.name) == 0;
    if (same && !x->verified) {
        /* It did not get our answer, or only asks again; either way this is one of the few tries it has. */
        if (x->tries < TRIES_UNVERIFIED) {
            x->tries++;
            send_window(t, x, now->mono_us);
        }
        return;
    }
    if (same && now->mono_us - x->progress_us < LATE)
        return; /* F7: a copy of the request that the network was slow with. A machine that began anew is not
                   so quick, and asks again */
    if (x)
        abort_transfer(t, now, x, COUNT_TFTP_ABORTED, "the client asked anew from the same port");
    begin(t, now, flow, mtu, request);
}

/* Requests that no client sends: they would make servers talk to each other. */
static bool is_possible(const struct tftp_flow *flow)
{
    const struct endpoint *r = &flow->remote, *l = &flow->local;
    if (r->port == 0 || r->port == TFTP_PORT || r->address == 0 || r->address >= 0xe0000000)
        return false;
    return !(r->address == l->address && r->port == l->port);
}

static void malformed(struct tftp_table *t, const struct tftp_flow *flow, const void *data, size_t size,
                      bool stranger)
{
    struct reader r = reader_of(data, size);
    uint16_t op = reader_u16(&r);
    count(t->host.counters, COUNT_TFTP_MALFORMED, 1);
    if (stranger && (op == TFTP_RRQ || op == TFTP_WRQ))
        send_error(t, flow, TFTP_E_ILLEGAL, "malformed request");
}

/* PXELINUX 6.04 knows a file's size from tsize, closes with error 0 once it has that many bytes, and so never
 * acknowledges the last of them when the empty block of T8 is still to come. */
static bool has_all_bytes(const struct transfer *x)
{
    return x->verified && x->granted.has & TFTP_O_TSIZE && x->sent * x->blksize >= x->size;
}

static void take_error(struct tftp_table *t, struct transfer *x, const struct moment *now, unsigned code)
{
    char why[TFTP_SMALL_MAX];
    if (code == 0 && has_all_bytes(x)) {
        x->acked = x->last;
        finish(t, now, x);
        return;
    }
    snprintf(why, sizeof(why), "the client ended it: error %u", code);
    abort_transfer(t, now, x, COUNT_TFTP_ABORTED, why);
}

void tftp_input(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow, unsigned mtu,
                const void *data, size_t size)
{
    struct tftp_packet p;
    if (!is_possible(flow)) {
        count(t->host.counters, COUNT_TFTP_MALFORMED, 1);
        return;
    }
    struct transfer *x = find(t, flow);
    if (tftp_parse(data, size, &p) < 0) {
        malformed(t, flow, data, size, !x);
        return;
    }
    switch (p.op) {
    case TFTP_RRQ:
        read_request(t, now, flow, mtu, &p.request, x);
        return;
    case TFTP_WRQ: { /* T13 */
        struct file_answer what = {0};
        if (file_name_normalise(p.request.name, what.name, sizeof(what.name)) < 0)
            what.name[0] = '\0';
        refuse(t, now, flow, &what, COUNT_TFTP_REFUSED, TFTP_E_ACCESS, "this server is read-only");
        return;
    }
    case TFTP_ACK:
        if (x) {
            take_ack(t, x, now, p.block);
            return;
        }
        break;
    case TFTP_ERROR:
        if (x)
            take_error(t, x, now, p.code);
        else
            count(t->host.counters, COUNT_TFTP_STRAY, 1); /* an ERROR is never answered */
        return;
    default:
        break;
    }
    count(t->host.counters, COUNT_TFTP_STRAY, 1);
    if (!x)
        send_error(t, flow, TFTP_E_UNKNOWN_TID, "no such transfer"); /* T2 */
}
