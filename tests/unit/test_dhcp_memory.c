/* F11: an allocation that fails, once and anywhere, costs one request. Linked with malloc and its like
 * wrapped: each run of the same scenario lets a later one of them fail. */
#include "dhcp_bed.h"
#include "failing_malloc.h"

/* A client's whole exchange with a long client-id and a name; 0 when an allocation was in the way. */
static ipv4_t bind_long(uint8_t number)
{
    const struct mac mac = {{2, 0, 0, 0, 9, number}};
    ipv4_t ip = 0;
    for (enum dhcp_type type = DHCP_DISCOVER; type <= DHCP_REQUEST; type += 2) {
        message(type, &mac);
        PUT(DHCP_CLIENT_ID, 40);
        memset(bed.b + bed.n, number, 40);
        bed.n += 40;
        put("\x0c\x04host", 6);
        put_pxe();
        if (type == DHCP_REQUEST) {
            put_address(DHCP_SERVER_ID, SERVER);
            put_address(DHCP_REQUESTED_IP, ip);
        }
        if (handle() == DHCP_SILENT)
            return 0;
        ip = bed.reply.yiaddr;
    }
    return bed.outcome.reply == DHCP_ACK ? ip : 0;
}

/* Four clients, a generation that changes the pools, a load from the store. Returns how many were bound. */
static unsigned scenario(ipv4_t ips[static 4])
{
    unsigned bound = 0;
    struct lease lease = {.ip = 0x0a090064,
                          .state = LEASE_BOUND,
                          .client = {.size = 8, .b = {0, 1, 2, 0, 0, 0, 7, 1}},
                          .mac = {{2, 0, 0, 0, 7, 1}},
                          .expires = bed.now.unix_us / 1000000 + 500,
                          .hostname = "stored"};
    (void)dhcp_server_load_lease(bed.server, &bed.now, &lease);
    for (uint8_t i = 0; i < 4; i++) {
        ips[i] = bind_long(i);
        bound += ips[i] != 0;
        bed.generation->number++; /* the pools are told anew */
    }
    return bound;
}

static void test_each_allocation_fails_once(void **state) /* F11 */
{
    unsigned total;
    ipv4_t ips[4];
    fail_at = 0;
    setup_allow(state);
    made = 0;
    assert_int_equal(scenario(ips), 4);
    total = made;
    teardown(state);
    assert_true(total > 10);
    for (unsigned nth = 1; nth <= total; nth++) {
        setup_allow(state);
        made = 0;
        fail_at = nth;
        assert_true(scenario(ips) >= 3); /* one request at the most is lost */
        fail_at = 0;
        for (unsigned i = 0; i < 4; i++)
            for (unsigned j = 0; j < i; j++)
                assert_true(ips[i] != ips[j] || !ips[i]);
        for (uint8_t i = 0; i < 4; i++) /* and it has its address when it asks again */
            assert_int_not_equal(bind_long(i), 0);
        assert_int_equal(discover(&n1_mac), N1_IP);
        teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
