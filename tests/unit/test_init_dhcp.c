/* src/init: the node's DHCP client (RFC 2131) as a machine, and what it makes of an acknowledgement. */
#include "test.h"

#include "init/dhcp_client.h"

#include <stdio.h>
#include <string.h>

#define SERVER  0xc0a80701u /* 192.168.7.1 */
#define ADDRESS 0xc0a8070bu /* 192.168.7.11 */
#define OTHER   0xc0a80702u

/* One client and the network it is on. */
struct bed {
    struct dhcp_client client;
    int64_t now;
    struct dhcp_client_message sent;
    struct dhcp_packet packet; /* what was sent, parsed */
    uint8_t reply[600];
    struct dhcp_writer w;
};

static void setup(struct bed *b)
{
    memset(b, 0, sizeof(*b));
    b->now = 1000000;
    b->client = (struct dhcp_client){
        .mac = {{0x52, 0x54, 0, 0, 0, 1}}, .host = "n1", .mtu = 1500, .slowest = 8000, .random = 7};
    dhcp_client_begin(&b->client, b->now);
}

/* What is due at `now` must be a message. */
static const struct dhcp_packet *due(struct bed *b)
{
    assert_int_equal(dhcp_client_due(&b->client, b->now, &b->sent), DHCP_SEND);
    assert_int_equal(dhcp_parse(b->sent.data, b->sent.size, &b->packet), DHCP_OK);
    return &b->packet;
}

static void quiet(struct bed *b)
{
    assert_int_equal(dhcp_client_due(&b->client, b->now, &b->sent), DHCP_NOTHING);
}

static void begin_reply(struct bed *b, enum dhcp_type type, ipv4_t address, ipv4_t server)
{
    struct dhcp_head head = {.xid = b->client.xid, .htype = 1, .hlen = 6, .yiaddr = address};
    memcpy(head.chaddr, b->client.mac.b, 6);
    dhcp_begin(&b->w, b->reply, sizeof(b->reply), sizeof(b->reply), &head, NULL, 0);
    dhcp_put_u8(&b->w, DHCP_MESSAGE_TYPE, (uint8_t)type);
    dhcp_put_u32(&b->w, DHCP_SERVER_ID, server);
}

static enum dhcp_client_event take(struct bed *b)
{
    int size = dhcp_end(&b->w);
    assert_true(size > 0);
    return dhcp_client_take(&b->client, b->now, b->reply, (size_t)size);
}

static enum dhcp_client_event reply(struct bed *b, enum dhcp_type type, uint32_t lease)
{
    begin_reply(b, type, type == DHCP_NAK ? 0 : ADDRESS, SERVER);
    if (lease)
        dhcp_put_u32(&b->w, DHCP_LEASE_TIME, lease);
    return take(b);
}

static void bind(struct bed *b, uint32_t lease)
{
    setup(b);
    due(b);
    assert_int_equal(reply(b, DHCP_OFFER, lease), DHCP_NOTHING);
    due(b);
    assert_int_equal(reply(b, DHCP_ACK, lease), DHCP_GIVEN);
    assert_int_equal(b->client.state, DHCP_BOUND);
}

static void test_a_lease(void **state)
{
    struct bed b;
    uint32_t value = 0;
    setup(&b);
    const struct dhcp_packet *p = due(&b);
    assert_int_equal(p->type, DHCP_DISCOVER);
    assert_int_equal(p->op, DHCP_BOOTREQUEST);
    assert_memory_equal(p->chaddr, b.client.mac.b, 6);
    assert_int_equal(p->flags, 0);
    assert_false(dhcp_has(p, DHCP_CLIENT_ID)); /* D1: as the firmware and the kernel */
    assert_true(dhcp_begins(p, DHCP_HOST_NAME, "n1"));
    assert_true(dhcp_has(p, DHCP_PARAMETER_LIST));
    assert_false(dhcp_has(p, DHCP_REQUESTED_IP));
    assert_int_equal(b.sent.source, 0);
    assert_int_equal(b.sent.destination, UINT32_MAX);
    quiet(&b);
    reply(&b, DHCP_OFFER, 3600);
    p = due(&b);
    assert_int_equal(p->type, DHCP_REQUEST);
    assert_true(dhcp_get_u32(p, DHCP_REQUESTED_IP, &value));
    assert_int_equal(value, ADDRESS);
    assert_true(dhcp_get_u32(p, DHCP_SERVER_ID, &value));
    assert_int_equal(value, SERVER);
    assert_int_equal(p->ciaddr, 0);
    assert_int_equal(reply(&b, DHCP_ACK, 3600), DHCP_GIVEN);
    assert_int_equal(b.client.lease.address, ADDRESS);
    assert_int_equal(b.client.lease.seconds, 3600);
    assert_int_equal(b.client.lease.renew, 1800);
    assert_int_equal(b.client.lease.rebind, 3150);
    quiet(&b);
}

/* §4.1: retransmission, randomised, at growing intervals, with no end. */
static void test_nobody_answers(void **state)
{
    struct bed b;
    setup(&b);
    uint32_t xid = due(&b)->xid;
    int64_t before = b.now;
    for (int i = 0; i < 50; i++) {
        int64_t pause = b.client.next - b.now, most = i < 3 ? 1000 << i : 8000;
        assert_true(pause >= most - most / 4 && pause <= most + most / 4);
        b.now = b.client.next - 1;
        quiet(&b);
        b.now++;
        const struct dhcp_packet *p = due(&b);
        assert_int_equal(p->type, DHCP_DISCOVER);
        assert_int_equal(p->xid, xid);
        assert_int_equal(p->secs, (b.now - before) / 1000);
    }
}

static void test_two_nodes_do_not_keep_step(void **state)
{
    struct bed a, b;
    setup(&a);
    setup(&b);
    b.client.random = 8;
    dhcp_client_begin(&b.client, b.now);
    due(&a);
    due(&b);
    assert_true(a.client.next != b.client.next);
    assert_true(a.client.xid != b.client.xid);
}

static void test_an_offer_that_is_not_kept(void **state)
{
    struct bed b;
    setup(&b);
    due(&b);
    reply(&b, DHCP_OFFER, 3600);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(due(&b)->type, DHCP_REQUEST);
        b.now = b.client.next;
    }
    assert_int_equal(due(&b)->type, DHCP_DISCOVER);
}

static void test_a_request_that_is_refused(void **state)
{
    struct bed b;
    setup(&b);
    due(&b);
    reply(&b, DHCP_OFFER, 3600);
    due(&b);
    assert_int_equal(reply(&b, DHCP_NAK, 0), DHCP_NOTHING);
    quiet(&b); /* not at once: the server may refuse for ever */
    b.now = b.client.next;
    assert_int_equal(due(&b)->type, DHCP_DISCOVER);
}

static void test_what_is_not_for_this_client(void **state)
{
    struct bed b;
    setup(&b);
    due(&b);
    begin_reply(&b, DHCP_OFFER, ADDRESS, SERVER);
    int size = dhcp_end(&b.w);
    static const size_t at[] = {0, 1, 2, 4, 28, 240}; /* op, htype, hlen, xid, chaddr, the option's code */
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        b.reply[at[i]] ^= 3;
        dhcp_client_take(&b.client, b.now, b.reply, (size_t)size);
        assert_int_equal(b.client.state, DHCP_SELECTING);
        b.reply[at[i]] ^= 3;
    }
    for (int cut = 0; cut < 243; cut++) {
        dhcp_client_take(&b.client, b.now, b.reply, (size_t)cut);
        assert_int_equal(b.client.state, DHCP_SELECTING);
    }
    begin_reply(&b, DHCP_OFFER, 0, SERVER);
    take(&b);
    assert_int_equal(b.client.state, DHCP_SELECTING);
    begin_reply(&b, DHCP_OFFER, ADDRESS, 0);
    take(&b);
    assert_int_equal(b.client.state, DHCP_SELECTING);
    reply(&b, DHCP_ACK, 3600); /* it has asked for nothing yet */
    assert_int_equal(b.client.state, DHCP_SELECTING);
    reply(&b, DHCP_OFFER, 3600);
    due(&b);
    begin_reply(&b, DHCP_NAK, 0, OTHER); /* another server's */
    assert_int_equal(take(&b), DHCP_NOTHING);
    assert_int_equal(b.client.state, DHCP_REQUESTING);
    begin_reply(&b, DHCP_ACK, 0x7f000001, SERVER); /* no address for a node */
    assert_int_equal(take(&b), DHCP_NOTHING);
    assert_int_equal(b.client.state, DHCP_REQUESTING);
}

/* §4.4.5: T1 to the server, T2 to all, then the end. */
static void test_renewal(void **state)
{
    struct bed b;
    bind(&b, 3600);
    int64_t bound = b.now;
    b.now = bound + 1799999;
    quiet(&b);
    b.now = bound + 1800000;
    const struct dhcp_packet *p = due(&b);
    assert_int_equal(p->type, DHCP_REQUEST);
    assert_int_equal(p->ciaddr, ADDRESS);
    assert_false(dhcp_has(p, DHCP_REQUESTED_IP) || dhcp_has(p, DHCP_SERVER_ID));
    assert_int_equal(b.sent.source, ADDRESS);
    assert_int_equal(b.sent.destination, SERVER);
    assert_int_equal(b.client.next - b.now, (3150 - 1800) * 1000 / 2);
    b.now += 500;
    assert_int_equal(reply(&b, DHCP_ACK, 3600), DHCP_GIVEN);
    assert_int_equal(b.client.next, bound + 1800000 + 1800000); /* from the request on */
}

static void test_rebinding_and_the_end(void **state)
{
    struct bed b;
    bind(&b, 3600);
    int64_t bound = b.now;
    unsigned renewals = 0, rebindings = 0;
    for (;;) {
        b.now = b.client.next;
        enum dhcp_client_event event = dhcp_client_due(&b.client, b.now, &b.sent);
        if (event == DHCP_LOST)
            break;
        assert_int_equal(event, DHCP_SEND);
        if (b.now < bound + 3150000) {
            renewals++;
            assert_int_equal(b.sent.destination, SERVER);
        } else {
            rebindings++;
            assert_int_equal(b.sent.destination, UINT32_MAX);
            assert_int_equal(b.sent.source, ADDRESS);
        }
    }
    assert_int_equal(b.now, bound + 3600000);
    assert_true(renewals >= 3 && renewals < 20 && rebindings >= 3 && rebindings < 20);
    uint32_t wanted = 0;
    const struct dhcp_packet *p = due(&b);
    assert_int_equal(p->type, DHCP_DISCOVER);
    assert_true(dhcp_get_u32(p, DHCP_REQUESTED_IP, &wanted));
    assert_int_equal(wanted, ADDRESS);
    assert_int_equal(b.sent.source, 0);
}

static void test_any_server_may_rebind(void **state)
{
    struct bed b;
    bind(&b, 3600);
    b.now += 3150000;
    due(&b);
    assert_int_equal(b.client.state, DHCP_REBINDING);
    begin_reply(&b, DHCP_ACK, ADDRESS, OTHER);
    dhcp_put_u32(&b.w, DHCP_LEASE_TIME, 600);
    assert_int_equal(take(&b), DHCP_GIVEN);
    assert_int_equal(b.client.lease.server, OTHER);
}

static void test_a_renewal_that_is_refused(void **state)
{
    struct bed b;
    bind(&b, 3600);
    b.now += 1800000;
    due(&b);
    assert_int_equal(reply(&b, DHCP_NAK, 0), DHCP_LOST);
    b.now = b.client.next;
    assert_int_equal(due(&b)->type, DHCP_DISCOVER);
    assert_false(dhcp_has(&b.packet, DHCP_REQUESTED_IP));
}

/* The machine slept over the end of its lease. */
static void test_a_long_sleep(void **state)
{
    struct bed b;
    bind(&b, 3600);
    b.now += 100000000;
    assert_int_equal(dhcp_client_due(&b.client, b.now, &b.sent), DHCP_LOST);
    assert_int_equal(due(&b)->type, DHCP_DISCOVER);
}

static void test_a_lease_that_never_ends(void **state)
{
    struct bed b;
    bind(&b, LEASE_FOREVER);
    assert_true(b.client.next == INT64_MAX);
    bind(&b, 0); /* not said */
    assert_true(b.client.next == INT64_MAX);
}

static void test_short_leases(void **state)
{
    for (uint32_t seconds = 1; seconds < 40; seconds++) {
        struct bed b;
        unsigned sent = 0;
        bind(&b, seconds);
        int64_t bound = b.now;
        enum dhcp_client_event event;
        do {
            if (b.client.next > b.now)
                b.now = b.client.next;
            event = dhcp_client_due(&b.client, b.now, &b.sent);
            sent += event == DHCP_SEND;
        } while (event == DHCP_SEND && sent < 100);
        assert_int_equal(event, DHCP_LOST);
        assert_int_equal(b.now, bound + seconds * 1000);
        assert_true(sent >= 1 && sent < 20);
    }
}

static struct lease lease_of(struct bed *b)
{
    assert_int_equal(take(b), DHCP_GIVEN);
    return b->client.lease;
}

static void begin_ack(struct bed *b)
{
    setup(b);
    due(b);
    reply(b, DHCP_OFFER, 3600);
    due(b);
    begin_reply(b, DHCP_ACK, ADDRESS, SERVER);
}

static void test_what_a_lease_brings(void **state)
{
    struct bed b;
    char buffer[512];
    struct text text;
    begin_ack(&b);
    dhcp_put_u32(&b.w, DHCP_SUBNET_MASK, 0xffffff00);
    dhcp_put_addresses(&b.w, DHCP_ROUTER, (ipv4_t[]){SERVER, OTHER}, 2);
    dhcp_put_addresses(&b.w, DHCP_DNS, (ipv4_t[]){1, 2, 3, 4}, 4);
    dhcp_put_text(&b.w, DHCP_DOMAIN_NAME, "lab.example");
    dhcp_put_text(&b.w, DHCP_HOST_NAME, "n1.lab.example");
    dhcp_put_u16(&b.w, DHCP_INTERFACE_MTU, 1400);
    dhcp_put_u32(&b.w, DHCP_RENEWAL_TIME, 10);
    dhcp_put_u32(&b.w, DHCP_REBINDING_TIME, 20);
    dhcp_put_u32(&b.w, DHCP_LEASE_TIME, 30);
    struct lease lease = lease_of(&b);
    assert_int_equal(lease.netmask, 0xffffff00);
    assert_int_equal(lease.route_count, 1);
    assert_int_equal(lease.routes[0].gateway, SERVER);
    assert_int_equal(lease.routes[0].netmask, 0);
    assert_int_equal(lease.dns_count, 3);
    assert_string_equal(lease.domain, "lab.example");
    assert_string_equal(lease.host, "n1");
    assert_int_equal(lease.mtu, 1400);
    assert_int_equal(lease.renew, 10);
    assert_int_equal(lease.rebind, 20);
    assert_int_equal(lease.next_server, SERVER);
    text_start(&text, buffer, sizeof(buffer));
    lease_resolver(&lease, (ipv4_t[]){0x09090909}, 1, &text);
    assert_string_equal(buffer,
                        "search lab.example\nnameserver 9.9.9.9\nnameserver 0.0.0.1\nnameserver 0.0.0.2\n");
    text_start(&text, buffer, sizeof(buffer));
    lease_pnp(&lease, &text);
    assert_non_null(strstr(buffer, "bootserver 192.168.7.1\n"));
}

static void test_siaddr_is_the_boot_server(void **state)
{
    struct bed b;
    begin_ack(&b);
    b.reply[20] = 192, b.reply[21] = 168, b.reply[22] = 7, b.reply[23] = 2;
    assert_int_equal(lease_of(&b).next_server, OTHER);
}

/* RFC 3442 */
static void test_classless_routes(void **state)
{
    struct bed b;
    static const uint8_t routes[] = {
        0,  192, 168, 7,    1,                 /* default */
        8,  10,  192, 168,  7,   2,            /* 10.0.0.0/8 */
        20, 172, 16,  0x1f, 192, 168, 7, 3,    /* host bits set */
        32, 9,   9,   9,    9,   0,   0, 0, 0, /* on the link */
    };
    begin_ack(&b);
    dhcp_put_u32(&b.w, DHCP_ROUTER, OTHER); /* does not count beside them */
    dhcp_put(&b.w, DHCP_CLASSLESS_ROUTES, routes, sizeof(routes));
    struct lease lease = lease_of(&b);
    assert_int_equal(lease.route_count, 4);
    assert_int_equal(lease.routes[0].netmask, 0);
    assert_int_equal(lease.routes[0].gateway, SERVER);
    assert_int_equal(lease.routes[1].destination, 0x0a000000);
    assert_int_equal(lease.routes[1].netmask, 0xff000000);
    assert_int_equal(lease.routes[2].destination, 0xac101000);
    assert_int_equal(lease.routes[3].destination, 0x09090909);
    assert_int_equal(lease.routes[3].gateway, 0);
    for (size_t cut = 0; cut < 5; cut++) { /* not one whole route: the router counts */
        begin_ack(&b);
        dhcp_put_u32(&b.w, DHCP_ROUTER, OTHER);
        dhcp_put(&b.w, DHCP_CLASSLESS_ROUTES, routes, cut);
        lease = lease_of(&b);
        assert_int_equal(lease.route_count, 1);
        assert_int_equal(lease.routes[0].gateway, OTHER);
    }
    begin_ack(&b);
    dhcp_put(&b.w, DHCP_CLASSLESS_ROUTES, (uint8_t[]){33, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10);
    assert_int_equal(lease_of(&b).route_count, 0);
}

/* What a hostile server says must not become lines of a file, or an interface that cannot be used. */
static void test_hostile_values(void **state)
{
    struct bed b;
    begin_ack(&b);
    dhcp_put_text(&b.w, DHCP_DOMAIN_NAME, "x\nnameserver 6.6.6.6");
    dhcp_put_text(&b.w, DHCP_HOST_NAME, "$(reboot)");
    dhcp_put_u16(&b.w, DHCP_INTERFACE_MTU, 68);
    dhcp_put_u32(&b.w, DHCP_SUBNET_MASK, 0xff00ff00);
    dhcp_put_u32(&b.w, DHCP_ROUTER, UINT32_MAX);
    dhcp_put_u32(&b.w, DHCP_LEASE_TIME, 100);
    dhcp_put_u32(&b.w, DHCP_RENEWAL_TIME, 1000);
    dhcp_put_u32(&b.w, DHCP_REBINDING_TIME, 2000);
    struct lease lease = lease_of(&b);
    assert_string_equal(lease.domain, "");
    assert_string_equal(lease.host, "");
    assert_int_equal(lease.mtu, 0);
    assert_int_equal(lease.netmask, 0xffffff00);
    assert_int_equal(lease.route_count, 0);
    assert_int_equal(lease.renew, 50);
    assert_int_equal(lease.rebind, 88);
    begin_ack(&b);
    dhcp_put(&b.w, DHCP_DOMAIN_NAME, "lab.example\0", 12);
    assert_string_equal(lease_of(&b).domain, "lab.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_two_nodes_do_not_keep_step),
        cmocka_unit_test(test_an_offer_that_is_not_kept),
        cmocka_unit_test(test_a_request_that_is_refused),
        cmocka_unit_test(test_what_is_not_for_this_client),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_rebinding_and_the_end),
        cmocka_unit_test(test_any_server_may_rebind),
        cmocka_unit_test(test_a_renewal_that_is_refused),
        cmocka_unit_test(test_a_long_sleep),
        cmocka_unit_test(test_a_lease_that_never_ends),
        cmocka_unit_test(test_short_leases),
        cmocka_unit_test(test_what_a_lease_brings),
        cmocka_unit_test(test_siaddr_is_the_boot_server),
        cmocka_unit_test(test_classless_routes),
        cmocka_unit_test(test_hostile_values),
    };
    return cmocka_run_group_tests_name("init_dhcp", tests, NULL, NULL);
}
