/* The checks of the subnets: see config/check.h. */
#include "config/check.h"

enum { POOL_MAX = 1 << 20 /* addresses; the server remembers every one it ever gave out */ };

bool is_host_address(const struct ipv4_prefix *prefix, ipv4_t address)
{
    return prefix_contains(prefix, address) && address != prefix->address &&
           address != prefix_broadcast(prefix);
}

static void check_router(struct check *c, const struct subnet *subnet)
{
    char text[PREFIX_TEXT_MAX], address[IPV4_TEXT_MAX];
    if (!subnet->router || is_host_address(&subnet->prefix, subnet->router))
        return;
    struct pos pos = at(c, &subnet->pos, "router", 0);
    FAIL(c, &pos, "the router %s is no host address of %s", ipv4_format(subnet->router, address),
         prefix_format(&subnet->prefix, text));
}

static void check_pool(struct check *c, const struct subnet *subnet, size_t index)
{
    const struct pool *pool = &subnet->pools.items[index];
    struct pos pos = at(c, &subnet->pos, MARK_POOL, index);
    char first[IPV4_TEXT_MAX], last[IPV4_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
    ipv4_format(pool->first, first);
    ipv4_format(pool->last, last);
    prefix_format(&subnet->prefix, prefix);
    if (!prefix_contains(&subnet->prefix, pool->first) || !prefix_contains(&subnet->prefix, pool->last))
        FAIL(c, &pos, "the pool %s-%s is not inside the prefix %s of subnet %s", first, last, prefix,
             subnet->name);
    else if (!is_host_address(&subnet->prefix, pool->first) || !is_host_address(&subnet->prefix, pool->last))
        FAIL(c, &pos, "the pool %s-%s holds the network's or the broadcast address of %s", first, last,
             prefix);
    else if (subnet->router >= pool->first && subnet->router <= pool->last)
        FAIL(c, &pos, "the pool %s-%s holds the router; it would be given to a node", first, last);
    else if (pool->last - pool->first >= POOL_MAX)
        FAIL(c, &pos, "the pool %s-%s has more than %d addresses", first, last, POOL_MAX);
    VEC_EACH(relay, &subnet->relays) {
        char text[IPV4_TEXT_MAX];
        if (*relay >= pool->first && *relay <= pool->last)
            FAIL(c, &pos, "the pool %s-%s holds the relay %s; it would be given to a node", first, last,
                 ipv4_format(*relay, text));
    }
    check_ref(c, REF_CLASS, pool->class, &pos, "class");
    /* Pools of other subnets are apart from these, since prefixes are. */
    for (size_t i = 0; i < index; i++) {
        const struct pool *other = &subnet->pools.items[i];
        struct pos other_pos = at(c, &subnet->pos, MARK_POOL, i);
        if (pool->first <= other->last && other->first <= pool->last)
            FAIL(c, &pos, "the pool %s-%s overlaps the one in line %u", first, last, other_pos.line);
    }
}

static void check_leases(struct check *c, const struct subnet *s)
{
    const struct lease_span *renew = &s->renew, *rebind = &s->rebind;
    if (s->max_lease_s < s->min_lease_s)
        FAIL_AT(c, &s->pos, "max_lease", 0, "max_lease (%u s) is shorter than min_lease (%u s)",
                s->max_lease_s, s->min_lease_s);
    else if (s->max_lease_s < s->lease_s)
        FAIL_AT(c, &s->pos, "max_lease", 0, "max_lease (%u s) is shorter than lease (%u s)", s->max_lease_s,
                s->lease_s);
    else if (s->min_lease_s > s->lease_s)
        FAIL_AT(c, &s->pos, "min_lease", 0, "min_lease (%u s) is longer than lease (%u s)", s->min_lease_s,
                s->lease_s);
    /* A part of the lease and a span can only be compared once the lease is known. */
    bool parts = renew->thousandths && rebind->thousandths, spans = renew->seconds && rebind->seconds;
    if ((parts && rebind->thousandths < renew->thousandths) || (spans && rebind->seconds < renew->seconds))
        FAIL_AT(c, &s->pos, "rebind", 0,
                "rebind comes before renew; a client first asks the server it has its lease from (renew), "
                "later any (rebind)");
}

static void check_unknown(struct check *c, const struct subnet *subnet)
{
    const char *word = subnet->unknown == UNKNOWN_ALLOW ? "allow" : "discover";
    check_ref(c, REF_PROFILE, subnet->unknown_profile, &subnet->pos, "unknown_profile");
    if (subnet->unknown == UNKNOWN_DENY)
        return;
    if (subnet->pools.n == 0 && subnet->mode == DHCP_FULL)
        FAIL_AT(c, &subnet->pos, "unknown", 0,
                "unknown: %s needs \"pools\": unknown machines get their addresses from there", word);
    if (!subnet->unknown_profile)
        FAIL_AT(c, &subnet->pos, "unknown", 0,
                "unknown: %s needs \"unknown_profile\": what unknown machines boot", word);
}

/* A relay agent speaks for one subnet. It may be the router of the subnet, or any address elsewhere. */
static void check_relay(struct check *c, const struct subnet *subnet, size_t index)
{
    ipv4_t relay = subnet->relays.items[index];
    char text[IPV4_TEXT_MAX];
    VEC_EACH(other, &c->site->subnets) {
        if (other > subnet)
            break;
        for (size_t i = 0; i < (other == subnet ? index : other->relays.n); i++)
            if (other->relays.items[i] == relay) {
                FAIL_AT(
                    c, &subnet->pos, "relays", index,
                    "the relay %s is listed by subnet %s already; a relay's address stands for one subnet",
                    ipv4_format(relay, text), other->name);
                return;
            }
    }
}

static void check_overlap(struct check *c, const struct subnet *subnet, const struct subnet *earlier)
{
    char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];
    if (!prefix_contains(&subnet->prefix, earlier->prefix.address) &&
        !prefix_contains(&earlier->prefix, subnet->prefix.address))
        return;
    struct pos pos = at(c, &subnet->pos, "prefix", 0);
    FAIL(c, &pos, "%s overlaps %s of subnet %s", prefix_format(&subnet->prefix, a),
         prefix_format(&earlier->prefix, b), earlier->name);
}

static void check_subnet(struct check *c, const struct subnet *subnet)
{
    check_unknown(c, subnet);
    check_leases(c, subnet);
    for (size_t i = 0; i < subnet->relays.n; i++)
        check_relay(c, subnet, i);
    if (subnet->prefix.length == 0) { /* its mistake was reported when it was read */
        c->subnets_known = false;
        return;
    }
    check_router(c, subnet);
    for (size_t i = 0; i < subnet->pools.n; i++)
        check_pool(c, subnet, i);
    for (const struct subnet *earlier = c->site->subnets.items; earlier < subnet; earlier++)
        if (earlier->prefix.length)
            check_overlap(c, subnet, earlier);
}

void check_subnets(struct check *c)
{
    c->subnets_known = true;
    VEC_EACH(subnet, &c->site->subnets)
        check_subnet(c, subnet);
}
