/* serve/tftp: whole transfers against a client that is played here, with every loss, duplicate and stranger a
 * row names. */
#include "serve_fixture.h"

#include "serve/tftp.h"

#include <errno.h>

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

static const struct tftp_flow flow = {{N1_IP, 2070}, {SERVER, 40000}};

/* What the table sent, and a file to ask for. */
struct bed {
    struct events events;
    struct counters counters;
    struct tftp_table *table;
    struct moment now;
    uint8_t *file;
    size_t size;
    struct {
        uint8_t b[9000];
        size_t n;
        struct tftp_flow flow;
    } out[512];
    unsigned sent; /* since the last call of take() */
    uint64_t bytes_out;
    int open_result;
    struct served_file *opened;
};
static struct bed bed;

static void on_send(void *user, const struct tftp_datagram *d)
{
    bed.bytes_out += d->head_size + d->body_size;
    if (bed.sent >= ARRAY_SIZE(bed.out)) {
        bed.sent++;
        return;
    }
    memcpy(bed.out[bed.sent].b, d->head, d->head_size);
    if (d->body_size)
        memcpy(bed.out[bed.sent].b + d->head_size, d->body, d->body_size);
    bed.out[bed.sent].n = d->head_size + d->body_size;
    bed.out[bed.sent++].flow = *d->flow;
}

static int on_open(void *user, const struct moment *now, const struct file_request *request,
                   struct file_answer *ret_answer, const char **ret_reason)
{
    *ret_answer = (struct file_answer){0};
    *ret_reason = "no such file";
    snprintf(ret_answer->name, sizeof(ret_answer->name), "%s", request->name);
    if (bed.open_result < 0)
        return bed.open_result;
    void *copy = malloc(bed.size ? bed.size : 1);
    memcpy(copy, bed.file, bed.size);
    ret_answer->file = bed.opened = served_file_of_bytes(FILE_KERNEL, copy, bed.size);
    return 0;
}

static void make_file(size_t size)
{
    free(bed.file);
    bed.file = malloc(size ? size : 1);
    bed.size = size;
    for (size_t i = 0; i < size; i++)
        bed.file[i] = (uint8_t)(i * 31 + i / 251);
}

static const struct tftp_settings settings = {.max_blksize = 1468, .max_window = 64};

static int setup(void **state)
{
    memset(&bed, 0, sizeof(bed));
    bed.events.sink.emit = events_emit;
    bed.now = (struct moment){.mono_us = 5 * SECOND, .unix_us = 1};
    const struct tftp_host host = {
        .send = on_send, .open = on_open, .sink = &bed.events.sink, .counters = &bed.counters};
    bed.table = tftp_new(&settings, &host, 1);
    make_file(1000);
    return 0;
}

static int teardown(void **state)
{
    tftp_free(bed.table);
    free(bed.file);
    return 0;
}

static void input_from(const struct tftp_flow *f, const void *data, size_t n)
{
    bed.sent = 0;
    tftp_input(bed.table, &bed.now, f, 1500, data, n);
}

static void rrq_from(const struct tftp_flow *f, const char *name, const char *const *options)
{
    uint8_t buf[600] = {0, 1};
    struct writer w = writer_of(buf, sizeof(buf));
    w.used = 2;
    writer_cstr(&w, name);
    writer_cstr(&w, "octet");
    for (; options && *options; options++)
        writer_cstr(&w, *options);
    input_from(f, buf, w.used);
}
#define RRQ(...) rrq_from(&flow, "f", (const char *const[]){__VA_ARGS__, NULL})

static void ack_from(const struct tftp_flow *f, unsigned block)
{
    input_from(f, (uint8_t[]){0, 4, (uint8_t)(block >> 8), (uint8_t)block}, 4);
}

static void ack(unsigned block)
{
    bed.now.mono_us += MS;
    ack_from(&flow, block);
}

static void tick_after(uint64_t us)
{
    bed.now.mono_us += us;
    bed.sent = 0;
    tftp_tick(bed.table, &bed.now);
}

static void assert_data(unsigned i, unsigned block, size_t offset, size_t n)
{
    assert_true(i < bed.sent);
    assert_memory_equal(bed.out[i].b, ((uint8_t[]){0, 3, (uint8_t)(block >> 8), (uint8_t)block}), 4);
    assert_int_equal(bed.out[i].n, 4 + n);
    assert_memory_equal(bed.out[i].b + 4, bed.file + offset, n);
}

static void assert_error(unsigned code)
{
    assert_int_equal(bed.sent, 1);
    assert_int_equal(bed.out[0].b[1], TFTP_ERROR);
    assert_int_equal(bed.out[0].b[3], code);
}

static void assert_oack(const char *text, size_t n)
{
    assert_int_equal(bed.sent, 1);
    assert_int_equal(bed.out[0].n, n + 2);
    assert_memory_equal(bed.out[0].b, "\0\6", 2);
    assert_memory_equal(bed.out[0].b + 2, text, n);
}
#define OACK(text) assert_oack(text, sizeof(text))

/* ---- rows ---- */

static void test_lockstep(void **state) /* RFC 1350 */
{
    RRQ(NULL);
    assert_int_equal(bed.sent, 1);
    assert_data(0, 1, 0, 512);
    assert_int_equal(bed.out[0].flow.remote.port, 2070);
    ack(1);
    assert_data(0, 2, 512, 488);
    ack(2);
    assert_int_equal(bed.sent, 0);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(bed.events.last[EVENT_FILE_END].bytes, 1000);
    assert_int_equal(bed.events.last[EVENT_FILE_END].retransmissions, 0);
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_BYTES), 1000);
}

static void test_duplicate_acks(void **state) /* T1: the Sorcerer's Apprentice stays dead */
{
    make_file(5000);
    RRQ(NULL);
    ack(1);
    assert_int_equal(bed.sent, 1);
    ack(1);
    assert_int_equal(bed.sent, 0);
    ack(0);
    assert_int_equal(bed.sent, 0);
    ack(3); /* of a block that was never sent */
    assert_int_equal(bed.sent, 0);
    ack(2);
    assert_data(0, 3, 1024, 512);
}

static void test_strangers(void **state) /* T2 */
{
    const struct tftp_flow other_port = {{N1_IP, 2071}, {SERVER, 40000}};
    RRQ(NULL);
    ack_from(&other_port, 1);
    assert_error(TFTP_E_UNKNOWN_TID);
    assert_int_equal(bed.out[0].flow.remote.port, 2071);
    input_from(&other_port, "\0\5\0\0x\0", 6); /* an ERROR is never answered */
    assert_int_equal(bed.sent, 0);
    ack(1);
    assert_data(0, 2, 512, 488);
}

static void
test_oack(void **state) /* T3, T5, T9: only what was asked and accepted; timeout exactly; the real tsize */
{
    RRQ("tsize", "0", "BLKSIZE", "1432", "foo", "bar", "timeout", "77");
    OACK("blksize\0001432\0tsize\0001000\0timeout\00077");
    ack(0);
    assert_data(0, 1, 0, 1000);
    ack(1);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
}

static void test_blksize(void **state) /* T4: at most what was asked, what fits the MTU, and the setting */
{
    RRQ("blksize", "65464");
    OACK("blksize\0001468");
    tftp_set_settings(bed.table, &(struct tftp_settings){.max_blksize = 65464, .max_window = 64});
    RRQ("blksize", "9000");
    const struct tftp_flow a = {{N1_IP, 3001}, {SERVER, 40000}}, b = {{N1_IP, 3002}, {SERVER, 40000}};
    rrq_from(&a, "f", (const char *const[]){"blksize", "9000", NULL});
    OACK("blksize\0001468");
    bed.sent = 0;
    tftp_input(bed.table, &bed.now, &b, 9000, "\0\1f\0octet\0blksize\0009000\0", 23);
    OACK("blksize\0008968");
    rrq_from(
        &(struct tftp_flow){{N1_IP, 3003}, {SERVER, 40000}}, "f",
        (const char *const[]){"blksize", "7", NULL}); /* not granted, so not answered: plain blocks of 512 */
    assert_data(0, 1, 0, 512);
}

static void test_edk2_asks_twice(void **state) /* T5: tsize, ERROR 8, then again from the same port */
{
    RRQ("tsize", "0", "blksize", "1468");
    input_from(&flow, "\0\5\0\10User aborted the transfer\0", 30);
    assert_int_equal(bed.sent, 0);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
    RRQ("blksize", "1468");
    ack(0);
    ack(1);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
}

static void test_window(void **state) /* T6, RFC 7440 */
{
    make_file(512 * 10 + 5);
    RRQ("windowsize", "4");
    OACK("windowsize\0004");
    ack(0);
    assert_int_equal(bed.sent, 4);
    assert_data(3, 4, 512 * 3, 512);
    ack(4);
    assert_int_equal(bed.sent, 4);
    ack(6); /* 7 was lost: the window begins anew there */
    assert_int_equal(bed.sent, 4);
    assert_data(0, 7, 512 * 6, 512);
    assert_data(3, 10, 512 * 9, 512);
    ack_from(&flow, 7); /* sooner than a round trip: an answer to what was sent before */
    assert_int_equal(bed.sent, 0);
    ack(7);
    assert_int_equal(bed.sent, 0); /* T1: a duplicate */
    ack(10);
    assert_int_equal(bed.sent, 1);
    assert_data(0, 11, 512 * 10, 5);
    ack(11);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(bed.events.last[EVENT_FILE_END].retransmissions, 2);
}

static void test_window_cap(void **state) /* T6: at most 64 */
{
    make_file(512 * 200);
    RRQ("windowsize", "65535");
    OACK("windowsize\00064");
    ack(0);
    assert_int_equal(bed.sent, 64);
}

/* Fetches the whole file in blocks of 8 and counts the numbers. */
static void fetch_over(unsigned rollover)
{
    tftp_set_settings(bed.table,
                      &(struct tftp_settings){.max_blksize = 1468, .max_window = 64, .rollover = rollover});
    make_file(8 * 65540 + 3);
    RRQ("blksize", "8", "windowsize", "64");
    ack(0);
    for (uint64_t block = 0; tftp_count(bed.table);) {
        assert_true(bed.sent > 0);
        for (unsigned i = 0; i < bed.sent; i++, block++) {
            uint64_t n = block + 1;
            unsigned wire = rollover ? (unsigned)((n - 1) % 65535 + 1) : (unsigned)(n & 0xffff);
            assert_data(i, wire, block * 8, n == 65541 ? 3 : 8);
        }
        ack(bed.out[bed.sent - 1].b[2] * 256u + bed.out[bed.sent - 1].b[3]);
    }
    assert_int_equal(bed.events.last[EVENT_FILE_END].bytes, bed.size);
}

static void test_rollover_to_0(void **state) /* T7 */
{
    fetch_over(0);
}

static void test_rollover_to_1(void **state) /* T7 */
{
    fetch_over(1);
}

static void test_exact_multiple(void **state) /* T8; and an empty file */
{
    make_file(1024);
    RRQ(NULL);
    ack(1);
    ack(2);
    assert_data(0, 3, 1024, 0);
    ack(3);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    make_file(0);
    RRQ(NULL);
    assert_data(0, 1, 0, 0);
    ack(1);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 2);
}

/* T8, T11: PXELINUX 6.04 has all bytes of a file of an exact multiple and closes with error 0 instead of the
 * ACK. */
static void test_pxelinux_closes_when_it_has_all(void **state)
{
    make_file(1024);
    RRQ("tsize", "0", "blksize", "512");
    ack(0);
    ack(1);
    bed.now.mono_us += MS;
    input_from(&flow, "\0\5\0\0\0", 5);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(bed.events.last[EVENT_FILE_END].bytes, 1024);
    RRQ("tsize", "0", "blksize", "512");
    ack(0);
    input_from(&flow, "\0\5\0\0\0", 5); /* too early: it has half of it */
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
}

static void test_last_ack_lost(void **state) /* T11 */
{
    RRQ(NULL);
    ack(1);
    for (int i = 0; i < 100 && tftp_count(bed.table); i++)
        tick_after(SECOND / 4);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 0);
}

static void test_write_request(void **state) /* T13 */
{
    input_from(&flow, "\0\2f\0octet\0", 10);
    assert_error(TFTP_E_ACCESS);
    assert_int_equal(tftp_count(bed.table), 0);
}

static void test_multicast_is_not_acknowledged(void **state) /* T14 */
{
    RRQ("multicast", "", "blksize", "512");
    OACK("blksize\000512");
}

static void test_netascii(void **state)
{
    free(bed.file);
    bed.file = (uint8_t *)strdup("a\nb\rc");
    bed.size = 5;
    input_from(&flow, "\0\1f\0netascii\0", 13);
    assert_int_equal(bed.out[0].n, 4 + 7);
    assert_memory_equal(bed.out[0].b + 4, "a\r\nb\r\0c", 7);
}

static void test_netascii_flood(void **state) /* hostile: each such transfer has a copy of its own */
{
    make_file(1 << 20);
    for (uint16_t i = 0; i < 100; i++)
        input_from(&(struct tftp_flow){{N1_IP + i, 3000}, {SERVER, 40000}}, "\0\1f\0netascii\0", 13);
    assert_true(tftp_count(bed.table) >= 10 && tftp_count(bed.table) <= 16); /* 16 MiB altogether */
    assert_error(TFTP_E_ILLEGAL);
    for (int i = 0; i < 20; i++)
        tick_after(SECOND);
    tftp_reap(bed.table);
    assert_int_equal(tftp_count(bed.table), 0);
    input_from(&flow, "\0\1f\0netascii\0", 13); /* their memory is back */
    assert_int_equal(tftp_count(bed.table), 1);
}

static void test_late_copy_of_the_request(void **state) /* F7: duplicated, and 500 ms late */
{
    make_file(5000);
    RRQ("blksize", "512");
    ack(0);
    ack(1);
    bed.now.mono_us += 500 * MS;
    RRQ("blksize", "512");
    assert_int_equal(bed.sent, 0);
    ack(2);
    assert_data(0, 3, 1024, 512);
    bed.now.mono_us += 2 * SECOND; /* but a machine that began anew is served */
    RRQ("blksize", "512");
    OACK("blksize\000512");
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
}

static void test_not_found(void **state)
{
    bed.open_result = -ENOENT;
    RRQ(NULL);
    assert_error(TFTP_E_NOT_FOUND);
    bed.open_result = -EACCES;
    RRQ(NULL);
    assert_error(TFTP_E_ACCESS);
    assert_int_equal(bed.events.n[EVENT_FILE_REFUSED], 2);
    assert_int_equal(tftp_count(bed.table), 0);
}

static void test_spoofed_request(void **state) /* hostile: at most 3 retries before a first ACK */
{
    RRQ("tsize", "0");
    unsigned sent = bed.sent;
    for (int i = 0; i < 1000; i++) {
        tick_after(SECOND / 10);
        sent += bed.sent;
    }
    assert_int_equal(sent, 4);
    assert_int_equal(tftp_count(bed.table), 0);
    RRQ(NULL); /* the same, and the request itself comes again and again */
    sent = bed.sent;
    for (int i = 0; i < 1000; i++) {
        RRQ(NULL);
        sent += bed.sent;
    }
    assert_int_equal(sent, 4);
}

static void test_retransmission_follows_the_round_trip(void **state) /* RFC 6298; F7 */
{
    make_file(100000);
    RRQ(NULL);
    for (unsigned i = 1; i < 20; i++)
        ack(i); /* a round trip of 1 ms */
    assert_true(tftp_next_deadline(bed.table) <= bed.now.mono_us + 500 * MS);
    tick_after(10 * MS);
    assert_data(0, 20, 19 * 512, 512);
    tick_after(5 * MS);
    assert_int_equal(bed.sent, 0); /* it backs off */
    tick_after(10 * MS);
    assert_int_equal(bed.sent, 1);
    ack(20);
    assert_data(0, 21, 20 * 512, 512);
    unsigned sent = 0;
    for (int i = 0; i < 7000 && tftp_count(bed.table); i++) {
        tick_after(SECOND / 100);
        sent += bed.sent;
    }
    assert_int_equal(tftp_count(bed.table), 0); /* 60 s without progress */
    assert_true(sent > 25 && sent < 50);
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
    assert_string_equal(bed.events.detail[EVENT_FILE_ABORTED], "the client fell silent");
}

/* F7: where packets overtake each other no window is acknowledged whole; each begins anew behind a gap. The
 * time-out follows the round trip all the same, also after losses. */
static void test_round_trip_of_broken_windows(void **state)
{
    make_file(512 * 1000);
    RRQ("windowsize", "4");
    ack(0);
    for (unsigned block = 1; block < 100; block++) {
        if (block % 5 == 0) {
            tick_after(100 * MS); /* lost: the window comes again, and is answered as soon as usual */
            assert_int_equal(bed.sent, 4);
        }
        bed.now.mono_us += 2 * MS;
        ack(block);
        assert_int_equal(bed.sent, 4);
        assert_true(tftp_next_deadline(bed.table) <= bed.now.mono_us + 50 * MS);
    }
}

/* Karn: a round trip that became longer than the time-out is found, for the time-out grows until it fits. */
static void test_longer_round_trip(void **state)
{
    make_file(512 * 200);
    RRQ(NULL);
    for (unsigned block = 1; block < 20; block++)
        ack(block);
    unsigned again = 0;
    for (unsigned block = 20; block < 60; block++) {
        again = 0;
        for (unsigned ms = 0; ms < 100; ms++) {
            tick_after(MS);
            again += bed.sent;
        }
        ack(block);
        assert_int_equal(bed.sent, 1);
    }
    assert_int_equal(again, 0);
}

static void
test_impossible_sources(void **state) /* hostile: port 0, 69, our own endpoint, broadcast: no answer */
{
    static const struct endpoint sources[] = {{N1_IP, 0},         {N1_IP, 69},        {SERVER, 40000},
                                              {UINT32_MAX, 2000}, {0xe0000001, 2000}, {0, 2000}};
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        const struct tftp_flow f = {sources[i], {SERVER, 40000}};
        rrq_from(&f, "f", NULL);
        assert_int_equal(bed.sent, 0);
        assert_int_equal(tftp_count(bed.table), 0);
    }
}

static void test_malformed(void **state)
{
    input_from(&flow, "\0\1f\0oct", 7);
    assert_error(TFTP_E_ILLEGAL);
    input_from(&flow, "\0\7", 2);
    assert_int_equal(bed.sent, 0);
    RRQ(NULL);
    input_from(&flow, "\0\4", 2); /* within a transfer: passed over */
    assert_int_equal(bed.sent, 0);
    input_from(&flow, "\0\3\0\1x", 5); /* DATA to a server */
    assert_int_equal(bed.sent, 0);
    assert_int_equal(tftp_count(bed.table), 1);
}

static void test_per_source(void **state) /* H7 */
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.per_source = 11, .max_blksize = 1468});
    struct tftp_flow f = flow;
    for (unsigned i = 0; i < 20; i++) {
        f.remote.port = (uint16_t)(3000 + i);
        rrq_from(&f, "f", NULL);
        assert_int_equal(bed.sent, i < 11);
    }
    assert_int_equal(tftp_count(bed.table), 11);
    f.remote.address++;
    rrq_from(&f, "f", NULL);
    assert_int_equal(bed.sent, 1);
    f = flow;
    f.remote.port = 3000;
    ack_from(&f, 1);
    ack_from(&f, 2); /* one is done: there is room for another */
    f.remote.port = 4000;
    rrq_from(&f, "f", NULL);
    assert_int_equal(bed.sent, 1);
}

static void test_cps(void **state) /* H7: so many a second, then a pause */
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.cps = 100, .pause_s = 2, .max_blksize = 1468});
    unsigned answered = 0;
    struct tftp_flow f = flow;
    for (unsigned i = 0; i < 300; i++, f.remote.port++) {
        rrq_from(&f, "f", NULL);
        answered += bed.sent;
    }
    assert_int_equal(answered, 100);
    bed.now.mono_us += 1900 * MS;
    rrq_from(&f, "f", NULL);
    assert_int_equal(bed.sent, 0);
    bed.now.mono_us += 101 * MS;
    f.remote.port++;
    rrq_from(&f, "f", NULL);
    assert_int_equal(bed.sent, 1);
}

/* H7, F12: what several workers share. Each has a table; a source is always the same worker's. */
static void test_tables_share_limits(void **state)
{
    struct tftp_quota quota;
    tftp_quota_init(&quota);
    const struct tftp_host host = {.send = on_send,
                                   .open = on_open,
                                   .sink = &bed.events.sink,
                                   .counters = &bed.counters,
                                   .quota = &quota};
    const struct tftp_settings three = {.max_transfers = 3, .max_blksize = 1468};
    struct tftp_table *first = tftp_new(&three, &host, 1), *second = tftp_new(&three, &host, 2);
    static const uint8_t rrq[] = "\0\1f\0octet";
    bed.sent = 0;
    for (uint16_t i = 0; i < 8; i++)
        tftp_input(i % 2 ? first : second, &bed.now, &(struct tftp_flow){{N1_IP + i, 2000}, {SERVER, 69}},
                   1500, rrq, sizeof(rrq));
    assert_int_equal(bed.sent, 3);
    assert_int_equal(tftp_count(first) + tftp_count(second), 3);
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_LIMITED), 5);
    tftp_free(first); /* what it had is free again */
    bed.sent = 0;
    for (uint16_t i = 0; i < 8; i++)
        tftp_input(second, &bed.now, &(struct tftp_flow){{N1_IP + i, 3000}, {SERVER, 69}}, 1500, rrq,
                   sizeof(rrq));
    assert_int_equal(tftp_count(second), 3);
    tftp_free(second);
    assert_int_equal(quota.transfers, 0);
}

static void test_shortage(void **state) /* F12, F11: the client is to ask again, so it hears no ERROR */
{
    static const int shortages[] = {-EMFILE, -ENFILE, -ENOMEM};
    for (size_t i = 0; i < ARRAY_SIZE(shortages); i++) {
        bed.open_result = shortages[i];
        RRQ(NULL);
        assert_int_equal(bed.sent, 0);
        assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_LIMITED), i + 1);
    }
    bed.open_result = 0;
    RRQ(NULL);
    assert_int_equal(bed.sent, 1);
}

static struct tftp_flow gone;

static void on_gone(void *user, const struct tftp_flow *f)
{
    gone = *f;
}

/* T12: a port of a transfer's own is free once nothing waits to be sent from it. */
static void test_told_when_gone(void **state)
{
    const struct tftp_host host = {.send = on_send,
                                   .open = on_open,
                                   .gone = on_gone,
                                   .sink = &bed.events.sink,
                                   .counters = &bed.counters};
    struct tftp_table *t = tftp_new(&settings, &host, 1);
    tftp_input(t, &bed.now, &flow, 1500, "\0\1f\0octet", 10);
    assert_true(tftp_has(t, &flow));
    tftp_input(t, &bed.now, &flow, 1500, "\0\5\0\0", 5);
    assert_false(tftp_has(t, &flow));
    assert_int_equal(gone.local.port, 0);
    tftp_reap(t);
    assert_int_equal(gone.local.port, flow.local.port);
    tftp_free(t);
}

static void test_two_addresses(void **state) /* T2: the same client at two addresses of ours */
{
    const struct tftp_flow other = {flow.remote, {SERVER + 1, flow.local.port}};
    make_file(5000);
    RRQ(NULL);
    rrq_from(&other, "f", NULL);
    assert_data(0, 1, 0, 512);
    assert_int_equal(bed.out[0].flow.local.address, SERVER + 1);
    assert_int_equal(tftp_count(bed.table), 2);
    ack(1);
    assert_data(0, 2, 512, 512);
    assert_int_equal(bed.out[0].flow.local.address, SERVER);
}

static void test_shedding(void **state) /* F12, hostile: 10,000 requests without an ACK */
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.max_transfers = 1000, .max_blksize = 1468});
    for (unsigned i = 0; i < 10000; i++) {
        const struct tftp_flow f = {{0x0a080000 + i, 2000}, {SERVER, 40000}};
        rrq_from(&f, "f", NULL);
        assert_int_equal(bed.sent, i < 1000);
    }
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_LIMITED), 9000);
    tick_after(10 * SECOND);
    tick_after(10 * SECOND);
    tick_after(10 * SECOND);
    tick_after(10 * SECOND);
    tftp_reap(bed.table);
    assert_int_equal(tftp_count(bed.table), 0);
    RRQ(NULL);
    assert_int_equal(bed.sent, 1);
}

static void test_bytes_stay_until_reaped(void **state) /* F10: what was queued is still there after the end */
{
    RRQ("blksize", "1468");
    struct served_file *file = served_file_ref(bed.opened);
    ack(0);
    ack(1);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_memory_equal(file->data, bed.file, bed.size);
    tftp_reap(bed.table);
    served_file_unref(file);
}

static void test_progress(void **state) /* at most ten a second */
{
    make_file(512 * 3000);
    RRQ(NULL);
    for (unsigned i = 1; i <= 2000; i++)
        ack(i);
    assert_in_range(bed.events.n[EVENT_FILE_PROGRESS], 18, 20);
}

static unsigned seed;

static unsigned random_below(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 8) % n;
}

/* A client that acknowledges as RFC 7440 says: each whole window, and at once what it has when a block is out
 * of order. */
struct client {
    uint8_t *got;
    size_t got_n;
    unsigned expected, in_window, window;
    bool done;
    unsigned acks[4096], n; /* block numbers on their way to the server */
};

enum { BLOCK = 512 };

static void client_takes(struct client *c, const uint8_t *b, size_t n)
{
    unsigned block = b[2] * 256u + b[3];
    bool in_order = b[1] == TFTP_DATA && block == (c->expected & 0xffff) && !c->done;
    if (b[1] == TFTP_OACK) {
        block = 0;
    } else if (in_order) {
        memcpy(c->got + c->got_n, b + 4, n - 4);
        c->got_n += n - 4;
        c->expected++;
        c->done = n < 4 + BLOCK;
        if (++c->in_window < c->window && !c->done)
            return;
    } else {
        block = (c->expected - 1) & 0xffff;
    }
    c->in_window = 0;
    c->acks[c->n++] = block;
}

/* One way and the other, each through a line that loses, doubles and reorders `loss` of a hundred. */
static void one_round(struct client *c, unsigned loss)
{
    for (unsigned i = 0; i < bed.sent; i++) {
        unsigned copies = random_below(100) < loss ? 0 : random_below(100) < loss ? 2 : 1;
        unsigned at = random_below(100) < loss && i + 1 < bed.sent ? i + 1 : i;
        for (; copies; copies--)
            client_takes(c, bed.out[at].b, bed.out[at].n);
    }
    bed.sent = 0;
    if (c->n == 0) {
        uint64_t due = tftp_next_deadline(bed.table);
        tick_after(due > bed.now.mono_us ? due - bed.now.mono_us : 0);
        return;
    }
    bed.now.mono_us += MS;
    for (unsigned i = 0; i < c->n; i++, bed.now.mono_us += 10)
        if (random_below(100) >= loss)
            tftp_input(bed.table, &bed.now, &flow, 1500,
                       (uint8_t[]){0, 4, (uint8_t)(c->acks[i] >> 8), (uint8_t)c->acks[i]}, 4);
    c->n = 0;
}

static void fetch_through_loss(const char *window, unsigned loss)
{
    struct client c = {
        .got = malloc(bed.size + BLOCK), .expected = 1, .window = (unsigned)strtoul(window, NULL, 10)};
    RRQ("windowsize", window);
    for (unsigned rounds = 0; tftp_count(bed.table) && rounds < 100000; rounds++)
        one_round(&c, loss);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_true(c.done);
    assert_int_equal(c.got_n, bed.size);
    assert_memory_equal(c.got, bed.file, bed.size);
    free(c.got);
    /* No storm: a window that begins anew at each loss costs its length over the blocks between two losses.
     */
    assert_true(bed.bytes_out < (c.window == 1 ? 2 : 6) * bed.size);
}

static void test_loss_in_lockstep(void **state) /* F7 */
{
    make_file(512 * 700 + 100);
    seed = 1;
    fetch_through_loss("1", 10);
}

static void test_loss_in_windows(void **state) /* F7, T6 */
{
    make_file(512 * 700 + 100);
    seed = 2;
    fetch_through_loss("16", 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lockstep),
        TEST(duplicate_acks),
        TEST(strangers),
        TEST(oack),
        TEST(blksize),
        TEST(edk2_asks_twice),
        TEST(window),
        TEST(window_cap),
        TEST(rollover_to_0),
        TEST(rollover_to_1),
        TEST(exact_multiple),
        TEST(last_ack_lost),
        TEST(pxelinux_closes_when_it_has_all),
        TEST(write_request),
        TEST(multicast_is_not_acknowledged),
        TEST(netascii),
        TEST(netascii_flood),
        TEST(late_copy_of_the_request),
        TEST(not_found),
        TEST(spoofed_request),
        TEST(retransmission_follows_the_round_trip),
        TEST(round_trip_of_broken_windows),
        TEST(longer_round_trip),
        TEST(impossible_sources),
        TEST(malformed),
        TEST(per_source),
        TEST(cps),
        TEST(tables_share_limits),
        TEST(shortage),
        TEST(told_when_gone),
        TEST(two_addresses),
        TEST(shedding),
        TEST(bytes_stay_until_reaped),
        TEST(progress),
        TEST(loss_in_lockstep),
        TEST(loss_in_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
