/* The checks of interfaces: addresses, bridges, and how long a packet can be. */
#include "base/file.h"
#include "base/str.h"
#include "doctor/checks.h"
#include "doctor/ping.h"

/* IPv4 and UDP headers and TFTP's own: what a block needs besides. */
enum { TFTP_AROUND = 20 + 8 + 4, PINGS_MAX = 32 };

/* A number from a file of /sys; false when it is not there. */
static bool sys_number(const char *interface, const char *file, uint64_t *ret_value)
{
    cleanup_free char *path = xasprintf("/sys/class/net/%s/%s", interface, file), *text = NULL;
    if (file_read(path, 64, &text, NULL) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    return parse_u64(text, 0, UINT64_MAX, ret_value) == 0;
}

/* Looked at before the network is watched, since what is heard on it depends on it. */
void begin_links(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++) {
        uint64_t carrier;
        d->lans[i].no_link = sys_number(d->lans[i].iface->name, "carrier", &carrier) && !carrier;
    }
}

void check_links(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++) {
        const char *name = d->lans[i].iface->name;
        if (!d->lans[i].no_link) {
            finding_add(d->findings, name, RESULT_OK, "there is a link");
            continue;
        }
        finding_add(d->findings, name, RESULT_PROBLEM,
                    "there is no link: nothing is plugged in, or it is switched off");
        finding_advise(d->findings, "look at cable and switch; of a bridge, at its ports: bridge link");
    }
}

static bool overlap(const struct ipv4_prefix *a, const struct ipv4_prefix *b)
{
    return prefix_contains(a, b->address) || prefix_contains(b, a->address);
}

/* The mask that nodes are given and the one the server has must be the same, or one side looks for a router.
 */
static bool check_mask(struct doctor *d, const struct lan *lan)
{
    char own[PREFIX_TEXT_MAX], subnet[PREFIX_TEXT_MAX];
    const struct ipv4_prefix *p = &lan->iface->prefix;
    if (!lan->subnet || !prefix_contains(&lan->subnet->prefix, lan->iface->address) ||
        p->length == lan->subnet->prefix.length)
        return true;
    finding_add(d->findings, lan->iface->name, RESULT_WARNING, "the interface is in %s, its subnet %s is %s",
                prefix_format(p, own), lan->subnet->name, prefix_format(&lan->subnet->prefix, subnet));
    finding_advise(
        d->findings,
        "give both the same prefix: some nodes and the server look for each other behind a router");
    return false;
}

void check_addresses(struct doctor *d)
{
    const struct doctor_request *r = d->request;
    char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];
    for (size_t i = 0; i < d->lans_n; i++) {
        const struct doctor_iface *served = d->lans[i].iface;
        bool fine = check_mask(d, &d->lans[i]);
        for (size_t j = 0; j < r->all_n; j++) {
            const struct doctor_iface *other = &r->all[j];
            if (str_eq(other->name, served->name) || !overlap(&other->prefix, &served->prefix))
                continue;
            fine = false;
            finding_add(d->findings, served->name, RESULT_PROBLEM,
                        "its network %s is also %s on interface %s", prefix_format(&served->prefix, a),
                        prefix_format(&other->prefix, b), other->name);
            finding_advise(d->findings,
                           "take the address off one of them: answers to nodes may leave by the wrong one");
        }
        if (fine)
            finding_add(d->findings, served->name, RESULT_OK, "its network %s is on no other interface",
                        prefix_format(&served->prefix, a));
    }
    if (!d->lans_n) {
        finding_add(d->findings, NULL, RESULT_PROBLEM, "no interface is served");
        finding_advise(d->findings,
                       "give an interface an address in a subnet (ip address add), or name it: --interface");
    }
}

/* A bridge that runs the spanning tree protocol forwards nothing from a new link for twice its delay: by
 * default 30 s, after which PXE ROMs have given up. */
void check_bridges(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++) {
        const char *name = d->lans[i].iface->name;
        uint64_t stp, delay; /* the delay in hundredths of a second */
        if (!sys_number(name, "bridge/stp_state", &stp) || !sys_number(name, "bridge/forward_delay", &delay))
            continue;
        if (!stp || !delay) {
            finding_add(d->findings, name, RESULT_OK, "the bridge forwards from a new link at once");
            continue;
        }
        finding_add(
            d->findings, name, RESULT_WARNING,
            "the bridge runs the spanning tree protocol with a forward delay of %.1f s: a link that comes "
            "up is held back for %.1f s, and PXE firmware gives up before 30 s",
            (double)delay / 100, (double)delay / 50);
        finding_advise(d->findings,
                       "ip link set %s type bridge stp_state 0 forward_delay 0, where it has no loops", name);
    }
}

void check_mtu(struct doctor *d)
{
    for (size_t i = 0; d->site && i < d->lans_n; i++) {
        const struct doctor_iface *iface = d->lans[i].iface;
        unsigned max = d->site->server.tftp_max_blksize;
        unsigned fits = iface->mtu > TFTP_AROUND ? iface->mtu - TFTP_AROUND : 0;
        if (max <= fits) {
            finding_add(d->findings, iface->name, RESULT_OK, "a TFTP block of %u bytes fits its MTU of %u",
                        max, iface->mtu);
            continue;
        }
        finding_add(
            d->findings, iface->name, RESULT_WARNING,
            "a TFTP block of %u bytes (tftp: max_blksize) does not fit its MTU of %u: at most %u are granted",
            max, iface->mtu, fits);
        finding_advise(
            d->findings,
            "when the nodes' network takes more, ip link set %s mtu 1500; else say tftp: max_blksize: %u",
            iface->name, fits);
    }
}

static void check_pings(struct doctor *d, const struct lan *lan, const struct ping *pings, size_t n)
{
    unsigned up = 0, whole = 0, size = lan->iface->mtu < 1500 ? lan->iface->mtu : 1500;
    char ip[IPV4_TEXT_MAX] = "";
    for (size_t i = 0; i < n; i++) {
        up += pings[i].answers;
        whole += pings[i].answers && pings[i].whole;
        if (pings[i].answers && !pings[i].whole && !ip[0])
            ipv4_format(pings[i].address, ip);
    }
    if (up == whole) {
        finding_add(d->findings, lan->iface->name, RESULT_OK,
                    up ? "packets of %u bytes pass to the nodes that are up: %u of the %zu asked"
                       : "packets of %u bytes: no node is up to try it with (%u of %zu)",
                    size, up, n);
        return;
    }
    finding_add(
        d->findings, lan->iface->name, RESULT_PROBLEM,
        "packets of %u bytes do not come back from %u of the %u nodes that are up, such as %s; short ones do",
        size, up - whole, up, ip);
    finding_advise(
        d->findings,
        "the MTU is smaller on the way: raise it there, or lower it here (ip link set %s mtu ...) and "
        "tftp: max_blksize with it",
        lan->iface->name);
}

void check_full_packets(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++) {
        const struct lan *lan = &d->lans[i];
        struct ping pings[PINGS_MAX];
        size_t n = 0;
        if (!lan->subnet || !d->site)
            continue;
        VEC_EACH(node, &d->site->nodes)
            if (n < PINGS_MAX && node->ip && node->ip != lan->iface->address &&
                prefix_contains(&lan->iface->prefix, node->ip))
                pings[n++] = (struct ping){.address = node->ip};
        if (n && ping_all(lan->iface->name, lan->iface->mtu, pings, n) == 0)
            check_pings(d, lan, pings, n);
    }
}
