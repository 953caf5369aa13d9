/* A TFTP client's side of one transfer (RFC 1350, 2347, 2348, 2349, 7440), as a boot ROM has it: a packet in,
 * what to send out. No socket, no clock.
 *
 * Every byte is compared with the file as it should be, and what the server grants with what was asked (T3).
 * A copy of the last block that was acknowledged is acknowledged again, since the ACK may be lost, and within
 * a window the second one; other copies are counted and passed over. A gap in a window is answered once, with
 * the last block before it. Written apart from the server's own code in src/, so that an error there is seen
 * here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REPLY_MAX = 512, DATA_HEADER = 4 };

/* What all transfers have in common. */
struct fetch {
    const char *name;
    const uint8_t *data; /* what the file should be */
    uint64_t size;
    unsigned blksize, windowsize, timeout; /* asked for; 0: not */
    bool tsize;
    bool probe; /* first asks for the size and ends that with ERROR 8, as EDK2 does (T5) */
};

struct fetch_counts {
    uint64_t bytes, data, duplicates,
        gaps;            /* bytes: of blocks in their order; data: DATA packets, of any kind */
    uint64_t mismatches; /* blocks that are not what the file has */
    uint64_t broken;     /* rules that the server broke: options, sizes, nonsense */
    uint64_t errors;     /* ERROR packets */
    char error[64];      /* what the first of them or of the broken rules said */
};

struct transfer {
    bool probing, answered; /* answered: something came */
    unsigned blksize, window;
    uint64_t blocks;   /* received in order */
    unsigned unacked;  /* of them, since the last ACK */
    unsigned copies;   /* of the last block, since then and since anything in order */
    bool gap_answered; /* nothing in order came since an ACK told of a gap */
};

enum transfer_step {
    TRANSFER_WAITS, /* nothing to send */
    TRANSFER_SENDS, /* the reply */
    TRANSFER_DONE,  /* the reply, the last one */
    TRANSFER_AGAIN, /* the reply, then begin anew from another port */
    TRANSFER_FAILED
};

struct reply {
    size_t size;
    uint8_t data[REPLY_MAX];
};

/* Begins, or begins anew; `probed`: the size was asked for already. Writes the request. */
void transfer_begin(struct transfer *t, const struct fetch *fetch, bool probed, struct reply *ret_reply);
/* A packet of the server. What a step says is in the reply. */
enum transfer_step transfer_input(struct transfer *t, const struct fetch *fetch, struct fetch_counts *counts,
                                  const uint8_t *data, size_t size, struct reply *ret_reply);
/* Whether all that came is an OACK: then a server that forgot the transfer is to be asked anew. */
static inline bool transfer_has_nothing(const struct transfer *t)
{
    return t->answered && t->blocks == 0;
}
/* What to send again after a silence. */
void transfer_resend(struct transfer *t, const struct fetch *fetch, struct reply *ret_reply);
