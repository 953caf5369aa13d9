/* See transfer.h. */
#include "tftp/transfer.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum { RRQ = 1, DATA = 3, ACK, ERROR, OACK };
enum { BLKSIZE_DEFAULT = 512, ERROR_OPTIONS = 8 };

static void put_option(struct writer *w, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    writer_cstr(w, name);
    writer_cstr(w, text);
}

static void write_request(const struct transfer *t, const struct fetch *f, struct reply *reply)
{
    struct writer w = writer_of(reply->data, sizeof(reply->data));
    writer_u16(&w, RRQ);
    writer_cstr(&w, f->name);
    writer_cstr(&w, "octet");
    if (f->tsize || t->probing)
        put_option(&w, "tsize", 0);
    if (f->blksize)
        put_option(&w, "blksize", f->blksize);
    if (f->timeout)
        put_option(&w, "timeout", f->timeout);
    if (f->windowsize && !t->probing)
        put_option(&w, "windowsize", f->windowsize);
    reply->size = w.failed ? 0 : w.used;
}

static void write_ack(const struct transfer *t, struct reply *reply)
{
    struct writer w = writer_of(reply->data, sizeof(reply->data));
    writer_u16(&w, ACK);
    writer_u16(&w, (uint16_t)t->blocks);
    reply->size = w.used;
}

static void write_error(unsigned code, const char *message, struct reply *reply)
{
    struct writer w = writer_of(reply->data, sizeof(reply->data));
    writer_u16(&w, ERROR);
    writer_u16(&w, (uint16_t)code);
    writer_cstr(&w, message);
    reply->size = w.used;
}

void transfer_begin(struct transfer *t, const struct fetch *f, bool probed, struct reply *ret_reply)
{
    *t = (struct transfer){.probing = f->probe && !probed, .blksize = BLKSIZE_DEFAULT, .window = 1};
    write_request(t, f, ret_reply);
}

void transfer_resend(struct transfer *t, const struct fetch *f, struct reply *ret_reply)
{
    t->unacked = 0;
    if (t->answered)
        write_ack(t, ret_reply);
    else
        write_request(t, f, ret_reply);
}

static enum transfer_step broken(struct fetch_counts *counts, const char *what, const char *detail)
{
    if (!counts->error[0])
        snprintf(counts->error, sizeof(counts->error), "%s%s", what, detail);
    counts->broken++;
    return TRANSFER_FAILED;
}

/* Takes a granted option. False when it is none that was asked for, or not granted as its RFC says. */
static bool take_option(struct transfer *t, const struct fetch *f, const char *name, uint64_t value)
{
    if (strcasecmp(name, "blksize") == 0 && f->blksize && value >= 8 && value <= f->blksize) {
        t->blksize = (unsigned)value;
        return true;
    }
    if (strcasecmp(name, "windowsize") == 0 && f->windowsize && value >= 1 && value <= f->windowsize) {
        t->window = (unsigned)value;
        return true;
    }
    if (strcasecmp(name, "tsize") == 0)
        return (f->tsize || t->probing) && value == f->size;
    return strcasecmp(name, "timeout") == 0 && f->timeout && value == f->timeout;
}

static enum transfer_step take_oack(struct transfer *t, const struct fetch *f, struct fetch_counts *counts,
                                    struct reader *r, struct reply *reply)
{
    if (t->answered) { /* a copy: it did not get our ACK */
        if (t->blocks == 0)
            write_ack(t, reply);
        counts->duplicates++;
        return t->blocks == 0 ? TRANSFER_SENDS : TRANSFER_WAITS;
    }
    while (r->left) {
        const char *name = reader_cstr(r), *text = reader_cstr(r);
        uint64_t value;
        if (!name || !text || parse_u64(text, 0, UINT64_MAX, &value) < 0 || !take_option(t, f, name, value))
            return broken(counts, "an OACK that grants what was not asked for: ", name ? name : "?");
    }
    t->answered = true;
    if (t->probing) {
        write_error(ERROR_OPTIONS, "only asked for the size", reply);
        return TRANSFER_AGAIN;
    }
    write_ack(t, reply);
    return TRANSFER_SENDS;
}

/* A copy of the last block is answered when that was acknowledged, for the ACK may be lost. Else it is within
 * a window: if the server began that anew, what follows comes with it. The second copy in a row says that
 * nothing does, since the server's window ends before ours. */
static bool is_asked_again(struct transfer *t, unsigned ahead)
{
    return ahead == 0xffff && (t->unacked == 0 || ++t->copies > 1);
}

/* A block that is not the next: an older one, or one behind a gap. */
static enum transfer_step out_of_order(struct transfer *t, struct fetch_counts *counts, unsigned ahead,
                                       struct reply *reply)
{
    if (ahead >= 0x8000) {
        counts->duplicates++;
        if (!is_asked_again(t, ahead))
            return TRANSFER_WAITS;
    } else {
        counts->gaps++;
        if (t->gap_answered || t->window == 1)
            return TRANSFER_WAITS;
        t->gap_answered = true;
    }
    t->unacked = t->copies = 0;
    write_ack(t, reply);
    return TRANSFER_SENDS;
}

static enum transfer_step take_data(struct transfer *t, const struct fetch *f, struct fetch_counts *counts,
                                    struct reader *r, struct reply *reply)
{
    unsigned ahead = (uint16_t)(reader_u16(r) - (uint16_t)(t->blocks + 1));
    counts->data++;
    if (!t->answered && t->probing) /* no OACK: it does not know of tsize */
        t->probing = false;
    t->answered = true;
    if (ahead)
        return out_of_order(t, counts, ahead, reply);
    uint64_t offset = t->blocks * t->blksize, left = f->size - offset;
    size_t expected = left < t->blksize ? (size_t)left : t->blksize;
    if (r->failed || r->left != expected || memcmp(f->data + offset, r->p, expected) != 0) {
        counts->mismatches++;
        return TRANSFER_FAILED;
    }
    t->blocks++;
    t->gap_answered = false;
    t->copies = 0;
    counts->bytes += expected;
    bool last = expected < t->blksize;
    if (++t->unacked < t->window && !last)
        return TRANSFER_WAITS;
    t->unacked = 0;
    write_ack(t, reply);
    return last ? TRANSFER_DONE : TRANSFER_SENDS;
}

enum transfer_step transfer_input(struct transfer *t, const struct fetch *f, struct fetch_counts *counts,
                                  const uint8_t *data, size_t size, struct reply *ret_reply)
{
    struct reader r = reader_of(data, size);
    switch (reader_u16(&r)) {
    case DATA:
        return take_data(t, f, counts, &r, ret_reply);
    case OACK:
        return take_oack(t, f, counts, &r, ret_reply);
    case ERROR: {
        unsigned code = reader_u16(&r);
        const char *message = reader_cstr(&r);
        if (!counts->error[0])
            snprintf(counts->error, sizeof(counts->error), "ERROR %u: %s", code, message ? message : "");
        counts->errors++;
        return TRANSFER_FAILED;
    }
    default:
        return broken(counts, "a packet that is no DATA, OACK or ERROR", "");
    }
}
