/* Inside the TFTP engine: the table and a transfer in it. Only serve/tftp*.c include this.
 *
 *     tftp.c           a datagram in: what it is, and whose
 *     tftp_table.c     who is there: transfers by their ends, sources, the ended and the quiet ones
 *     tftp_request.c   what a request leads to: limits, the file, the options that are granted
 *     tftp_transfer.c  a transfer from its first packet to its last: windows, ACKs, time-outs
 */
#pragma once

#include "serve/deadlines.h"
#include "serve/tftp.h"

#define TFTP_SECOND    UINT64_C(1000000)
#define TFTP_TRIES     3 /* what a spoofed request can draw besides the first answer */
#define TFTP_WINDOW    64
#define TFTP_TRANSFERS 20000

/* How many transfers one address has (H7). */
struct tftp_source {
    ipv4_t address;
    unsigned transfers;
    unsigned quiet; /* of them */
    struct tftp_source *next;
};

/* One transfer. Blocks count from 1 and never wrap here; tftp_transfer.c makes the number on the wire. What
 * each packet needs stands first, for with thousands of transfers none of it is in the cache. */
struct tftp_transfer {
    struct tftp_flow flow;
    struct tftp_transfer *next; /* in the bucket; among the ended */
    const uint8_t *data;
    uint64_t size;
    unsigned blksize, window;
    uint64_t last;      /* the final block, which is shorter than blksize (T8) */
    uint64_t acked;     /* blocks the client has */
    uint64_t sent;      /* the last block of the window on its way */
    uint64_t newest;    /* the last block ever sent: what is not beyond it is a retransmission */
    uint64_t fresh;     /* the first block of the window at hand that was never sent before */
    uint64_t window_us; /* when that was sent */
    uint64_t srtt_us, rttvar_us, rto_us;     /* RFC 6298; srtt 0: nothing measured yet */
    uint64_t rtt_min_us;                     /* of late */
    uint64_t progress_us, heard_us, told_us; /* heard: the last packet of the client, of any kind */
    uint64_t deadline_us;                    /* the real one */
    struct deadline deadline;
    unsigned tries; /* retransmissions since there was progress */
    uint32_t retransmissions;
    bool timed_out; /* the window at hand was sent because of a time-out */
    bool greeting;  /* the OACK waits for its ACK 0 */
    bool verified;  /* the client answered once: it is where it says */
    bool quiet;     /* it never did, and had all that it may have: only an ACK goes on with it */
    bool netascii;  /* what.file is a copy that this transfer alone has */

    uint64_t started_us;
    struct tftp_source *source;
    struct tftp_options granted;
    struct tftp_transfer *quiet_next, *quiet_before; /* while it is quiet */
    struct file_answer what;
};

struct tftp_table {
    struct tftp_settings settings;
    struct tftp_host host;
    uint64_t seed;
    size_t buckets_n; /* a power of two, as are those of both tables */
    struct tftp_transfer **buckets;
    struct tftp_source **sources;
    struct tftp_transfer *ended;                    /* their files stay until tftp_reap */
    struct tftp_transfer *quiet_first, *quiet_last; /* the longest so stands first */
    struct deadlines deadlines;
    size_t transfers;
    uint64_t bytes_sent; /* not counted yet: the counter is everybody's, and this is for each packet */
    struct tftp_quota own_quota;
};

/* ---- tftp_table.c ---- */

struct tftp_transfer *tftp_find(const struct tftp_table *t, const struct tftp_flow *flow);
/* NULL: it has no transfer. */
struct tftp_source *tftp_source_find(const struct tftp_table *t, ipv4_t address);
/* Puts a transfer in the table. 0 or -ENOMEM. */
int tftp_enter(struct tftp_table *t, struct tftp_transfer *x);
/* Takes it off the table. Its memory stays until what was queued of it is sent. */
void tftp_leave(struct tftp_table *t, struct tftp_transfer *x);
/* Its client never answered. */
void tftp_set_quiet(struct tftp_table *t, struct tftp_transfer *x);
/* It did, late. */
void tftp_end_quiet(struct tftp_table *t, struct tftp_transfer *x);
/* The one that is quiet for the longest time, of this source or (NULL) of all. NULL: none. */
struct tftp_transfer *tftp_quietest(const struct tftp_table *t, const struct tftp_source *source);
/* The bytes that were sent since, into the counter. */
void tftp_count_bytes(struct tftp_table *t);

/* ---- tftp_request.c ---- */

/* A read request; `x` is the transfer that its port has already, or NULL. */
void tftp_take_request(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                       unsigned mtu, const struct tftp_request *request, struct tftp_transfer *x);
/* Says no, to the client and to the log. `what` may be half empty. */
void tftp_refuse(struct tftp_table *t, const struct moment *now, const struct tftp_flow *flow,
                 const struct file_answer *what, enum counter counter, enum tftp_error code, const char *why);

/* ---- tftp_transfer.c ---- */

/* Sends the first answer of a transfer that was entered. */
void tftp_begin(struct tftp_table *t, const struct moment *now, struct tftp_transfer *x);
/* Sends again what waits for an ACK: the OACK, or the window behind what the client has. */
void tftp_send_window(struct tftp_table *t, struct tftp_transfer *x, uint64_t now_us);
void tftp_take_ack(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now, uint16_t number);
void tftp_take_error(struct tftp_table *t, struct tftp_transfer *x, const struct moment *now, unsigned code);
/* Ends it without success, and says so in the log. */
void tftp_abort(struct tftp_table *t, const struct moment *now, struct tftp_transfer *x, enum counter counter,
                const char *why);
#define TFTP_NEVER_ANSWERED "the client never answered"
void tftp_send_error(struct tftp_table *t, const struct tftp_flow *flow, enum tftp_error code,
                     const char *message);
