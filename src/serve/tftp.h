/* The TFTP server engine: datagrams in, datagrams out; thousands of transfers in one table. No socket, no
 * clock.
 *
 * A transfer is known by the client's address and port and by the address and port of ours that serve it. One
 * socket can carry them all (T12): the daemon hands a request that came to port 69 to the table with the
 * endpoint the answers will leave from.
 *
 * Retransmission is by the measured round trip (RFC 6298's estimate, from 5 ms), doubling up to 2 s and never
 * above the client's `timeout`: at most 3 times before a first ACK (a spoofed request draws little), then for
 * 60 s without progress. Who did not answer after these 3 may have lost its ACK as often: the transfer goes
 * on without a word for 20 s, and ends sooner where it takes the place of another (F12). A duplicate ACK
 * sends nothing (T1); one for a part of a window says that the next block is missing, and the window begins
 * anew there, at most once a round trip (T6, RFC 7440).
 *
 * A request from the port of a transfer that just moved is a late copy of its own and ignored (F7); later it
 * is a machine that began anew. Netascii needs a copy of the file for each transfer; what all of them take
 * together is limited, and beyond it netascii is refused.
 *
 * One table is used by one thread; a worker has its own. What all of them share is in serve/tftp_quota.h;
 * limits per source are a table's own, so the daemon sends all requests of one source to one worker.
 */
#pragma once

#include "proto/tftp.h"
#include "serve/counters.h"
#include "serve/files.h"
#include "serve/tftp_quota.h"

struct endpoint {
    ipv4_t address;
    uint16_t port;
};

/* The two ends of a transfer. */
struct tftp_flow {
    struct endpoint remote;
    struct endpoint local; /* our address (source of what we send) and the port that serves it */
};

/* What to send: `head` (copied by whoever queues it) followed by `body`, which stays valid until tftp_reap.
 */
struct tftp_datagram {
    const struct tftp_flow *flow; /* copy it too */
    const void *head;
    size_t head_size; /* 4..TFTP_SMALL_MAX */
    const void *body; /* NULL when body_size is 0 */
    size_t body_size;
};

struct tftp_host {
    void (*send)(void *user, const struct tftp_datagram *datagram);
    /* files_open, or a stand-in. */
    int (*open)(void *user, const struct moment *now, const struct file_request *request,
                struct file_answer *ret_answer, const char **ret_reason);
    /* Told by tftp_reap of a transfer that is over and of which nothing waits to be sent; may be NULL. */
    void (*gone)(void *user, const struct tftp_flow *flow);
    void *user;
    struct event_sink *sink; /* gets EVENT_TFTP_* */
    struct counters *counters;
    struct tftp_quota *quota; /* that other tables use too; NULL: a quota of its own */
};

struct tftp_settings {
    unsigned per_source;    /* H7: transfers at once from one address; 0: no limit */
    unsigned cps;           /* H7: new transfers a second before a pause; 0: no limit */
    unsigned pause_s;       /* H7 */
    unsigned max_blksize;   /* granted at most, also at most mtu - 32 (T4) */
    unsigned max_window;    /* granted at most; 1..64 (T6) */
    unsigned max_transfers; /* of the quota; the newest are shed (F12). 0: 20,000 */
    unsigned rollover;      /* T7: the block number after 65535: 0 or 1 */
};

struct tftp_table;

/* NULL: memory is gone. Both are copied; what host points to must outlive the table. `seed`: unpredictable.
 */
struct tftp_table *tftp_new(const struct tftp_settings *settings, const struct tftp_host *host,
                            uint64_t seed);
/* Ends all transfers without a word. */
void tftp_free(struct tftp_table *table);
void tftp_set_settings(struct tftp_table *table, const struct tftp_settings *settings);

/* A datagram that came from flow->remote. `mtu` of the interface; 0: 1500. `data` is not kept. */
void tftp_input(struct tftp_table *table, const struct moment *now, const struct tftp_flow *flow,
                unsigned mtu, const void *data, size_t size);
/* A datagram of this flow is coming: among thousands of transfers its own is not in the processor's cache,
 * and to fetch it takes as long as all else. To be called a few datagrams before, and with `soon` fewer
 * before. */
void tftp_foresee(const struct tftp_table *table, const struct tftp_flow *flow, bool soon);
/* Sends again what is due, gives up who fell silent. */
void tftp_tick(struct tftp_table *table, const struct moment *now);
/* When tftp_tick has something to do, monotonic microseconds; UINT64_MAX: nothing. May be early. */
uint64_t tftp_next_deadline(const struct tftp_table *table);
/* Ends the transfer that waits the longest for a first ACK after its last retry. False: there is none. */
bool tftp_shed(struct tftp_table *table, const struct moment *now);
/* Everything queued was sent: lets go of files of transfers that ended. Call after each flush of a batch. */
void tftp_reap(struct tftp_table *table);

size_t tftp_count(const struct tftp_table *table);
/* Whether a transfer of this flow runs. */
bool tftp_has(const struct tftp_table *table, const struct tftp_flow *flow);
