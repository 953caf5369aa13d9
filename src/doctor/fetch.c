/* See doctor/fetch.h. */
#include "doctor/fetch.h"
#include "base/cleanup.h"
#include "proto/tftp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

enum { TRIES = 4, WAIT_MS = 1000, TOTAL_US = 15000000 };

struct transfer {
    int fd;
    struct sockaddr_in peer; /* the server's port: of the request, then of its answers */
    bool has_peer;
    uint8_t last[TFTP_REQUEST_MAX]; /* what is sent again when nothing comes */
    size_t last_size;
    uint64_t blocks; /* that came */
    uint64_t end_us;
    struct hash hash;
    struct fetched f;
    char *error;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int send_last(const struct transfer *t)
{
    ssize_t n = sendto(t->fd, t->last, t->last_size, 0, (const struct sockaddr *)&t->peer, sizeof(t->peer));
    return n < 0 ? -errno : 0;
}

static int acknowledge(struct transfer *t)
{
    tftp_write_ack(t->last, (uint16_t)t->blocks);
    t->last_size = TFTP_ACK_SIZE;
    return send_last(t);
}

/* One block: > 0 when it was the last. */
static int take_data(struct transfer *t, uint16_t block, const uint8_t *data, size_t size)
{
    if (t->blocks && block == (uint16_t)t->blocks)
        return send_last(t); /* our ACK was lost */
    if (block != (uint16_t)(t->blocks + 1))
        return 0;
    if (size > t->f.blksize)
        return -EPROTO;
    if (size > FETCH_MAX - t->f.size)
        return -EFBIG;
    hash_add(&t->hash, data, size);
    t->blocks++;
    t->f.size += size;
    int r = acknowledge(t);
    return r < 0 ? r : size < t->f.blksize;
}

static int take_packet(struct transfer *t, const uint8_t *data, size_t size)
{
    struct tftp_packet p;
    if (tftp_parse(data, size, &p) < 0)
        return -EPROTO;
    switch (p.op) {
    case TFTP_OACK:
        if (t->blocks)
            return 0;
        if (p.options.has & TFTP_O_BLKSIZE)
            t->f.blksize = p.options.blksize;
        if (p.options.has & TFTP_O_TSIZE)
            t->f.said = p.options.tsize;
        return acknowledge(t);
    case TFTP_DATA:
        return take_data(t, p.block, data + TFTP_DATA_HEADER, size - TFTP_DATA_HEADER);
    case TFTP_ERROR:
        snprintf(t->error, FETCH_ERROR_MAX, "error %u: %s", p.code, p.message);
        return -EPROTO;
    default:
        return -EPROTO;
    }
}

/* Waits for the server's next packet. Its size, or -ETIMEDOUT. Strangers' packets are passed over (T2). */
static ssize_t receive(struct transfer *t, uint8_t *buf, size_t size)
{
    uint64_t until = now_us() + WAIT_MS * 1000;
    for (uint64_t now; (now = now_us()) < until && now < t->end_us;) {
        struct pollfd wait = {.fd = t->fd, .events = POLLIN};
        struct sockaddr_in from = {0};
        socklen_t from_size = sizeof(from);
        if (poll(&wait, 1, (int)((until - now) / 1000 + 1)) <= 0)
            continue;
        ssize_t n = recvfrom(t->fd, buf, size, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno; /* ECONNREFUSED and such */
        if (n < 0 || from.sin_addr.s_addr != t->peer.sin_addr.s_addr ||
            (t->has_peer && from.sin_port != t->peer.sin_port))
            continue;
        t->has_peer = true;
        t->peer.sin_port = from.sin_port;
        return n;
    }
    return -ETIMEDOUT;
}

static int run(struct transfer *t)
{
    static uint8_t buf[65536];
    int r = send_last(t);
    for (int tries = 0; r == 0 && tries < TRIES && now_us() < t->end_us;) {
        ssize_t n = receive(t, buf, sizeof(buf));
        if (n == -ETIMEDOUT) {
            tries++;
            r = send_last(t);
            continue;
        }
        tries = 0;
        r = n < 0 ? (int)n : take_packet(t, buf, (size_t)n);
    }
    return r > 0 ? 0 : r < 0 ? r : -ETIMEDOUT;
}

int fetch(ipv4_t server, uint16_t port, const char *name, uint16_t blksize, struct fetched *ret_fetched,
          char error[static FETCH_ERROR_MAX])
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint64_t start = now_us();
    struct transfer t = {
        .fd = fd,
        .peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(server)},
        .end_us = start + TOTAL_US,
        .f = {.said = UINT64_MAX, .blksize = TFTP_BLKSIZE},
        .error = error};
    const struct tftp_options options = {.has = TFTP_O_BLKSIZE | TFTP_O_TSIZE, .blksize = blksize};
    error[0] = '\0';
    if (fd < 0)
        return -errno;
    int size = tftp_write_request(t.last, name, &options);
    if (size < 0)
        return size;
    t.last_size = (size_t)size;
    hash_init(&t.hash);
    int r = run(&t);
    if (r < 0)
        return r;
    hash_end(&t.hash, &t.f.digest);
    t.f.took_us = now_us() - start;
    *ret_fetched = t.f;
    return 0;
}
