/* serve/dhcp: machines on networks without MAC addresses (RFC 4390): who they are, and how they are answered.
 */
#include "dhcp_bed.h"

#include "proto/dhcp_identity.h"

#include <errno.h>

#define IB_IP 0x0a070020u /* of ib1 */

/* The same port, as each of its programs says it. */
static const struct guid guid = {{0x00, 0x02, 0xc9, 0x03, 0x00, 0x12, 0x34, 0x56}};
static const struct mac guid_mac = {{0x00, 0x02, 0xc9, 0x12, 0x34, 0x56}};
#define GUID_BYTES  0x00, 0x02, 0xc9, 0x03, 0x00, 0x12, 0x34, 0x56
#define SUBNET      0xfe, 0x80, 0, 0, 0, 0, 0, 0
#define BY_IPXE     0x20, GUID_BYTES
#define BY_ADDRESS  0x20, 0x80, 0, 0x04, 0x04, SUBNET, GUID_BYTES
#define BY_DUID_EN  0xff, 0, 0, 0, 0, 0, 2, 0, 0, 2, 0xc9, 0, GUID_BYTES
#define BY_DUID_LL  0xff, 0, 0, 0, 1, 0, 3, 0, 0x20, 0x80, 0, 0x04, 0x04, SUBNET, GUID_BYTES
#define BY_DUID_LLT 0xff, 0, 0, 0, 1, 0, 1, 0, 0x20, 0x2a, 0x2b, 0x2c, 0x2d, GUID_BYTES
/* DUID-UUID: tells no GUID. */
#define BY_UUID 0xff, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

static const uint8_t uuid_id[] = {BY_UUID};

static int setup_ib(void **state)
{
    setup_policy(UNKNOWN_ALLOW);
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct node *ib1 = add_node(site, "ib1", &guid_mac, IB_IP);
    ib1->has_guid = true;
    ib1->guid = guid;
    struct node *ib2 = add_node(site, "ib2", &guid_mac, 0);
    client_id_to_mac(uuid_id, sizeof(uuid_id), &ib2->mac);
    ib2->client_id_size = sizeof(uuid_id);
    ib2->client_id = memcpy(xmalloc(sizeof(uuid_id)), uuid_id, sizeof(uuid_id));
    use_site(site, 1);
    return 0;
}

/* Begins a message of a machine on InfiniBand: RFC 4390 wants no hardware address and the broadcast flag. */
static void ib_message(enum dhcp_type type, const uint8_t *id, size_t size)
{
    static const struct mac none;
    message(type, &none);
    bed.b[1] = DHCP_HW_INFINIBAND;
    bed.b[2] = 0;
    bed.b[10] = 0x80;
    PUT(DHCP_CLIENT_ID, (uint8_t)size);
    put(id, size);
}

static void test_guid_of_each_client_id(void **state) /* D1 */
{
    static const struct {
        uint8_t b[40];
        size_t n;
    } ids[] = {{{BY_IPXE}, 9},     {{BY_ADDRESS}, 21},  {{BY_DUID_EN}, 20},
               {{BY_DUID_LL}, 29}, {{BY_DUID_LLT}, 21}, {{0x1b, GUID_BYTES}, 9}};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        ib_message(DHCP_DISCOVER, ids[i].b, ids[i].n);
        bed.b[1] = ids[i].b[0] == 0x1b ? DHCP_HW_EUI64 : DHCP_HW_INFINIBAND;
        assert_int_equal(handle(), DHCP_SEND);
        assert_int_equal(bed.reply.yiaddr, IB_IP);
        assert_string_equal(bed.outcome.node, "ib1");
        assert_string_equal(bed.outcome.identity, "GUID 00:02:c9:03:00:12:34:56");
        assert_option(DHCP_CLIENT_ID, ids[i].b, ids[i].n); /* D12 */
    }
}

static void test_reply(void **state) /* D2, RFC 4390 §2.1, §2.2 */
{
    static const uint8_t id[] = {BY_DUID_EN};
    ib_message(DHCP_DISCOVER, id, sizeof(id));
    bed.b[10] = 0; /* also when it forgets the flag */
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_BROADCAST);
    assert_int_equal(bed.outcome.packet[1], DHCP_HW_INFINIBAND);
    assert_int_equal(bed.outcome.packet[2], 0);
    assert_int_equal(bed.reply.flags, 0); /* nobody forwards it */
    ib_message(DHCP_DISCOVER, id, sizeof(id));
    bed.b[10] = 0;
    put_u32(24, 0x0a070002); /* a relay must broadcast it too */
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_RELAY);
    assert_int_equal(bed.reply.flags, DHCP_FLAG_BROADCAST);
    ib_message(DHCP_REQUEST, id, sizeof(id)); /* renewing: it has an address, and is asked for it */
    set_ciaddr(IB_IP);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.route, ROUTE_CLIENT);
}

static void test_chaddr_of_eight_bytes(void **state) /* iPXE, whatever its client identifier is */
{
    static const uint8_t bytes[] = {GUID_BYTES}, id[] = {BY_IPXE};
    ib_message(DHCP_DISCOVER, id, sizeof(id));
    bed.b[2] = 8;
    memcpy(bed.b + 28, bytes, 8);
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, IB_IP);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_int_not_equal(bed.outcome.boot, 0);
    assert_true(mac_equal(&bed.outcome.mac, &guid_mac));
    message(DHCP_DISCOVER, &other_mac); /* without one at all */
    bed.b[1] = DHCP_HW_INFINIBAND;
    bed.b[2] = 8;
    memcpy(bed.b + 28, bytes, 8);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, IB_IP);
}

static void test_another_guid_with_the_same_six_bytes(void **state)
{
    static const uint8_t id[] = {0x20, 0x00, 0x02, 0xc9, 0xff, 0xfe, 0x12, 0x34, 0x56};
    ib_message(DHCP_DISCOVER, id, sizeof(id));
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.node, "");
    assert_int_equal(bed.reply.yiaddr, POOL_1);
    message(DHCP_DISCOVER, &guid_mac); /* the card on Ethernet: one machine */
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.node, "ib1");
}

static void test_node_by_client_id(void **state)
{
    static const uint8_t longer[] = {BY_UUID, 17};
    ib_message(DHCP_DISCOVER, uuid_id, sizeof(uuid_id));
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.node, "ib2");
    assert_string_equal(bed.outcome.identity,
                        "client id ff:00:00:00:01:00:04:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:...");
    ib_message(DHCP_DISCOVER, longer, sizeof(longer));
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.node, "");
}

static void test_lease_by_client_id(void **state) /* D1: hlen 0 of all is no key */
{
    uint8_t id[] = {BY_UUID};
    ipv4_t ips[2];
    for (uint8_t i = 0; i < 2; i++) {
        id[sizeof(id) - 1] = (uint8_t)(0x60 + i);
        ib_message(DHCP_DISCOVER, id, sizeof(id));
        assert_int_equal(handle(), DHCP_SEND);
        ips[i] = bed.reply.yiaddr;
        ib_message(DHCP_REQUEST, id, sizeof(id));
        put_address(DHCP_SERVER_ID, SERVER);
        put_address(DHCP_REQUESTED_IP, ips[i]);
        assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
        assert_int_equal(bed.outcome.route, ROUTE_BROADCAST);
        assert_int_equal(bed.outcome.lease.client.size, sizeof(id) + 1);
        assert_memory_equal(bed.outcome.lease.client.b + 1, id, sizeof(id));
        assert_true(mac_is_unicast(&bed.outcome.lease.mac) && bed.outcome.lease.mac.b[0] & 2);
    }
    assert_int_not_equal(ips[0], ips[1]);
    ib_message(DHCP_RELEASE, id, sizeof(id));
    put_address(DHCP_SERVER_ID, SERVER);
    set_ciaddr(ips[1]);
    assert_silent(SILENCE_DONE);
    assert_int_equal(bed.outcome.lease.state, LEASE_RELEASED);
}

static void test_node_keeps_its_address(void **state) /* D1: by its GUID, whatever it calls itself */
{
    static const uint8_t firmware[] = {BY_IPXE}, system[] = {BY_DUID_LL};
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct node *node = add_node(site, "ib1", &guid_mac, 0);
    node->has_guid = true;
    node->guid = guid;
    use_site(site, 2);
    ib_message(DHCP_DISCOVER, firmware, sizeof(firmware));
    assert_int_equal(handle(), DHCP_SEND);
    ipv4_t ip = bed.reply.yiaddr;
    ib_message(DHCP_DISCOVER, system, sizeof(system));
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.reply.yiaddr, ip);
}

static void test_denied(void **state) /* H5: and what to do */
{
    static const uint8_t id[] = {BY_ADDRESS};
    use_site(fixture_site(UNKNOWN_DENY), 2);
    ib_message(DHCP_DISCOVER, id, sizeof(id));
    assert_silent(SILENCE_UNKNOWN_MAC);
    assert_non_null(strstr(bed.outcome.note, "rambox node add NAME --guid 00:02:c9:03:00:12:34:56"));
}

static void test_nobody(void **state) /* hostile: nothing tells who it is */
{
    static const struct {
        uint8_t htype, hlen, id[12], n;
    } messages[] = {
        {32, 0, {0}, 0},                                         /* no client identifier: RFC 4390 §2.1 */
        {32, 0, {1}, 1},                                         /* too short a one */
        {32, 6, {0}, 0},   {32, 16, {0}, 0},                     /* no GUID */
        {27, 8, {0}, 0},                                         /* one of zeroes */
        {6, 6, {1, 2}, 2}, {7, 1, {1, 2}, 2}, {1, 0, {1, 2}, 2}, /* Token Ring, ARCNET, Ethernet without */
    };
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        static const struct mac none;
        message(DHCP_DISCOVER, &none);
        bed.b[1] = messages[i].htype;
        bed.b[2] = messages[i].hlen;
        if (messages[i].n) {
            PUT(DHCP_CLIENT_ID, messages[i].n);
            put(messages[i].id, messages[i].n);
        }
        assert_silent(SILENCE_NO_IDENTITY);
    }
    assert_int_equal(counter_value(&bed.counters, COUNT_DHCP_SILENT + SILENCE_NO_IDENTITY - 1),
                     ARRAY_SIZE(messages));
}

static void test_texts(void **state)
{
    static const char *const good[] = {"00:02:c9:03:00:12:34:56", "00-02-C9-03-00-12-34-56",
                                       "0002c90300123456", "0x0002c90300123456", "0002:c903:0012:3456"};
    static const char *const bad[] = {"",
                                      "00:02:c9:03:00:12:34",
                                      "00:02:c9:03:00:12:34:5g",
                                      "00:02-c9:03:00:12:34:56",
                                      "00:02:c9:03:00:12:34::6",
                                      "0002c9030012345",
                                      "0002:c903:0012:345:",
                                      "000:2c903:0012:3456",
                                      ":002:c903:0012:3456"};
    char text[GUID_TEXT_MAX], id_text[3 * CLIENT_ID_MAX], long_id[2 * CLIENT_ID_MAX + 3];
    uint8_t id[CLIENT_ID_MAX];
    struct guid g;
    size_t n;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(guid_parse(good[i], &g), 0);
        assert_string_equal(guid_format(&g, text), good[0]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(guid_parse(bad[i], &g), -EINVAL);
    assert_int_equal(client_id_parse("ff:00:0A", id, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(client_id_format(id, n, id_text, sizeof(id_text)), "ff:00:0a");
    assert_int_equal(client_id_parse("ff000a", id, &n), 0);
    static const char *const bad_ids[] = {"",       "f",        "ff",      "ff:",  "ff:0",
                                          "ff:00:", "ff:00-0a", "ff00:0a", "zz:zz"};
    for (size_t i = 0; i < ARRAY_SIZE(bad_ids); i++)
        assert_int_equal(client_id_parse(bad_ids[i], id, &n), -EINVAL);
    memset(long_id, 'a', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = '\0';
    assert_int_equal(client_id_parse(long_id, id, &n), -EINVAL);
    long_id[2 * CLIENT_ID_MAX] = '\0';
    assert_int_equal(client_id_parse(long_id, id, &n), 0);
    assert_int_equal(n, CLIENT_ID_MAX);
    assert_int_equal(strlen(client_id_format(id, n, id_text, sizeof(id_text))), 3 * CLIENT_ID_MAX - 1);
}

static void test_six_bytes(void **state) /* always those of one card */
{
    static const struct guid group = {{1, 2, 3, 4, 5, 6, 7, 8}}, hollow = {{0, 0, 0, 1, 1, 0, 0, 0}};
    struct mac mac;
    guid_to_mac(&guid, &mac);
    assert_true(mac_equal(&mac, &guid_mac));
    guid_to_mac(&group, &mac);
    assert_true(mac_is_unicast(&mac));
    guid_to_mac(&hollow, &mac);
    assert_true(mac_is_unicast(&mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_guid_of_each_client_id, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_reply, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_chaddr_of_eight_bytes, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_another_guid_with_the_same_six_bytes, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_node_by_client_id, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_lease_by_client_id, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_node_keeps_its_address, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_denied, setup_ib, teardown),
        cmocka_unit_test_setup_teardown(test_nobody, setup_ib, teardown),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_six_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
