/* What each DHCP message leads to (RFC 2131 §4.3), one function a message type. */
#include "serve/dhcp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- addresses ---- */

/* Whether the pools may give the address to this client: in a pool of its subnet and not reserved for
 * anything. */
static bool usable(void *user, ipv4_t ip)
{
    const struct exchange *x = user;
    const struct ipv4_prefix *p = &x->subnet->prefix;
    if (p->length < 31 && (ip == p->address || ip == prefix_broadcast(p)))
        return false;
    return ip != x->subnet->router && !is_own(x, ip) && !site_node_by_ip(x->generation->site, ip);
}

/* Whether the pool is for this client: for all, or for a class that it is of. */
static bool may_use(const struct exchange *x, const struct pool *pool)
{
    return !pool->class || (pool->class_number && x->classes >> (pool->class_number - 1) & 1);
}

static bool in_pool(const struct exchange *x, ipv4_t ip)
{
    VEC_EACH(pool, &x->subnet->pools)
        if (ip >= pool->first && ip <= pool->last)
            return may_use(x, pool) && usable((void *)(uintptr_t)x, ip);
    return false;
}

/* Free for this client: nobody's, or its own already. */
static bool is_free(const struct exchange *x, ipv4_t ip)
{
    const struct lease_entry *e = lease_by_ip(x->server->leases, ip);
    return !e || e->use == USE_FREE || lease_is_of(e, &x->key);
}

/* The client's entry in a pool of its subnet. What it holds of former pools, or of what was reserved since,
 * is passed over: it can neither keep nor renew that. */
static struct lease_entry *own_entry(const struct exchange *x)
{
    VEC_EACH(pool, &x->subnet->pools) {
        struct lease_entry *e = lease_by_client(x->server->leases, &x->key, pool->first, pool->last);
        if (e && in_pool(x, e->ip))
            return e;
    }
    return NULL;
}

/* H4: a node's fixed address, unless it cannot have it here and now. */
static ipv4_t fixed_address(struct exchange *x)
{
    const struct node *n = x->node;
    const struct lease_entry *e = lease_by_ip(x->server->leases, n->ip);
    char ip[IPV4_TEXT_MAX], prefix[PREFIX_TEXT_MAX], mac[MAC_TEXT_MAX];
    ipv4_format(n->ip, ip);
    if (!prefix_contains(&x->subnet->prefix, n->ip)) {
        silent(x, SILENCE_WRONG_SUBNET, "%s has the address %s, but asks from subnet %s (%s)", n->name, ip,
               x->subnet->name, prefix_format(&x->subnet->prefix, prefix));
        return 0;
    }
    /* Before the entry was made the pool may have given the address to somebody, who keeps it until the next
     * renewal. */
    if (e && (e->use == USE_OFFERED || e->use == USE_BOUND) && !mac_equal(&e->mac, &n->mac)) {
        silent(x, SILENCE_ADDRESS_TAKEN,
               "the address %s of %s is leased to %s still: its next renewal is refused", ip, n->name,
               mac_format(&e->mac, mac));
        return 0;
    }
    return n->ip;
}

/* RFC 2131 §4.3.1: the address the client has or had, else the one it asks for, else the next one. */
static ipv4_t pool_address(struct exchange *x)
{
    const struct lease_entry *e = own_entry(x);
    ipv4_t asked = 0;
    if (x->subnet->pools.n == 0) {
        silent(x, SILENCE_NO_POOL, "subnet %s has no pool for machines without an address", x->subnet->name);
        return 0;
    }
    if (e)
        return e->ip;
    if (dhcp_get_u32(x->packet, DHCP_REQUESTED_IP, &asked) && in_pool(x, asked) && is_free(x, asked))
        return asked;
    for (int of_class = 1; of_class >= 0; of_class--)
        VEC_EACH(pool, &x->subnet->pools) {
            if ((pool->class != NULL) != of_class || !may_use(x, pool))
                continue;
            ipv4_t ip = lease_next_free(x->server->leases, pool, x->now->mono_us, usable, x);
            if (ip)
                return ip;
        }
    silent(x, SILENCE_POOL_EMPTY, "the pools of subnet %s are used up", x->subnet->name);
    return 0;
}

/* H3: what the client asks for, within the subnet's bounds; else the subnet's own time. */
static uint32_t lease_seconds(const struct exchange *x)
{
    const struct subnet *s = x->subnet;
    bool discovered = !x->node && s->unknown == UNKNOWN_DISCOVER;
    uint32_t usual = discovered ? s->discovery_lease_s : s->lease_s;
    uint32_t max = discovered ? s->discovery_lease_s : s->max_lease_s;
    uint32_t asked, min = s->min_lease_s < max ? s->min_lease_s : max;
    if (!dhcp_get_u32(x->packet, DHCP_LEASE_TIME, &asked))
        asked = usual;
    return asked > max ? max : asked < min ? min : asked;
}

/* ---- discovered machines ---- */

/* Printable text as it is, anything else in hexadecimal. */
static void show_bytes(struct reader r, char *ret_text, size_t size)
{
    bool printable = r.left > 0;
    size_t used = 2;
    for (size_t i = 0; i < r.left; i++)
        printable &= r.p[i] >= ' ' && r.p[i] < 0x7f;
    if (r.failed || r.left == 0) {
        ret_text[0] = '\0';
    } else if (printable) {
        snprintf(ret_text, size, "%.*s", (int)(r.left < size ? r.left : size), (const char *)r.p);
    } else {
        snprintf(ret_text, size, "0x");
        for (size_t i = 0; i < r.left && used + 3 <= size; i++, used += 2)
            snprintf(ret_text + used, size - used, "%02x", r.p[i]);
    }
}

static void host_name(const struct exchange *x, char ret_name[static 64])
{
    if (!dhcp_host_name(x->packet, ret_name) && !dhcp_fqdn_label(x->packet, ret_name))
        ret_name[0] = '\0';
}

/* A machine without an entry shows up as a candidate, with what it says of itself; rambox doctor is none. */
static void note_candidate(struct exchange *x, ipv4_t ip)
{
    struct dhcp_outcome *o = x->outcome;
    if (x->node || x->subnet->unknown != UNKNOWN_DISCOVER || dhcp_has(x->packet, DHCP_TRIAL))
        return;
    o->candidate = true;
    o->found = (struct candidate){.mac = o->mac,
                                  .ip = ip,
                                  .first_us = x->now->unix_us,
                                  .last_us = x->now->unix_us,
                                  .has_arch = x->pxe.archs_n > 0,
                                  .arch = x->pxe.archs[0],
                                  .has_uuid = x->pxe.has_uuid};
    memcpy(o->found.uuid, x->pxe.uuid, sizeof(o->found.uuid));
    snprintf(o->found.subnet, sizeof(o->found.subnet), "%s", x->subnet->name);
    host_name(x, o->found.hostname);
    show_bytes(dhcp_option(x->packet, DHCP_VENDOR_CLASS), o->found.vendor_class,
               sizeof(o->found.vendor_class));
    show_bytes(dhcp_relay_option(x->packet, DHCP_RELAY_CIRCUIT_ID), o->found.circuit_id,
               sizeof(o->found.circuit_id));
}

/* ---- DISCOVER ---- */

enum dhcp_verdict process_discover(struct exchange *x)
{
    if (x->node && x->node->ip) {
        ipv4_t ip = fixed_address(x);
        return ip ? reply_offer(x, ip, lease_seconds(x)) : DHCP_SILENT;
    }
    ipv4_t ip = pool_address(x);
    struct lease_entry *e = ip ? lease_by_ip(x->server->leases, ip) : NULL;
    if (!ip)
        return DHCP_SILENT;
    /* A lease that runs is not shortened to an offer (D14). */
    bool has_it = e && lease_is_of(e, &x->key), runs = has_it && e->use == USE_BOUND;
    bool offered = has_it && e->use == USE_OFFERED;
    if (!runs && lease_hold(x->server->leases, ip, &x->key, &x->outcome->mac, USE_OFFERED, x->now->mono_us,
                            x->now->mono_us + OFFER_HOLD_S * SECOND_US, &e) < 0)
        return silent(x, SILENCE_NO_MEMORY, "no memory for a lease");
    if (!offered)
        note_candidate(x, ip);
    enum dhcp_verdict verdict = reply_offer(x, ip, lease_seconds(x));
    /* D6: only an address that is new to the client; what it has, it would answer for itself. */
    return verdict == DHCP_SEND && x->subnet->probe && !has_it ? DHCP_SEND_AFTER_PROBE : verdict;
}

/* ---- REQUEST ---- */

static void fill_lease(struct exchange *x, struct lease_entry *e, enum lease_state state, int64_t expires)
{
    struct dhcp_outcome *o = x->outcome;
    o->store = true;
    o->lease = (struct lease){
        .ip = e->ip, .state = state, .client = x->key, .mac = o->mac, .start = e->start, .expires = expires};
    host_name(x, o->lease.hostname);
    if (o->lease.hostname[0])
        lease_set_hostname(e, o->lease.hostname);
    else if (e->hostname) /* a RELEASE does not repeat it (D8) */
        snprintf(o->lease.hostname, sizeof(o->lease.hostname), "%s", e->hostname);
}

/* Binds the address and acknowledges it once that is durable (D20), or refuses (D11). */
static enum dhcp_verdict bind_address(struct exchange *x, ipv4_t ip)
{
    char text[IPV4_TEXT_MAX];
    ipv4_format(ip, text);
    uint32_t seconds = lease_seconds(x);
    if (x->node && x->node->ip) {
        if (ip != x->node->ip)
            return reply_nak(x, "%s is not the address of %s", text, x->node->name);
        return fixed_address(x) ? reply_ack(x, ip, seconds) : reply_nak(x, "%s is not available", text);
    }
    /* A client has one address in a subnet: with more it could take the whole pool, one REQUEST an address.
     */
    struct lease_entry *e = own_entry(x);
    if (e && e->ip != ip)
        return reply_nak(x, "%s is not its address", text);
    if (!in_pool(x, ip) || !is_free(x, ip))
        return reply_nak(x, "%s is not available", text);
    if (lease_hold(x->server->leases, ip, &x->key, &x->outcome->mac, USE_BOUND, x->now->mono_us,
                   x->now->mono_us + seconds * SECOND_US, &e) < 0)
        return silent(x, SILENCE_NO_MEMORY, "no memory for a lease");
    e->start = x->now->unix_us / 1000000;
    e->expires = e->start + seconds;
    fill_lease(x, e, LEASE_BOUND, e->expires);
    note_candidate(x, ip);
    return reply_ack(x, ip, seconds) == DHCP_SEND ? DHCP_SEND_WHEN_DURABLE : DHCP_SILENT;
}

/* §4.3.2, SELECTING: server identifier and requested address are there. */
static enum dhcp_verdict request_selecting(struct exchange *x, ipv4_t server_id, ipv4_t asked)
{
    if (!is_our_id(x, server_id)) {
        struct lease_entry *e = own_entry(x);
        if (e && e->use == USE_OFFERED) /* D5 */
            lease_move(x->server->leases, e, USE_FREE, 0);
        return silent(x, SILENCE_OTHER_SERVER, "it chose another server");
    }
    return bind_address(x, asked);
}

/* §4.3.2, INIT-REBOOT: a requested address alone (D4). */
static enum dhcp_verdict request_init_reboot(struct exchange *x, ipv4_t asked)
{
    char text[IPV4_TEXT_MAX];
    const struct ipv4_prefix *p = &x->subnet->prefix;
    if (!prefix_contains(p, asked))
        return reply_nak(x, "%s is not of subnet %s", ipv4_format(asked, text), x->subnet->name);
    /* Here also an address counts that has left the pools since: its client is told. */
    if (!(x->node && x->node->ip) &&
        !lease_by_client(x->server->leases, &x->key, p->address, prefix_broadcast(p)))
        return silent(x, SILENCE_UNKNOWN_LEASE, "no lease of it is known");
    return bind_address(x, asked);
}

/* §4.3.2, RENEWING and REBINDING: the client uses its address, ciaddr. */
static enum dhcp_verdict request_renewing(struct exchange *x)
{
    return bind_address(x, x->packet->ciaddr);
}

enum dhcp_verdict process_request(struct exchange *x)
{
    ipv4_t server_id = 0, asked = 0;
    bool has_id = dhcp_get_u32(x->packet, DHCP_SERVER_ID, &server_id);
    bool has_asked = dhcp_get_u32(x->packet, DHCP_REQUESTED_IP, &asked);
    if (has_id)
        return request_selecting(x, server_id, has_asked ? asked : x->packet->ciaddr);
    if (x->packet->ciaddr)
        return request_renewing(x);
    if (has_asked)
        return request_init_reboot(x, asked);
    return reply_nak(x, "the request names no address");
}

/* ---- the others ---- */

/* D8: the client found its address in use. Only the owner of an address can decline it. A client that
 * declines whatever it is given must not empty the pool: with too much of it in quarantine, the address is
 * free again at once, and the last to be given out. */
enum dhcp_verdict process_decline(struct exchange *x)
{
    ipv4_t server_id, ip;
    char text[IPV4_TEXT_MAX];
    if (!dhcp_get_u32(x->packet, DHCP_SERVER_ID, &server_id) || !is_our_id(x, server_id) ||
        !dhcp_get_u32(x->packet, DHCP_REQUESTED_IP, &ip))
        return silent(x, SILENCE_FOREIGN, "DECLINE to another server");
    ipv4_format(ip, text);
    struct lease_entry *e = lease_by_ip(x->server->leases, ip);
    if (x->node && x->node->ip == ip) { /* it stays its address: nobody can take that away by declining it */
        count(x->server->config.counters, COUNT_DHCP_DECLINED, 1);
        alert(x, "it declines its address %s: another machine uses it", text);
        return silent(x, SILENCE_DONE, "%s", "");
    }
    if (!e || !lease_is_of(e, &x->key) || (e->use != USE_BOUND && e->use != USE_OFFERED))
        return silent(x, SILENCE_FOREIGN, "DECLINE of %s, which is not its address", text);
    count(x->server->config.counters, COUNT_DHCP_DECLINED, 1);
    bool quarantine = lease_may_quarantine(e);
    e->start = x->now->unix_us / 1000000;
    e->expires = e->start + (quarantine ? QUARANTINE_S : 0);
    fill_lease(x, e, LEASE_DECLINED, e->expires);
    lease_move(x->server->leases, e, USE_DECLINED, x->now->mono_us + QUARANTINE_S * SECOND_US);
    if (!quarantine) {
        lease_move(x->server->leases, e, USE_FREE, 0);
        alert(x, "%s is declined, as many others are: it is given out last", text);
    } else {
        alert(x, "%s is declined: another machine uses it; not given out for %d s", text, QUARANTINE_S);
    }
    return silent(x, SILENCE_DONE, "%s", "");
}

/* Whether a RELEASE is for us. Table 5 wants the server named; systemd-networkd (252) does not, but like all
 * of them sends it to the server's address. */
static bool releases_ours(const struct exchange *x)
{
    ipv4_t server_id;
    return dhcp_get_u32(x->packet, DHCP_SERVER_ID, &server_id) ? is_our_id(x, server_id)
                                                               : is_own(x, x->arrival->to);
}

/* §4.3.4: the address becomes free, but stays remembered for the client (D8). */
enum dhcp_verdict process_release(struct exchange *x)
{
    const struct dhcp_packet *p = x->packet;
    if (!releases_ours(x))
        return silent(x, SILENCE_FOREIGN, "RELEASE to another server");
    struct lease_entry *e = lease_by_ip(x->server->leases, p->ciaddr);
    if (x->node && x->node->ip && x->node->ip == p->ciaddr)
        return silent(x, SILENCE_DONE, "%s", "");
    if (!e || e->use != USE_BOUND || !lease_is_of(e, &x->key) ||
        (p->giaddr == 0 && x->arrival->from != p->ciaddr))
        return silent(x, SILENCE_FOREIGN, "RELEASE of an address that is not its own");
    e->expires = x->now->unix_us / 1000000;
    fill_lease(x, e, LEASE_RELEASED, e->expires);
    lease_move(x->server->leases, e, USE_FREE, 0);
    return silent(x, SILENCE_DONE, "%s", "");
}

/* D9, §4.3.5 */
enum dhcp_verdict process_inform(struct exchange *x)
{
    if (!x->packet->ciaddr && !x->arrival->from)
        return silent(x, SILENCE_FOREIGN, "INFORM without an address");
    return reply_inform(x);
}

/* ---- BOOTP ---- */

/* D19, RFC 1534 §2: BOOTP has no lease that ends, so only a node with an address of its own gets one, where
 * the subnet says so. */
enum dhcp_verdict process_bootp(struct exchange *x)
{
    if (!x->subnet->bootp)
        return silent(x, SILENCE_BOOTP, "BOOTP is not answered in subnet %s (bootp: yes turns that round)",
                      x->subnet->name);
    if (!x->node || !x->node->ip)
        return silent(x, SILENCE_BOOTP, "BOOTP of a machine without an address in its entry");
    ipv4_t ip = fixed_address(x);
    return ip ? reply_bootp(x, ip) : DHCP_SILENT;
}
