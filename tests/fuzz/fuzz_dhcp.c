/* The DHCP server as a whole: a sequence of messages against one server, with what must hold after each.
 *
 * Input: records of a byte `where` (its bits choose interface, relay, port and how much time passes), two
 * bytes of length and a message. Held: a reply parses, fits the client, and never carries options 50, 55 or
 * 57; an ACK of a pool address comes with its lease; no address is acknowledged to two clients while both
 * leases run; a fixed address only goes to its node.
 */
#include "base/str.h"
#include "proto/pxe.h"
#include "serve/dhcp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POOL_FIRST 0x0a070064u
#define POOL_SIZE  8
#define FIXED      0x0a070015u

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static const struct mac node_mac = {{0x52, 0x54, 0, 0, 0, 1}};

static void ignore(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    (void)event;
}

static uint64_t random_number(void *user)
{
    static uint64_t n;
    (void)user;
    return ++n;
}

static struct event_sink sink = {ignore};
static struct counters counters;

static struct generation *make_generation(void)
{
    struct site *site = site_new();
    struct diags diags = {0};
    struct subnet *lab = VEC_ADD(&site->subnets);
    *lab = subnet_new(xstrdup("lab"));
    lab->prefix = (struct ipv4_prefix){0x0a070000, 24};
    lab->router = 0x0a0700fe;
    lab->lease_s = 3600;
    lab->max_lease_s = 7200;
    lab->unknown = UNKNOWN_ALLOW;
    lab->unknown_profile = xstrdup("default");
    VEC_PUSH(&lab->pools, ((struct pool){.first = POOL_FIRST, .last = POOL_FIRST + POOL_SIZE - 1}));
    struct node *node = VEC_ADD(&site->nodes);
    *node = (struct node){.name = xstrdup("n1"), .mac = node_mac, .ip = FIXED, .profile = xstrdup("default")};
    node = VEC_ADD(&site->nodes); /* reserved within the pool */
    *node = (struct node){.name = xstrdup("n2"),
                          .mac = {{0x52, 0x54, 0, 0, 0, 2}},
                          .ip = POOL_FIRST + 3,
                          .profile = xstrdup("default")};
    MUST(site_index(site, &diags) == 0);
    return generation_new(1, 0, site);
}

/* Who was told that an address is theirs, and until when. */
static struct {
    struct client_key key;
    uint64_t until_us;
} owner[POOL_SIZE];

static void check_lease(const struct dhcp_outcome *o, const struct dhcp_packet *reply, uint64_t now_us)
{
    uint32_t seconds = 0;
    MUST(o->lease.ip == reply->yiaddr && o->lease.state == LEASE_BOUND);
    MUST(o->lease.ip >= POOL_FIRST && o->lease.ip < POOL_FIRST + POOL_SIZE && o->lease.ip != POOL_FIRST + 3);
    MUST(dhcp_get_u32(reply, DHCP_LEASE_TIME, &seconds) && seconds >= 60 && seconds <= 7200);
    unsigned i = o->lease.ip - POOL_FIRST;
    bool same = owner[i].key.size == o->lease.client.size &&
                memcmp(owner[i].key.b, o->lease.client.b, owner[i].key.size) == 0;
    MUST(same || owner[i].until_us <= now_us);
    owner[i].key = o->lease.client;
    owner[i].until_us = now_us + seconds * UINT64_C(1000000);
}

static void check(const struct dhcp_outcome *o, enum dhcp_verdict verdict, uint64_t now_us)
{
    static struct dhcp_packet reply;
    if (o->store && o->lease.state != LEASE_BOUND)
        owner[o->lease.ip - POOL_FIRST].until_us = 0; /* given back, or declined */
    MUST((verdict == DHCP_SILENT) == (o->size == 0));
    if (verdict == DHCP_SILENT)
        return;
    MUST(o->size <= DHCP_REPLY_MAX);
    MUST(dhcp_parse(o->packet, o->size, &reply) == DHCP_OK);
    MUST(reply.op == DHCP_BOOTREPLY && reply.type == o->reply);
    MUST(!dhcp_has(&reply, 50) && !dhcp_has(&reply, 55) && !dhcp_has(&reply, 57));
    if (reply.yiaddr == FIXED)
        MUST(mac_equal(&o->mac, &node_mac));
    MUST((verdict == DHCP_SEND_WHEN_DURABLE) == (o->reply == DHCP_ACK && o->store));
    if (verdict == DHCP_SEND_WHEN_DURABLE)
        check_lease(o, &reply, now_us);
    else if (o->reply == DHCP_ACK && reply.yiaddr)
        MUST(reply.yiaddr == FIXED || reply.yiaddr == POOL_FIRST + 3);
}

static void one(struct dhcp_server *server, struct generation *generation, struct moment *now, uint8_t where,
                const void *data, size_t size)
{
    static struct dhcp_outcome outcome;
    struct dhcp_arrival arrival = {.interface = "br0",
                                   .ifindex = 1,
                                   .local = 0x0a070001,
                                   .prefix = {0x0a070000, 24},
                                   .from = where & 1   ? POOL_FIRST
                                           : where & 2 ? FIXED
                                                       : 0,
                                   .from_port = 68,
                                   .to = UINT32_MAX,
                                   .to_port = where & 4 ? 4011 : 67,
                                   .data = data,
                                   .size = size};
    now->mono_us += (where >> 4) * UINT64_C(100000000);
    now->unix_us += (where >> 4) * INT64_C(100000000);
    enum dhcp_verdict verdict = dhcp_server_handle(server, generation, now, &arrival, &outcome);
    check(&outcome, verdict, now->mono_us);
    if (outcome.store)
        dhcp_server_committed(server, now, &outcome.lease, true);
    if (verdict != DHCP_SILENT)
        dhcp_server_sent(server, now, &outcome, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct generation *generation;
    struct moment now = {.mono_us = 1000000, .unix_us = INT64_C(1700000000000000)};
    struct boot_table *boots = boot_table_new(&(struct boot_table_config){
        .capacity = 64, .random = random_number, .sink = &sink, .counters = &counters});
    struct dhcp_server *server = dhcp_server_new(&(struct dhcp_server_config){
        .random = random_number, .sink = &sink, .counters = &counters, .boots = boots});
    if (!generation)
        generation = make_generation();
    memset(owner, 0, sizeof(owner));
    struct reader r = reader_of(data, size);
    while (r.left >= 3) {
        uint8_t where = reader_u8(&r);
        size_t n = reader_u16(&r);
        if (n > r.left)
            n = r.left;
        one(server, generation, &now, where, reader_take(&r, n), n);
    }
    dhcp_server_free(server);
    boot_table_free(boots);
    return 0;
}
