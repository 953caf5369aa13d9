/* The TFTP engine: a sequence of datagrams and pauses against one table, with what must hold after each.
 *
 * Input: records of a byte and its argument: 0 n: n bytes as a datagram of client A; 1 n: of client B; 2 hi
 * lo: an ACK of A; 3 n: n times 10 ms pass; 4: an ACK of the last block that was sent; anything else: files
 * are let go. Held: DATA carries the file's bytes for its number, blocks are as long as granted, one input
 * draws at most a window and two packets, and bytes queued before tftp_reap can be read after the transfer
 * ended.
 */
#include "serve/tftp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define FILE_SIZE 5000

static uint8_t content[FILE_SIZE];
static unsigned sent; /* by the input at hand */
static uint16_t last_block;
static const void *queued; /* the last body that was sent */
static size_t queued_size;

static void on_send(void *user, const struct tftp_datagram *d)
{
    const uint8_t *head = d->head;
    (void)user;
    MUST(d->head_size >= 4 && d->head_size <= TFTP_SMALL_MAX && d->body_size <= 1468);
    sent++;
    if (head[1] != TFTP_DATA)
        return;
    last_block = (uint16_t)(head[2] << 8 | head[3]);
    MUST(last_block >= 1); /* the file is short: no number wraps */
    queued = d->body;
    queued_size = d->body_size;
}

static int on_open(void *user, const struct moment *now, const struct file_request *request,
                   struct file_answer *ret_answer, const char **ret_reason)
{
    (void)user;
    (void)now;
    *ret_answer = (struct file_answer){.name = "f"};
    *ret_reason = "no such file";
    if (request->name[0] == 'x')
        return -2;
    void *copy = malloc(FILE_SIZE);
    memcpy(copy, content, FILE_SIZE);
    ret_answer->file = served_file_of_bytes(FILE_KERNEL, copy, FILE_SIZE);
    return 0;
}

static void ignore(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    MUST(event->bytes <= event->bytes_total);
}

static struct event_sink sink = {ignore};
static struct counters counters;
static const struct tftp_flow clients[2] = {{{0x0a070015, 2070}, {0x0a070001, 40000}},
                                            {{0x0a070016, 2070}, {0x0a070001, 40000}}};

/* What was queued is there still, and is a piece of the file. */
static void check_queued(void)
{
    if (queued && queued_size)
        MUST(memmem(content, FILE_SIZE, queued, queued_size));
    queued = NULL;
}

static void input(struct tftp_table *t, const struct moment *now, unsigned client, const void *data, size_t n)
{
    sent = 0;
    tftp_input(t, now, &clients[client], 1500, data, n);
    MUST(sent <= 66);
    check_queued();
}

static void step(struct tftp_table *t, struct moment *now, struct reader *r)
{
    uint8_t op = reader_u8(r);
    switch (op) {
    case 0:
    case 1: {
        size_t n = reader_u8(r);
        if (n > r->left)
            n = r->left;
        input(t, now, op, reader_take(r, n), n);
        return;
    }
    case 2: {
        uint16_t block = reader_u16(r);
        input(t, now, 0, (uint8_t[]){0, 4, (uint8_t)(block >> 8), (uint8_t)block}, 4);
        return;
    }
    case 3:
        now->mono_us += reader_u8(r) * UINT64_C(10000);
        tftp_tick(t, now);
        check_queued();
        MUST(tftp_next_deadline(t) > now->mono_us);
        return;
    case 4:
        now->mono_us += 1000;
        input(t, now, 0, (uint8_t[]){0, 4, (uint8_t)(last_block >> 8), (uint8_t)last_block}, 4);
        return;
    default:
        tftp_reap(t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tftp_settings settings = {.per_source = 11, .max_blksize = 1468, .max_window = 64};
    const struct tftp_host host = {.send = on_send, .open = on_open, .sink = &sink, .counters = &counters};
    struct moment now = {.mono_us = 1000000};
    for (size_t i = 0; i < FILE_SIZE; i++)
        content[i] = (uint8_t)((i * 7 + i / 256) % 64 + 32); /* nothing that netascii changes */
    struct tftp_table *t = tftp_new(&settings, &host, 1);
    MUST(t);
    struct reader r = reader_of(data, size);
    last_block = 0;
    queued = NULL;
    while (r.left && !r.failed)
        step(t, &now, &r);
    /* Whoever fell silent is given up. */
    for (int i = 0; i < 2000 && tftp_count(t); i++) {
        now.mono_us += 50000;
        tftp_tick(t, &now);
    }
    MUST(tftp_count(t) == 0);
    tftp_free(t);
    return 0;
}
