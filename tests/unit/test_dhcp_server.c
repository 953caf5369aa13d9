/* serve/dhcp: every decision, from the bytes that arrive to the bytes, the route and the lease that come out.
 */
#include "dhcp_bed.h"

#include <errno.h>

/* ---- the how-to ---- */

static void test_pxe_offer(void **state) /* H1, H2, H4, P3, P4, P6, P9, P10 */
{
    static const uint8_t uuid[17] = {0, 1, 2, 3};
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    PUT(DHCP_CLIENT_UUID, 17);
    put(uuid, 17);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, N1_IP);
    assert_int_equal(bed.reply.siaddr, SERVER);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_option(DHCP_VENDOR_CLASS, "PXEClient", 9);
    assert_option(DHCP_BOOT_FILE, "pxelinux.0", 11);
    assert_option(DHCP_TFTP_SERVER_NAME, "10.7.0.1", 8);
    assert_option(DHCP_VENDOR_SPECIFIC, "\1\4\0\0\0\0\6\1\10\377", 10);
    assert_option(DHCP_CLIENT_UUID, uuid, 17);
    assert_false(dhcp_has(&bed.reply, DHCP_IPXE));
    assert_option(DHCP_PXELINUX_CONFIG, "pxelinux.cfg/01-52-54-00-00-00-01", 33);
    assert_int_equal(number(DHCP_SERVER_ID), SERVER);
    assert_int_equal(number(DHCP_LEASE_TIME), 86400); /* H3 */
    assert_int_equal(number(DHCP_RENEWAL_TIME), 43200);
    assert_int_equal(number(DHCP_REBINDING_TIME), 75600);
    assert_int_equal(number(DHCP_SUBNET_MASK), 0xffffff00);
    assert_int_equal(number(DHCP_ROUTER), 0x0a0700fe);
    assert_int_equal(number(DHCP_BROADCAST_ADDRESS), 0x0a0700ff);
    assert_option(DHCP_HOST_NAME, "n1", 2);
    assert_option(DHCP_DOMAIN_NAME, "lab.example", 11);
    assert_int_equal(number(DHCP_DNS), 0x0a070035);
    assert_int_equal(number(DHCP_NTP), 0x0a07007b);
    assert_true(bed.outcome.size <= 548); /* D18: it said nothing of a size */
    assert_string_equal(bed.outcome.node, "n1");
    assert_true(bed.outcome.boot != 0);
    assert_int_equal(bed.events.n[EVENT_BOOT], 2); /* begun, and its address known */
    assert_string_equal(bed.events.detail[EVENT_DHCP_OUT], "OFFER");
}

static void
test_ipxe_offer(void **state) /* P9: by HTTP where it says that it can, and without waiting for a proxy */
{
    static const struct {
        const char *features, *file;
        size_t n;
    } rows[] = {
        {"\xaf\3\x13\1\1", "http://10.7.0.1:8069/boot.ipxe", 5},
        {"\xaf\3\x13\1\0", "ipxe", 5},
        {"\xaf\3\x12\1\1", "ipxe", 5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        message(DHCP_DISCOVER, &n1_mac);
        put_pxe();
        put("\x4d\x04iPXE", 6);
        put(rows[i].features, rows[i].n);
        assert_int_equal(handle(), DHCP_SEND);
        assert_string_equal(bed.reply.file, rows[i].file);
        assert_option(DHCP_BOOT_FILE, rows[i].file, strlen(rows[i].file) + 1);
        assert_option(DHCP_IPXE, "\xb0\1\1", 3);
        assert_option(DHCP_VENDOR_SPECIFIC, "\1\4\0\0\0\0\6\1\10\377", 10);
    }
}

static void
test_parameter_list(void **state) /* D10: what is not asked for is left out, but for what is needed */
{
    message(DHCP_DISCOVER, &n1_mac);
    PUT(DHCP_PARAMETER_LIST, 2, DHCP_SUBNET_MASK, DHCP_ROUTER);
    assert_int_equal(handle(), DHCP_SEND);
    assert_true(dhcp_has(&bed.reply, DHCP_ROUTER));
    assert_false(dhcp_has(&bed.reply, DHCP_DNS));
    assert_false(dhcp_has(&bed.reply, DHCP_HOST_NAME));
    assert_false(dhcp_has(&bed.reply, DHCP_VENDOR_CLASS)); /* no firmware, no boot options */
    assert_int_equal(bed.reply.siaddr, 0);
    assert_int_equal(bed.outcome.boot, 0);
}

static void test_static_node_needs_no_lease(void **state) /* H4, D20 */
{
    assert_int_equal(discover(&n1_mac), N1_IP);
    assert_int_equal(request(&n1_mac, N1_IP), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    assert_false(bed.outcome.store);
    assert_int_equal(bed.reply.yiaddr, N1_IP);
    assert_int_equal(request(&n1_mac, POOL_1), DHCP_SEND); /* D11 */
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
}

static void test_unknown_denied(void **state) /* H5 */
{
    message(DHCP_DISCOVER, &other_mac);
    put_pxe();
    assert_silent(SILENCE_UNKNOWN_MAC);
    assert_string_equal(
        bed.outcome.note,
        "unknown MAC, subnet lab denies unknown machines: rambox node add NAME --mac 52:54:00:00:00:09");
    assert_string_equal(bed.events.detail[EVENT_DHCP_IGNORED], bed.outcome.note);
    assert_int_equal(boot_table_count(bed.boots), 0);
    start_request(&other_mac, POOL_1);
    assert_silent(SILENCE_UNKNOWN_MAC);
}

static void test_unknown_allowed(void **state) /* H5, D20 */
{
    assert_int_equal(bind_client(&other_mac), POOL_1);
    assert_true(bed.outcome.store);
    assert_int_equal(bed.outcome.lease.ip, POOL_1);
    assert_int_equal(bed.outcome.lease.state, LEASE_BOUND);
    assert_int_equal(bed.outcome.lease.start, 1700000000);
    assert_int_equal(bed.outcome.lease.expires, 1700086400);
    assert_int_equal(bed.outcome.lease.client.b[0], 0);
    assert_int_equal(bed.outcome.lease.client.size, 8);
}

static void test_lease_time(void **state) /* H3: asked for, capped by the maximum */
{
    static const uint32_t cases[][2] = {{3600, 3600}, {999999, 86400}, {1, 60}, {UINT32_MAX, 86400}};
    for (size_t i = 0; i < 4; i++) {
        message(DHCP_DISCOVER, &n2_mac);
        put_address(DHCP_LEASE_TIME, cases[i][0]);
        assert_int_equal(handle(), DHCP_SEND);
        assert_int_equal(number(DHCP_LEASE_TIME), cases[i][1]);
    }
}

/* ---- D1..D20 ---- */

static void test_client_id_is_the_key(void **state) /* D1, D12 */
{
    message(DHCP_DISCOVER, &other_mac);
    PUT(DHCP_CLIENT_ID, 3, 0, 'a', 'b');
    assert_int_equal(handle(), DHCP_SEND);
    ipv4_t first = bed.reply.yiaddr;
    assert_option(DHCP_CLIENT_ID, "\0ab", 3);
    message(DHCP_DISCOVER, &other_mac);
    PUT(DHCP_CLIENT_ID, 3, 0, 'a', 'c');
    handle();
    assert_int_not_equal(bed.reply.yiaddr, first);
    message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 0, 0, 77}}); /* another card, the same id */
    PUT(DHCP_CLIENT_ID, 3, 0, 'a', 'b');
    handle();
    assert_int_equal(bed.reply.yiaddr, first);
}

static void test_zero_length_client_id(void **state) /* hostile */
{
    message(DHCP_DISCOVER, &other_mac);
    PUT(DHCP_CLIENT_ID, 0);
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_CLIENT_ID));
    assert_int_equal(discover(&other_mac), bed.reply.yiaddr);
}

static void
test_node_keeps_one_address(void **state) /* D1: firmware and system name themselves differently */
{
    ipv4_t ip = bind_client(&n2_mac);
    message(DHCP_DISCOVER, &n2_mac);
    PUT(DHCP_CLIENT_ID, 3, 0, 'a', 'b');
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, ip);
}

static void test_routes(void **state) /* D2, D3, D13, P13, D17 */
{
    discover(&n1_mac);
    assert_int_equal(bed.outcome.route, ROUTE_LINK);
    assert_int_equal(bed.outcome.address, N1_IP);
    assert_int_equal(bed.outcome.port, 68);
    assert_int_equal(bed.outcome.local, SERVER);
    assert_int_equal(bed.outcome.ifindex, 3);

    message(DHCP_DISCOVER, &n1_mac);
    bed.b[10] = 0xff; /* the broadcast bit, and reserved ones */
    bed.b[11] = 0xff;
    handle();
    assert_int_equal(bed.outcome.route, ROUTE_BROADCAST);
    assert_int_equal(bed.reply.flags, 0x8000);

    message(DHCP_REQUEST, &n1_mac); /* RENEWING */
    set_ciaddr(N1_IP);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_CLIENT);
    assert_int_equal(bed.outcome.address, N1_IP);
    assert_int_equal(bed.reply.ciaddr, N1_IP);

    request(&n1_mac, POOL_1);
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    assert_int_equal(bed.outcome.route, ROUTE_BROADCAST);

    message(DHCP_DISCOVER, &other_mac); /* by a relay */
    put_u32(24, 0x0a090001);
    PUT(DHCP_RELAY_AGENT, 5, 1, 9, 'x', 'y', 'z'); /* hostile: a short sub-option; opaque to us */
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_RELAY);
    assert_int_equal(bed.outcome.address, 0x0a090001);
    assert_int_equal(bed.outcome.port, 67);
    assert_int_equal(bed.reply.yiaddr, 0x0a090064);
    assert_int_equal(bed.reply.giaddr, 0x0a090001);
    assert_option(DHCP_RELAY_AGENT, "\1\11xyz", 5);

    start_request(&other_mac, 0x0a090001 + 1000);
    put_u32(24, 0x0a090001);
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    assert_int_equal(bed.outcome.route, ROUTE_RELAY);
    assert_int_equal(bed.reply.flags, 0x8000);
}

static void test_spoofed_relay(void **state) /* hostile: giaddr of none of our subnets */
{
    message(DHCP_DISCOVER, &n1_mac);
    put_u32(24, 0xc0a80001);
    assert_silent(SILENCE_FOREIGN_RELAY);
}

static void test_init_reboot(void **state) /* D4 */
{
    message(DHCP_REQUEST, &other_mac);
    put_address(DHCP_REQUESTED_IP, 0xc0a80005);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_NAK); /* wrong net */
    message(DHCP_REQUEST, &other_mac);
    put_address(DHCP_REQUESTED_IP, POOL_1);
    assert_silent(SILENCE_UNKNOWN_LEASE); /* unknown client */
    ipv4_t ip = bind_client(&other_mac);
    message(DHCP_REQUEST, &other_mac);
    put_address(DHCP_REQUESTED_IP, ip);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.reply.yiaddr, ip);
    message(DHCP_REQUEST, &other_mac);
    put_address(DHCP_REQUESTED_IP, ip + 1000); /* an address it does not have, of another net */
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
}

static void test_offers_are_held_and_freed(void **state) /* D5 */
{
    ipv4_t ip = discover(&other_mac);
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.offered, 1);
    for (uint8_t i = 0; i < 3; i++) /* the other three addresses */
        assert_int_not_equal(discover(&(struct mac){{2, 0, 0, 0, 1, i}}), ip);
    message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 0, 1, 9}});
    assert_silent(SILENCE_POOL_EMPTY);
    wait_s(61);
    assert_int_equal(discover(&(struct mac){{2, 0, 0, 0, 1, 9}}), ip); /* the longest free */
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.offered, 1);
}

static void test_offer_of_the_loser_is_freed(void **state) /* D5: the client took another server's */
{
    ipv4_t ip = discover(&other_mac);
    message(DHCP_REQUEST, &other_mac);
    put_address(DHCP_SERVER_ID, 0x0a0700aa);
    put_address(DHCP_REQUESTED_IP, 0x0a0700bb);
    assert_silent(SILENCE_OTHER_SERVER);
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.offered, 0);
    for (uint8_t i = 0; i < 4; i++)
        bind_client(&(struct mac){{2, 0, 0, 0, 1, i}});
    (void)ip;
}

static void test_any_own_server_id(void **state) /* D7 */
{
    message(DHCP_REQUEST, &n1_mac);
    put_address(DHCP_SERVER_ID, 0x0a080001);
    put_address(DHCP_REQUESTED_IP, N1_IP);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_SERVER_ID), SERVER);
}

static void test_decline(void **state) /* D8 */
{
    ipv4_t ip = bind_client(&other_mac);
    message(DHCP_DECLINE, &other_mac);
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, ip);
    assert_silent(SILENCE_DONE);
    assert_true(bed.outcome.store);
    assert_int_equal(bed.outcome.lease.state, LEASE_DECLINED);
    assert_true(strlen(bed.events.detail[EVENT_DHCP_ALERT]) > 0);
    assert_int_not_equal(discover(&other_mac), ip);
    assert_int_equal(request(&other_mac, ip), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    wait_s(601);
    discover(&n2_mac);
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.declined, 0);
}

static void test_decline_flood(void **state) /* D8, hostile: one client declines whatever it is given */
{
    for (unsigned i = 0; i < 100; i++) {
        ipv4_t ip = discover(&other_mac);
        message(DHCP_DECLINE, &other_mac);
        put_address(DHCP_SERVER_ID, SERVER);
        put_address(DHCP_REQUESTED_IP, ip);
        assert_silent(SILENCE_DONE);
    }
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.declined, 1); /* a quarter of the pool */
    for (uint8_t i = 0; i < 3; i++)
        bind_client(&(struct mac){{2, 0, 0, 0, 1, i}});
    use_site(fixture_site(UNKNOWN_ALLOW), 2); /* the quarantine outlives a generation */
    message(DHCP_DISCOVER, &other_mac);
    assert_silent(SILENCE_POOL_EMPTY);
    wait_s(601);
    bind_client(&other_mac);
}

static void test_one_address_a_client(void **state) /* hostile: a REQUEST for every address of the pool */
{
    ipv4_t ip = bind_client(&other_mac);
    for (ipv4_t other = POOL_1; other <= POOL_END; other++) {
        assert_int_equal(request(&other_mac, other), other == ip ? DHCP_SEND_WHEN_DURABLE : DHCP_SEND);
        assert_int_equal(bed.outcome.reply, other == ip ? DHCP_ACK : DHCP_NAK);
        message(DHCP_REQUEST, &other_mac); /* RENEWING */
        set_ciaddr(other);
        handle();
        assert_int_equal(bed.outcome.reply, other == ip ? DHCP_ACK : DHCP_NAK);
        message(DHCP_REQUEST, &other_mac); /* INIT-REBOOT */
        put_address(DHCP_REQUESTED_IP, other);
        handle();
        assert_int_equal(bed.outcome.reply, other == ip ? DHCP_ACK : DHCP_NAK);
    }
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 1);
}

static void test_short_maximum(void **state) /* H3: a maximum below a minute is the maximum all the same */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    site->subnets.items[0].lease_s = site->subnets.items[0].max_lease_s = 30;
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    PUT(DHCP_LEASE_TIME, 4, 0, 0, 0, 10);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_LEASE_TIME), 30);
}

static void test_renewing_through_a_router(void **state) /* §4.3.2: unicast, no giaddr, from another subnet */
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    site->subnets.items[0].interface = xstrdup("br0");
    use_site(site, 2);
    message(DHCP_DISCOVER, &other_mac);
    put_u32(24, 0x0a090001);
    assert_int_equal(handle(), DHCP_SEND);
    ipv4_t ip = bed.reply.yiaddr;
    assert_int_equal(ip >> 8, 0x0a0900);
    start_request(&other_mac, ip);
    put_u32(24, 0x0a090001);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    message(DHCP_REQUEST, &other_mac);
    set_ciaddr(ip);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    assert_int_equal(bed.outcome.address, ip);
}

static void
test_boot_options_come_first(void **state) /* P4, D18: a long list of servers costs no boot file */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    for (uint32_t i = 0; i < 64; i++)
        VEC_PUSH(&site->subnets.items[0].dns, 0x0a070100 + i);
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac); /* without option 57: 576 bytes at most */
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_true(bed.outcome.size <= 548);
    static const uint8_t needed[] = {DHCP_SUBNET_MASK,     DHCP_ROUTER,           DHCP_VENDOR_CLASS,
                                     DHCP_VENDOR_SPECIFIC, DHCP_TFTP_SERVER_NAME, DHCP_BOOT_FILE,
                                     DHCP_PXELINUX_CONFIG};
    for (size_t i = 0; i < sizeof(needed); i++)
        assert_true(dhcp_has(&bed.reply, needed[i]));
    assert_false(dhcp_has(&bed.reply, DHCP_DNS));
    assert_true(dhcp_has(&bed.reply, DHCP_NTP)); /* the next that fits */
}

static void test_foreign_decline_and_release(void **state) /* hostile: no state change */
{
    ipv4_t ip = bind_client(&other_mac);
    const struct mac thief = {{2, 6, 6, 6, 6, 6}};
    struct dhcp_figures f;
    message(DHCP_DECLINE, &thief);
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, ip);
    assert_silent(SILENCE_FOREIGN);
    message(DHCP_RELEASE, &thief);
    put_address(DHCP_SERVER_ID, SERVER);
    set_ciaddr(ip);
    assert_silent(SILENCE_FOREIGN);
    message(DHCP_RELEASE, &other_mac); /* its owner's MAC, from another address */
    put_address(DHCP_SERVER_ID, SERVER);
    set_ciaddr(ip);
    bed.arrival.from = ip + 1;
    assert_silent(SILENCE_FOREIGN);
    message(DHCP_RELEASE, &other_mac); /* names no server and was not sent to one */
    set_ciaddr(ip);
    bed.arrival.to = UINT32_MAX;
    assert_silent(SILENCE_FOREIGN);
    message(DHCP_DECLINE, &n1_mac); /* a reserved node stays its address */
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, N1_IP);
    assert_silent(SILENCE_DONE);
    assert_int_equal(discover(&n1_mac), N1_IP);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 1);
    assert_int_equal(f.declined, 0);
}

static void test_release_is_remembered(void **state) /* D8 */
{
    ipv4_t ip;
    discover(&n2_mac); /* so that the released one is not simply the first */
    message(DHCP_DISCOVER, &other_mac);
    handle();
    ip = bed.reply.yiaddr;
    start_request(&other_mac, ip);
    put("\x0c\x04host", 6);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_string_equal(bed.outcome.lease.hostname, "host");
    message(DHCP_RELEASE, &other_mac);
    put_address(DHCP_SERVER_ID, SERVER);
    set_ciaddr(ip);
    assert_silent(SILENCE_DONE);
    assert_true(bed.outcome.store);
    assert_int_equal(bed.outcome.lease.state, LEASE_RELEASED);
    assert_string_equal(bed.outcome.lease.hostname, "host");
    message(DHCP_RELEASE, &other_mac); /* quirk: dhcrelay passes on what also was routed */
    put_address(DHCP_SERVER_ID, SERVER);
    set_ciaddr(ip);
    put_u32(24, 0x0a0700fd);
    assert_silent(SILENCE_DONE);
    assert_false(bed.outcome.store);
    bind_client(&(struct mac){{2, 0, 0, 0, 1, 1}});
    assert_int_equal(discover(&other_mac), ip);
    assert_int_equal(request(&other_mac, ip), DHCP_SEND_WHEN_DURABLE);
    message(DHCP_RELEASE, &other_mac); /* quirk: systemd-networkd 252 names no server */
    set_ciaddr(ip);
    assert_silent(SILENCE_DONE);
    assert_int_equal(bed.outcome.lease.state, LEASE_RELEASED);
}

static void test_inform(void **state) /* D9 */
{
    message(DHCP_INFORM, &n1_mac);
    set_ciaddr(0x0a070033);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    assert_int_equal(bed.reply.yiaddr, 0);
    assert_int_equal(bed.outcome.address, 0x0a070033);
    assert_int_equal(bed.outcome.route, ROUTE_CLIENT);
    assert_false(dhcp_has(&bed.reply, DHCP_LEASE_TIME));
    assert_true(dhcp_has(&bed.reply, DHCP_DNS));
    assert_false(bed.outcome.store);
}

static void test_requests_that_cannot_be_met(void **state) /* D11 */
{
    ipv4_t ip = bind_client(&other_mac);
    static const ipv4_t wrong[] = {N1_IP,      SERVER,     0x0a0700fe, 0x0a0700ff,
                                   0x0a070000, 0x0a0700aa, 0,          UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(request(&n2_mac, wrong[i]), DHCP_SEND);
        assert_int_equal(bed.outcome.reply, DHCP_NAK);
        assert_false(bed.outcome.store);
        assert_int_equal(bed.reply.yiaddr, 0);
    }
    request(&n2_mac, ip); /* somebody else's */
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    message(DHCP_REQUEST, &n2_mac);
    set_ciaddr(ip);
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    message(DHCP_REQUEST, &n2_mac); /* it names no address at all */
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
}

static void test_retransmissions(void **state) /* D14 */
{
    ipv4_t ip = discover(&other_mac);
    assert_int_equal(discover(&other_mac), ip);
    assert_int_equal(request(&other_mac, ip), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(request(&other_mac, ip), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.reply.yiaddr, ip);
    assert_int_equal(discover(&other_mac), ip); /* does not shorten the lease to an offer */
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 1);
    assert_int_equal(f.offered, 0);
}

static void test_bootp(void **state) /* D19 */
{
    message(DHCP_BOOTP, &n1_mac);
    assert_silent(SILENCE_BOOTP);
}

static void test_failed_commit(void **state) /* D20, F3 */
{
    ipv4_t ip = discover(&other_mac);
    struct dhcp_figures f;
    start_request(&other_mac, ip);
    assert_int_equal(handle_only(), DHCP_SEND_WHEN_DURABLE);
    dhcp_server_committed(bed.server, &bed.now, &bed.outcome.lease, false);
    dhcp_server_unsent(bed.server, &bed.outcome);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 0);
    assert_int_equal(f.offered, 1);
    /* A renewal that fails leaves the lease as the store has it. */
    request(&other_mac, ip);
    wait_s(43200);
    message(DHCP_REQUEST, &other_mac);
    set_ciaddr(ip);
    assert_int_equal(handle_only(), DHCP_SEND_WHEN_DURABLE);
    dhcp_server_committed(bed.server, &bed.now, &bed.outcome.lease, false);
    dhcp_server_unsent(bed.server, &bed.outcome);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 1);
    wait_s(43201);
    discover(&n2_mac);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 0);
    /* Known nodes are served all the same. */
    assert_int_equal(request(&n1_mac, N1_IP), DHCP_SEND);
}

static void
test_small_clients(void **state) /* D18: 57 of 0 and of 65535; a long client-id beside everything else */
{
    static const uint8_t sizes[][2] = {{0, 0}, {0xff, 0xff}, {2, 0x40}};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        message(DHCP_DISCOVER, &n1_mac);
        put_pxe();
        PUT(DHCP_MAX_SIZE, 2, sizes[i][0], sizes[i][1]);
        PUT(DHCP_CLIENT_ID, 255);
        memset(bed.b + bed.n, 'i', 255);
        bed.n += 255;
        assert_int_equal(handle(), DHCP_SEND);
        assert_true(bed.outcome.size <= (i == 1 ? 1472 : 548));
        assert_string_equal(bed.reply.file, "pxelinux.0");
    }
}

/* ---- firmware ---- */

static void test_unmapped_architecture(void **state) /* P1: an address, no boot file, and what to do */
{
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient", 11);
    PUT(DHCP_CLIENT_ARCH, 2, 0x12, 0x34);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "");
    assert_non_null(strstr(bed.outcome.note, "4660"));
}

static void test_firmware_without_arch(void **state) /* P12: absent 93 is BIOS */
{
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient", 11);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_false(dhcp_has(&bed.reply, DHCP_CLIENT_UUID));
    assert_false(dhcp_has(&bed.reply, DHCP_IPXE)); /* it is no iPXE */
}

static void test_port_4011(void **state) /* P5 */
{
    message(DHCP_REQUEST, &n1_mac);
    put_pxe();
    set_ciaddr(N1_IP);
    bed.arrival.to_port = 4011;
    bed.arrival.from_port = 4011;
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_CLIENT);
    assert_int_equal(bed.outcome.port, 4011);
    assert_int_equal(bed.outcome.local_port, 4011);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_false(dhcp_has(&bed.reply, DHCP_LEASE_TIME));
}

/* ---- what else is silent ---- */

static void test_silences(void **state)
{
    message(DHCP_OFFER, &n1_mac);
    assert_silent(SILENCE_TYPE);
    message(DHCP_OFFER, &n1_mac); /* hostile: a rogue server's answer */
    bed.b[0] = 2;
    assert_silent(SILENCE_NOT_A_REQUEST);
    assert_non_null(strstr(bed.outcome.note, "another DHCP server"));
    message(DHCP_DISCOVER, &n1_mac);
    bed.b[1] = 32; /* InfiniBand, and an Ethernet address: test_dhcp_identity.c has what is right */
    assert_silent(SILENCE_NO_IDENTITY);
    message(DHCP_DISCOVER, &(struct mac){{1, 0, 0x5e, 0, 0, 1}});
    assert_silent(SILENCE_NO_IDENTITY);
    message(DHCP_DISCOVER, &n1_mac);
    bed.n = 200;
    assert_silent(SILENCE_MALFORMED);
    assert_int_equal(counter_value(&bed.counters, COUNT_DHCP_MALFORMED + DHCP_TOO_SHORT - 1), 1);
    message(DHCP_DISCOVER, &n1_mac);
    bed.arrival.local = 0x0a0a0001;
    assert_silent(SILENCE_NO_SUBNET);
    struct generation *g = bed.generation;
    bed.generation = NULL;
    message(DHCP_DISCOVER, &n1_mac);
    assert_silent(SILENCE_NO_GENERATION);
    bed.generation = g;
    message(DHCP_DISCOVER, &n1_mac); /* the node sits on another network */
    put_u32(24, 0x0a090001);
    assert_silent(SILENCE_WRONG_SUBNET);
}

/* ---- over time and generations ---- */

static void
test_leases_are_loaded(void **state) /* F1, F5: bound, expired, released, declined; a clock set back */
{
    struct lease l = {.ip = POOL_1,
                      .state = LEASE_BOUND,
                      .client = {.size = 8, .b = {0, 1, 2, 0, 0, 0, 0, 1}},
                      .mac = {{2, 0, 0, 0, 0, 1}},
                      .expires = 1700000500,
                      .hostname = "host"};
    assert_int_equal(dhcp_server_load_lease(bed.server, &bed.now, &l), 0);
    l.ip++;
    l.client.b[7] = l.mac.b[5] = 2;
    l.expires = INT64_MAX; /* the clock was years ahead */
    assert_int_equal(dhcp_server_load_lease(bed.server, &bed.now, &l), 0);
    l.ip++;
    l.client.b[7] = l.mac.b[5] = 3;
    l.state = LEASE_RELEASED;
    assert_int_equal(dhcp_server_load_lease(bed.server, &bed.now, &l), 0);
    l.ip++;
    l.state = LEASE_DECLINED;
    l.expires = 1700000100;
    assert_int_equal(dhcp_server_load_lease(bed.server, &bed.now, &l), 0);
    assert_int_equal(dhcp_server_load_lease(bed.server, &bed.now, &l), -EBUSY);
    /* The only free one is the released; its owner would have got it first. */
    assert_int_equal(discover(&(struct mac){{2, 0, 0, 0, 0, 3}}), POOL_1 + 2);
    message(DHCP_DISCOVER, &other_mac);
    assert_silent(SILENCE_POOL_EMPTY);
    assert_int_equal(request(&(struct mac){{2, 0, 0, 0, 0, 1}}, POOL_1), DHCP_SEND_WHEN_DURABLE);
    assert_string_equal(bed.outcome.lease.hostname, "host"); /* which this REQUEST does not say */
    wait_s(101);
    assert_int_equal(discover(&other_mac), POOL_1 + 2); /* free for longer: an offer that was not taken */
    assert_int_equal(discover(&n2_mac), POOL_1 + 3);    /* out of quarantine */
    wait_s(400);
    discover(&n1_mac);
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 2);
    wait_s(367 * 86400u);
    discover(&n1_mac);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 0); /* not for ever */
}

static void
test_clock_jumps(void **state) /* F5: a year ahead, two back: no mass expiry, and none is for ever */
{
    static const int64_t jumps[] = {366, -732};
    struct dhcp_figures f;
    ipv4_t ips[2];
    for (uint8_t i = 0; i < 2; i++)
        ips[i] = bind_client(&(struct mac){{2, 0, 0, 0, 3, i}});
    for (size_t j = 0; j < 2; j++) {
        bed.now.unix_us += jumps[j] * 86400 * INT64_C(1000000);
        wait_s(60);
        discover(&n1_mac);
        dhcp_server_figures(bed.server, &f);
        assert_int_equal(f.bound, 2);
        assert_int_equal(request(&(struct mac){{2, 0, 0, 0, 3, 0}}, ips[0]), DHCP_SEND_WHEN_DURABLE);
        assert_int_equal(bed.outcome.lease.start,
                         bed.now.unix_us / 1000000); /* the store follows the clock */
    }
    wait_s(86400 - 60); /* since the last renewal of one */
    discover(&n1_mac);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 1);
    wait_s(120);
    discover(&n1_mac);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.bound, 0);
}

static void test_longest_free_goes_first(void **state) /* also when a generation is published in between */
{
    static const uint8_t order[] = {2, 0, 3, 1};
    ipv4_t ips[4];
    for (uint8_t i = 0; i < 4; i++)
        ips[i] = bind_client(&(struct mac){{2, 0, 0, 0, 1, i}});
    for (size_t i = 0; i < sizeof(order); i++) {
        message(DHCP_RELEASE, &(struct mac){{2, 0, 0, 0, 1, order[i]}});
        put_address(DHCP_SERVER_ID, SERVER);
        set_ciaddr(ips[order[i]]);
        assert_silent(SILENCE_DONE);
    }
    use_site(fixture_site(UNKNOWN_ALLOW), 2);
    for (uint8_t i = 0; i < sizeof(order); i++)
        assert_int_equal(bind_client(&(struct mac){{2, 0, 0, 0, 2, i}}), ips[order[i]]);
}

static void test_reserved_after_it_was_leased(void **state) /* one address never has two owners */
{
    ipv4_t ip = bind_client(&other_mac);
    const struct mac n3_mac = {{0x52, 0x54, 0, 0, 0, 3}};
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    add_node(site, "n3", &n3_mac, ip);
    use_site(site, 2);
    message(DHCP_DISCOVER, &n3_mac);
    assert_silent(SILENCE_ADDRESS_TAKEN);
    message(DHCP_REQUEST, &other_mac); /* its renewal is refused */
    set_ciaddr(ip);
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    message(DHCP_REQUEST, &other_mac); /* and so is what it asks for after a restart (D4) */
    put_address(DHCP_REQUESTED_IP, ip);
    handle();
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    assert_int_not_equal(discover(&other_mac), ip);
    wait_s(86401);
    assert_int_equal(discover(&n3_mac), ip);
    /* And never again for the pool. */
    for (uint8_t i = 0; i < 3; i++)
        assert_int_not_equal(discover(&(struct mac){{2, 0, 0, 0, 1, i}}), ip);
    message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 0, 1, 9}});
    assert_silent(SILENCE_POOL_EMPTY);
}

static void
test_starvation(void **state) /* hostile: random MACs use up the pool, reserved nodes are untouched */
{
    for (unsigned i = 0; i < 10000; i++) {
        message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i}});
        handle();
    }
    assert_int_equal(bed.outcome.silence, SILENCE_POOL_EMPTY);
    assert_int_equal(discover(&n1_mac), N1_IP);
    assert_int_equal(request(&n1_mac, N1_IP), DHCP_SEND);
}

static void
test_many_clients(void **state) /* no address twice, through expiry and return, with 20,000 clients */
{
    enum { N = 20000 };
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct subnet *wide = add_subnet(site, "wide", "10.64.0.0/16");
    VEC_PUSH(&wide->pools, ((struct pool){.first = 0x0a400100, .last = 0x0a400100 + N - 1}));
    wide->unknown = UNKNOWN_ALLOW;
    wide->unknown_profile = xstrdup("guest");
    use_site(site, 2);
    static bool used[N];
    static ipv4_t given[N];
    for (int round = 0; round < 2; round++) {
        memset(used, 0, sizeof(used));
        for (unsigned i = 0; i < N; i++) {
            const struct mac mac = {
                {2, 0, (uint8_t)round, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
            message(DHCP_DISCOVER, &mac);
            bed.arrival.local = 0x0a400001;
            assert_int_equal(handle(), DHCP_SEND);
            ipv4_t ip = bed.reply.yiaddr;
            assert_true(ip >= 0x0a400100 && ip < 0x0a400100 + N);
            assert_false(used[ip - 0x0a400100]);
            used[ip - 0x0a400100] = true;
            given[i] = ip;
            message(DHCP_REQUEST, &mac);
            put_address(DHCP_SERVER_ID, SERVER);
            put_address(DHCP_REQUESTED_IP, ip);
            bed.arrival.local = 0x0a400001;
            assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
        }
        message(DHCP_DISCOVER, &other_mac);
        bed.arrival.local = 0x0a400001;
        assert_silent(SILENCE_POOL_EMPTY);
        wait_s(86401);
    }
    /* All expired: each still gets its own again. */
    for (unsigned i = 0; i < N; i += 997) {
        message(DHCP_DISCOVER, &(struct mac){{2, 0, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}});
        bed.arrival.local = 0x0a400001;
        assert_int_equal(handle(), DHCP_SEND);
        assert_int_equal(bed.reply.yiaddr, given[i]);
    }
}

static void
test_interface_names(void **state) /* a subnet that names its interface is served there and nowhere else */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    site->subnets.items[0].interface = xstrdup("br7");
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    assert_silent(SILENCE_NO_SUBNET);
    message(DHCP_DISCOVER, &n1_mac);
    bed.arrival.interface = "br7";
    assert_int_equal(handle(), DHCP_SEND);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define TEST_ALLOW(name) cmocka_unit_test_setup_teardown(test_##name, setup_allow, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pxe_offer),
        TEST(ipxe_offer),
        TEST(parameter_list),
        TEST(static_node_needs_no_lease),
        TEST(unknown_denied),
        TEST_ALLOW(unknown_allowed),
        TEST(lease_time),
        TEST_ALLOW(client_id_is_the_key),
        TEST_ALLOW(zero_length_client_id),
        TEST(node_keeps_one_address),
        TEST_ALLOW(routes),
        TEST(spoofed_relay),
        TEST_ALLOW(init_reboot),
        TEST_ALLOW(offers_are_held_and_freed),
        TEST_ALLOW(offer_of_the_loser_is_freed),
        TEST(any_own_server_id),
        TEST_ALLOW(decline),
        TEST_ALLOW(decline_flood),
        TEST_ALLOW(one_address_a_client),
        TEST(short_maximum),
        TEST_ALLOW(renewing_through_a_router),
        TEST(boot_options_come_first),
        TEST_ALLOW(foreign_decline_and_release),
        TEST_ALLOW(release_is_remembered),
        TEST(inform),
        TEST_ALLOW(requests_that_cannot_be_met),
        TEST_ALLOW(retransmissions),
        TEST(bootp),
        TEST_ALLOW(failed_commit),
        TEST(small_clients),
        TEST(unmapped_architecture),
        TEST(firmware_without_arch),
        TEST(port_4011),
        TEST(silences),
        TEST_ALLOW(leases_are_loaded),
        TEST_ALLOW(clock_jumps),
        TEST_ALLOW(longest_free_goes_first),
        TEST_ALLOW(reserved_after_it_was_leased),
        TEST_ALLOW(starvation),
        TEST_ALLOW(many_clients),
        TEST(interface_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
