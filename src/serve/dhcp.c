/* The DHCP server's outer part: from bytes to an exchange, its subnet and its node; the contract is in
 * serve/dhcp.h. What each message type leads to is in dhcp_process.c, how replies look in dhcp_reply.c. */
#include "serve/dhcp.h"
#include "base/cleanup.h"
#include "serve/dhcp_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define YEAR_S (366 * INT64_C(86400))

/* Name, and whether a person should be told: a flood of what is business as usual would hide the rest. */
static const struct {
    const char *name;
    bool tell;
} silences[SILENCE_COUNT] = {
    [SILENCE_NONE] = {"none", false},
    [SILENCE_MALFORMED] = {"malformed", false},
    [SILENCE_BOOTP] = {"bootp", true},
    [SILENCE_NO_IDENTITY] = {"no-identity", false},
    [SILENCE_NOT_A_REQUEST] = {"not-a-request", true},
    [SILENCE_TYPE] = {"server-message", true},
    [SILENCE_OTHER_SERVER] = {"other-server", false},
    [SILENCE_DONE] = {"done", false},
    [SILENCE_FOREIGN] = {"foreign", true},
    [SILENCE_UNKNOWN_LEASE] = {"unknown-lease", false},
    [SILENCE_NO_GENERATION] = {"no-generation", true},
    [SILENCE_NO_SUBNET] = {"no-subnet", true},
    [SILENCE_FOREIGN_RELAY] = {"foreign-relay", true},
    [SILENCE_UNKNOWN_MAC] = {"unknown-mac", true},
    [SILENCE_POOL_EMPTY] = {"pool-empty", true},
    [SILENCE_NO_POOL] = {"no-pool", true},
    [SILENCE_WRONG_SUBNET] = {"wrong-subnet", true},
    [SILENCE_ADDRESS_TAKEN] = {"address-taken", true},
    [SILENCE_NO_MEMORY] = {"no-memory", true},
    [SILENCE_PROXY] = {"proxy", false},
    [SILENCE_NO_BOOT_FILE] = {"no-boot-file", false},
    [SILENCE_REPEAT] = {"repeat", false},
};

const char *dhcp_silence_name(enum dhcp_silence s)
{
    return silences[s].name;
}

struct dhcp_server *dhcp_server_new(const struct dhcp_server_config *config)
{
    struct dhcp_server *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->config = *config;
    s->programs = BOOTFILE_ALL;
    s->leases = lease_table_new(config->random(config->user));
    s->recent = recent_new(config->random(config->user));
    if (!s->leases || !s->recent) {
        dhcp_server_free(s);
        return NULL;
    }
    return s;
}

void dhcp_server_free(struct dhcp_server *s)
{
    if (!s)
        return;
    lease_table_free(s->leases);
    recent_free(s->recent);
    free(s->own);
    free(s);
}

int dhcp_server_set_addresses(struct dhcp_server *s, const ipv4_t *addresses, size_t n)
{
    ipv4_t *own = malloc((n ? n : 1) * sizeof(*own));
    if (!own)
        return -ENOMEM;
    if (n)
        memcpy(own, addresses, n * sizeof(*own));
    free(s->own);
    s->own = own;
    s->own_n = n;
    return 0;
}

void dhcp_server_set_programs(struct dhcp_server *s, unsigned found)
{
    s->programs = found;
}

/* What remains of a span that ends at a Unix time, as a monotonic time. */
static uint64_t until(const struct moment *now, int64_t expires)
{
    int64_t left = expires - now->unix_us / 1000000;
    if (left < 0)
        left = 0;
    if (left > YEAR_S)
        left = YEAR_S;
    return now->mono_us + (uint64_t)left * SECOND_US;
}

int dhcp_server_load_lease(struct dhcp_server *s, const struct moment *now, const struct lease *lease)
{
    struct lease_entry *e;
    uint64_t end = until(now, lease->expires);
    bool declined = lease->state == LEASE_DECLINED;
    int r = lease_hold(s->leases, lease->ip, declined ? NULL : &lease->client, &lease->mac,
                       declined ? USE_DECLINED : USE_BOUND, now->mono_us, end, &e);
    if (r < 0)
        return r;
    e->start = lease->start;
    e->expires = lease->expires;
    e->committed_us = end;
    if (lease->hostname[0])
        lease_set_hostname(e, lease->hostname);
    if (lease->state == LEASE_RELEASED)
        lease_move(s->leases, e, USE_FREE, 0);
    return 0;
}

void dhcp_server_committed(struct dhcp_server *s, const struct moment *now, const struct lease *lease,
                           bool ok)
{
    struct lease_entry *e = lease_by_ip(s->leases, lease->ip);
    if (!e || lease->state != LEASE_BOUND || e->use != USE_BOUND || !lease_is_of(e, &lease->client) ||
        e->expires != lease->expires)
        return; /* it has moved on since */
    if (ok)
        e->committed_us = e->until_us;
    else if (e->committed_us > now->mono_us)
        lease_move(s->leases, e, USE_BOUND, e->committed_us);
    else
        lease_move(s->leases, e, USE_OFFERED, now->mono_us + OFFER_HOLD_S * SECOND_US);
}

void dhcp_server_figures(const struct dhcp_server *s, struct dhcp_figures *ret_figures)
{
    *ret_figures = (struct dhcp_figures){
        .offered = lease_count(s->leases, USE_OFFERED),
        .bound = lease_count(s->leases, USE_BOUND),
        .declined = lease_count(s->leases, USE_DECLINED),
    };
}

static void emit(struct exchange *x, enum event_kind kind, const char *detail)
{
    const struct dhcp_outcome *o = x->outcome;
    struct event_sink *sink = x->server->config.sink;
    sink->emit(sink, &(struct event){
                         .kind = kind,
                         .at = *x->now,
                         .mac = o->mac,
                         .identity = o->identity,
                         .node = o->node[0] ? o->node : NULL,
                         .ip = o->ip,
                         .interface = o->interface,
                         .lease_s = kind == EVENT_DHCP_OUT ? o->lease_s : 0,
                         .path = kind == EVENT_DHCP_OUT ? o->path : NULL,
                         .boot = o->boot,
                         .detail = detail,
                     });
}

enum dhcp_verdict silent(struct exchange *x, enum dhcp_silence why, const char *fmt, ...)
{
    struct dhcp_outcome *o = x->outcome;
    va_list args;
    va_start(args, fmt);
    vsnprintf(o->note, sizeof(o->note), fmt, args);
    va_end(args);
    o->silence = why;
    return DHCP_SILENT;
}

void alert(struct exchange *x, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    emit(x, EVENT_DHCP_ALERT, text);
}

bool is_own(const struct exchange *x, ipv4_t address)
{
    if (address == x->arrival->local)
        return true;
    for (size_t i = 0; i < x->server->own_n; i++)
        if (x->server->own[i] == address)
            return true;
    return false;
}

bool is_our_id(const struct exchange *x, ipv4_t id)
{
    struct reader override = dhcp_relay_option(x->packet, DHCP_RELAY_SERVER_ID);
    return is_own(x, id) || (x->packet->giaddr && override.left == 4 && reader_u32(&override) == id);
}

static void add_to_key(struct client_key *key, const void *data, size_t size)
{
    memcpy(key->b + key->size, data, size);
    key->size = (uint16_t)(key->size + size);
}

/* D1. A node of ours is known by its MAC address or its GUID, whatever its firmware, its kernel and its
 * system call themselves: so it keeps one address through a boot. Other machines are known by what they say.
 */
static void key_of(const struct exchange *x, struct client_key *ret_key)
{
    const struct dhcp_packet *p = x->packet;
    const struct dhcp_identity *i = &x->identity;
    struct reader id = i->id;
    bool by_id = !x->node || (!i->ethernet && !i->has_guid);
    ret_key->size = 0;
    if (by_id && !id.failed && id.left > 0 && id.left < CLIENT_KEY_MAX) {
        add_to_key(ret_key, &(uint8_t){1}, 1);
        add_to_key(ret_key, id.p, id.left);
        return;
    }
    add_to_key(ret_key, (uint8_t[]){0, p->htype}, 2);
    if (i->has_guid)
        add_to_key(ret_key, i->guid.b, sizeof(i->guid.b));
    else
        add_to_key(ret_key, p->chaddr, p->hlen);
}

const struct node *exchange_node(const struct exchange *x)
{
    const struct node *node = site_node_by_mac(x->generation->site, &x->outcome->mac);
    const struct dhcp_identity *i = &x->identity;
    if (node && node->has_guid && i->has_guid && !guid_equal(&node->guid, &i->guid))
        return NULL;
    if (node && node->client_id &&
        (i->id.left != node->client_id_size || memcmp(i->id.p, node->client_id, i->id.left) != 0))
        return NULL;
    return node;
}

/* How a person adds the machine as a node. */
static const char *how_to_add(const struct exchange *x, char *buf, size_t size)
{
    const struct dhcp_identity *i = &x->identity;
    char text[MAC_TEXT_MAX + GUID_TEXT_MAX];
    if (i->has_guid)
        snprintf(buf, size, "--guid %s", guid_format(&i->guid, text));
    else
        snprintf(buf, size, "--mac %s", mac_format(&i->mac, text));
    return buf;
}

/* Tells the table the pools of this generation. 0 or -ENOMEM. */
static int take_pools(const struct exchange *x)
{
    const struct site *site = x->generation->site;
    size_t n = 0;
    VEC_EACH(subnet, &site->subnets)
        n += subnet->pools.n;
    struct pool *pools = calloc(n ? n : 1, sizeof(*pools));
    if (!pools)
        return -ENOMEM;
    n = 0;
    VEC_EACH(subnet, &site->subnets)
        VEC_EACH(pool, &subnet->pools)
            pools[n++] = *pool;
    int r = lease_table_set_pools(x->server->leases, pools, n);
    free(pools);
    return r;
}

/* Everything that is the same for all types: whether we may speak to this client at all. */
static enum dhcp_silence admit(struct exchange *x)
{
    char how[64];
    if (!x->generation) {
        silent(x, SILENCE_NO_GENERATION, "nothing is published yet: rambox publish");
        return SILENCE_NO_GENERATION;
    }
    if (x->server->generation != x->generation->number) {
        if (take_pools(x) < 0) {
            silent(x, SILENCE_NO_MEMORY, "no memory left");
            return SILENCE_NO_MEMORY;
        }
        x->server->generation = x->generation->number;
    }
    x->subnet = exchange_subnet(x);
    if (!x->subnet)
        return x->outcome->silence;
    x->node = exchange_node(x);
    if (x->node) {
        snprintf(x->outcome->node, sizeof(x->outcome->node), "%s", x->node->name);
    } else if (x->subnet->unknown == UNKNOWN_DENY) { /* H5 */
        silent(x, SILENCE_UNKNOWN_MAC,
               "unknown %s, subnet %s denies unknown machines: rambox node add NAME %s",
               x->identity.has_guid ? "GUID" : "MAC", x->subnet->name, how_to_add(x, how, sizeof(how)));
        return SILENCE_UNKNOWN_MAC;
    }
    return SILENCE_NONE;
}

/* What makes two messages the same for serve/recent.h. */
static uint64_t repeat_key(const struct exchange *x)
{
    const struct dhcp_packet *p = x->packet;
    struct {
        uint8_t chaddr[16];
        uint32_t xid, giaddr, type, port;
        int ifindex;
        ipv4_t ciaddr;
    } same = {.xid = p->xid,
              .giaddr = p->giaddr,
              .type = p->type,
              .port = x->arrival->to_port,
              .ifindex = x->arrival->ifindex,
              .ciaddr = p->ciaddr};
    memcpy(same.chaddr, p->chaddr, sizeof(same.chaddr));
    return recent_key(x->server->recent, &same, sizeof(same));
}

static enum dhcp_verdict process(struct exchange *x)
{
    static enum dhcp_verdict (*const by_type[DHCP_TYPE_COUNT])(struct exchange * x) = {
        [DHCP_BOOTP] = process_bootp,     [DHCP_DISCOVER] = process_discover,
        [DHCP_REQUEST] = process_request, [DHCP_DECLINE] = process_decline,
        [DHCP_RELEASE] = process_release, [DHCP_INFORM] = process_inform,
    };
    char from[IPV4_TEXT_MAX];
    if (!by_type[x->packet->type])
        return silent(x, SILENCE_TYPE, "%s as a request, from %s", dhcp_type_name(x->packet->type),
                      ipv4_format(x->arrival->from, from));
    x->outcome->repeat = repeat_key(x);
    if (recent_is_repeat(x->server->recent, x->outcome->repeat, x->arrival->received_us, x->now->mono_us))
        return silent(x, SILENCE_REPEAT, "sent again before the answer could reach it");
    if (admit(x) != SILENCE_NONE)
        return DHCP_SILENT;
    key_of(x, &x->key);
    pxe_client_of(x->packet, &x->pxe);
    exchange_classify(x);
    lease_table_expire(x->server->leases, x->now->mono_us);
    if (x->subnet->mode == DHCP_PROXY)
        return process_proxy(x);
    if (x->arrival->to_port == PXE_PORT)
        return process_boot_server(x);
    return by_type[x->packet->type](x);
}

static enum dhcp_verdict decide(struct exchange *x)
{
    const struct dhcp_packet *p = x->packet;
    struct dhcp_outcome *o = x->outcome;
    char from[IPV4_TEXT_MAX];
    enum dhcp_defect defect = dhcp_parse(x->arrival->data, x->arrival->size, &x->server->packet);
    if (defect != DHCP_OK) {
        count(x->server->config.counters, COUNT_DHCP_MALFORMED + defect - 1, 1);
        return silent(x, SILENCE_MALFORMED, "malformed: %s", dhcp_defect_name(defect));
    }
    if (dhcp_option(p, DHCP_RELAY_AGENT).left > 255) /* RFC 3046 §2.2: it could not be echoed */
        return silent(x, SILENCE_MALFORMED, "malformed: option 82 of more than 255 bytes");
    o->request = p->type;
    o->xid = p->xid;
    count(x->server->config.counters, COUNT_DHCP_IN + p->type, 1);
    if (!dhcp_identify(p, &x->identity)) {
        memcpy(o->mac.b, p->chaddr, p->hlen == sizeof(o->mac.b) ? p->hlen : 0);
        return silent(x, SILENCE_NO_IDENTITY,
                      "nothing tells who it is: hardware type %u, an address of %u bytes, %s", p->htype,
                      p->hlen,
                      dhcp_has(p, DHCP_CLIENT_ID) ? "a client identifier of no use" : "no client identifier");
    }
    o->mac = x->identity.mac;
    dhcp_identity_format(&x->identity, o->identity);
    if (p->op == DHCP_BOOTREPLY) {
        ipv4_format(x->arrival->from, from);
        if (!is_own(x, x->arrival->from))
            alert(x, "another DHCP server answers on %s: %s from %s; rambox doctor shows which",
                  x->arrival->interface, dhcp_type_name(p->type), from);
        return silent(x, SILENCE_NOT_A_REQUEST, "another DHCP server answers: %s from %s",
                      dhcp_type_name(p->type), from);
    }
    return process(x);
}

/* A firmware's DISCOVER that is answered begins a boot; what else its machine sends belongs to the one there
 * is. What rambox doctor asks in a node's name belongs to none. */
static void find_boot(struct exchange *x, enum dhcp_verdict verdict)
{
    struct dhcp_outcome *o = x->outcome;
    struct boot boot;
    if (dhcp_has(x->packet, DHCP_TRIAL))
        return;
    if (o->request == DHCP_DISCOVER && x->pxe.class != PXE_NONE && !x->pxe.ipxe)
        boot_table_firmware(x->server->config.boots, x->now, &o->mac);
    if (o->request == DHCP_DISCOVER && verdict != DHCP_SILENT && x->pxe.class != PXE_NONE) {
        o->boot = boot_table_discover(x->server->config.boots, x->now, &o->mac, o->node,
                                      x->profile ? x->profile->name : NULL, x->generation->number);
        boot_table_set_arch(x->server->config.boots, o->boot,
                            arch_of_firmware(x->pxe.archs_n ? x->pxe.archs[0] : PXE_ARCH_BIOS));
    } else if (boot_table_by_mac(x->server->config.boots, &o->mac, &boot, NULL))
        o->boot = boot.id;
}

/* P7: a firmware's REQUEST to the server that gives the addresses passes by us, and says which it has: what
 * it fetches then belongs to its boot from the first file on. */
static void overhear_address(struct exchange *x)
{
    struct dhcp_outcome *o = x->outcome;
    ipv4_t asked;
    if (o->silence == SILENCE_PROXY && o->request == DHCP_REQUEST && o->boot && x->pxe.class != PXE_NONE &&
        dhcp_get_u32(x->packet, DHCP_REQUESTED_IP, &asked) && prefix_contains(&x->subnet->prefix, asked))
        boot_table_assign(x->server->config.boots, x->now, o->boot, asked, 0);
}

enum dhcp_verdict dhcp_server_handle(struct dhcp_server *s, const struct generation *generation,
                                     const struct moment *now, const struct dhcp_arrival *arrival,
                                     struct dhcp_outcome *ret_outcome)
{
    struct dhcp_outcome *o = ret_outcome;
    struct exchange x = {.server = s,
                         .generation = generation,
                         .now = now,
                         .arrival = arrival,
                         .packet = &s->packet,
                         .outcome = o};
    memset(o, 0, offsetof(struct dhcp_outcome, packet));
    o->note[0] = '\0';
    o->ifindex = arrival->ifindex;
    o->local = arrival->local;
    o->local_port = arrival->to_port == PXE_PORT ? PXE_PORT : DHCP_SERVER_PORT;
    snprintf(o->interface, sizeof(o->interface), "%s", arrival->interface);
    enum dhcp_verdict verdict = decide(&x);
    if (verdict == DHCP_SILENT)
        count(s->config.counters, COUNT_DHCP_SILENT + o->silence - 1, 1);
    else
        recent_begin(s->recent, o->repeat, now->mono_us);
    if (o->silence == SILENCE_MALFORMED || o->silence == SILENCE_REPEAT)
        return verdict;
    find_boot(&x, verdict);
    overhear_address(&x);
    emit(&x, EVENT_DHCP_IN, dhcp_type_name(o->request));
    if (verdict == DHCP_SILENT && (silences[o->silence].tell || (o->silence == SILENCE_DONE && o->note[0])))
        emit(&x, EVENT_DHCP_IGNORED, o->note);
    return verdict;
}

void dhcp_server_sent(struct dhcp_server *s, const struct moment *now, const struct dhcp_outcome *o,
                      unsigned generation)
{
    struct exchange x = {.server = s, .now = now, .outcome = (struct dhcp_outcome *)(uintptr_t)o};
    char detail[sizeof("NAK: ") + sizeof(o->note)];
    count(s->config.counters,
          o->reply == DHCP_OFFER   ? COUNT_DHCP_OFFER
          : o->reply == DHCP_ACK   ? COUNT_DHCP_ACK
          : o->reply == DHCP_BOOTP ? COUNT_DHCP_BOOTP
                                   : COUNT_DHCP_NAK,
          1);
    recent_sent(s->recent, o->repeat, now->mono_us);
    if (o->boot && o->ip)
        boot_table_assign(s->config.boots, now, o->boot, o->ip, generation);
    if (o->reply == DHCP_NAK)
        snprintf(detail, sizeof(detail), "NAK: %s", o->note);
    emit(&x, EVENT_DHCP_OUT, o->reply == DHCP_NAK ? detail : dhcp_type_name(o->reply));
}

void dhcp_server_unsent(struct dhcp_server *s, const struct dhcp_outcome *o)
{
    recent_forget(s->recent, o->repeat);
}

static void lease_of(const struct lease_entry *e, enum lease_state state, const struct client_key *client,
                     struct lease *ret_lease)
{
    *ret_lease = (struct lease){.ip = e->ip,
                                .state = state,
                                .client = *client,
                                .mac = e->mac,
                                .start = e->start,
                                .expires = e->expires};
    snprintf(ret_lease->hostname, sizeof(ret_lease->hostname), "%s", e->hostname ? e->hostname : "");
}

int dhcp_server_in_use(struct dhcp_server *s, const struct moment *now, ipv4_t ip, struct lease *ret_lease)
{
    struct lease_entry *e = lease_by_ip(s->leases, ip);
    struct client_key client = {0};
    if (!e || (e->use != USE_OFFERED && e->use != USE_BOUND))
        return -ENOENT;
    if (e->use == USE_BOUND)
        return -EBUSY;
    count(s->config.counters, COUNT_DHCP_DECLINED, 1);
    bool quarantine = lease_may_quarantine(e);
    lease_client(e, &client);
    e->start = now->unix_us / 1000000;
    e->expires = e->start + (quarantine ? QUARANTINE_S : 0);
    lease_of(e, LEASE_DECLINED, &client, ret_lease);
    lease_move(s->leases, e, USE_DECLINED, now->mono_us + QUARANTINE_S * SECOND_US);
    if (!quarantine)
        lease_move(s->leases, e, USE_FREE, 0);
    return 0;
}

int dhcp_server_release(struct dhcp_server *s, const struct moment *now, ipv4_t ip, struct lease *ret_lease)
{
    struct lease_entry *e = lease_by_ip(s->leases, ip);
    struct client_key client = {0};
    if (!e || (e->use != USE_BOUND && e->use != USE_DECLINED))
        return -ENOENT;
    lease_client(e, &client);
    e->expires = now->unix_us / 1000000;
    lease_of(e, LEASE_RELEASED, &client, ret_lease);
    lease_move(s->leases, e, USE_FREE, 0);
    return 0;
}
