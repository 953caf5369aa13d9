/* See publish/describe.h. */
#include "publish/describe.h"
#include "base/str.h"
#include "proto/dhcp_identity.h"
#include "proto/dhcp_options.h"
#include "proto/pxe.h"

#include <inttypes.h>
#include <stdlib.h>

enum rank {
    RANK_SERVER,
    RANK_CLASS,
    RANK_SUBNET,
    RANK_PROFILE,
    RANK_NODE,
    RANK_KERNEL,
    RANK_IMAGE,
    RANK_UNIFIED,
    RANK_MODULES,
};

void things_clear(struct things *things)
{
    VEC_EACH(thing, &things->list) {
        VEC_EACH(fact, &thing->facts) {
            free(fact->key);
            free(fact->text);
        }
        VEC_FREE(&thing->facts);
        free(thing->name);
    }
    VEC_FREE(&things->list);
}

static struct thing *add_thing(struct things *things, enum rank rank, const char *name)
{
    static const char *const kinds[] = {
        [RANK_SERVER] = "server",   [RANK_CLASS] = "class",     [RANK_SUBNET] = "subnet",
        [RANK_PROFILE] = "profile", [RANK_NODE] = "node",       [RANK_KERNEL] = "kernel",
        [RANK_IMAGE] = "image",     [RANK_UNIFIED] = "unified", [RANK_MODULES] = "modules"};
    struct thing *thing = VEC_ADD(&things->list);
    thing->rank = rank;
    thing->kind = kinds[rank];
    thing->name = xstrdup(name);
    return thing;
}

/* A fact with a text of its own; NULL and "" are left out. */
static void add_text(struct thing *thing, const char *key, const char *text)
{
    if (text && text[0])
        *VEC_ADD(&thing->facts) = (struct fact){.key = xstrdup(key), .text = xstrdup(text)};
}

PRINTF(3, 4) static void add(struct thing *thing, const char *key, const char *fmt, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    *VEC_ADD(&thing->facts) = (struct fact){.key = xstrdup(key), .text = str_steal(&text)};
}

static void add_address(struct thing *thing, const char *key, ipv4_t address)
{
    char text[IPV4_TEXT_MAX];
    if (address)
        add_text(thing, key, ipv4_format(address, text));
}

static void add_addresses(struct thing *thing, const char *key, const ipv4_t *addresses, size_t n)
{
    cleanup_str struct str text = {0};
    char one[IPV4_TEXT_MAX];
    for (size_t i = 0; i < n; i++)
        str_printf(&text, "%s%s", i ? " " : "", ipv4_format(addresses[i], one));
    add_text(thing, key, str_text(&text));
}

/* A fact for each option: `option interface-mtu 9000`. */
static void add_options(struct thing *thing, const struct option_values *options)
{
    VEC_EACH(option, &options->list) {
        const char *name = dhcp_option_by_code(option->code).name;
        cleanup_free char *key = name ? xasprintf("option %s", name) : xasprintf("option %u", option->code);
        cleanup_free char *value = dhcp_option_format(option->code, option->data, option->size);
        add(thing, key, "%s%s", value, option->always ? " (always)" : "");
    }
}

static void add_patterns(struct thing *thing, const char *key, const struct glob *globs, size_t n)
{
    cleanup_str struct str text = {0};
    for (size_t i = 0; i < n; i++) {
        str_add(&text, i ? " " : "");
        glob_format(&globs[i], &text);
    }
    add_text(thing, key, str_text(&text));
}

/* `place` counts from 1: of two classes that a client is in, the earlier one wins. */
static void describe_class(const struct client_class *class, size_t place, struct things *things)
{
    static const char *const fields[CLASS_FIELDS] = {
        [CLASS_VENDOR_CLASS] = "vendor_class", [CLASS_USER_CLASS] = "user_class",
        [CLASS_HOST_NAME] = "host_name",       [CLASS_CIRCUIT_ID] = "circuit_id",
        [CLASS_REMOTE_ID] = "remote_id",       [CLASS_MAC] = "mac"};
    struct thing *thing = add_thing(things, RANK_CLASS, class->name);
    cleanup_str struct str archs = {0};
    add(thing, "place", "%zu", place);
    for (size_t field = 0; field < CLASS_FIELDS; field++)
        add_patterns(thing, fields[field], class->match[field].items, class->match[field].n);
    VEC_EACH(arch, &class->archs) {
        const char *name = pxe_arch_name(*arch);
        str_printf(&archs, "%s%u%s%s%s", archs.len ? " " : "", *arch, name ? " (" : "", name ? name : "",
                   name ? ")" : "");
    }
    add_text(thing, "arch", str_text(&archs));
    add_text(thing, "profile", class->profile);
    add_text(thing, "boot_file", class->boot_file);
    add_options(thing, &class->options);
}

static void describe_server(const struct site *site, struct things *things)
{
    const struct server_settings *server = &site->server;
    struct thing *thing = add_thing(things, RANK_SERVER, "");
    cleanup_str struct str interfaces = {0};
    VEC_EACH(interface, &server->interfaces)
        str_printf(&interfaces, "%s%s", interfaces.len ? " " : "", *interface);
    add_text(thing, "interfaces", str_text(&interfaces));
    add(thing, "dhcp_port", "%u", server->dhcp_port);
    add(thing, "tftp port", "%u", server->tftp_port);
    add(thing, "tftp per_source", "%u", server->tftp_per_source);
    add(thing, "tftp new_per_second", "%u", server->tftp_cps);
    add(thing, "tftp pause", "%u s", server->tftp_pause_s);
    add(thing, "tftp max_blksize", "%u", server->tftp_max_blksize);
    add(thing, "tftp max_windowsize", "%u", server->tftp_max_window);
    add(thing, "tftp rollover", "%u", server->tftp_rollover);
    add(thing, "tftp port_per_transfer", "%s", server->tftp_own_ports ? "yes" : "no");
    if (server->tftp_workers)
        add(thing, "tftp workers", "%u", server->tftp_workers);
    add(thing, "http port", "%u", server->http_port);
    add(thing, "http connections", "%u", server->http.connections);
    add(thing, "http per_source", "%u", server->http.per_source);
    add(thing, "http downloads", "%u", server->http.downloads);
    add(thing, "http downloads_per_source", "%u", server->http.downloads_per_source);
    if (server->https_port)
        add(thing, "http tls port", "%u", server->https_port);
    if (server->tls_boot)
        add(thing, "http tls boot", "yes");
    add_text(thing, "http tls certificate", server->tls_certificate);
    add_text(thing, "http tls key", server->tls_key);
    add(thing, "router_advertisement", "%s", server->router_advert ? "yes" : "no");
    add_text(thing, "user", server->user);
    add_text(thing, "loaders", server->loader_dir);
    add_text(thing, "stub", server->efi_stub);
    add_text(thing, "secure_boot certificate", site->secure_boot.certificate);
    add_text(thing, "secure_boot key", site->secure_boot.key);
    add_options(thing, &site->options);
}

static void add_span(struct thing *thing, const char *key, const struct lease_span *span)
{
    if (!span->thousandths)
        add(thing, key, "%u s", span->seconds);
    else if (span->thousandths % 10)
        add(thing, key, "%u.%u%%", span->thousandths / 10, span->thousandths % 10);
    else
        add(thing, key, "%u%%", span->thousandths / 10);
}

static void describe_subnet(const struct subnet *subnet, struct things *things)
{
    static const char *const unknown[] = {
        [UNKNOWN_DENY] = "deny", [UNKNOWN_ALLOW] = "allow", [UNKNOWN_DISCOVER] = "discover"};
    struct thing *thing = add_thing(things, RANK_SUBNET, subnet->name);
    cleanup_str struct str pools = {0};
    char prefix[PREFIX_TEXT_MAX], first[IPV4_TEXT_MAX], last[IPV4_TEXT_MAX];
    VEC_EACH(pool, &subnet->pools)
        str_printf(&pools, "%s%s-%s%s%s%s", pools.len ? " " : "", ipv4_format(pool->first, first),
                   ipv4_format(pool->last, last), pool->class ? " (class " : "",
                   pool->class ? pool->class : "", pool->class ? ")" : "");
    add_text(thing, "prefix", prefix_format(&subnet->prefix, prefix));
    add_text(thing, "interface", subnet->interface);
    add_addresses(thing, "relays", subnet->relays.items, subnet->relays.n);
    add_text(thing, "dhcp", subnet->mode == DHCP_PROXY ? "proxy" : "full");
    add_address(thing, "router", subnet->router);
    add_text(thing, "pools", str_text(&pools));
    add_addresses(thing, "dns", subnet->dns.items, subnet->dns.n);
    add_addresses(thing, "ntp", subnet->ntp.items, subnet->ntp.n);
    add_text(thing, "domain", subnet->domain);
    add(thing, "lease", "%u s", subnet->lease_s);
    add(thing, "min_lease", "%u s", subnet->min_lease_s);
    add(thing, "max_lease", "%u s", subnet->max_lease_s);
    add_span(thing, "renew", &subnet->renew);
    add_span(thing, "rebind", &subnet->rebind);
    add_text(thing, "bootp", subnet->bootp ? "yes" : "no");
    add_text(thing, "probe", subnet->probe ? "yes" : "no");
    if (subnet->ipv6_only_s)
        add(thing, "ipv6_only", "%u s", subnet->ipv6_only_s);
    add_text(thing, "unknown", unknown[subnet->unknown]);
    add_text(thing, "unknown_profile", subnet->unknown_profile);
    if (subnet->unknown == UNKNOWN_DISCOVER)
        add(thing, "discovery_lease", "%u s", subnet->discovery_lease_s);
    add_options(thing, &subnet->options);
}

static void describe_profile(const struct profile *profile, struct things *things)
{
    static const char *const ip[] = {[IP_STATIC] = "static", [IP_DHCP] = "dhcp", [IP_NONE] = "none"};
    struct thing *thing = add_thing(things, RANK_PROFILE, profile->name);
    add_text(thing, "kernel", profile->fitted ? KERNEL_FITTED : profile->kernel);
    if (profile->fitted) {
        add_text(thing, "discovery", profile->kernel);
        add(thing, "ready_within", "%u s", profile->ready_within_s);
    }
    add_text(thing, "image", profile->image);
    cleanup_str struct str archs = {0};
    for (enum cpu_arch arch = 0; arch < ARCHS; arch++)
        if (arch_in(profile_archs(profile), arch))
            str_printf(&archs, "%s%s", archs.len ? " " : "", arch_name(arch));
    if (profile_archs(profile) != 1 << ARCH_X86_64)
        add_text(thing, "arch", str_text(&archs));
    add_text(thing, "console", profile->console);
    add_text(thing, "ip", ip[profile->ip]);
    add_text(thing, "root",
             profile->root_mode == ROOT_RAM     ? "ram"
             : profile->root_mode == ROOT_SHELL ? "shell"
                                                : profile->root);
    add_text(thing, "cmdline", profile->cmdline);
    if (profile->loader != LOADER_AUTO)
        add_text(thing, "loader", loader_name(profile->loader));
    add_text(thing, "boot_file", profile->boot_file);
    if (profile->menu.shown)
        add(thing, "menu", "%zu entries, time-out %" PRIu32 " s", profile->menu.entries.n,
            profile->menu.timeout_s);
    VEC_EACH(entry, &profile->menu.entries)
        add(thing, "menu entry", "%s: %s", entry->title,
            entry->profile ? entry->profile
            : entry->file  ? entry->file
                           : "local disk");
    add_text(thing, "unified", profile->unified ? "yes" : NULL);
    add_options(thing, &profile->options);
    if (profile->memory)
        add(thing, "memory", "%" PRIu64 " bytes", profile->memory);
}

/* `classes_say`: some class has a profile, for machines that name none. */
static void describe_node(const struct node *node, bool classes_say, struct things *things)
{
    struct thing *thing = add_thing(things, RANK_NODE, node->name);
    char mac[MAC_TEXT_MAX], guid[GUID_TEXT_MAX], uuid[UUID_TEXT_MAX], id[3 * CLIENT_ID_MAX];
    add_text(thing, "mac", mac_format(&node->mac, mac));
    add_text(thing, "guid", node->has_guid ? guid_format(&node->guid, guid) : NULL);
    if (node->client_id)
        add_text(thing, "client_id", client_id_format(node->client_id, node->client_id_size, id, sizeof(id)));
    add_address(thing, "ip", node->ip);
    add(thing, "profile", "%s%s", node->profile,
        node->has_profile || !classes_say ? "" : " (unless a class says another)");
    if (node->has_uuid)
        add_text(thing, "uuid", uuid_format(node->uuid, uuid));
    add_text(thing, "cmdline", node->cmdline);
    add_options(thing, &node->options);
}

static int compare_things(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : strcmp(x->name, y->name);
}

void things_of(const struct site *site, const struct generation_artifact *artifacts, size_t n,
               struct things *ret_things)
{
    static const enum rank ranks[] = {
        [ARTIFACT_KERNEL] = RANK_KERNEL,
        [ARTIFACT_IMAGE] = RANK_IMAGE,
        [ARTIFACT_UNIFIED] = RANK_UNIFIED,
        [ARTIFACT_MODULES] = RANK_MODULES,
    };
    *ret_things = (struct things){0};
    describe_server(site, ret_things);
    for (size_t i = 0; i < site->classes.n; i++)
        describe_class(&site->classes.items[i], i + 1, ret_things);
    VEC_EACH(subnet, &site->subnets)
        describe_subnet(subnet, ret_things);
    VEC_EACH(profile, &site->profiles)
        describe_profile(profile, ret_things);
    bool classes_say = false;
    VEC_EACH(class, &site->classes)
        classes_say |= class->profile != NULL;
    VEC_EACH(node, &site->nodes)
        describe_node(node, classes_say, ret_things);
    for (size_t i = 0; i < n; i++)
        add_thing(ret_things, ranks[artifacts[i].kind], artifacts[i].name)->artifact = &artifacts[i];
    qsort(ret_things->list.items, ret_things->list.n, sizeof(*ret_things->list.items), compare_things);
}

/* Comparing. */

static void add_artifact(struct str *out, const struct generation_artifact *artifact)
{
    char hex[DIGEST_TEXT_MAX], size[SIZE_TEXT_MAX];
    if (artifact->size)
        str_printf(out, ": %.12s (%s)", digest_format(&artifact->digest, hex),
                   format_size(artifact->size, size));
    else
        str_add(out, ": not built");
}

/* `+ node n2: mac ..., ip ...`. */
static void add_line(struct str *out, char sign, const struct thing *thing)
{
    str_printf(out, "%c %s%s%s", sign, thing->kind, thing->name[0] ? " " : "", thing->name);
    if (thing->artifact)
        add_artifact(out, thing->artifact);
    for (size_t i = 0; i < thing->facts.n; i++)
        str_printf(out, "%s%s %s", i ? ", " : ": ", thing->facts.items[i].key, thing->facts.items[i].text);
    str_add(out, "\n");
}

static const char *fact_of(const struct thing *thing, const char *key)
{
    VEC_EACH(fact, &thing->facts)
        if (str_eq(fact->key, key))
            return fact->text;
    return NULL;
}

static void add_change(struct str *changes, const char *key, const char *from, const char *to)
{
    if (!str_eq(from, to))
        str_printf(changes, "%s%s %s -> %s", changes->len ? ", " : "", key, from ? from : "(none)",
                   to ? to : "(none)");
}

static void compare_artifacts(struct str *changes, const struct generation_artifact *from,
                              const struct generation_artifact *to)
{
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX], size_a[SIZE_TEXT_MAX], size_b[SIZE_TEXT_MAX];
    if (digest_equal(&from->digest, &to->digest))
        return;
    if (!to->size)
        str_printf(changes, "%.12s -> not built", digest_format(&from->digest, a));
    else
        str_printf(changes, "%.12s -> %.12s (%s -> %s)", digest_format(&from->digest, a),
                   digest_format(&to->digest, b), format_size(from->size, size_a),
                   format_size(to->size, size_b));
}

static void compare(struct str *out, const struct thing *from, const struct thing *to)
{
    cleanup_str struct str changes = {0};
    if (from->artifact && to->artifact)
        compare_artifacts(&changes, from->artifact, to->artifact);
    VEC_EACH(fact, &from->facts)
        add_change(&changes, fact->key, fact->text, fact_of(to, fact->key));
    VEC_EACH(fact, &to->facts)
        if (!fact_of(from, fact->key))
            add_change(&changes, fact->key, NULL, fact->text);
    if (changes.len)
        str_printf(out, "~ %s%s%s: %s\n", to->kind, to->name[0] ? " " : "", to->name, str_text(&changes));
}

char *things_diff(const struct things *from, const struct things *to)
{
    struct str out = {0};
    size_t i = 0, j = 0;
    while (i < from->list.n || j < to->list.n) {
        const struct thing *a = &from->list.items[i], *b = &to->list.items[j];
        int order = i == from->list.n ? 1 : j == to->list.n ? -1 : compare_things(a, b);
        if (order < 0)
            add_line(&out, '-', a);
        else if (order > 0)
            add_line(&out, '+', b);
        else
            compare(&out, a, b);
        i += order <= 0;
        j += order >= 0;
    }
    return str_steal(&out);
}
