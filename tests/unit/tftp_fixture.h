/* What the tests of the TFTP engine share: one table, the client's side of it, a clock that they move, and
 * what was sent since. */
#pragma once

#include "serve_fixture.h"

#include "serve/tftp.h"

#define MS     UINT64_C(1000)
#define SECOND UINT64_C(1000000)

static const struct tftp_flow flow __attribute__((unused)) = {{N1_IP, 2070}, {SERVER, 40000}};

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
    unsigned subnet_mtu;
    struct served_file *opened;
};
static struct bed bed __attribute__((unused));

static inline void on_send(void *user, const struct tftp_datagram *d)
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

static inline int on_open(void *user, const struct moment *now, const struct file_request *request,
                          struct file_answer *ret_answer, const char **ret_reason)
{
    *ret_answer = (struct file_answer){.mtu = bed.subnet_mtu};
    *ret_reason = "no such file";
    snprintf(ret_answer->name, sizeof(ret_answer->name), "%s", request->name);
    if (bed.open_result < 0)
        return bed.open_result;
    void *copy = malloc(bed.size ? bed.size : 1);
    memcpy(copy, bed.file, bed.size);
    ret_answer->file = bed.opened = served_file_of_bytes(FILE_KERNEL, copy, bed.size);
    return 0;
}

static inline void make_file(size_t size)
{
    free(bed.file);
    bed.file = malloc(size ? size : 1);
    bed.size = size;
    for (size_t i = 0; i < size; i++)
        bed.file[i] = (uint8_t)(i * 31 + i / 251);
}

static const struct tftp_settings settings = {.max_blksize = 1468, .max_window = 64};

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    tftp_free(bed.table);
    free(bed.file);
    return 0;
}

static inline void input_from(const struct tftp_flow *f, const void *data, size_t n)
{
    bed.sent = 0;
    tftp_input(bed.table, &bed.now, f, 1500, data, n);
}

static inline void rrq_from(const struct tftp_flow *f, const char *name, const char *const *options)
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

static inline void ack_from(const struct tftp_flow *f, unsigned block)
{
    input_from(f, (uint8_t[]){0, 4, (uint8_t)(block >> 8), (uint8_t)block}, 4);
}

static inline void ack(unsigned block)
{
    bed.now.mono_us += MS;
    ack_from(&flow, block);
}

static inline void tick_after(uint64_t us)
{
    bed.now.mono_us += us;
    bed.sent = 0;
    tftp_tick(bed.table, &bed.now);
}

/* So much passes, with all that becomes due in it. Returns how many packets were sent. */
static inline unsigned tick_through(uint64_t us)
{
    unsigned sent = 0;
    for (uint64_t end = bed.now.mono_us + us; bed.now.mono_us < end; sent += bed.sent)
        tick_after(100 * MS);
    return sent;
}

static inline void assert_data(unsigned i, unsigned block, size_t offset, size_t n)
{
    assert_true(i < bed.sent);
    assert_memory_equal(bed.out[i].b, ((uint8_t[]){0, 3, (uint8_t)(block >> 8), (uint8_t)block}), 4);
    assert_int_equal(bed.out[i].n, 4 + n);
    assert_memory_equal(bed.out[i].b + 4, bed.file + offset, n);
}

static inline void assert_error(unsigned code)
{
    assert_int_equal(bed.sent, 1);
    assert_int_equal(bed.out[0].b[1], TFTP_ERROR);
    assert_int_equal(bed.out[0].b[3], code);
}

static inline void assert_oack(const char *text, size_t n)
{
    assert_int_equal(bed.sent, 1);
    assert_int_equal(bed.out[0].n, n + 2);
    assert_memory_equal(bed.out[0].b, "\0\6", 2);
    assert_memory_equal(bed.out[0].b + 2, text, n);
}
#define OACK(text) assert_oack(text, sizeof(text))

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
