/* serve/tftp: whole transfers against a client that is played here, a row of the protocol each. */
#include "tftp_fixture.h"

#include <errno.h>

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

static void test_blksize_of_the_subnet(void **state) /* T4, F8: what its definition says fits */
{
    bed.subnet_mtu = 1000;
    RRQ("blksize", "1468");
    OACK("blksize\000968");
    ack(0);
    assert_data(0, 1, 0, 968);
    ack(1);
    ack(2);
    bed.subnet_mtu = 9000; /* more than the interface has */
    RRQ("blksize", "1468");
    OACK("blksize\0001468");
    ack(0);
    ack(1);
    bed.subnet_mtu = 68;
    RRQ("blksize", "1468");
    OACK("blksize\000544");
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

static void test_progress(void **state) /* at most ten a second */
{
    make_file(512 * 3000);
    RRQ(NULL);
    for (unsigned i = 1; i <= 2000; i++)
        ack(i);
    assert_in_range(bed.events.n[EVENT_FILE_PROGRESS], 18, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lockstep),
        TEST(duplicate_acks),
        TEST(strangers),
        TEST(oack),
        TEST(blksize),
        TEST(blksize_of_the_subnet),
        TEST(edk2_asks_twice),
        TEST(window),
        TEST(window_cap),
        TEST(rollover_to_0),
        TEST(rollover_to_1),
        TEST(exact_multiple),
        TEST(pxelinux_closes_when_it_has_all),
        TEST(write_request),
        TEST(multicast_is_not_acknowledged),
        TEST(netascii),
        TEST(not_found),
        TEST(malformed),
        TEST(two_addresses),
        TEST(progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
