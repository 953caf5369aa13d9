/* serve/dhcp: machines without an entry, addresses that others use, and messages that come twice. */
#include "dhcp_bed.h"

#include <errno.h>

static int setup_discover(void **state)
{
    setup_policy(UNKNOWN_DISCOVER);
    bed.generation->site->subnets.items[0].unknown_profile = xstrdup("guest");
    return 0;
}

static void test_discovery(void **state) /* a short lease, and a candidate */
{
    static const uint8_t uuid[17] = {0, 1, 2, 3};
    message(DHCP_DISCOVER, &other_mac);
    put_pxe();
    PUT(DHCP_CLIENT_UUID, 17);
    put(uuid, 17);
    put("\x0c\x04host", 6);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_LEASE_TIME), 600);
    const struct candidate *c = &bed.outcome.found;
    assert_true(bed.outcome.candidate);
    assert_true(mac_equal(&c->mac, &other_mac));
    assert_int_equal(c->ip, POOL_1);
    assert_string_equal(c->subnet, "lab");
    assert_string_equal(c->hostname, "host");
    assert_string_equal(c->vendor_class, "PXEClient:Arch:00000:UNDI:002001");
    assert_true(c->has_arch && c->arch == 0 && c->has_uuid);
    assert_memory_equal(c->uuid, uuid + 1, 16);
    assert_int_equal(c->first_us, bed.now.unix_us);
    discover(&other_mac);
    assert_false(bed.outcome.candidate); /* not once for each packet */
    request(&other_mac, POOL_1);
    assert_true(bed.outcome.candidate);
    message(DHCP_DISCOVER, &n2_mac); /* a node is no candidate, and has its usual time */
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(bed.outcome.candidate);
    assert_int_equal(number(DHCP_LEASE_TIME), 86400);
    message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 0, 0, 7}}); /* asks for more: still a short one */
    PUT(DHCP_LEASE_TIME, 4, 0, 1, 0, 0);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_LEASE_TIME), 600);
}

static void test_trial(void **state) /* rambox doctor: the same answer, no candidate and no boot */
{
    message(DHCP_DISCOVER, &other_mac);
    put_pxe();
    PUT(DHCP_TRIAL, 1, 0);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.ip, POOL_1);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    assert_false(bed.outcome.candidate);
    assert_int_equal(bed.outcome.boot, 0);
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    PUT(DHCP_TRIAL, 1, 0);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.boot, 0);
    message(DHCP_DISCOVER, &n1_mac); /* and the real one begins one */
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_not_equal(bed.outcome.boot, 0);
}

static void test_candidate_behind_a_relay(void **state) /* where it is plugged in: text, or hexadecimal */
{
    bed.generation->site->subnets.items[1].unknown = UNKNOWN_DISCOVER;
    message(DHCP_DISCOVER, &other_mac);
    put_u32(24, 0x0a090001);
    put("\x52\x06\x01\x04port", 8);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.found.circuit_id, "port");
    assert_string_equal(bed.outcome.found.subnet, "far");
    message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 0, 0, 8}});
    put_u32(24, 0x0a090001);
    put("\x52\x05\x01\x03\x00\x04\x1b", 7);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.outcome.found.circuit_id, "0x00041b");
}

/* ---- D6 ---- */

static int setup_probe(void **state)
{
    setup_policy(UNKNOWN_ALLOW);
    bed.generation->site->subnets.items[0].probe = true;
    return 0;
}

static void test_probe(void **state) /* only of an address that is new to the client, and never at REQUEST */
{
    message(DHCP_DISCOVER, &other_mac);
    assert_int_equal(handle(), DHCP_SEND_AFTER_PROBE);
    assert_int_equal(bed.outcome.ip, POOL_1);
    message(DHCP_DISCOVER, &other_mac);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(request(&other_mac, POOL_1), DHCP_SEND_WHEN_DURABLE);
    message(DHCP_DISCOVER, &n1_mac); /* the address of its entry is its own */
    assert_int_equal(handle(), DHCP_SEND);
}

static void test_in_use(void **state) /* D6, D8: somebody answered */
{
    struct lease lease;
    struct dhcp_figures f;
    message(DHCP_DISCOVER, &other_mac);
    assert_int_equal(handle_only(), DHCP_SEND_AFTER_PROBE);
    assert_int_equal(dhcp_server_in_use(bed.server, &bed.now, POOL_1, &lease), 0);
    assert_int_equal(lease.state, LEASE_DECLINED);
    assert_int_equal(lease.ip, POOL_1);
    assert_int_equal(lease.expires - lease.start, 600);
    dhcp_server_unsent(bed.server, &bed.outcome);
    dhcp_server_figures(bed.server, &f);
    assert_int_equal(f.declined, 1);
    message(DHCP_DISCOVER, &other_mac); /* the same message again gets another address */
    assert_int_equal(handle(), DHCP_SEND_AFTER_PROBE);
    assert_int_equal(bed.outcome.ip, POOL_1 + 1);
    request(&other_mac, POOL_1 + 1);
    assert_int_equal(dhcp_server_in_use(bed.server, &bed.now, POOL_1 + 1, &lease),
                     -EBUSY); /* its own answer */
    assert_int_equal(dhcp_server_in_use(bed.server, &bed.now, POOL_1 + 2, &lease), -ENOENT);
}

/* ---- a person's release ---- */

static void test_release(void **state)
{
    struct lease lease;
    struct mac late = {{2, 0, 0, 0, 0, 5}};
    ipv4_t ip = bind_client(&other_mac);
    assert_int_equal(dhcp_server_release(bed.server, &bed.now, ip, &lease), 0);
    assert_int_equal(lease.state, LEASE_RELEASED);
    assert_true(mac_equal(&lease.mac, &other_mac));
    assert_int_equal(dhcp_server_release(bed.server, &bed.now, ip, &lease), -ENOENT);
    message(DHCP_REQUEST, &other_mac); /* its next renewal gets it again */
    set_ciaddr(ip);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(dhcp_server_release(bed.server, &bed.now, ip, &lease), 0);
    for (unsigned i = 0; i < 3; i++)
        bind_client(&(struct mac){{2, 0, 0, 0, 1, (uint8_t)i}});
    assert_int_equal(bind_client(&late), ip); /* given to somebody else: the renewal is refused */
    message(DHCP_REQUEST, &other_mac);
    set_ciaddr(ip);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
    message(DHCP_DECLINE, &late);
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, ip);
    assert_silent(SILENCE_DONE);
    assert_int_equal(dhcp_server_release(bed.server, &bed.now, ip, &lease), 0); /* out of quarantine */
    assert_int_equal(discover(&other_mac), ip);
}

/* ---- D14: what was sent again while it waited ---- */

static void receive(enum dhcp_type type, const struct mac *mac, uint64_t received_us)
{
    message(type, mac);
    bed.arrival.received_us = received_us;
}

static void test_repeats(void **state)
{
    uint64_t t = bed.now.mono_us;
    receive(DHCP_DISCOVER, &other_mac, t - 500000); /* it waited half a second */
    assert_int_equal(handle(), DHCP_SEND);          /* answered at t */
    bed.now.mono_us += 1000;
    receive(DHCP_DISCOVER, &other_mac, t - 1); /* came in before that */
    assert_silent(SILENCE_REPEAT);
    receive(DHCP_DISCOVER, &other_mac, t + 500); /* came in after: the answer was lost */
    assert_int_equal(handle(), DHCP_SEND);
    receive(DHCP_DISCOVER, &n1_mac, t - 1); /* another client */
    assert_int_equal(handle(), DHCP_SEND);
    receive(DHCP_DISCOVER, &other_mac, t - 1); /* through another relay: that one is answered too */
    put_u32(24, 0x0a090001);
    assert_int_equal(handle(), DHCP_SEND);
}

static void test_repeat_of_what_waits(void **state) /* for the disk, or for a probe */
{
    ipv4_t ip = discover(&other_mac);
    start_request(&other_mac, ip);
    assert_int_equal(handle_only(), DHCP_SEND_WHEN_DURABLE);
    struct dhcp_outcome *first = malloc(sizeof(*first));
    *first = bed.outcome;
    start_request(&other_mac, ip);
    assert_silent(SILENCE_REPEAT);
    assert_false(bed.outcome.store); /* it costs no second write */
    dhcp_server_unsent(bed.server, first);
    free(first);
    assert_int_equal(request(&other_mac, ip), DHCP_SEND_WHEN_DURABLE);
    start_request(&n2_mac, ip);
    handle_only();
    wait_s(2); /* whatever became of it: nobody stays unanswered */
    start_request(&n2_mac, ip);
    assert_int_not_equal(handle(), DHCP_SILENT);
}

/* ---- hostile: a pool held by DISCOVERs alone ---- */

static void test_offers_do_not_hold_the_pool(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        discover(&(struct mac){{2, 0, 0, 0, 2, (uint8_t)i}});
    message(DHCP_DISCOVER, &n2_mac);
    assert_silent(SILENCE_POOL_EMPTY); /* for a moment: each may be about to ask for its address */
    wait_s(3);
    discover(&(struct mac){{2, 0, 0, 0, 2, 0}}); /* asking again and again makes it no younger */
    wait_s(3);
    assert_int_equal(bind_client(&n2_mac), POOL_1);
    for (unsigned i = 0; i < 1000; i++) { /* a flood: what is bound stays, n1 is not touched */
        message(DHCP_DISCOVER, &(struct mac){{2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i}});
        handle();
    }
    assert_int_equal(request(&n2_mac, POOL_1), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(discover(&n1_mac), N1_IP);
}

#define TEST(name, setup_) cmocka_unit_test_setup_teardown(test_##name, setup_, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(discovery, setup_discover),
        TEST(trial, setup_discover),
        TEST(candidate_behind_a_relay, setup_discover),
        TEST(probe, setup_probe),
        TEST(in_use, setup_probe),
        TEST(release, setup_allow),
        TEST(repeats, setup_allow),
        TEST(repeat_of_what_waits, setup_allow),
        TEST(offers_do_not_hold_the_pool, setup_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
