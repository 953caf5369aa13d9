/* `subnets:` of rambox.yaml. */
#include "base/str.h"
#include "config/documents.h"
#include "proto/dhcp.h"

#include <errno.h>

/* Pools: `FIRST-LAST`, or a mapping with a class. */

static int parse_pool_range(const struct type *type, const char *text, void *target)
{
    const char *dash = strchr(text, '-');
    struct pool *pool = target;
    ipv4_t from, to;
    (void)type;
    if (!dash)
        return -EINVAL;
    cleanup_free char *first = xstrndup(text, (size_t)(dash - text));
    if (ipv4_parse(first, &from) < 0 || ipv4_parse(dash + 1, &to) < 0 || from > to)
        return -EINVAL;
    pool->first = from;
    pool->last = to;
    return 0;
}

static const struct type type_range = {
    .what = "pool",
    .expected = "the first and the last address, the lower one first, like 192.168.7.100-192.168.7.199",
    .parse = parse_pool_range,
    .size = sizeof(struct pool)};

static int read_pool(struct mapper *m, const struct yaml_node *value, struct pool *pool)
{
    static const struct field fields[] = {
        {.key = "range", .type = &type_range, .required = true},
        FIELD("class", type_label, struct pool, class),
        {0},
    };
    return value->kind == YAML_MAPPING ? map_fields(m, value, fields, "this pool", &value->pos, pool)
                                       : map_value(m, "pools", &type_range, value, pool);
}

static int read_pools(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                      void *object)
{
    struct subnet *subnet = object;
    size_t n = value->kind == YAML_SEQUENCE ? value->items.n : 1;
    int r = 0;
    (void)key;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = value->kind == YAML_SEQUENCE ? value->items.items[i] : value;
        struct pool pool = {0};
        if (read_pool(m, item, &pool) < 0) {
            free(pool.class);
            r = -EINVAL;
            continue;
        }
        VEC_PUSH(&subnet->pools, pool);
        map_mark(m, &subnet->pos, MARK_POOL, subnet->pools.n - 1, &item->pos);
    }
    return r;
}

/* Times. */

/* `50%` or `87.5%`, more than nothing and at most all of it. */
static int parse_percent(const char *text, uint32_t *ret_thousandths)
{
    size_t n = strlen(text) - 1;
    uint64_t whole, tenths = 0;
    cleanup_free char *number = xstrndup(text, n);
    char *dot = strchr(number, '.');
    if (dot) {
        *dot = '\0';
        if (strlen(dot + 1) != 1 || parse_u64(dot + 1, 0, 9, &tenths) < 0)
            return -EINVAL;
    }
    if (parse_u64(number, 0, 100, &whole) < 0 || whole * 10 + tenths < 1 || whole * 10 + tenths > 1000)
        return -EINVAL;
    *ret_thousandths = (uint32_t)(whole * 10 + tenths);
    return 0;
}

static int parse_lease_span(const struct type *type, const char *text, void *target)
{
    struct lease_span span = {0};
    (void)type;
    int r = str_ends(text, "%") ? parse_percent(text, &span.thousandths) : parse_seconds(text, &span.seconds);
    if (r < 0 || (!span.thousandths && !span.seconds))
        return -EINVAL;
    *(struct lease_span *)target = span;
    return 0;
}

static const struct type type_lease_span = {.what = "time in a lease",
                                            .expected =
                                                "a span of time like 6h, or a part of the lease like 50%",
                                            .parse = parse_lease_span,
                                            .size = sizeof(struct lease_span)};

/* RFC 8925 §3.4: clients take less than MIN_V6ONLY_WAIT as that. */
enum { MIN_V6ONLY_WAIT = 300 };

static int parse_v6_wait(const struct type *type, const char *text, void *target)
{
    uint32_t seconds;
    (void)type;
    if (parse_seconds(text, &seconds) < 0 || seconds < MIN_V6ONLY_WAIT)
        return -EINVAL;
    *(uint32_t *)target = seconds;
    return 0;
}

static const struct type type_v6_wait = {.what = "wait without IPv4",
                                         .expected = "at least 300 s, which clients make of less, like 30m",
                                         .parse = parse_v6_wait,
                                         .size = sizeof(uint32_t)};

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* What was said moves what was not, as far as it must. */
static void settle_leases(const struct yaml_node *said, struct subnet *s)
{
    bool lease = has_key(said, "lease"), min = has_key(said, "min_lease");
    if (!has_key(said, "max_lease"))
        s->max_lease_s = most(s->max_lease_s, most(lease ? s->lease_s : 0, min ? s->min_lease_s : 0));
    if (!min)
        s->min_lease_s = least(s->min_lease_s, lease ? least(s->lease_s, s->max_lease_s) : s->max_lease_s);
    if (!lease)
        s->lease_s = most(s->min_lease_s, least(s->lease_s, s->max_lease_s));
    /* RFC 2131 §4.4.5: the one before the other, and both before the end. */
    if (!has_key(said, "rebind") && s->renew.thousandths >= s->rebind.thousandths)
        s->rebind.thousandths = (s->renew.thousandths + 1000) / 2;
    if (!has_key(said, "renew") && s->rebind.thousandths && s->rebind.thousandths <= s->renew.thousandths)
        s->renew.thousandths = most(s->rebind.thousandths * 4 / 7, 1);
}

/* Who answers. */

static const char *const unknown_words[] = {[UNKNOWN_DENY] = "deny",
                                            [UNKNOWN_ALLOW] = "allow",
                                            [UNKNOWN_DISCOVER] = "discover",
                                            [UNKNOWN_DISCOVER + 1] = NULL};
static const struct type type_unknown = {.what = "way to treat unknown machines",
                                         .expected = "deny, allow or discover",
                                         .parse = parse_word,
                                         .size = sizeof(enum unknown_policy),
                                         .words = unknown_words};
static const char *const mode_words[] = {
    [DHCP_FULL] = "full", [DHCP_PROXY] = "proxy", [DHCP_PROXY + 1] = NULL};
static const struct type type_mode = {.what = "way to do DHCP",
                                      .expected =
                                          "full (rambox gives the addresses) or proxy (another server does)",
                                      .parse = parse_word,
                                      .size = sizeof(enum dhcp_mode),
                                      .words = mode_words};

/* P7: who only says what to boot gives no addresses, no times and no options. */
static void warn_idle(struct mapper *m, const struct yaml_node *said, const struct subnet *subnet)
{
    static const char *const idle[] = {
        "pools",  "dns",     "ntp",    "domain",     "lease", "min_lease", "max_lease", "renew",
        "rebind", "options", "routes", "dns_search", "bootp", "probe",     "ipv6_only", "discovery_lease"};
    cleanup_str struct str keys = {0};
    struct pos pos = marks_find(m->marks, &subnet->pos, "dhcp", 0);
    if (subnet->mode != DHCP_PROXY)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
        if (has_key(said, idle[i]))
            str_printf(&keys, "%s%s", keys.len ? ", " : "", idle[i]);
    if (keys.len)
        diag_warning(m->diags, &pos,
                     "with dhcp: proxy another server gives addresses and options; without effect "
                     "in subnet %s: %s",
                     subnet->name, str_text(&keys));
}

/* What has a key of its own is not an option too. */
static int refuse_doubles(struct mapper *m, const struct subnet *subnet)
{
    static const struct {
        uint8_t code;
        const char *key;
    } own[] = {{DHCP_ROUTER, "router"}, {DHCP_DNS, "dns"}, {DHCP_NTP, "ntp"}, {DHCP_DOMAIN_NAME, "domain"}};
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        const struct option_value *value = option_values_find(&subnet->options, own[i].code);
        if (value)
            r = map_error(m, &value->pos, "option %s (%u) of a subnet is its key \"%s\"; say it there",
                          dhcp_option_by_code(own[i].code).name, own[i].code, own[i].key);
    }
    return r;
}

static int read_subnet(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *user)
{
    static const struct field fields[] = {
        FIELD("prefix", type_prefix, struct subnet, prefix, .required = true),
        FIELD("interface", type_interface, struct subnet, interface),
        FIELD("relays", type_ipv4, struct subnet, relays, .list = true),
        FIELD("dhcp", type_mode, struct subnet, mode),
        FIELD("router", type_ipv4, struct subnet, router),
        {.key = "pools", .read = read_pools},
        FIELD("dns", type_ipv4, struct subnet, dns, .list = true),
        FIELD("ntp", type_ipv4, struct subnet, ntp, .list = true),
        FIELD("domain", type_text, struct subnet, domain),
        FIELD_READ("mtu", read_mtu, struct subnet, options),
        FIELD_READ("routes", read_routes, struct subnet, options),
        FIELD_READ("dns_search", read_dns_search, struct subnet, options),
        FIELD_READ("options", read_options, struct subnet, options),
        FIELD("lease", type_seconds, struct subnet, lease_s),
        FIELD("min_lease", type_seconds, struct subnet, min_lease_s),
        FIELD("max_lease", type_seconds, struct subnet, max_lease_s),
        FIELD("renew", type_lease_span, struct subnet, renew),
        FIELD("rebind", type_lease_span, struct subnet, rebind),
        FIELD("bootp", type_bool, struct subnet, bootp),
        FIELD("probe", type_bool, struct subnet, probe),
        FIELD("ipv6_only", type_v6_wait, struct subnet, ipv6_only_s),
        FIELD("unknown", type_unknown, struct subnet, unknown),
        FIELD("unknown_profile", type_label, struct subnet, unknown_profile),
        FIELD("discovery_lease", type_seconds, struct subnet, discovery_lease_s),
        {0},
    };
    struct site *site = user;
    struct subnet *subnet = VEC_ADD(&site->subnets);
    cleanup_free char *what = xasprintf("subnet %s", key->text);
    *subnet = subnet_new(xstrdup(key->text));
    subnet->pos = key->pos;
    int r = map_fields(m, value, fields, what, &subnet->pos, subnet);
    if (refuse_doubles(m, subnet) < 0)
        r = -EINVAL;
    /* RFC 3442: who understands routes ignores the router, so it must be among them. */
    if (has_key(value, "routes") && subnet->router &&
        add_default_route(m, &subnet->options, subnet->router) < 0)
        r = -EINVAL;
    settle_leases(value, subnet);
    warn_idle(m, value, subnet);
    return r;
}

int read_subnets(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value, void *object)
{
    return map_names(m, value, key->text, read_subnet, object);
}
