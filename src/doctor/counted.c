/* The checks of what the kernel and our server counted. */
#include "base/file.h"
#include "base/str.h"
#include "doctor/checks.h"

#include <inttypes.h>

static void name_ports(const struct doctor *d, struct udp_drops *drops)
{
    const struct server_settings *s = d->site ? &d->site->server : NULL;
    const uint16_t ports[] = {s ? s->dhcp_port : DHCP_SERVER_PORT, WIRE_PXE_PORT, s ? s->tftp_port : 69};
    *drops = (struct udp_drops){.n = ARRAY_SIZE(ports)};
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        drops->ports[i].port = ports[i];
}

void begin_drops(struct doctor *d)
{
    name_ports(d, &d->udp_before);
    (void)udp_drops_read(&d->udp_before);
    d->links_before = calloc(d->lans_n ? d->lans_n : 1, sizeof(*d->links_before));
    for (size_t i = 0; d->links_before && i < d->lans_n; i++)
        (void)link_drops_read(d->lans[i].iface->name, &d->links_before[i]);
}

/* The limit that a server without CAP_NET_ADMIN is held to; 0: not to be seen in this network namespace. */
static uint64_t buffer_limit(void)
{
    cleanup_free char *text = NULL;
    uint64_t value = 0;
    if (file_read("/proc/sys/net/core/rmem_max", 64, &text, NULL) < 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return parse_u64(text, 0, UINT64_MAX, &value) == 0 ? value : 0;
}

static void check_sockets(struct doctor *d)
{
    struct udp_drops now;
    cleanup_str struct str ports = {0};
    name_ports(d, &now);
    if (udp_drops_read(&now) < 0)
        return;
    for (size_t i = 0; i < now.n; i++) {
        uint64_t total = now.ports[i].drops, before = d->udp_before.ports[i].drops;
        uint64_t meanwhile = total > before ? total - before : 0;
        if (now.ports[i].sockets)
            str_printf(&ports, "%s%u", ports.len ? ", " : "", now.ports[i].port);
        if (!total)
            continue;
        ports.len = 0;
        finding_add(d->findings, NULL, meanwhile ? RESULT_PROBLEM : RESULT_WARNING,
                    "the kernel dropped %" PRIu64
                    " packets at UDP port %u since its sockets were opened, %" PRIu64 " of them just now",
                    total, now.ports[i].port, meanwhile);
        uint64_t limit = buffer_limit();
        if (limit && limit < 8 << 20)
            finding_advise(d->findings,
                           "sysctl -w net.core.rmem_max=8388608 (it is %" PRIu64
                           "), and systemctl restart rambox",
                           limit);
        else
            finding_advise(
                d->findings,
                "sysctl -w net.core.rmem_max=8388608 and systemctl restart rambox; when that is so already, "
                "the server was stopped or the machine too busy: look at top and vmstat 1");
    }
    if (ports.len)
        finding_add(d->findings, NULL, RESULT_OK, "the kernel dropped no packet at UDP port %s",
                    str_text(&ports));
}

static void check_interfaces(struct doctor *d)
{
    for (size_t i = 0; d->links_before && i < d->lans_n; i++) {
        const char *name = d->lans[i].iface->name;
        const struct link_drops *b = &d->links_before[i];
        struct link_drops n;
        if (link_drops_read(name, &n) < 0)
            continue;
        uint64_t in = n.rx_errors - b->rx_errors + n.rx_dropped - b->rx_dropped + n.rx_fifo - b->rx_fifo;
        uint64_t out = n.tx_errors - b->tx_errors + n.tx_dropped - b->tx_dropped;
        if (!in && !out) {
            finding_add(d->findings, name, RESULT_OK, "the interface dropped nothing meanwhile");
            continue;
        }
        finding_add(d->findings, name, RESULT_WARNING,
                    "the interface dropped %" PRIu64 " packets that came and %" PRIu64 " that left meanwhile",
                    in, out);
        finding_advise(
            d->findings,
            "ip -s -s link show %s says of what kind; a longer ring helps a burst: ethtool -G %s rx 4096",
            name, name);
    }
}

void check_drops(struct doctor *d)
{
    check_sockets(d);
    check_interfaces(d);
}

/* What in the server's counters a person should know, since it started. */
static const struct {
    const char *metric;
    enum result result;
    const char *text, *advice;
} counters[] = {
    {"rambox_dhcp_silent_total{reason=\"pool-empty\"}", RESULT_PROBLEM, "messages found the pool empty",
     "give the subnet a larger pool (pools:), or a shorter lease"},
    {"rambox_dhcp_silent_total{reason=\"no-memory\"}", RESULT_PROBLEM, "messages found no memory",
     "give the server's machine more memory"},
    {"rambox_store_failures_total", RESULT_PROBLEM,
     "writes of the store failed: no lease was given out by them",
     "look at the disk of the state folder: df, dmesg"},
    {"rambox_dhcp_silent_total{reason=\"address-taken\"}", RESULT_WARNING,
     "messages of nodes whose address another client holds", "the log names them: journalctl -u rambox"},
    {"rambox_dhcp_silent_total{reason=\"wrong-subnet\"}", RESULT_WARNING,
     "messages of nodes that are in another subnet than their address",
     "the log names them: journalctl -u rambox"},
    {"rambox_dhcp_silent_total{reason=\"no-pool\"}", RESULT_WARNING,
     "messages of machines that need an address of a pool, where there is none",
     "give the subnet a pool (pools:), or the node an ip"},
    {"rambox_dhcp_silent_total{reason=\"foreign-relay\"}", RESULT_WARNING, "messages of relays of no subnet",
     "add a subnet for their address; the log names them: journalctl -u rambox"},
    {"rambox_dhcp_silent_total{reason=\"not-a-request\"}", RESULT_WARNING,
     "answers of other DHCP servers came to our port", "see the check of other DHCP servers"},
    {"rambox_dhcp_declined_total", RESULT_WARNING,
     "addresses were declined: their clients found another machine using them",
     "find who uses addresses of the pool without asking: arping, ip neigh"},
    {"rambox_dhcp_unsent_total", RESULT_WARNING, "replies could not be sent",
     "the interface was down, or its queue full: ip -s link"},
};

const char *counted_metric(size_t i)
{
    return i < ARRAY_SIZE(counters) ? counters[i].metric : NULL;
}

void check_counters(struct doctor *d)
{
    bool fine = true;
    if (!d->metrics) {
        if (d->own_runs) {
            finding_add(d->findings, NULL, RESULT_WARNING, "the server's counters cannot be had by HTTP");
            finding_advise(d->findings,
                           "see that its HTTP port is open (rambox firewall): nodes report there");
        }
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        uint64_t value = metrics_value(d->metrics, counters[i].metric);
        if (!value)
            continue;
        fine = false;
        finding_add(d->findings, NULL, counters[i].result, "since the server started: %" PRIu64 " %s", value,
                    counters[i].text);
        finding_advise(d->findings, "%s", counters[i].advice);
    }
    if (fine)
        finding_add(d->findings, NULL, RESULT_OK, "since the server started it has answered all it should");
}
