/* doctor/: what is asked, how answers are read and judged, and what the kernel's and the server's tables say.
 * The packets themselves are in tests/net/doctor. */
#include "test.h"

#include "base/str.h"
#include "doctor/checks.h"
#include "proto/pxe.h"
#include "proto/udp.h"
#include "serve/counters.h"

#include <errno.h>

enum { US = 0x0a070001, N1_IP = 0x0a070015, OTHER = 0x0a070002, THIRD = 0x0a070003 };

static const struct mac own_mac = {{0x52, 0x54, 0, 0, 0, 0xfe}}, n1_mac = {{0x52, 0x54, 0, 0, 0, 1}},
                        other_mac = {{0x52, 0x54, 0, 0, 0, 2}}, third_mac = {{0x52, 0x54, 0, 0, 0, 3}};

static struct {
    struct doctor_iface iface;
    struct site *site;
    struct lan lan;
    struct findings findings;
} bed;

static void make_bed(enum dhcp_mode mode, bool with_node, bool own_runs)
{
    struct diags diags = {0};
    bed.iface = (struct doctor_iface){
        .name = "br0", .index = 2, .mtu = 1500, .mac = own_mac, .address = US, .prefix = {0x0a070000, 24}};
    bed.site = site_new();
    struct subnet *lab = VEC_ADD(&bed.site->subnets);
    *lab = subnet_new(xstrdup("lab"));
    lab->prefix = (struct ipv4_prefix){0x0a070000, 24};
    lab->mode = mode;
    if (with_node)
        *VEC_ADD(&bed.site->nodes) =
            (struct node){.name = xstrdup("n1"), .mac = n1_mac, .ip = N1_IP, .profile = xstrdup("default")};
    assert_int_equal(site_index(bed.site, &diags), 0);
    assert_int_equal(lan_init(&bed.lan, &bed.iface, bed.site, own_runs, 67, 0x1000), 0);
    for (size_t i = 0; i < bed.lan.answers->probes_n; i++)
        bed.lan.answers->probes[i].at_us = 1000;
    bed.findings = (struct findings){.check = "test"};
}

static int tear_down(void **state)
{
    (void)state;
    findings_clear(&bed.findings);
    lan_clear(&bed.lan);
    site_free(bed.site);
    memset(&bed, 0, sizeof(bed));
    return 0;
}

static int setup_full(void **state)
{
    (void)state;
    make_bed(DHCP_FULL, true, true);
    return 0;
}

static int setup_proxy(void **state)
{
    (void)state;
    make_bed(DHCP_PROXY, true, true);
    return 0;
}

/* ---- frames ---- */

/* What a server says. */
struct said {
    ipv4_t server;
    const struct mac *from;
    enum dhcp_type type;
    ipv4_t ip;
    const char *file;
    bool pxe, at_once;
};

static size_t make_frame(const struct said *said, uint32_t xid, const struct mac *to, uint8_t *buf,
                         size_t room)
{
    uint8_t message[DHCP_REPLY_MAX];
    struct dhcp_writer d;
    struct dhcp_head head = {.xid = xid,
                             .flags = DHCP_FLAG_BROADCAST,
                             .htype = 1,
                             .hlen = 6,
                             .yiaddr = said->ip,
                             .siaddr = said->file ? said->server : 0,
                             .file = said->file};
    memcpy(head.chaddr, to->b, sizeof(to->b));
    dhcp_begin(&d, message, sizeof(message), sizeof(message), &head, NULL, 0);
    dhcp_put_u8(&d, DHCP_MESSAGE_TYPE, (uint8_t)said->type);
    dhcp_put_u32(&d, DHCP_SERVER_ID, said->server);
    if (said->pxe)
        dhcp_put_text(&d, DHCP_VENDOR_CLASS, "PXEClient");
    if (said->at_once)
        dhcp_put(&d, DHCP_VENDOR_SPECIFIC, "\6\1\10\377", 4);
    int size = dhcp_end(&d);
    assert_true(size > 0);
    struct writer w = writer_of(buf, room);
    writer_fill(&w, 0xff, 6);
    writer_put(&w, said->from->b, sizeof(said->from->b));
    writer_u16(&w, 0x0800);
    udp4_write_headers(
        &w,
        &(struct udp4){
            .source = said->server, .destination = UINT32_MAX, .source_port = 67, .destination_port = 68},
        message, (size_t)size);
    writer_put(&w, message, (size_t)size);
    assert_false(w.failed);
    return w.used;
}

/* The server's answer to one of our probes. */
static void hear(const struct said *said, size_t probe)
{
    uint8_t frame[WIRE_FRAME_MAX];
    const struct probe *p = &bed.lan.answers->probes[probe].probe;
    size_t n = make_frame(said, p->xid, &p->mac, frame, sizeof(frame));
    answers_take(bed.lan.answers, 3000, said->server == US, frame, n);
}

static const struct said own = {.server = US,
                                .from = &own_mac,
                                .type = DHCP_OFFER,
                                .ip = N1_IP,
                                .file = "pxelinux.0",
                                .pxe = true,
                                .at_once = true};
static const struct said rogue = {
    .server = OTHER, .from = &other_mac, .type = DHCP_OFFER, .ip = 0x0a070032, .file = "rogue.0"};
static const struct said plain = {.server = OTHER, .from = &other_mac, .type = DHCP_OFFER, .ip = 0x0a070032};

/* A finding with that result whose text and advice hold these words. */
static bool found(enum result result, const char *words)
{
    VEC_EACH(f, &bed.findings.list)
        if (f->result == result && (strstr(f->text, words) || (f->advice && strstr(f->advice, words))))
            return true;
    return false;
}

/* ---- wire ---- */

static void test_probes(void **state) /* P1: as firmware asks; D1: nobody's address is taken */
{
    uint8_t buf[WIRE_MESSAGE_MAX];
    static struct dhcp_packet p;
    struct pxe_client client;
    struct mac mac;
    const struct probe http = {PROBE_HTTP, 16, {{2, 0, 0, 0, 0, 5}}, 77};
    assert_int_equal(dhcp_parse(buf, wire_discover(&http, buf), &p), DHCP_OK);
    assert_int_equal(p.op, DHCP_BOOTREQUEST);
    assert_int_equal(p.type, DHCP_DISCOVER);
    assert_int_equal(p.xid, 77);
    assert_int_equal(p.flags, DHCP_FLAG_BROADCAST);
    assert_true(dhcp_mac(&p, &mac) && mac_equal(&mac, &http.mac));
    assert_true(dhcp_has(&p, DHCP_TRIAL) && dhcp_has(&p, DHCP_CLIENT_NDI) && !dhcp_has(&p, DHCP_CLIENT_ID));
    pxe_client_of(&p, &client);
    assert_int_equal(client.class, PXE_HTTP_CLIENT);
    assert_true(client.archs_n == 1 && client.archs[0] == 16 && client.has_uuid);
    const struct probe system = {PROBE_SYSTEM, 0, {{2, 0, 0, 0, 0, 5}}, 78};
    assert_int_equal(dhcp_parse(buf, wire_discover(&system, buf), &p), DHCP_OK);
    pxe_client_of(&p, &client);
    assert_int_equal(client.class, PXE_NONE);
    assert_int_equal(dhcp_parse(buf, wire_boot_request(&http, US, buf), &p), DHCP_OK);
    assert_int_equal(p.type, DHCP_REQUEST);
    assert_int_equal(p.ciaddr, US);
    assert_false(dhcp_has(&p, DHCP_REQUESTED_IP) || dhcp_has(&p, DHCP_SERVER_ID));
}

static void test_frames(void **state) /* hostile */
{
    static struct wire_reply r;
    uint8_t good[WIRE_FRAME_MAX], bad[WIRE_FRAME_MAX];
    size_t n = make_frame(&rogue, 7, &n1_mac, good, sizeof(good));
    assert_int_equal(wire_parse(good, n, 67, &r), WIRE_REPLY);
    assert_true(mac_equal(&r.source_mac, &other_mac));
    assert_int_equal(r.source, OTHER);
    assert_int_equal(r.source_port, 67);
    assert_string_equal(r.message.file, "rogue.0");
    for (size_t size = 0; size < n; size++) /* a frame cut anywhere is no reply */
        assert_int_not_equal(wire_parse(good, size, 67, &r), WIRE_REPLY);
    memcpy(bad, good, n);
    memset(bad + n, 0, 40);
    assert_int_equal(wire_parse(bad, n + 40, 67, &r), WIRE_REPLY); /* Ethernet's padding */
    static const struct {
        size_t at;
        uint8_t value;
        enum wire_verdict verdict;
    } broken[] = {
        {12, 0x86, WIRE_OTHER},          /* no IPv4 */
        {14, 0x44, WIRE_OTHER},          /* a header of 16 bytes */
        {14, 0x65, WIRE_OTHER},          /* version 6 */
        {16, 0xff, WIRE_OTHER},          /* longer than the frame */
        {20, 0x20, WIRE_OTHER},          /* a fragment */
        {23, 6, WIRE_OTHER},             /* TCP */
        {35, 99, WIRE_OTHER},            /* from another port */
        {37, 67, WIRE_OTHER},            /* to another port */
        {38, 0xff, WIRE_OTHER},          /* UDP longer than its packet */
        {42, 1, WIRE_OTHER},             /* a request */
        {42, 9, WIRE_MALFORMED},         /* neither */
        {42 + 236, 0, WIRE_MALFORMED},   /* no cookie */
        {42 + 241, 200, WIRE_MALFORMED}, /* an option past the end... */
    };
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        memcpy(bad, good, n);
        bad[broken[i].at] = broken[i].value;
        assert_int_equal(wire_parse(bad, n, 67, &r), broken[i].verdict);
    }
}

/* ---- servers ---- */

static void test_clean(void **state)
{
    for (size_t i = 0; i < LAN_ARCHS; i++)
        hear(&own, PROBE_KNOWN + i);
    judge_other_servers(&bed.lan, &bed.findings);
    judge_own_server(&bed.lan, "rambox (pid 1)", &bed.findings);
    judge_architectures(&bed.lan, &bed.findings);
    assert_int_equal(findings_count(&bed.findings, RESULT_OK), bed.findings.list.n);
    assert_true(found(RESULT_OK, "no other DHCP server answers"));
    assert_true(found(RESULT_OK,
                      "n1 (52:54:00:00:00:01) with 10.7.0.21, boot file \"pxelinux.0\" from 10.7.0.1, "
                      "after 2.0 ms"));
}

static void test_rogue(void **state) /* hostile: rogue OFFER */
{
    hear(&own, PROBE_KNOWN);
    hear(&rogue, PROBE_STRANGER_BIOS);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_int_equal(bed.findings.list.n, 1);
    assert_true(
        found(RESULT_PROBLEM, "10.7.0.2 (52:54:00:00:00:02), offers 10.7.0.50 and boot file \"rogue.0\""));
}

static void test_rogue_passing_by(void **state) /* hostile: an OFFER to somebody else */
{
    uint8_t frame[WIRE_FRAME_MAX];
    size_t n = make_frame(&plain, 4711, &third_mac, frame, sizeof(frame));
    answers_take(bed.lan.answers, 3000, false, frame, n);
    answers_take(bed.lan.answers, 3000, false, frame, n);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(
        found(RESULT_PROBLEM, "answers 2 other messages, the last to 52:54:00:00:00:03 with 10.7.0.50"));
}

static void test_forged(void **state) /* hostile: as many servers as somebody likes */
{
    for (ipv4_t i = 0; i < 100; i++) {
        struct said forged = plain;
        forged.server = 0x0a080000 + i;
        hear(&forged, PROBE_STRANGER_SYSTEM);
    }
    assert_int_equal(bed.lan.answers->servers_n, SERVERS_MAX);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_PROBLEM, "more than 32 servers answer; 68 answers of more are not shown"));
}

static void test_hostile_text(void **state) /* a terminal is told nothing by the network */
{
    struct said evil = rogue;
    evil.file = "\033[2J\a\xff";
    hear(&evil, PROBE_STRANGER_BIOS);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_PROBLEM, "boot file \"?[2J??\""));
}

static void test_proxied(void **state) /* P7: exactly one other server gives the addresses */
{
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_PROBLEM, "no DHCP server gives addresses"));
    findings_clear(&bed.findings);
    hear(&plain, PROBE_STRANGER_SYSTEM);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_int_equal(bed.findings.list.n, 1);
    assert_true(found(RESULT_OK, "the server that gives the addresses: 10.7.0.2"));
    findings_clear(&bed.findings);
    struct said second = plain;
    second.server = THIRD;
    second.from = &third_mac;
    hear(&second, PROBE_STRANGER_SYSTEM);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_PROBLEM, "2 DHCP servers give addresses"));
}

static void test_proxied_conflicts(void **state) /* P7 */
{
    struct said second_proxy = {.server = THIRD, .from = &third_mac, .type = DHCP_OFFER, .pxe = true};
    hear(&rogue, PROBE_STRANGER_BIOS);
    hear(&second_proxy, PROBE_STRANGER_BIOS);
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_WARNING, "names a boot file too"));
    assert_true(found(RESULT_PROBLEM, "a second proxyDHCP server answers: 10.7.0.3"));
}

static void test_proxy_where_we_give_addresses(void **state)
{
    struct said proxy = {.server = THIRD, .from = &third_mac, .type = DHCP_OFFER, .pxe = true};
    hear(&proxy, PROBE_STRANGER_BIOS);
    assert_true(bed.lan.answers->servers[0].asks_4011); /* P5 */
    judge_other_servers(&bed.lan, &bed.findings);
    assert_true(found(RESULT_PROBLEM, "a proxyDHCP server, speaks to PXE firmware"));
}

static void test_own_silent(void **state)
{
    judge_own_server(&bed.lan, "rambox (pid 1)", &bed.findings);
    assert_true(found(RESULT_PROBLEM, "gives n1 (52:54:00:00:00:01) no answer"));
    judge_architectures(&bed.lan, &bed.findings);
    assert_int_equal(bed.findings.list.n, 1); /* what follows from it is not said again */
}

static void test_own_wrong(void **state)
{
    struct said wrong = own;
    wrong.ip = 0x0a070063;
    hear(&wrong, PROBE_KNOWN);
    judge_own_server(&bed.lan, "rambox (pid 1)", &bed.findings);
    assert_true(found(RESULT_PROBLEM, "10.7.0.99, which is not the address of its entry"));
}

static void test_architectures(void **state) /* P1: those without a boot file, with what to do */
{
    struct said nothing = own;
    nothing.file = NULL;
    nothing.pxe = nothing.at_once = false;
    hear(&own, PROBE_KNOWN);
    for (size_t i = 1; i < LAN_ARCHS; i++)
        hear(&nothing, PROBE_KNOWN + i);
    judge_architectures(&bed.lan, &bed.findings);
    assert_true(found(RESULT_OK, "with a boot file: 0 (BIOS)"));
    assert_true(found(RESULT_WARNING,
                      "without a boot file: 6 (UEFI IA32), 7 (UEFI x64 (byte code)), 9 (UEFI x64), 11"));
    assert_true(found(RESULT_WARNING, "41 (Raspberry Pi)"));
}

static void test_boot_servers(void **state) /* P5: 4011 unanswered */
{
    hear(&own, PROBE_KNOWN);
    bed.lan.boot_servers[0] = (struct boot_server){.server = lan_own(&bed.lan), .address = US, .own = true};
    bed.lan.boot_servers[1] = (struct boot_server){.address = OTHER};
    bed.lan.boot_servers_n = 2;
    judge_boot_servers(&bed.lan, &bed.findings);
    assert_true(
        found(RESULT_WARNING, "rambox serve, 10.7.0.1 does not answer at port 4011; its offers name"));
    assert_true(
        found(RESULT_PROBLEM, "10.7.0.2 does not answer at port 4011, where its offers make firmware ask"));
    findings_clear(&bed.findings);
    bed.lan.boot_servers[0].answered = bed.lan.boot_servers[1].answered = true;
    judge_boot_servers(&bed.lan, &bed.findings);
    assert_int_equal(findings_count(&bed.findings, RESULT_OK), 2);
}

static void test_nobody_to_ask_as(void **state)
{
    make_bed(DHCP_FULL, false, true);
    assert_int_equal(bed.lan.answers->probes_n, PROBE_KNOWN);
    judge_own_server(&bed.lan, "rambox (pid 1)", &bed.findings);
    assert_true(found(RESULT_WARNING, "rambox node add"));
}

static void test_own_does_not_run(void **state) /* what answers on this machine then is another program */
{
    make_bed(DHCP_FULL, true, false);
    hear(&own, PROBE_KNOWN);
    judge_other_servers(&bed.lan, &bed.findings);
    judge_own_server(&bed.lan, "dnsmasq (pid 812)", &bed.findings);
    assert_true(found(RESULT_PROBLEM, "10.7.0.1 (52:54:00:00:00:fe) on this machine"));
    assert_true(found(RESULT_PROBLEM, "UDP port 67 is held by dnsmasq (pid 812)"));
}

/* ---- tables ---- */

static void test_udp_drops(void **state)
{
    static const char text[] =
        "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode "
        "ref "
        "pointer drops            \n"
        "   53: 00000000:0043 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0        0 15 2 "
        "0000000000000000 12        \n"
        "   54: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 16 2 "
        "ffff888100000000 30000000000        \n"
        "nonsense\n"
        "   99: 0107A8C0:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 "
        "0000000000000000 0";
    struct udp_drops drops = {.n = 3, .ports = {{.port = 67}, {.port = 4011}, {.port = 69, .drops = 9}}};
    udp_drops_parse(text, &drops);
    assert_int_equal(drops.ports[0].sockets, 2);
    assert_int_equal(drops.ports[0].drops, 30000000012);
    assert_int_equal(drops.ports[0].queued, 0xa00);
    assert_int_equal(drops.ports[1].sockets, 0);
    assert_int_equal(drops.ports[2].sockets, 1);
    assert_int_equal(drops.ports[2].drops, 0);
}

static void test_link_drops(void **state)
{
    static const char text[] =
        "Inter-|   Receive                          |  Transmit\n"
        " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs\n"
        "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
        "  br0:1000 20 1 2 3 0 0 0 500 6 7 8 0 0 0 0\n";
    struct link_drops d;
    assert_int_equal(link_drops_parse(text, "br0", &d), 0);
    assert_int_equal(d.rx_errors, 1);
    assert_int_equal(d.rx_dropped, 2);
    assert_int_equal(d.rx_fifo, 3);
    assert_int_equal(d.tx_errors, 7);
    assert_int_equal(d.tx_dropped, 8);
    assert_int_equal(link_drops_parse(text, "br", &d), -ENOENT);
    assert_int_equal(link_drops_parse("br0: 1 2", "br0", &d), -ENOENT);
}

static void test_metrics(void **state)
{
    static const char text[] = "# TYPE a counter\na_total{reason=\"x\"} 7\na_total 12\nb 1";
    assert_int_equal(metrics_value(text, "a_total"), 12);
    assert_int_equal(metrics_value(text, "a_total{reason=\"x\"}"), 7);
    assert_int_equal(metrics_value(text, "b"), 1);
    assert_int_equal(metrics_value(text, "c"), 0);
    assert_int_equal(metrics_value("b -1\n", "b"), 0);
}

/* What is looked at is what the server counts; the two that its process adds are looked for in
 * tests/net/doctor. */
static void test_counters_exist(void **state)
{
    char buf[COUNTER_NAME_MAX];
    size_t found_n = 0, n = 0;
    for (const char *name; (name = counted_metric(n)); n++)
        for (unsigned i = 0; i < COUNTER_COUNT; i++)
            found_n += str_eq(counter_name(i, buf), name);
    assert_int_equal(found_n, n - 2);
}

static void test_counters(void **state)
{
    struct doctor d = {.findings = &bed.findings, .own_runs = true};
    check_counters(&d);
    assert_true(found(RESULT_WARNING, "cannot be had by HTTP"));
    findings_clear(&bed.findings);
    d.metrics = xstrdup("rambox_store_failures_total 0\n");
    check_counters(&d);
    assert_int_equal(findings_count(&bed.findings, RESULT_OK), 1);
    free(d.metrics);
    d.metrics = xstrdup("rambox_dhcp_silent_total{reason=\"pool-empty\"} 3\n");
    check_counters(&d);
    assert_true(found(RESULT_PROBLEM, "3 messages found the pool empty"));
    free(d.metrics);
}

#define FULL(name) cmocka_unit_test_setup_teardown(test_##name, setup_full, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_frames),
        FULL(clean),
        FULL(rogue),
        FULL(rogue_passing_by),
        FULL(forged),
        FULL(hostile_text),
        cmocka_unit_test_setup_teardown(test_proxied, setup_proxy, tear_down),
        cmocka_unit_test_setup_teardown(test_proxied_conflicts, setup_proxy, tear_down),
        FULL(proxy_where_we_give_addresses),
        FULL(own_silent),
        FULL(own_wrong),
        FULL(architectures),
        FULL(boot_servers),
        cmocka_unit_test_teardown(test_nobody_to_ask_as, tear_down),
        cmocka_unit_test_teardown(test_own_does_not_run, tear_down),
        cmocka_unit_test(test_counters_exist),
        FULL(counters),
        cmocka_unit_test(test_udp_drops),
        cmocka_unit_test(test_link_drops),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
