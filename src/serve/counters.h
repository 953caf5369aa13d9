/* Counters of the server: what arrived, what left, and why something did not. Any thread may count; reading
 * is for /metrics. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum counter {
    /* DHCP, by message type received: COUNT_DHCP_IN + enum dhcp_type */
    COUNT_DHCP_IN,
    COUNT_DHCP_IN_LAST = COUNT_DHCP_IN + 8,
    /* by type sent */
    COUNT_DHCP_OFFER,
    COUNT_DHCP_ACK,
    COUNT_DHCP_NAK,
    COUNT_DHCP_BOOTP,
    /* dropped as malformed: COUNT_DHCP_MALFORMED + enum dhcp_defect - 1 */
    COUNT_DHCP_MALFORMED,
    COUNT_DHCP_MALFORMED_LAST = COUNT_DHCP_MALFORMED + 7,
    /* not answered: COUNT_DHCP_SILENT + enum dhcp_silence - 1 */
    COUNT_DHCP_SILENT,
    COUNT_DHCP_SILENT_LAST = COUNT_DHCP_SILENT + 20,
    COUNT_DHCP_DECLINED, /* addresses put in quarantine */
    /* TFTP */
    COUNT_TFTP_STARTED,
    COUNT_TFTP_FINISHED,
    COUNT_TFTP_ABORTED, /* by the client */
    COUNT_TFTP_TIMEOUT, /* the client fell silent */
    COUNT_TFTP_NOT_FOUND,
    COUNT_TFTP_REFUSED, /* write requests, names that leave the root */
    COUNT_TFTP_MALFORMED,
    COUNT_TFTP_STRAY,   /* packets of no transfer (T2) */
    COUNT_TFTP_LIMITED, /* requests dropped by a limit (H7) */
    COUNT_TFTP_BYTES,
    COUNT_TFTP_RETRANSMITTED, /* DATA packets sent again */
    /* HTTP */
    COUNT_HTTP_REQUESTS,
    COUNT_HTTP_BAD,
    COUNT_HTTP_STARTED, /* files, or parts of them */
    COUNT_HTTP_FINISHED,
    COUNT_HTTP_ABORTED, /* by the client */
    COUNT_HTTP_TIMEOUT, /* the client was too slow */
    COUNT_HTTP_NOT_FOUND,
    COUNT_HTTP_REFUSED,
    COUNT_HTTP_LIMITED,         /* files not sent because of a limit (W3) */
    COUNT_HTTP_LIMITED_CLIENTS, /* connections not served because of one */
    COUNT_HTTP_SLOW,            /* connections cut because no request came, or none that ended */
    COUNT_HTTP_BYTES,
    COUNT_REPORTS,
    COUNT_BOOTS, /* begun */
    COUNTER_COUNT
};

struct counters {
    _Atomic uint64_t n[COUNTER_COUNT];
};

static inline void count(struct counters *c, unsigned which, uint64_t by)
{
    atomic_fetch_add_explicit(&c->n[which], by, memory_order_relaxed);
}

static inline uint64_t counter_value(const struct counters *c, unsigned which)
{
    return atomic_load_explicit(&c->n[which], memory_order_relaxed);
}

/* The Prometheus name and labels, such as `rambox_dhcp_received_total{type="DISCOVER"}`; `buf` may hold it.
 */
#define COUNTER_NAME_MAX 96
const char *counter_name(unsigned which, char buf[static COUNTER_NAME_MAX]);
