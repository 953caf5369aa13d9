/* serve/dhcp: where a message comes from and who gives the addresses there: relays, subnets, proxyDHCP, port
 * 4011, BOOTP. */
#include "dhcp_bed.h"

#define FAR_RELAY 0x0a090001u /* 10.9.0.1, in subnet `far` */

static void from_relay(enum dhcp_type type, const struct mac *mac, ipv4_t relay)
{
    message(type, mac);
    put_u32(24, relay);
    bed.arrival.from = relay;
    bed.arrival.from_port = 67;
}

/* Option 82 with one sub-option of four bytes. */
static void put_relay_address(uint8_t code, ipv4_t address)
{
    PUT(DHCP_RELAY_AGENT, 6, code, 4, 0, 0, 0, 0);
    put_u32(bed.n - 4, address);
}

static void test_relay_list(void **state) /* P13, hostile: spoofed giaddr */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    VEC_PUSH(&site->subnets.items[1].relays, 0xc0a80a01u); /* 192.168.10.1: outside its prefix */
    use_site(site, 2);
    from_relay(DHCP_DISCOVER, &other_mac, 0xc0a80a01u);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, 0x0a090064);
    assert_int_equal(bed.outcome.route, ROUTE_RELAY);
    assert_int_equal(bed.outcome.address, 0xc0a80a01u);
    from_relay(DHCP_DISCOVER, &other_mac, FAR_RELAY); /* in the prefix, but not on the list */
    assert_silent(SILENCE_FOREIGN_RELAY);
    from_relay(DHCP_DISCOVER, &other_mac, 0xc0a80a02u);
    assert_silent(SILENCE_FOREIGN_RELAY);
    assert_non_null(strstr(bed.outcome.note, "192.168.10.2"));
    assert_non_null(strstr(bed.outcome.note, "relays"));
}

static void test_link_selection(void **state) /* RFC 3527: the relay's address says nothing of the link */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    VEC_PUSH(&site->subnets.items[1].relays, 0xc0a80a01u);
    use_site(site, 2);
    from_relay(DHCP_DISCOVER, &other_mac, 0xc0a80a01u);
    put_relay_address(DHCP_RELAY_LINK_SELECTION, 0x0a090000);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr >> 8, 0x0a0900);
    assert_option(DHCP_RELAY_AGENT, "\x05\x04\x0a\x09\x00\x00", 6); /* D17 */
    from_relay(DHCP_DISCOVER, &other_mac, 0xc0a80a63u); /* hostile: a stranger that names one of our links */
    put_relay_address(DHCP_RELAY_LINK_SELECTION, 0x0a090000);
    assert_silent(SILENCE_FOREIGN_RELAY);
    from_relay(DHCP_DISCOVER, &other_mac, 0xc0a80a01u);
    put_relay_address(DHCP_RELAY_LINK_SELECTION, 0x0a0a0000);
    assert_silent(SILENCE_FOREIGN_RELAY);
}

static void test_subnet_selection(void **state) /* option 118, RFC 3011 */
{
    from_relay(DHCP_DISCOVER, &n1_mac, FAR_RELAY);
    put_address(DHCP_SUBNET_SELECTION, 0x0a070000);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, N1_IP);
    assert_int_equal(number(DHCP_SUBNET_SELECTION), 0x0a070000);
    message(DHCP_DISCOVER, &n1_mac); /* hostile: no relay speaks for it, so it counts for nothing */
    put_address(DHCP_SUBNET_SELECTION, 0x0a090000);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, N1_IP);
    assert_false(dhcp_has(&bed.reply, DHCP_SUBNET_SELECTION));
}

static void test_server_id_override(void **state) /* RFC 5107: renewals go to the relay */
{
    from_relay(DHCP_DISCOVER, &other_mac, FAR_RELAY);
    put_relay_address(DHCP_RELAY_SERVER_ID, FAR_RELAY);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_SERVER_ID), FAR_RELAY);
    ipv4_t ip = bed.reply.yiaddr;
    from_relay(DHCP_REQUEST, &other_mac, FAR_RELAY);
    put_address(DHCP_SERVER_ID, FAR_RELAY);
    put_address(DHCP_REQUESTED_IP, ip);
    put_relay_address(DHCP_RELAY_SERVER_ID, FAR_RELAY);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    from_relay(DHCP_REQUEST, &other_mac, FAR_RELAY); /* without the override it is another server's */
    put_address(DHCP_SERVER_ID, FAR_RELAY);
    put_address(DHCP_REQUESTED_IP, ip);
    assert_silent(SILENCE_OTHER_SERVER);
}

static void test_subnets_of_one_interface(void **state) /* a node's address says which */
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct subnet *second = add_subnet(site, "second", "10.20.0.0/24");
    second->interface = xstrdup("br0");
    second->unknown = UNKNOWN_DENY;
    site->subnets.items[0].interface = xstrdup("br0");
    add_node(site, "n3", &(struct mac){{2, 3, 0, 0, 0, 1}}, 0x0a140005);
    use_site(site, 2);
    assert_int_equal(discover(&(struct mac){{2, 3, 0, 0, 0, 1}}), 0x0a140005);
    assert_int_equal(number(DHCP_SUBNET_MASK), 0xffffff00);
    assert_int_equal(discover(&n1_mac), N1_IP);
    assert_int_equal(discover(&other_mac), POOL_1);
}

/* ---- P7: another server gives the addresses ---- */

static int setup_proxy(void **state)
{
    setup_policy(UNKNOWN_ALLOW);
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    site->subnets.items[0].mode = DHCP_PROXY;
    use_site(site, 2);
    return 0;
}

static void test_proxy_offer(void **state) /* P7: yiaddr 0, 60 and 97 echoed, no addresses, no lease */
{
    static const uint8_t uuid[17] = {0, 1, 2, 3};
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    PUT(DHCP_CLIENT_UUID, 17);
    put(uuid, 17);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_OFFER);
    assert_int_equal(bed.reply.yiaddr, 0);
    assert_int_equal(bed.outcome.route, ROUTE_BROADCAST);
    assert_option(DHCP_VENDOR_CLASS, "PXEClient", 9);
    assert_option(DHCP_CLIENT_UUID, uuid, 17);
    assert_option(DHCP_VENDOR_SPECIFIC, "\x01\x04\0\0\0\0\x06\x01\x08\xff", 10); /* H1, P6 */
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_int_equal(bed.reply.siaddr, SERVER);
    static const uint8_t never[] = {DHCP_LEASE_TIME, DHCP_SUBNET_MASK, DHCP_ROUTER, DHCP_DNS};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        assert_false(dhcp_has(&bed.reply, never[i]));
    assert_false(bed.outcome.store);
    struct dhcp_figures f;
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.offered + f.bound, 0);
}

static void test_proxy_leaves_the_rest(void **state)
{
    message(DHCP_DISCOVER, &n1_mac);
    assert_silent(SILENCE_PROXY);
    start_request(&n1_mac, N1_IP);
    put_pxe();
    assert_silent(SILENCE_PROXY);
    message(DHCP_DISCOVER, &n1_mac); /* P1: nothing to boot: no offer that would keep it from others */
    put("\x3c\x09PXEClient\x5d\x02\x00\x06", 15);
    assert_silent(SILENCE_NO_BOOT_FILE);
    assert_non_null(strstr(bed.events.detail[EVENT_DHCP_ALERT], "IA32"));
}

static void test_proxy_overhears_the_address(void **state) /* so that the first file belongs to the boot */
{
    struct boot boot;
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    message(DHCP_REQUEST, &n1_mac);
    put_pxe();
    put_address(DHCP_SERVER_ID, 0x0a070063);
    put_address(DHCP_REQUESTED_IP, 0x0a070032);
    assert_silent(SILENCE_PROXY);
    assert_true(boot_table_by_ip(bed.boots, 0x0a070032, &boot, NULL));
    assert_true(mac_equal(&boot.mac, &n1_mac));
    message(DHCP_REQUEST, &n1_mac); /* hostile: an address that cannot be of this network */
    put_pxe();
    put_address(DHCP_REQUESTED_IP, 0x08080808);
    assert_silent(SILENCE_PROXY);
    assert_false(boot_table_by_ip(bed.boots, 0x08080808, &boot, NULL));
}

static void ask_4011(enum dhcp_type type)
{
    message(type, &n1_mac);
    put_pxe();
    set_ciaddr(0x0a070032);
    bed.arrival.to_port = 4011;
    bed.arrival.from_port = 4011;
}

static void
test_proxy_4011(void **state) /* P5, P7: the boot server's answer, with the item that was chosen */
{
    ask_4011(DHCP_REQUEST);
    PUT(DHCP_VENDOR_SPECIFIC, 7, 71, 4, 0x80, 1, 0x80, 0, 255);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    assert_int_equal(bed.outcome.route, ROUTE_CLIENT);
    assert_int_equal(bed.outcome.port, 4011);
    assert_int_equal(bed.outcome.local_port, 4011);
    assert_int_equal(bed.reply.yiaddr, 0);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_option(DHCP_VENDOR_SPECIFIC, "\x01\x04\0\0\0\0\x06\x01\x08\x47\x04\x80\x01\x00\x00\xff", 16);
    ask_4011(DHCP_INFORM);
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_LEASE_TIME));
    ask_4011(DHCP_RELEASE);
    assert_silent(SILENCE_TYPE);
    message(DHCP_REQUEST, &n1_mac); /* no firmware */
    set_ciaddr(0x0a070032);
    bed.arrival.to_port = 4011;
    assert_silent(SILENCE_NO_BOOT_FILE);
}

static void test_proxy_through_a_relay(void **state) /* P13 */
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    site->subnets.items[1].mode = DHCP_PROXY;
    use_site(site, 3);
    from_relay(DHCP_DISCOVER, &other_mac, FAR_RELAY);
    put_pxe();
    put_relay_address(DHCP_RELAY_CIRCUIT_ID, 7);
    bed.arrival.from = FAR_RELAY;
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, 0);
    assert_int_equal(bed.outcome.route, ROUTE_RELAY);
    assert_int_equal(bed.reply.flags, DHCP_FLAG_BROADCAST); /* else the agent would send it to 0.0.0.0 */
    assert_int_equal(bed.outcome.ip, 0);                    /* the agent's address is not the client's */
    assert_option(DHCP_RELAY_AGENT, "\x01\x04\0\0\0\x07", 6);
    assert_int_equal(discover(&n1_mac), N1_IP); /* in the other subnet we still give the addresses */
}

/* ---- D19 ---- */

static void test_bootp(void **state)
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    site->subnets.items[0].bootp = true;
    use_site(site, 2);
    message(DHCP_BOOTP, &n1_mac);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, N1_IP);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_int_equal(bed.reply.siaddr, SERVER);
    assert_true(bed.outcome.size <= 300);
    assert_int_equal(number(DHCP_ROUTER), 0x0a0700fe);
    static const uint8_t never[] = {DHCP_MESSAGE_TYPE, DHCP_SERVER_ID, DHCP_LEASE_TIME}; /* RFC 1534 §2 */
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        assert_false(dhcp_has(&bed.reply, never[i]));
    assert_int_equal(counter_value(&bed.counters, COUNT_DHCP_BOOTP), 1);
    message(DHCP_BOOTP, &n2_mac); /* BOOTP has no lease that ends, so none of the pool */
    assert_silent(SILENCE_BOOTP);
    message(DHCP_BOOTP, &other_mac);
    assert_silent(SILENCE_BOOTP);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define TEST_PROXY(name) cmocka_unit_test_setup_teardown(test_##name, setup_proxy, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(relay_list),
        TEST(link_selection),
        TEST(subnet_selection),
        TEST(server_id_override),
        TEST(subnets_of_one_interface),
        TEST_PROXY(proxy_offer),
        TEST_PROXY(proxy_leaves_the_rest),
        TEST_PROXY(proxy_4011),
        TEST_PROXY(proxy_overhears_the_address),
        TEST(proxy_through_a_relay),
        TEST(bootp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
