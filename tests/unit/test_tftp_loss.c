/* serve/tftp: packets that are lost, late, doubled or out of order, and what is sent again when. */
#include "tftp_fixture.h"

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

static void test_last_ack_lost(void **state) /* T11 */
{
    RRQ(NULL);
    ack(1);
    tick_through(15 * SECOND);
    assert_int_equal(tftp_count(bed.table), 1);
    tick_through(10 * SECOND);
    assert_int_equal(tftp_count(bed.table), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_true(bed.events.last[EVENT_FILE_END].took_us < 100 * MS); /* the wait is none of the transfer's */
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 0);
}

static void test_last_block_lost(void **state) /* F7: who lacks it says so, and gets it in the end */
{
    RRQ(NULL);
    ack(1);
    for (int i = 0; i < 5; i++) {
        tick_through(10 * SECOND);
        ack(1);
        assert_int_equal(bed.sent, 0); /* T1 */
    }
    assert_int_equal(bed.events.n[EVENT_FILE_END], 0);
    ack(2);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
}

/* F7: four OACKs arrive and all their ACKs are lost. The server says nothing more; the fifth goes on. */
static void test_late_first_ack(void **state)
{
    make_file(5000);
    RRQ("blksize", "512");
    assert_int_equal(tick_through(15 * SECOND), 3);
    ack(0);
    assert_data(0, 1, 0, 512);
    assert_true(tick_through(20 * SECOND) > 5); /* it is where it says, so it is worth more tries */
    for (unsigned block = 1; block <= 10; block++)
        ack(block);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 0);
}

static void test_request_after_silence(void **state) /* F7: four OACKs are lost, and it asks once more */
{
    RRQ("blksize", "512");
    assert_int_equal(tick_through(10 * SECOND), 3);
    RRQ("blksize", "512");
    OACK("blksize\000512");
    ack(0);
    assert_data(0, 1, 0, 512);
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

/* F7: the first round trip was a slow one, and all others look too fast to be answers: that is noticed before
 * the time-out has become long. */
static void test_slow_first_round_trip(void **state)
{
    make_file(512 * 200);
    RRQ("windowsize", "4");
    bed.now.mono_us += 39 * MS;
    ack(0);
    bed.sent = 0; /* that window is lost */
    for (unsigned block = 1; block < 40; block += 2) {
        uint64_t before = bed.now.mono_us;
        while (bed.sent == 0)
            tick_after(MS);
        bed.now.mono_us += 3 * MS;
        ack(block);
        ack(block + 1);
        assert_true(block < 5 || bed.now.mono_us - before < 300 * MS);
    }
}

/* An ACK is lost and the client says it again after a second: that is no round trip, and forgotten soon. */
static void test_repeated_ack(void **state)
{
    make_file(512 * 200);
    RRQ("windowsize", "4");
    ack(0);
    for (unsigned i = 0; i < 2; i++) {
        bed.now.mono_us += SECOND; /* the clock was not looked at */
        ack(4 * (i + 1));
    }
    for (unsigned block = 12; block <= 12 + 8 * 4; block += 4)
        ack(block);
    tick_after(0);
    assert_true(tftp_next_deadline(bed.table) <= bed.now.mono_us + 100 * MS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(late_copy_of_the_request),
        TEST(last_ack_lost),
        TEST(last_block_lost),
        TEST(late_first_ack),
        TEST(request_after_silence),
        TEST(retransmission_follows_the_round_trip),
        TEST(round_trip_of_broken_windows),
        TEST(slow_first_round_trip),
        TEST(repeated_ack),
        TEST(longer_round_trip),
        TEST(loss_in_lockstep),
        TEST(loss_in_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
