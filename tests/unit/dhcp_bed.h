/* What the tests of the DHCP decision share: a server of the site in serve_fixture.h, messages put together
 * byte by byte, and what comes out of them. */
#pragma once

#include "serve_fixture.h"

#include "proto/pxe.h"
#include "serve/dhcp.h"

#define SECOND UINT64_C(1000000)

struct bed {
    struct events events;
    struct counters counters;
    struct boot_table *boots;
    struct dhcp_server *server;
    struct generation *generation;
    struct moment now;
    struct dhcp_arrival arrival;
    struct dhcp_outcome outcome;
    struct dhcp_packet reply; /* the outcome's bytes, parsed */
    uint8_t b[1500];
    size_t n;
};

static struct bed bed;

static inline void use_site(struct site *site, unsigned number)
{
    generation_unref(bed.generation);
    bed.generation = fixture_generation(number, site);
}

static inline int setup_policy(enum unknown_policy unknown)
{
    memset(&bed, 0, sizeof(bed));
    bed.events.sink.emit = events_emit;
    bed.boots = boot_table_new(&(struct boot_table_config){
        .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    bed.events.boots = bed.boots;
    bed.server = dhcp_server_new(&(struct dhcp_server_config){
        .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters, .boots = bed.boots});
    assert_int_equal(dhcp_server_set_addresses(bed.server, (ipv4_t[]){SERVER, 0x0a080001}, 2), 0);
    bed.now = (struct moment){.mono_us = 1000 * SECOND, .unix_us = INT64_C(1700000000) * 1000000};
    use_site(fixture_site(unknown), 1);
    return 0;
}

static inline int setup(void **state)
{
    return setup_policy(UNKNOWN_DENY);
}

static inline int setup_allow(void **state)
{
    return setup_policy(UNKNOWN_ALLOW);
}

static inline int teardown(void **state)
{
    dhcp_server_free(bed.server);
    boot_table_free(bed.boots);
    generation_unref(bed.generation);
    return 0;
}

static inline void wait_s(unsigned seconds)
{
    bed.now.mono_us += seconds * SECOND;
    bed.now.unix_us += (int64_t)(seconds * SECOND);
}

static inline void put(const void *data, size_t n)
{
    memcpy(bed.b + bed.n, data, n);
    bed.n += n;
}
#define PUT(...) put((uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static inline void put_u32(size_t at, uint32_t v)
{
    struct writer w = writer_of(bed.b + at, 4);
    writer_u32(&w, v);
}

static inline void put_address(uint8_t code, ipv4_t ip)
{
    PUT(code, 4, 0, 0, 0, 0);
    put_u32(bed.n - 4, ip);
}

/* Begins a message of a client without an address, on the interface br0. */
static inline void message(enum dhcp_type type, const struct mac *mac)
{
    memset(bed.b, 0, sizeof(bed.b));
    memcpy(bed.b, "\1\1\6\0\0\0\0\7", 8);
    memcpy(bed.b + 28, mac->b, 6);
    memcpy(bed.b + 236, "\x63\x82\x53\x63", 4);
    bed.n = 240;
    if (type != DHCP_BOOTP)
        PUT(DHCP_MESSAGE_TYPE, 1, (uint8_t)type);
    bed.arrival = (struct dhcp_arrival){.interface = "br0",
                                        .ifindex = 3,
                                        .local = SERVER,
                                        .prefix = {0x0a070000, 24},
                                        .to = UINT32_MAX,
                                        .from_port = 68,
                                        .to_port = 67};
}

static inline void put_pxe(void)
{
    put("\x3c\x20PXEClient:Arch:00000:UNDI:002001", 34);
    PUT(DHCP_CLIENT_ARCH, 2, 0, 0);
}

static inline void set_ciaddr(ipv4_t ip)
{
    put_u32(12, ip);
    bed.arrival.from = ip;
    bed.arrival.to = SERVER;
}

/* Hands the message in. The reply is parsed, and the lease committed and the reply sent, as the daemon does.
 */
static inline enum dhcp_verdict handle_only(void)
{
    PUT(DHCP_END);
    bed.arrival.data = bed.b;
    bed.arrival.size = bed.n;
    enum dhcp_verdict v =
        dhcp_server_handle(bed.server, bed.generation, &bed.now, &bed.arrival, &bed.outcome);
    assert_int_equal(v == DHCP_SILENT, bed.outcome.size == 0);
    assert_int_equal(v == DHCP_SILENT, bed.outcome.silence != SILENCE_NONE);
    if (bed.outcome.size) {
        assert_int_equal(dhcp_parse(bed.outcome.packet, bed.outcome.size, &bed.reply), DHCP_OK);
        assert_int_equal(bed.reply.type, bed.outcome.reply);
        assert_int_equal(bed.reply.op, DHCP_BOOTREPLY);
        assert_memory_equal(bed.reply.chaddr, bed.b + 28, 16);
        assert_int_equal(bed.reply.xid, 7);
        /* D10: never in a reply */
        assert_false(dhcp_has(&bed.reply, 50) || dhcp_has(&bed.reply, 55) || dhcp_has(&bed.reply, 57));
    }
    return v;
}

static inline enum dhcp_verdict handle(void)
{
    enum dhcp_verdict v = handle_only();
    if (bed.outcome.store)
        dhcp_server_committed(bed.server, &bed.now, &bed.outcome.lease, true);
    if (v != DHCP_SILENT)
        dhcp_server_sent(bed.server, &bed.now, &bed.outcome, bed.generation->number);
    return v;
}

static inline uint32_t number(uint8_t code)
{
    uint32_t v = 0;
    assert_true(dhcp_get_u32(&bed.reply, code, &v));
    return v;
}

static inline void assert_option(uint8_t code, const void *data, size_t n)
{
    struct reader r = dhcp_option(&bed.reply, code);
    assert_false(r.failed);
    assert_int_equal(r.left, n);
    assert_memory_equal(r.p, data, n);
}

static inline void assert_silent(enum dhcp_silence why)
{
    assert_int_equal(handle(), DHCP_SILENT);
    assert_string_equal(dhcp_silence_name(bed.outcome.silence), dhcp_silence_name(why));
    assert_true(counter_value(&bed.counters, COUNT_DHCP_SILENT + why - 1) > 0);
}

/* DISCOVER, and the address offered. */
static inline ipv4_t discover(const struct mac *mac)
{
    message(DHCP_DISCOVER, mac);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_OFFER);
    return bed.reply.yiaddr;
}

static inline void start_request(const struct mac *mac, ipv4_t ip)
{
    message(DHCP_REQUEST, mac);
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, ip);
}

static inline enum dhcp_verdict request(const struct mac *mac, ipv4_t ip)
{
    start_request(mac, ip);
    return handle();
}

/* A whole exchange; the address it ends with. */
static inline ipv4_t bind_client(const struct mac *mac)
{
    ipv4_t ip = discover(mac);
    assert_int_equal(request(mac, ip), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.outcome.reply, DHCP_ACK);
    return ip;
}
