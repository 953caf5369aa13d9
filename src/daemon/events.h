/* The server's event sink: fans each event out to the boot table, the log, the store (a boot's timeline and
 * the node's last facts) and the event stream. Any thread may emit; nothing here waits.
 *
 * The log has one line an exchange: what was given to whom and how long after its first DISCOVER, what was
 * fetched and how fast, what a node reported. What was ignored or refused is said with the reason and what to
 * do, and what was reported of no boot of ours is said, at most once a minute for one machine and reason, and
 * at most EVENTS_BURST such lines in EVENTS_BURST_S seconds whoever they are about (random addresses must not
 * fill the disk), EVENTS_SHARE of one machine; alerts have as many of their own. How many were left out is
 * said.
 */
#pragma once

#include "daemon/committer.h"
#include "daemon/event_stream.h"
#include "daemon/learning.h"
#include "serve/boot.h"

#include <pthread.h>

enum {
    EVENTS_REMEMBERED = 1024,
    EVENTS_REPEAT_S = 60,
    EVENTS_BURST = 50,
    EVENTS_SHARE = 8,
    EVENTS_BURST_S = 10
};
/* First DISCOVERs that are remembered: two places for each of so many hashes of a hardware address. */
enum { EVENTS_DISCOVERS = 16384 };

/* When a line of one machine and reason was last written. */
struct event_memory {
    uint64_t key, until_us;
    unsigned left_out;
};

/* Lines of EVENTS_BURST_S. */
struct event_burst {
    uint64_t end_us;
    unsigned lines, left_out;
    uint8_t shares[256]; /* lines by machine (a hash of its MAC): at most EVENTS_SHARE, so that one that says
                            something new each time leaves room for others */
};

/* When a machine that has no address yet sent its first DISCOVER. */
struct event_discover {
    uint64_t mac, at_us; /* mac 0: the place is free */
};

struct events {
    struct event_sink sink;
    struct boot_table *boots;
    struct committer *committer; /* NULL: nothing is stored */
    struct event_stream *stream; /* may be NULL */
    struct learning *learning;   /* told of every event, after all others; may be NULL */
    bool trials_unstored;        /* the loop's thread's: of some the store has an earlier state */
    pthread_mutex_t lock;        /* of what follows; taken only for lines that anybody can cause */
    struct event_memory memory[EVENTS_REMEMBERED];
    struct event_burst bursts[2]; /* of ordinary lines, of alerts: neither crowds out the other */
    struct event_discover discovers[EVENTS_DISCOVERS][2]; /* of the one thread that serves DHCP */
};

/* Then set `boots`, `committer`, `stream` and `learning`, before the first event. */
void events_init(struct events *events);

/* The store can be written again: what it missed of trials, it gets now. From the loop's thread. */
void events_store_trials(struct events *events);
