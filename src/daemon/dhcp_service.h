/* DHCP's sockets: brings what arrives to the decision (serve/dhcp.h), and the reply to the client, after the
 * commit where a lease is in it (D20), after a probe where an address may be in use (D6). All in the loop's
 * thread.
 *
 * Work goes by the batch: what waits in a socket is taken with one call, decided on, and the replies leave
 * with one call for each socket; so do the replies that one commit sets free. Nothing is allocated for a
 * message, except while its reply waits.
 */
#pragma once

#include "daemon/committer.h"
#include "daemon/generations.h"
#include "daemon/iface.h"
#include "daemon/probe_service.h"
#include "serve/dhcp.h"

struct dhcp_service;
struct dhcp_listener;

/* All pointers must outlive the service. */
struct dhcp_service_config {
    uv_loop_t *loop;
    struct dhcp_server *server;
    struct generations *generations;
    struct committer *committer;
    struct probe_service *probes; /* NULL: nothing is probed */
    struct event_sink *sink;      /* gets EVENT_DHCP_ALERT about addresses in use */
    int link_fd;                  /* a socket of socket_open_link */
};

/* Copies `config`. NULL: memory is gone. */
struct dhcp_service *dhcp_service_new(const struct dhcp_service_config *config);
/* After the committer and the probes were freed, so that no reply waits any more. NULL is allowed. */
void dhcp_service_free(struct dhcp_service *service);

/* Serves on one more interface: on `port`, and on 4011, where firmware asks for its boot file alone (P5). 0
 * or -errno with `diags`. A warning there: 4011 is taken; a receive buffer that holds few messages. */
int dhcp_service_listen(struct dhcp_service *service, const struct served_iface *iface, uint16_t port,
                        struct diags *diags, struct dhcp_listener **ret_listener);
void dhcp_service_unlisten(struct dhcp_listener *listener);

/* Stops reading; replies that wait for their commit still leave. */
void dhcp_service_drain(struct dhcp_service *service);

struct dhcp_service_stats {
    uint64_t unsent;  /* replies that the network did not take */
    uint64_t dropped; /* messages that the kernel had no room for */
    uint64_t batches; /* calls that took messages in */
};
struct dhcp_service_stats dhcp_service_stats(const struct dhcp_service *service);
