/* tftp-echo: what a TFTP server costs that knows nothing, as the ceiling for all others.
 *
 *     tftp-echo ADDRESS PATH BLKSIZE [WINDOWSIZE]
 *
 * recvmmsg, an answer to each packet, sendmmsg. A request draws an OACK with this block size (and this
 * window), whatever it asks for and whatever the file's name; an ACK of block n draws the blocks behind it,
 * straight from the mapped file. No transfers, no clock, no retransmission, no log. Files of less than 65,535
 * blocks.
 */
#include "base/addr.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 64, WINDOW_MAX = 64, SEND_BATCH = 128, BUFFER = 8 << 20, PORT = 69 };
enum { RRQ = 1, DATA = 3, ACK, OACK = 6 };

struct echo {
    int fd;
    const uint8_t *file;
    uint64_t size, blksize, window;
    uint8_t oack[64];
    size_t oack_size;
    struct mmsghdr in[BATCH], out[SEND_BATCH];
    struct iovec in_parts[BATCH], out_parts[SEND_BATCH][2];
    struct sockaddr_in from[BATCH];
    uint8_t requests[BATCH][1024], heads[SEND_BATCH][4];
    unsigned n;
};

static void flush(struct echo *e)
{
    for (unsigned sent = 0; sent < e->n;) {
        int n = sendmmsg(e->fd, e->out + sent, e->n - sent, 0);
        sent += n > 0 ? (unsigned)n : 1; /* who is gone loses it */
    }
    e->n = 0;
}

static void add(struct echo *e, struct sockaddr_in *to, struct iovec head, struct iovec body)
{
    struct iovec *parts = e->out_parts[e->n];
    parts[0] = head;
    parts[1] = body;
    e->out[e->n++].msg_hdr = (struct msghdr){
        .msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = parts, .msg_iovlen = body.iov_len ? 2 : 1};
    if (e->n == SEND_BATCH)
        flush(e);
}

static void send_blocks(struct echo *e, struct sockaddr_in *to, uint64_t acked)
{
    uint64_t last = e->size / e->blksize + 1;
    for (uint64_t block = acked + 1; block <= last && block <= acked + e->window; block++) {
        uint64_t offset = (block - 1) * e->blksize, left = e->size - offset;
        struct writer w = writer_of(e->heads[e->n], sizeof(e->heads[e->n]));
        writer_u16(&w, DATA);
        writer_u16(&w, (uint16_t)block);
        add(e, to, (struct iovec){w.base, w.used},
            (struct iovec){(void *)(uintptr_t)(e->file + offset), left < e->blksize ? left : e->blksize});
    }
}

static void serve(struct echo *e)
{
    for (unsigned i = 0; i < BATCH; i++)
        e->in[i].msg_hdr.msg_namelen = sizeof(e->from[i]);
    int n = recvmmsg(e->fd, e->in, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct reader r = reader_of(e->requests[i], e->in[i].msg_len);
        unsigned op = reader_u16(&r), block = reader_u16(&r);
        if (op == RRQ)
            add(e, &e->from[i], (struct iovec){e->oack, e->oack_size}, (struct iovec){0});
        else if (op == ACK)
            send_blocks(e, &e->from[i], block);
    }
    flush(e);
    if (n <= 0)
        (void)poll(&(struct pollfd){.fd = e->fd, .events = POLLIN}, 1, -1);
}

static int open_file(struct echo *e, const char *path)
{
    struct stat st;
    CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    e->size = (uint64_t)st.st_size;
    e->file = mmap(NULL, e->size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    return e->file == MAP_FAILED ? -errno : 0;
}

static int open_socket(struct echo *e, ipv4_t address)
{
    int buffer = BUFFER;
    const struct sockaddr_in us = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(address)};
    e->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (e->fd < 0 || bind(e->fd, (const struct sockaddr *)&us, sizeof(us)) < 0)
        return -errno;
    (void)setsockopt(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    (void)setsockopt(e->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
    for (unsigned i = 0; i < BATCH; i++) {
        e->in_parts[i] = (struct iovec){e->requests[i], sizeof(e->requests[i])};
        e->in[i].msg_hdr =
            (struct msghdr){.msg_name = &e->from[i], .msg_iov = &e->in_parts[i], .msg_iovlen = 1};
    }
    return 0;
}

static void write_oack(struct echo *e)
{
    char text[24];
    struct writer w = writer_of(e->oack, sizeof(e->oack));
    writer_u16(&w, OACK);
    writer_cstr(&w, "blksize");
    snprintf(text, sizeof(text), "%u", (unsigned)e->blksize);
    writer_cstr(&w, text);
    if (e->window > 1) {
        writer_cstr(&w, "windowsize");
        snprintf(text, sizeof(text), "%u", (unsigned)e->window);
        writer_cstr(&w, text);
    }
    e->oack_size = w.used;
}

int main(int argc, char **argv)
{
    static struct echo e = {.window = 1};
    ipv4_t address;
    if (argc < 4 || argc > 5 || ipv4_parse(argv[1], &address) < 0 ||
        parse_u64(argv[3], 8, 65464, &e.blksize) < 0 ||
        (argc == 5 && parse_u64(argv[4], 1, WINDOW_MAX, &e.window) < 0)) {
        fprintf(stderr, "usage: tftp-echo ADDRESS PATH BLKSIZE [WINDOWSIZE]\n");
        return 2;
    }
    int r = open_file(&e, argv[2]);
    if (r == 0)
        r = open_socket(&e, address);
    if (r < 0) {
        fprintf(stderr, "tftp-echo: %s\n", strerror(-r));
        return 1;
    }
    write_oack(&e);
    for (;;)
        serve(&e);
}
