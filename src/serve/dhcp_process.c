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

static bool in_pool(const struct exchange *x, ipv4_t ip)
{
    VEC_EACH(pool, &x->subnet->pools)
        if (ip >= pool->first && ip <= pool->last)
            return usable((void *)(uintptr_t)x, ip);
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
    VEC_EACH(pool, &x->subnet->pools) {
        ipv4_t ip = lease_next_free(x->server->leases, pool, usable, x);
        if (ip)
            return ip;
    }
    silent(x, SILENCE_POOL_EMPTY, "the pools of subnet %s are used up", x->subnet->name);
    return 0;
}

/* H3: what the client asks for, between a minute and the subnet's maximum, which may be less than that; else
 * the subnet's own time. */
static uint32_t lease_seconds(const struct exchange *x)
{
    uint32_t asked, max = x->subnet->max_lease_s, min = LEASE_MIN_S < max ? LEASE_MIN_S : max;
    if (!dhcp_get_u32(x->packet, DHCP_LEASE_TIME, &asked))
        asked = x->subnet->lease_s;
    return asked > max ? max : asked < min ? min : asked;
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
    if (!(e && e->use == USE_BOUND && lease_is_of(e, &x->key)) &&
        lease_hold(x->server->leases, ip, &x->key, &x->outcome->mac, USE_OFFERED,
                   x->now->mono_us + OFFER_HOLD_S * SECOND_US, &e) < 0)
        return silent(x, SILENCE_NO_MEMORY, "no memory for a lease");
    return reply_offer(x, ip, lease_seconds(x));
}

/* ---- REQUEST ---- */

static void fill_lease(struct exchange *x, struct lease_entry *e, enum lease_state state, int64_t expires)
{
    struct dhcp_outcome *o = x->outcome;
    o->store = true;
    o->lease = (struct lease){
        .ip = e->ip, .state = state, .client = x->key, .mac = o->mac, .start = e->start, .expires = expires};
    if (dhcp_host_name(x->packet, o->lease.hostname))
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
    if (lease_hold(x->server->leases, ip, &x->key, &x->outcome->mac, USE_BOUND,
                   x->now->mono_us + seconds * SECOND_US, &e) < 0)
        return silent(x, SILENCE_NO_MEMORY, "no memory for a lease");
    e->start = x->now->unix_us / 1000000;
    e->expires = e->start + seconds;
    fill_lease(x, e, LEASE_BOUND, e->expires);
    reply_ack(x, ip, seconds);
    return DHCP_SEND_WHEN_DURABLE;
}

/* §4.3.2, SELECTING: server identifier and requested address are there. */
static enum dhcp_verdict request_selecting(struct exchange *x, ipv4_t server_id, ipv4_t asked)
{
    if (!is_own(x, server_id)) {
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
    if (x->arrival->to_port == PXE_PORT)
        return reply_inform(x); /* P5: it has its address and wants the boot file */
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
    if (!dhcp_get_u32(x->packet, DHCP_SERVER_ID, &server_id) || !is_own(x, server_id) ||
        !dhcp_get_u32(x->packet, DHCP_REQUESTED_IP, &ip))
        return silent(x, SILENCE_FOREIGN, "DECLINE to another server");
    ipv4_format(ip, text);
    struct lease_entry *e = lease_by_ip(x->server->leases, ip);
    if (x->node && x->node->ip == ip) { /* it stays its address: nobody can take that away by declining it */
        count(x->server->config.counters, COUNT_DHCP_DECLINED, 1);
        return silent(x, SILENCE_DONE, "%s declines its address %s: another machine uses it", x->node->name,
                      text);
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
        return silent(x, SILENCE_DONE, "%s is declined, as many others are: it is given out last", text);
    }
    return silent(x, SILENCE_DONE, "%s is declined: another machine uses it; not given out for %d s", text,
                  QUARANTINE_S);
}

/* §4.3.4: the address becomes free, but stays remembered for the client (D8). */
enum dhcp_verdict process_release(struct exchange *x)
{
    const struct dhcp_packet *p = x->packet;
    ipv4_t server_id;
    if (!dhcp_get_u32(p, DHCP_SERVER_ID, &server_id) || !is_own(x, server_id))
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
