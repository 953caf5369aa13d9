/* See daemon/tftp_queue.h. */
#include "daemon/tftp_queue.h"
#include "base/mix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* MESSAGES, PARTS: of a call. SEGMENTS: the kernel's limit of a message before 6.9. MESSAGE_MAX: bytes of the
 * largest UDP datagram. REFUSED: datagrams that leave one by one before a window is tried again. */
enum { MESSAGES = 128, PARTS = 512, SEGMENTS = 64, MESSAGE_MAX = 65507, ROOM = 256, REFUSED = 20000 };

/* Messages of a call under construction; what they point to. */
struct batch {
    unsigned n, parts_n;
    struct mmsghdr messages[MESSAGES];
    size_t items[MESSAGES]; /* how many each message carries */
    struct iovec parts[PARTS];
    union {
        struct cmsghdr header; /* for its alignment */
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control[MESSAGES];
};

void tftp_queue_free(struct tftp_queue *q)
{
    free(q->items);
    *q = (struct tftp_queue){0};
}

void tftp_queue_add(struct tftp_queue *q, int fd, const struct tftp_datagram *d)
{
    if (q->n == q->room) {
        size_t room = q->room ? q->room * 2 : ROOM;
        struct tftp_outgoing *items = realloc(q->items, room * sizeof(*items));
        if (!items)
            return;
        q->items = items;
        q->room = room;
    }
    struct tftp_outgoing *o = &q->items[q->n++];
    o->fd = fd;
    o->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(d->flow->remote.port),
                                 .sin_addr.s_addr = htonl(d->flow->remote.address)};
    o->head_size = (uint32_t)d->head_size;
    o->body_size = (uint32_t)d->body_size;
    o->body = d->body;
    memcpy(o->head, d->head, d->head_size);
}

static size_t size_of(const struct tftp_outgoing *o)
{
    return o->head_size + o->body_size;
}

static bool same_way(const struct tftp_outgoing *a, const struct tftp_outgoing *b)
{
    return a->fd == b->fd && a->to.sin_addr.s_addr == b->to.sin_addr.s_addr &&
           a->to.sin_port == b->to.sin_port;
}

static struct tftp_refusal *refusal_of(struct tftp_queue *q, const struct tftp_outgoing *o)
{
    return &q->refusals[mix64(o->to.sin_addr.s_addr) % TFTP_REFUSALS];
}

static void note_refusal(struct tftp_queue *q, const struct tftp_outgoing *o)
{
    *refusal_of(q, o) = (struct tftp_refusal){.to = o->to.sin_addr.s_addr, .left = REFUSED};
}

static bool is_refused(struct tftp_queue *q, const struct tftp_outgoing *o)
{
    struct tftp_refusal *r = refusal_of(q, o);
    if (r->left == 0 || r->to != o->to.sin_addr.s_addr)
        return false;
    r->left--;
    return true;
}

/* How many of the items from `o` on can be one message: all of one size but the last, which may be shorter.
 */
static size_t run_of(struct tftp_queue *q, const struct tftp_outgoing *o)
{
    size_t left = (size_t)(q->items + q->n - o), size = size_of(o), n = 1, most = MESSAGE_MAX / size;
    if (left > SEGMENTS)
        left = SEGMENTS;
    if (left > most)
        left = most;
    while (n < left && same_way(o, &o[n]) && size_of(&o[n]) <= size)
        if (size_of(&o[n++]) < size)
            break;
    return n > 1 && is_refused(q, o) ? 1 : n;
}

static void set_segment(struct msghdr *m, void *control, size_t size)
{
    const uint16_t segment = (uint16_t)size;
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(sizeof(segment));
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(segment));
    memcpy(CMSG_DATA(c), &segment, sizeof(segment));
}

static void add_message(struct batch *b, struct tftp_outgoing *o, size_t n)
{
    struct msghdr *m = &b->messages[b->n].msg_hdr;
    *m = (struct msghdr){.msg_name = &o->to, .msg_namelen = sizeof(o->to), .msg_iov = &b->parts[b->parts_n]};
    for (size_t i = 0; i < n; i++) {
        b->parts[b->parts_n++] = (struct iovec){o[i].head, o[i].head_size};
        if (o[i].body_size)
            b->parts[b->parts_n++] = (struct iovec){(void *)(uintptr_t)o[i].body, o[i].body_size};
    }
    m->msg_iovlen = (size_t)(&b->parts[b->parts_n] - m->msg_iov);
    if (n > 1)
        set_segment(m, b->control[b->n].bytes, size_of(o));
    b->items[b->n++] = n;
}

/* Sends the items from `sent` on that leave by the same socket, as many as one call takes. False when the
 * socket's buffer is full. */
static bool send_some(struct tftp_queue *q)
{
    struct batch b;
    struct tftp_outgoing *first = q->items + q->sent, *end = q->items + q->n, *o = first;
    b.n = b.parts_n = 0;
    while (o < end && o->fd == first->fd && b.n < MESSAGES) {
        size_t n = run_of(q, o);
        if (b.parts_n + 2 * n > PARTS)
            break;
        add_message(&b, o, n);
        o += n;
    }
    int r = sendmmsg(first->fd, b.messages, b.n, 0);
    for (int i = 0; i < r; i++)
        q->sent += b.items[i];
    if (r > 0)
        return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == EINTR)
        return true;
    if (b.items[0] > 1) /* no UDP_SEGMENT on this way, or blocks larger than what fits through it */
        note_refusal(q, first);
    else /* who cannot be reached loses it; the transfer's own clock deals with that */
        q->sent++;
    return true;
}

int tftp_queue_flush(struct tftp_queue *q)
{
    while (q->sent < q->n)
        if (!send_some(q))
            return q->items[q->sent].fd;
    q->sent = q->n = 0;
    return -1;
}

void tftp_queue_forget(struct tftp_queue *q, int fd)
{
    size_t kept = 0;
    for (size_t i = q->sent; i < q->n; i++)
        if (q->items[i].fd != fd)
            q->items[kept++] = q->items[i];
    q->n = kept;
    q->sent = 0;
}
