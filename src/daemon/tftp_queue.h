/* TFTP datagrams that wait to be sent, first to last, of one worker.
 *
 * What follows one another to the same client in blocks of one size (a window) leaves as one message that the
 * kernel, or the card, cuts (UDP_SEGMENT): the blocks are gathered from the mapped file and their heads, and
 * the way through the kernel is paid for once. Where a device or a route cannot have that, they leave one by
 * one; it is tried again now and then, since routes change. Messages of one socket leave with one call
 * (sendmmsg).
 */
#pragma once

#include "serve/tftp.h"

#include <netinet/in.h>

struct tftp_outgoing {
    int fd;
    struct sockaddr_in to;
    uint32_t head_size, body_size;
    const void *body; /* the transfer's, valid until tftp_reap */
    uint8_t head[TFTP_SMALL_MAX];
};

/* Whether the way to an address takes windows: not for the next `left` datagrams. */
struct tftp_refusal {
    ipv4_t to;
    unsigned left;
};

enum { TFTP_REFUSALS = 256 };
struct tftp_queue {
    struct tftp_outgoing *items;
    size_t sent, n, room;                        /* `sent` of the first n are gone already */
    struct tftp_refusal refusals[TFTP_REFUSALS]; /* by a hash of the address */
};

void tftp_queue_free(struct tftp_queue *queue);
/* Copies the head. When memory is gone the datagram is lost, as it may be on the way: it is sent again. */
void tftp_queue_add(struct tftp_queue *queue, int fd, const struct tftp_datagram *datagram);
/* Sends what waits. -1: all is gone; else the socket whose buffer is full. */
int tftp_queue_flush(struct tftp_queue *queue);
/* Drops what would leave by this socket, which is about to be closed: its number may be another's next. */
void tftp_queue_forget(struct tftp_queue *queue, int fd);
