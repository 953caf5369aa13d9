/* daemon/tftp_queue: over real sockets, every datagram arrives as it was queued, whatever way it left by; and
 * daemon/sockets: one source's packets come to one socket. */
#include "test.h"

#include "base/cleanup.h"
#include "daemon/sockets.h"
#include "daemon/tftp_queue.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#define LOOPBACK 0x7f000001u

enum { BLOCK = 1000, FILE_SIZE = 300 * BLOCK };

struct bed {
    struct tftp_queue queue;
    int from, to[2];
    struct tftp_flow flows[2];
    uint8_t file[FILE_SIZE];
};
static struct bed bed;

static int open_socket(uint16_t *ret_port)
{
    int fd = socket_open_tftp_transfer(LOOPBACK, ret_port), size = 8 << 20;
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return fd;
}

static int setup(void **state)
{
    uint16_t port;
    memset(&bed, 0, sizeof(bed));
    bed.from = open_socket(&port);
    for (size_t i = 0; i < 2; i++) {
        bed.to[i] = open_socket(&bed.flows[i].remote.port);
        bed.flows[i].remote.address = bed.flows[i].local.address = LOOPBACK;
    }
    for (size_t i = 0; i < FILE_SIZE; i++)
        bed.file[i] = (uint8_t)(i * 7 + i / 253);
    return 0;
}

static int teardown(void **state)
{
    tftp_queue_free(&bed.queue);
    close(bed.from);
    close(bed.to[0]);
    close(bed.to[1]);
    return 0;
}

static void add(unsigned client, uint16_t block, size_t offset, size_t size)
{
    uint8_t head[TFTP_DATA_HEADER];
    tftp_write_data(head, block);
    tftp_queue_add(&bed.queue, bed.from,
                   &(struct tftp_datagram){.flow = &bed.flows[client],
                                           .head = head,
                                           .head_size = sizeof(head),
                                           .body = size ? bed.file + offset : NULL,
                                           .body_size = size});
}

static void assert_heard(unsigned client, uint16_t block, size_t offset, size_t size)
{
    uint8_t data[2 * BLOCK];
    assert_int_equal(poll(&(struct pollfd){.fd = bed.to[client], .events = POLLIN}, 1, 5000), 1);
    ssize_t n = recv(bed.to[client], data, sizeof(data), 0);
    assert_int_equal(n, TFTP_DATA_HEADER + size);
    assert_memory_equal(data, ((uint8_t[]){0, 3, (uint8_t)(block >> 8), (uint8_t)block}), 4);
    assert_memory_equal(data + 4, bed.file + offset, size);
}

/* Windows of two clients, one with the shorter last block, one that goes on with another size, and an empty
 * one.
 */
static void send_windows(void)
{
    for (uint16_t i = 0; i < 100; i++)
        add(0, i, i * (size_t)BLOCK, BLOCK);
    add(0, 100, 100 * BLOCK, 17);
    add(0, 101, 0, BLOCK);
    for (uint16_t i = 0; i < 3; i++)
        add(1, i, i * (size_t)8, 8);
    add(1, 3, 0, BLOCK);
    add(1, 4, 0, 0);
    assert_int_equal(tftp_queue_flush(&bed.queue), -1);
    assert_int_equal(bed.queue.n, 0);
    for (uint16_t i = 0; i < 100; i++)
        assert_heard(0, i, i * (size_t)BLOCK, BLOCK);
    assert_heard(0, 100, 100 * BLOCK, 17);
    assert_heard(0, 101, 0, BLOCK);
    for (uint16_t i = 0; i < 3; i++)
        assert_heard(1, i, i * (size_t)8, 8);
    assert_heard(1, 3, 0, BLOCK);
    assert_heard(1, 4, 0, 0);
}

static void test_windows(void **state) /* T6 */
{
    send_windows();
}

/* A device without checksums, or a way with a smaller MTU (F8): the kernel refuses to cut, and the blocks
 * leave one by one. */
static void test_where_nothing_cuts(void **state)
{
    const int on = 1;
    assert_int_equal(setsockopt(bed.from, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    send_windows();
    unsigned refused = 0;
    for (size_t i = 0; i < TFTP_REFUSALS; i++)
        refused += bed.queue.refusals[i].left > 0;
    assert_int_equal(refused, 1); /* and that is known from then on */
    send_windows();
}

static void test_unreachable(void **state) /* who cannot be reached delays nobody */
{
    bed.flows[1].remote.address = 0x0a000001; /* not from a socket on the loopback's address */
    for (uint16_t i = 0; i < 10; i++)
        add(1, i, 0, BLOCK);
    add(0, 7, 0, BLOCK);
    assert_int_equal(tftp_queue_flush(&bed.queue), -1);
    assert_heard(0, 7, 0, BLOCK);
}

static void test_forget(void **state)
{
    add(0, 1, 0, BLOCK);
    tftp_queue_forget(&bed.queue, bed.from);
    assert_int_equal(bed.queue.n, 0);
}

/* H7: each of 200 sources sends from three ports; all three come to one of four sockets, and all four have
 * work. */
static void test_steering(void **state)
{
    cleanup_diags struct diags diags = {0};
    uint16_t port;
    int probe = socket_open_tftp_transfer(0, &port), fds[4], used = 0;
    close(probe);
    assert_int_equal(sockets_open_tftp(0, port, 4, &diags, fds), 0);
    for (uint32_t i = 1; i <= 200; i++) {
        const struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(LOOPBACK)};
        struct pollfd ready[4];
        uint8_t data[8];
        for (unsigned k = 0; k < 3; k++) {
            uint16_t own;
            int fd = socket_open_tftp_transfer(LOOPBACK + i, &own);
            assert_int_equal(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), 1);
            close(fd);
        }
        for (size_t k = 0; k < 4; k++)
            ready[k] = (struct pollfd){.fd = fds[k], .events = POLLIN};
        assert_int_equal(poll(ready, 4, 5000), 1);
        for (size_t k = 0; k < 4; k++)
            if (ready[k].revents) {
                used |= 1 << k;
                for (unsigned n = 0; n < 3; n++)
                    assert_int_equal(recv(fds[k], data, sizeof(data), 0), 1);
            }
    }
    assert_int_equal(used, 15);
    /* And the port counts as in use for others. */
    int other;
    assert_true(sockets_open_tftp(0, port, 1, &diags, &other) < 0);
    assert_true(sockets_open_tftp(0, port, 2, &diags, &other) < 0);
    for (size_t k = 0; k < 4; k++)
        close(fds[k]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(windows), TEST(where_nothing_cuts), TEST(unreachable), TEST(forget), TEST(steering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
