/* A transfer from its first packet to its last; see serve/tftp_internal.h. */
#include "serve/tftp_internal.h"

#include <stdio.h>

#define RTO_FIRST (TFTP_SECOND / 2) /* before anything is measured */
#define RTO_MIN   (TFTP_SECOND / 200)
#define RTO_MAX   (2 * TFTP_SECOND)
/* Some thirty tries: enough on a network that loses every second packet. */
#define GIVE_UP (60 * TFTP_SECOND) /* without progress */
/* How long nothing is heard from who lacks the ACK of the last block alone (T11). Who lacks the block too
 * says so again every few seconds, and of these some arrive. */
#define GIVE_UP_LAST (20 * TFTP_SECOND)
/* How long a transfer is kept that got no first ACK. Nothing more is sent, so a request with a false address
 * draws no more; but the answer may have arrived and its ACK be lost, several times. */
#define QUIET (20 * TFTP_SECOND)
/* Between two tidings of one transfer: 100 ms, and more where there are thousands. */
#define PROGRESS_EVERY(transfers) (TFTP_SECOND / 10 + (transfers) * (TFTP_SECOND / 10000))

static void emit(struct tftp_table *t, const struct moment *now, const struct tftp_transfer *x,
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

static void finish(struct tftp_table *t, const struct moment *now, struct tftp_transfer *x)
{
    tftp_count_bytes(t);
    count(t->host.counters, COUNT_TFTP_FINISHED, 1);
    emit(t, now, x, EVENT_FILE_END, NULL);
    tftp_leave(t, x);
}

void tftp_abort(struct tftp_table *t, const struct moment *now, struct tftp_transfer *x, enum counter counter,
                const char *why)
{
    tftp_count_bytes(t);
    count(t->host.counters, counter, 1);
    emit(t, now, x, EVENT_FILE_ABORTED, why);
    tftp_leave(t, x);
}

/* ---- sending ---- */

static void send_small(struct tftp_table *t, const struct tftp_flow *flow, const void *data, size_t size)
{
    t->host.send(t->host.user, &(struct tftp_datagram){.flow = flow, .head = data, .head_size = size});
}

void tftp_send_error(struct tftp_table *t, const struct tftp_flow *flow, enum tftp_error code,
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

static void send_block(struct tftp_table *t, struct tftp_transfer *x, uint64_t block)
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

static void arm(struct tftp_table *t, struct tftp_transfer *x, uint64_t at_us)
{
    x->deadline_us = at_us;
    deadlines_set(&t->deadlines, &x->deadline, x->deadline_us);
}

void tftp_send_window(struct tftp_table *t, struct tftp_transfer *x, uint64_t now_us)
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
    arm(t, x, now_us + x->rto_us);
}

/* ---- time ---- */

static uint64_t rto_limit(const struct tftp_transfer *x)
{
    uint64_t asked = x->granted.timeout * TFTP_SECOND; /* the client waits so long itself */
    return asked && asked < RTO_MAX ? asked : RTO_MAX;
}

void tftp_begin(struct tftp_table *t, const struct moment *now, struct tftp_transfer *x)
{
    x->started_us = x->progress_us = x->heard_us = x->told_us = now->mono_us;
    x->rto_us = RTO_FIRST < rto_limit(x) ? RTO_FIRST : rto_limit(x);
    count(t->host.counters, COUNT_TFTP_STARTED, 1);
    emit(t, now, x, EVENT_FILE_START, NULL);
    tftp_send_window(t, x, now->mono_us);
}

/* An answer to the window at hand cannot be here before a round trip has passed. What is much faster than
 * they are answers an earlier one; to send again for each of those would multiply packets. */
static bool is_answer(const struct tftp_transfer *x, uint64_t now_us)
{
    return now_us - x->window_us >= x->rtt_min_us / 2;
}

/* What to wait for an answer by what was measured. */
static uint64_t rto_of(const struct tftp_transfer *x)
{
    uint64_t rto = x->srtt_us + 4 * x->rttvar_us;
    return rto < RTO_MIN ? RTO_MIN : rto > rto_limit(x) ? rto_limit(x) : rto;
}

/* RFC 6298 §2, with a granularity that fits local networks, and faster downwards than upwards: a lost ACK
 * that the client repeats after a second looks like a round trip of a second, and must not be believed for
 * long. */
static void take_sample(struct tftp_transfer *x, uint64_t rtt)
{
    uint64_t credible = 2 * rto_of(x) > x->rto_us ? 2 * rto_of(x) : x->rto_us;
    if (x->srtt_us && rtt > credible)
        rtt = credible;
    if (x->srtt_us == 0) {
        x->srtt_us = rtt ? rtt : 1;
        x->rttvar_us = rtt / 2;
        x->rtt_min_us = rtt;
    } else if (rtt < x->srtt_us) {
        x->rttvar_us = x->rttvar_us / 2 + (x->srtt_us - rtt) / 8;
        x->srtt_us = (x->srtt_us + rtt) / 2;
    } else {
        x->rttvar_us = (3 * x->rttvar_us + rtt - x->srtt_us) / 4;
        x->srtt_us = (7 * x->srtt_us + rtt) / 8;
    }
    uint64_t most = x->rtt_min_us + x->rtt_min_us / 2 + TFTP_SECOND / 10000; /* whatever one sample says */
    x->rtt_min_us = rtt < most ? rtt : most;
    x->rto_us = rto_of(x);
}

/* An ACK of `block` came for the window at hand. A window that began anew behind a gap gives a measurement:
 * who reported the gap had thrown away what it got of these blocks.
 *
 * Karn: of what a time-out sent twice nobody knows which one is answered. If the answer is there as soon as
 * usual, the time-out repaired a loss, and the next need not be longer. Else the round trip may have become
 * so long, and the time-out stays as long as it has become until there is a measurement. */
static void measure(struct tftp_transfer *x, uint64_t now_us, uint64_t block)
{
    uint64_t rtt = now_us - x->window_us;
    bool answers = is_answer(x, now_us);
    if (x->timed_out && x->srtt_us && answers && rtt <= rto_of(x))
        x->rto_us = rto_of(x);
    else if (!x->timed_out && (block >= x->fresh || answers))
        take_sample(x, rtt);
}

/* The answer has not come in time. */
static void retry(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now)
{
    x->tries++;
    x->rto_us = x->rto_us * 2 < rto_limit(x) ? x->rto_us * 2 : rto_limit(x);
    tftp_send_window(t, x, now->mono_us);
}

/* The client never answered. */
static void time_out_unverified(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now)
{
    if (x->quiet) {
        tftp_abort(t, now, x, COUNT_TFTP_TIMEOUT, TFTP_NEVER_ANSWERED);
    } else if (x->tries < TFTP_TRIES) {
        retry(t, x, now);
    } else {
        tftp_set_quiet(t, x);
        arm(t, x, now->mono_us + QUIET);
    }
}

/* T11: it has everything and went away; its last ACK was lost. The wait for it is no part of the time. */
static void finish_without_ack(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now)
{
    x->acked = x->last;
    x->started_us += now->mono_us - x->heard_us;
    finish(t, now, x);
}

static void time_out(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now)
{
    bool last = !x->greeting && x->acked + 1 == x->last; /* the only block that it may lack */
    if (!x->verified)
        time_out_unverified(t, x, now);
    else if (last && now->mono_us - x->heard_us >= GIVE_UP_LAST)
        finish_without_ack(t, x, now);
    else if (now->mono_us - x->progress_us >= GIVE_UP)
        tftp_abort(t, now, x, COUNT_TFTP_TIMEOUT, "the client fell silent");
    else
        retry(t, x, now);
}

void tftp_tick(struct tftp_table *t, const struct moment *now)
{
    for (;;) {
        struct deadline *due = deadlines_first(&t->deadlines);
        if (!due || due->at_us > now->mono_us)
            return;
        struct tftp_transfer *x = DEADLINE_OWNER(due, struct tftp_transfer, deadline);
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
static uint64_t block_of(const struct tftp_table *t, const struct tftp_transfer *x, uint16_t number)
{
    for (uint64_t block = x->sent; block > x->acked; block--)
        if (block_number(t, block) == number)
            return block;
    return block_number(t, x->acked) == number ? x->acked : UINT64_MAX;
}

void tftp_take_ack(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now, uint16_t number)
{
    uint64_t block = block_of(t, x, number);
    x->heard_us = now->mono_us;
    if (block == UINT64_MAX)
        return;
    if (block == x->acked && !x->greeting)
        return; /* T1: a duplicate, also one that means that the first block of a window is missing: its
                   time-out is near */
    bool whole = block == x->sent; /* else the client misses the block behind it */
    measure(x, now->mono_us, block);
    bool answers = whole || is_answer(x, now->mono_us); /* T6, RFC 7440 §4 */
    if (x->quiet)
        tftp_end_quiet(t, x);
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
        tftp_send_window(t, x, now->mono_us);
    else /* or those before were slow ones, and it is an answer: then the next ACK counts as one */
        x->rtt_min_us /= 2;
    if (now->mono_us - x->told_us >= PROGRESS_EVERY(t->transfers)) {
        x->told_us = now->mono_us;
        emit(t, now, x, EVENT_FILE_PROGRESS, NULL);
    }
}

/* PXELINUX 6.04 knows a file's size from tsize, closes with error 0 once it has that many bytes, and so never
 * acknowledges the last of them when the empty block of T8 is still to come. */
static bool has_all_bytes(const struct tftp_transfer *x)
{
    return x->verified && x->granted.has & TFTP_O_TSIZE && x->sent * x->blksize >= x->size;
}

void tftp_take_error(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now, unsigned code)
{
    char why[TFTP_SMALL_MAX];
    if (code == 0 && has_all_bytes(x)) {
        x->acked = x->last;
        finish(t, now, x);
        return;
    }
    snprintf(why, sizeof(why), "the client ended it: error %u", code);
    tftp_abort(t, now, x, COUNT_TFTP_ABORTED, why);
}
