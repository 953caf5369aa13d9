/* DHCP's sockets: brings what arrives to the decision (serve/dhcp.h), and the reply to the client, after the
 * commit where a lease is in it (D20). All in the loop's thread; a reply that needs no commit leaves in the
 * same turn, without a lock. */
#pragma once

#include "daemon/committer.h"
#include "daemon/generations.h"
#include "daemon/iface.h"
#include "serve/dhcp.h"

struct dhcp_service;
struct dhcp_listener;

/* All pointers must outlive the service. `link_fd` is a socket of socket_open_link. NULL: memory is gone. */
struct dhcp_service *dhcp_service_new(uv_loop_t *loop, struct dhcp_server *server,
                                      struct generations *generations, struct committer *committer,
                                      int link_fd);
/* After the committer was freed, so that no reply waits any more. NULL is allowed. */
void dhcp_service_free(struct dhcp_service *service);

/* Serves on one more interface. 0 or -errno with `diags`. */
int dhcp_service_listen(struct dhcp_service *service, const struct served_iface *iface, uint16_t port,
                        struct diags *diags, struct dhcp_listener **ret_listener);
void dhcp_service_unlisten(struct dhcp_listener *listener);

/* Stops reading; replies that wait for their commit still leave. */
void dhcp_service_drain(struct dhcp_service *service);

/* Replies that could not be sent. */
uint64_t dhcp_service_unsent(const struct dhcp_service *service);
