/* D6: asks a network whether an address is in use before it is offered: by an ARP probe on the link (RFC
 * 5227), by an ICMP echo where a relay is between. All in the loop's thread.
 *
 * Probes are a courtesy: when many machines come at once their offers must not wait for them. At most
 * PROBES_MAX are under way, and at most PROBES_A_SECOND begin in a second; whoever asks for more is told so.
 */
#pragma once

#include "base/addr.h"
#include "base/diag.h"

#include <stdbool.h>
#include <uv.h>

enum { PROBES_MAX = 64, PROBES_A_SECOND = 100 };

struct probe_service;

/* What is asked. */
struct probe {
    ipv4_t ip;
    struct mac client; /* its own answer does not count: it may have the address still, and shall keep it */
    bool relayed;      /* it is behind a router: an echo, from `local`; else an ARP probe from `own` */
    int ifindex;
    struct mac own; /* of the interface; all zero: no Ethernet */
    ipv4_t local;
};

/* `secret` is unpredictable; echoes carry it. 0 or -errno with `diags`. */
int probe_service_new(uv_loop_t *loop, uint64_t secret, struct diags *diags,
                      struct probe_service **ret_service);
/* Probes that are under way end with -ECANCELED. NULL is allowed. The loop must run once more. */
void probe_service_free(struct probe_service *service);

/* How a probe ended: 0: nobody answered within `timeout_us` of its start; 1: somebody has the address, `by`
 * is its hardware address (of an echo: all zero); -ECANCELED: we stop. Called once, never from probe_start.
 */
typedef void probe_done(void *user, int r, const struct mac *by);
/* 0; -EBUSY: too many; -EALREADY: this address is asked for already; -EOPNOTSUPP: no card to ask from;
 * -errno: the network took no packet. `done` is called only after 0. */
int probe_start(struct probe_service *service, const struct probe *probe, uint64_t timeout_us,
                probe_done *done, void *user);

struct probe_stats {
    uint64_t sent, used, shed; /* packets sent; addresses in use; probes that were too many */
};
struct probe_stats probe_service_stats(const struct probe_service *service);
