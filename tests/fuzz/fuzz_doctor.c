/* doctor/: whatever frames a network sends, read, joined by server and judged.
 *
 * Input: records of a byte (bit 0: this machine sent it; bit 1: the transaction and the hardware address of
 * the probe that bits 2..6 number are put into it), two bytes of length and a frame. Held: nothing is counted
 * beyond its limits, no answer is of a probe that was not sent, and what is found is text that a terminal may
 * show.
 */
#include "base/str.h"
#include "doctor/lan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

enum { PROBES = PROBE_KNOWN + LAN_ARCHS };
enum { AT_XID = 14 + 20 + 8 + 4, AT_MAC = 14 + 20 + 8 + 28 };

static struct site *make_site(bool proxy)
{
    struct site *site = site_new();
    struct diags diags = {0};
    struct subnet *lab = VEC_ADD(&site->subnets);
    *lab = subnet_new(xstrdup("lab"));
    lab->prefix = (struct ipv4_prefix){0x0a070000, 24};
    lab->mode = proxy ? DHCP_PROXY : DHCP_FULL;
    *VEC_ADD(&site->nodes) = (struct node){.name = xstrdup("n1"),
                                           .mac = {{0x52, 0x54, 0, 0, 0, 1}},
                                           .ip = 0x0a070015,
                                           .profile = xstrdup("default")};
    MUST(site_index(site, &diags) == 0);
    return site;
}

static void take_record(struct lan *lan, uint8_t how, const uint8_t *data, size_t size)
{
    uint8_t frame[2048];
    struct answers *a = lan->answers;
    const struct probe *probe = &a->probes[(how >> 2) % PROBES].probe;
    if (size > sizeof(frame))
        size = sizeof(frame);
    memcpy(frame, data, size);
    if (how & 2 && size >= AT_MAC + 6) {
        const uint8_t xid[] = {(uint8_t)(probe->xid >> 24), (uint8_t)(probe->xid >> 16),
                               (uint8_t)(probe->xid >> 8), (uint8_t)probe->xid};
        memcpy(frame + AT_XID, xid, sizeof(xid));
        memcpy(frame + AT_MAC, probe->mac.b, sizeof(probe->mac.b));
    }
    answers_take(a, 2000, how & 1, frame, size);
}

static void judge(struct lan *lan)
{
    cleanup_findings struct findings findings = {.check = "fuzz"};
    judge_other_servers(lan, &findings);
    judge_own_server(lan, "rambox (pid 1)", &findings);
    judge_boot_servers(lan, &findings);
    judge_architectures(lan, &findings);
    MUST(findings.list.n >= 1);
    VEC_EACH(f, &findings.list) {
        MUST(f->text[0]);
        MUST((f->result == RESULT_OK) == (f->advice == NULL));
        for (const char *c = f->text; *c; c++)
            MUST(*c >= ' ' && *c < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct doctor_iface iface = {.name = "br0",
                                              .index = 2,
                                              .mtu = 1500,
                                              .mac = {{2, 0, 0, 0, 0, 1}},
                                              .address = 0x0a070001,
                                              .prefix = {0x0a070000, 24}};
    struct reader r = reader_of(data, size);
    struct lan lan;
    uint8_t mode = reader_u8(&r);
    struct site *site = make_site(mode & 1);
    MUST(lan_init(&lan, &iface, site, !(mode & 2), 67, 0x1000) == 0);
    MUST(lan.answers->probes_n == PROBES);
    for (size_t i = 0; i < lan.answers->probes_n; i++)
        lan.answers->probes[i].at_us = i == 1 && mode & 4 ? 0 : 1000;
    while (r.left >= 3) {
        uint8_t how = reader_u8(&r);
        size_t n = reader_u16(&r);
        n = n > r.left ? r.left : n;
        take_record(&lan, how, reader_take(&r, n), n);
    }
    MUST(lan.answers->servers_n <= SERVERS_MAX);
    for (size_t i = 0; mode & 4 && i < lan.answers->servers_n; i++)
        MUST(!lan.answers->servers[i].to[1].heard);
    judge(&lan);
    lan_clear(&lan);
    site_free(site);
    return 0;
}
