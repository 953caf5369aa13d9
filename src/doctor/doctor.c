/* The run: what happens in which order; the contract is in doctor/doctor.h. */
#include "doctor/doctor.h"
#include "base/str.h"
#include "doctor/checks.h"

#include <errno.h>
#include <sys/random.h>

static void check_others(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++)
        judge_other_servers(&d->lans[i], d->findings);
}

static void check_own(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++)
        judge_own_server(&d->lans[i], d->request->dhcp_owner, d->findings);
}

static void check_boot_servers(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++) {
        lan_ask_boot_servers(&d->lans[i]);
        judge_boot_servers(&d->lans[i], d->findings);
    }
}

static void check_architectures(struct doctor *d)
{
    for (size_t i = 0; i < d->lans_n; i++)
        judge_architectures(&d->lans[i], d->findings);
}

/* In the order in which they are shown. `begin` runs before the network is watched, `check` after it. */
static const struct {
    const char *name;
    void (*begin)(struct doctor *d);
    void (*check)(struct doctor *d);
} checks[] = {
    {"configuration", NULL, check_configuration},
    {"generation", NULL, check_generation},
    {"loaders", NULL, check_loaders},
    {"clock", NULL, check_clock},
    {"disk", NULL, check_disk},
    {"link", begin_links, check_links},
    {"addresses", NULL, check_addresses},
    {"spanning tree", NULL, check_bridges},
    {"other servers", NULL, check_others},
    {"own server", NULL, check_own},
    {"port 4011", NULL, check_boot_servers},
    {"firmware", NULL, check_architectures},
    {"counters", NULL, check_counters},
    {"drops", begin_drops, check_drops},
    {"mtu", NULL, check_mtu},
    {"transfer", NULL, check_transfer},
    {"full packets", NULL, check_full_packets},
};

static int open_lans(struct doctor *d, struct diags *diags)
{
    const struct doctor_request *request = d->request;
    uint16_t port = d->site ? d->site->server.dhcp_port : DHCP_SERVER_PORT;
    uint32_t xid;
    if (getrandom(&xid, sizeof(xid), 0) != sizeof(xid))
        return diag_errno(diags, -EIO, "no random numbers");
    d->lans = calloc(request->served_n ? request->served_n : 1, sizeof(*d->lans));
    if (!d->lans)
        return diag_errno(diags, -ENOMEM, "no memory");
    for (size_t i = 0; i < request->served_n; i++) {
        struct lan *lan = &d->lans[d->lans_n];
        int r = lan_init(lan, &request->served[i], d->site, d->own_runs, port,
                         xid + (uint32_t)(d->lans_n * PROBES_MAX));
        if (r < 0)
            return diag_errno(diags, r, "no memory");
        d->lans_n++;
        r = lan_open(lan, diags);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(struct doctor *d, struct diags *diags)
{
    int r = open_lans(d, diags);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (checks[i].begin)
            checks[i].begin(d);
    lans_watch(d->lans, d->lans_n, d->request->seconds, d->request->progress);
    if (d->own_runs && d->site && d->lans_n)
        d->metrics = metrics_fetch(d->lans[0].iface->address, d->site->server.http_port);
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        d->findings->check = checks[i].name;
        checks[i].check(d);
    }
    return 0;
}

int doctor_run(const struct doctor_request *request, struct diags *diags, struct findings *ret_findings)
{
    struct findings findings = {0};
    struct doctor d = {.request = request,
                       .site = request->generation ? request->generation->site : request->site,
                       .own_runs = str_starts(request->dhcp_owner, "rambox "),
                       .findings = &findings};
    int r = run(&d, diags);
    for (size_t i = 0; i < d.lans_n; i++)
        lan_clear(&d.lans[i]);
    free(d.lans);
    free(d.links_before);
    free(d.metrics);
    *ret_findings = findings;
    return r;
}
