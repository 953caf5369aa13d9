/* serve/tftp: who asks too much, and what the engine has too little of. */
#include "tftp_fixture.h"

#include <errno.h>

static void test_netascii_flood(void **state) /* hostile: each such transfer has a copy of its own */
{
    make_file(1 << 20);
    for (uint16_t i = 0; i < 100; i++)
        input_from(&(struct tftp_flow){{N1_IP + i, 3000}, {SERVER, 40000}}, "\0\1f\0netascii\0", 13);
    assert_true(tftp_count(bed.table) >= 10 && tftp_count(bed.table) <= 16); /* 16 MiB altogether */
    assert_error(TFTP_E_ILLEGAL);
    tick_through(30 * SECOND);
    tftp_reap(bed.table);
    assert_int_equal(tftp_count(bed.table), 0);
    input_from(&flow, "\0\1f\0netascii\0", 13); /* their memory is back */
    assert_int_equal(tftp_count(bed.table), 1);
}

static void test_spoofed_request(void **state) /* hostile: at most 3 retries before a first ACK */
{
    RRQ("tsize", "0");
    assert_int_equal(bed.sent, 1);
    assert_int_equal(tick_through(100 * SECOND), 3);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_TIMEOUT), 1);
    RRQ(NULL); /* the same, and the request itself comes again and again */
    unsigned sent = bed.sent;
    for (int i = 0; i < 1000; i++) {
        RRQ(NULL);
        sent += bed.sent;
    }
    assert_int_equal(sent, 4);
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

static void test_shedding(void **state) /* F12, hostile: 10,000 requests without an ACK */
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.max_transfers = 1000, .max_blksize = 1468});
    for (unsigned i = 0; i < 10000; i++) {
        const struct tftp_flow f = {{0x0a080000 + i, 2000}, {SERVER, 40000}};
        rrq_from(&f, "f", NULL);
        assert_int_equal(bed.sent, i < 1000);
    }
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_LIMITED), 9000);
    assert_int_equal(tick_through(30 * SECOND), 3000);
    tftp_reap(bed.table);
    assert_int_equal(tftp_count(bed.table), 0);
    RRQ(NULL);
    assert_int_equal(bed.sent, 1);
}

static struct tftp_flow machine(unsigned i)
{
    return (struct tftp_flow){{0x0a080000 + i, 2000}, {SERVER, 40000}};
}

/* F12, hostile: who never answered makes room for who asks now, the longest so first; nobody else does. */
static void test_quiet_transfers_make_room(void **state)
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.max_transfers = 3, .max_blksize = 1468});
    const struct tftp_flow first = machine(1), second = machine(2), third = machine(3), fourth = machine(4);
    rrq_from(&first, "f", NULL);
    bed.now.mono_us += 100 * MS;
    rrq_from(&second, "f", NULL);
    tick_through(10 * SECOND);
    rrq_from(&third, "f", NULL); /* is not quiet yet */
    rrq_from(&fourth, "f", NULL);
    assert_data(0, 1, 0, 512);
    assert_int_equal(tftp_count(bed.table), 3);
    assert_false(tftp_has(bed.table, &first));
    ack_from(&second, 1); /* late, but it is still there */
    assert_data(0, 2, 512, 488);
    const struct tftp_flow fifth = machine(5);
    rrq_from(&fifth, "f", NULL);
    assert_int_equal(bed.sent, 0);
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_LIMITED), 1);
    assert_int_equal(counter_value(&bed.counters, COUNT_TFTP_TIMEOUT), 1);
    tick_through(10 * SECOND);
    assert_true(tftp_shed(bed.table, &bed.now));
    assert_false(tftp_has(bed.table, &third));
    assert_true(tftp_has(bed.table, &fourth));
}

/* H7: of a source that is at its limit, its own quiet transfer makes room, and no other's. */
static void test_quiet_transfers_of_a_source(void **state)
{
    tftp_set_settings(bed.table, &(struct tftp_settings){.per_source = 1, .max_blksize = 1468});
    const struct tftp_flow other = machine(1);
    struct tftp_flow again = flow;
    rrq_from(&other, "f", NULL);
    RRQ(NULL);
    again.remote.port++;
    rrq_from(&again, "f", NULL);
    assert_int_equal(bed.sent, 0);
    tick_through(10 * SECOND);
    rrq_from(&again, "f", NULL);
    assert_data(0, 1, 0, 512);
    assert_true(tftp_has(bed.table, &other));
    assert_false(tftp_has(bed.table, &flow));
}

static void test_many_transfers(void **state) /* F14: the table grows, and everybody is found in it */
{
    enum { MANY = 15000 };
    for (unsigned i = 0; i < MANY; i++) {
        const struct tftp_flow f = machine(i);
        rrq_from(&f, "f", NULL);
    }
    assert_int_equal(tftp_count(bed.table), MANY);
    for (unsigned block = 1; block <= 2; block++)
        for (unsigned i = 0; i < MANY; i++) {
            const struct tftp_flow f = machine(i);
            ack_from(&f, block);
            assert_int_equal(bed.sent, block == 1);
            assert_true(!bed.sent || bed.out[0].flow.remote.address == f.remote.address);
        }
    assert_int_equal(bed.events.n[EVENT_FILE_END], MANY);
    assert_int_equal(tftp_count(bed.table), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(netascii_flood),
        TEST(spoofed_request),
        TEST(impossible_sources),
        TEST(per_source),
        TEST(cps),
        TEST(tables_share_limits),
        TEST(shortage),
        TEST(told_when_gone),
        TEST(shedding),
        TEST(quiet_transfers_make_room),
        TEST(quiet_transfers_of_a_source),
        TEST(many_transfers),
        TEST(bytes_stay_until_reaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
