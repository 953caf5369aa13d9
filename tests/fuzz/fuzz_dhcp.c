/* The DHCP server as a whole: a sequence of messages against one server, with what must hold after each.
 *
 * Input: records of a byte `where`, two bytes of length and a message. The bits of `where`: 1 and 2 choose
 * the source address, 4 port 4011, 8 the interface of the subnet that another server has the addresses of,
 * the high four how much time passes. A record without a message is something else that happens; `where` says
 * what (see `happen`).
 *
 * Held: a reply parses, fits the client, and never carries options 50, 55 or 57; an ACK of a pool address
 * comes with its lease, and not at all when that could not be stored; no address is acknowledged to two
 * clients while both leases run; a fixed address only goes to its node, a class's to its clients; what has no
 * MAC address is never answered by a frame; where
 * another server gives the addresses we give none.
 */
#include "base/str.h"
#include "proto/pxe.h"
#include "serve/dhcp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POOL_FIRST 0x0a070064u
#define POOL_SIZE  8
#define RESERVED   (POOL_FIRST + 3)             /* of n2, within the pool */
#define FIXED      0x0a070015u                  /* of n1 */
#define CLASS_IP   (POOL_FIRST + POOL_SIZE - 1) /* of the class `guest` */
#define GUID_IP    0x0a070016u                  /* of ib1, on InfiniBand */
#define SERVER     0x0a070001u
#define SERVER_2   0x0a080001u

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static const struct mac node_mac = {{0x52, 0x54, 0, 0, 0, 1}};
static const struct guid node_guid = {{0, 2, 0xc9, 3, 0, 0x12, 0x34, 0x56}};

static void ignore(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    MUST(!event->detail || strlen(event->detail) < 300);
}

static uint64_t random_number(void *user)
{
    static uint64_t n;
    (void)user;
    return ++n;
}

static struct event_sink sink = {ignore};
static struct counters counters;

static void set(struct option_values *values, uint8_t code, size_t size, bool always)
{
    *VEC_ADD(&values->list) = (struct option_value){
        .code = code, .always = always, .size = (uint16_t)size, .data = memset(xmalloc(size), 'x', size)};
}

static void add_subnets(struct site *site)
{
    struct subnet *lab = VEC_ADD(&site->subnets);
    *lab = subnet_new(xstrdup("lab"));
    lab->prefix = (struct ipv4_prefix){0x0a070000, 24};
    lab->router = 0x0a0700fe;
    lab->domain = xstrdup("lab.example");
    lab->lease_s = 3600;
    lab->max_lease_s = 7200;
    lab->unknown = UNKNOWN_DISCOVER;
    lab->discovery_lease_s = 5000;
    lab->unknown_profile = xstrdup("default");
    lab->bootp = lab->probe = true;
    lab->ipv6_only_s = 1800;
    VEC_PUSH(&lab->pools, ((struct pool){.first = POOL_FIRST, .last = CLASS_IP - 1}));
    VEC_PUSH(&lab->pools, ((struct pool){.first = CLASS_IP, .last = CLASS_IP, .class = xstrdup("guest")}));
    VEC_PUSH(&lab->relays, 0xc0a80001);
    set(&lab->options, 26, 2, true);
    struct subnet *other = VEC_ADD(&site->subnets);
    *other = subnet_new(xstrdup("other"));
    other->prefix = (struct ipv4_prefix){0x0a080000, 24};
    other->mode = DHCP_PROXY;
    other->unknown = UNKNOWN_ALLOW;
    other->unknown_profile = xstrdup("default");
}

static void add_nodes(struct site *site)
{
    struct node *node = VEC_ADD(&site->nodes);
    *node = (struct node){.name = xstrdup("n1"), .mac = node_mac, .ip = FIXED, .profile = xstrdup("default")};
    set(&node->options, 224, 700, false);
    node = VEC_ADD(&site->nodes);
    *node = (struct node){.name = xstrdup("n2"),
                          .mac = {{0x52, 0x54, 0, 0, 0, 2}},
                          .ip = RESERVED,
                          .profile = xstrdup("default")};
    node = VEC_ADD(&site->nodes);
    *node = (struct node){.name = xstrdup("ib1"),
                          .has_guid = true,
                          .guid = node_guid,
                          .ip = GUID_IP,
                          .profile = xstrdup("default")};
    guid_to_mac(&node_guid, &node->mac);
}

static struct generation *make_generation(unsigned number)
{
    struct site *site = site_new();
    struct diags diags = {0};
    struct profile *profile = VEC_ADD(&site->profiles);
    *profile = (struct profile){.name = xstrdup("default"), .cmdline = xstrdup("")};
    struct client_class *class = VEC_ADD(&site->classes);
    class->name = xstrdup("guest");
    class->boot_file = xstrdup("http://10.7.0.1/boot");
    MUST(glob_parse("*guest*", VEC_ADD(&class->match[CLASS_VENDOR_CLASS])) == 0);
    set(&class->options, 6, 4, true);
    add_subnets(site);
    add_nodes(site);
    MUST(site_index(site, &diags) == 0);
    return generation_new(number, 0, site);
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
    MUST(o->lease.ip >= POOL_FIRST && o->lease.ip < POOL_FIRST + POOL_SIZE && o->lease.ip != RESERVED);
    MUST(dhcp_get_u32(reply, DHCP_LEASE_TIME, &seconds) && seconds >= 60 && seconds <= 7200);
    unsigned i = o->lease.ip - POOL_FIRST;
    bool same = owner[i].key.size == o->lease.client.size &&
                memcmp(owner[i].key.b, o->lease.client.b, owner[i].key.size) == 0;
    MUST(same || owner[i].until_us <= now_us);
    owner[i].key = o->lease.client;
    owner[i].until_us = now_us + seconds * UINT64_C(1000000);
}

static void check_reply(const struct dhcp_outcome *o, const struct dhcp_packet *reply,
                        enum dhcp_verdict verdict, bool stored, uint64_t now_us)
{
    MUST(reply->op == DHCP_BOOTREPLY && reply->type == o->reply);
    MUST(!dhcp_has(reply, 50) && !dhcp_has(reply, 55) && !dhcp_has(reply, 57));
    /* A renewal through a router and a relay's message may come in there too: they are of the other subnet.
     */
    MUST(o->local != SERVER_2 || reply->yiaddr == 0 || reply->ciaddr == reply->yiaddr || reply->giaddr);
    MUST(o->route != ROUTE_LINK || (reply->yiaddr && reply->htype == 1));
    if (reply->yiaddr == FIXED)
        MUST(mac_equal(&o->mac, &node_mac));
    if (reply->yiaddr == GUID_IP) {
        struct mac mac;
        guid_to_mac(&node_guid, &mac);
        MUST(mac_equal(&o->mac, &mac));
    }
    MUST((verdict == DHCP_SEND_WHEN_DURABLE) == (o->reply == DHCP_ACK && o->store));
    MUST(verdict != DHCP_SEND_AFTER_PROBE || o->reply == DHCP_OFFER);
    if (verdict == DHCP_SEND_WHEN_DURABLE && stored)
        check_lease(o, reply, now_us);
    else if (verdict != DHCP_SEND_WHEN_DURABLE && o->reply == DHCP_ACK && reply->yiaddr)
        MUST(reply->yiaddr == FIXED || reply->yiaddr == RESERVED || reply->yiaddr == GUID_IP);
}

static void check(const struct dhcp_outcome *o, enum dhcp_verdict verdict, bool stored, uint64_t now_us)
{
    static struct dhcp_packet reply;
    if (o->store && o->lease.state != LEASE_BOUND)
        owner[o->lease.ip - POOL_FIRST].until_us = 0; /* given back, or declined */
    MUST((verdict == DHCP_SILENT) == (o->size == 0));
    MUST((verdict == DHCP_SILENT) == (o->silence != SILENCE_NONE));
    if (verdict == DHCP_SILENT)
        return;
    MUST(o->size <= DHCP_REPLY_MAX);
    MUST(dhcp_parse(o->packet, o->size, &reply) == DHCP_OK);
    check_reply(o, &reply, verdict, stored, now_us);
}

struct bed {
    struct dhcp_server *server;
    struct generation *generations[2];
    unsigned current;
    struct moment now;
    bool failing; /* the store cannot be written */
};

static void one(struct bed *bed, uint8_t where, const void *data, size_t size)
{
    static struct dhcp_outcome outcome;
    bool other = where & 8;
    struct dhcp_arrival arrival = {.interface = other ? "br1" : "br0",
                                   .ifindex = other ? 2 : 1,
                                   .local = other ? SERVER_2 : SERVER,
                                   .prefix = {other ? 0x0a080000 : 0x0a070000, 24},
                                   .from = where & 1   ? POOL_FIRST
                                           : where & 2 ? FIXED
                                                       : 0,
                                   .from_port = 68,
                                   .to = UINT32_MAX,
                                   .to_port = where & 4 ? 4011 : 67,
                                   .received_us = bed->now.mono_us,
                                   .data = data,
                                   .size = size};
    bed->now.mono_us += 1 + (where >> 4) * UINT64_C(100000000);
    bed->now.unix_us += (where >> 4) * INT64_C(100000000);
    struct generation *generation = bed->generations[bed->current];
    enum dhcp_verdict verdict = dhcp_server_handle(bed->server, generation, &bed->now, &arrival, &outcome);
    bool stored = outcome.store && !bed->failing;
    check(&outcome, verdict, stored, bed->now.mono_us);
    if (outcome.store)
        dhcp_server_committed(bed->server, &bed->now, &outcome.lease, stored);
    if (verdict == DHCP_SEND_WHEN_DURABLE && !stored)
        dhcp_server_unsent(bed->server, &outcome);
    else if (verdict != DHCP_SILENT)
        dhcp_server_sent(bed->server, &bed->now, &outcome, generation->number);
}

/* What happens besides messages: the store fails or works again, a generation is published, a person releases
 * an address, a probe finds one in use. */
static void happen(struct bed *bed, uint8_t what)
{
    struct lease lease;
    unsigned i = what & 7;
    switch (what >> 6) {
    case 0:
        bed->failing = what & 1;
        break;
    case 1:
        bed->current = what & 1;
        break;
    case 2:
        if (dhcp_server_release(bed->server, &bed->now, POOL_FIRST + i, &lease) == 0)
            owner[i].until_us = 0;
        break;
    default:
        if (dhcp_server_in_use(bed->server, &bed->now, POOL_FIRST + i, &lease) == 0)
            MUST(lease.state == LEASE_DECLINED && owner[i].until_us <= bed->now.mono_us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed bed;
    bed.now = (struct moment){.mono_us = 1000000, .unix_us = INT64_C(1700000000000000)};
    bed.failing = false;
    bed.current = 0;
    struct boot_table *boots = boot_table_new(&(struct boot_table_config){
        .capacity = 64, .random = random_number, .sink = &sink, .counters = &counters});
    bed.server = dhcp_server_new(&(struct dhcp_server_config){
        .random = random_number, .sink = &sink, .counters = &counters, .boots = boots});
    for (unsigned i = 0; i < 2; i++)
        if (!bed.generations[i])
            bed.generations[i] = make_generation(i + 1);
    memset(owner, 0, sizeof(owner));
    struct reader r = reader_of(data, size);
    while (r.left >= 3) {
        uint8_t where = reader_u8(&r);
        size_t n = reader_u16(&r);
        if (n > r.left)
            n = r.left;
        if (n)
            one(&bed, where, reader_take(&r, n), n);
        else
            happen(&bed, where);
    }
    dhcp_server_free(bed.server);
    boot_table_free(boots);
    return 0;
}
