/* DHCP's replies on their way out: they gather, and all that leave by the same socket leave with one call of
 * the kernel. A swarm of machines is then woken once for a batch, and not by each packet.
 *
 *     struct dhcp_outcome *o = outbox_next(outbox);
 *     ... dhcp_server_handle(..., o) ...
 *     outbox_add(outbox, fd, port, generation);      sends that one; without it the next call gives it again
 *     outbox_flush(outbox);                          before the loop waits
 */
#pragma once

#include "serve/dhcp.h"

struct outbox;

/* `link_fd` is a socket of socket_open_link. Both outlive the outbox. NULL: memory is gone. */
struct outbox *outbox_new(struct dhcp_server *server, int link_fd);
void outbox_free(struct outbox *outbox);

/* Where the next reply is put together. */
struct dhcp_outcome *outbox_next(struct outbox *outbox);
/* It is to be sent: from UDP port `port`, whose socket is `fd`, or over the link as its route says. */
void outbox_add(struct outbox *outbox, int fd, uint16_t port, unsigned generation);
/* Sends them, and tells the server of each what became of it. */
void outbox_flush(struct outbox *outbox);

/* Replies that could not be sent. */
uint64_t outbox_unsent(const struct outbox *outbox);
