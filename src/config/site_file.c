/* rambox.yaml: the server, the subnets, the profiles. */
#include "base/str.h"
#include "config/documents.h"

#include <errno.h>

enum { PXE_PORT = 4011 };

static const struct type type_blksize = {.what = "block size",
                                         .expected = "bytes from 512 to 65464",
                                         .parse = parse_number16,
                                         .size = sizeof(uint16_t),
                                         .min = 512,
                                         .max = 65464};
static const struct type type_window = {.what = "window size",
                                        .expected = "blocks from 1 to 64",
                                        .parse = parse_number16,
                                        .size = sizeof(uint16_t),
                                        .min = 1,
                                        .max = 64};
static const struct type type_count = {.what = "count",
                                       .expected = "a number from 1 to 1000000",
                                       .parse = parse_number32,
                                       .size = sizeof(uint32_t),
                                       .min = 1,
                                       .max = 1000000};
static const struct type type_rate = {.what = "rate",
                                      .expected = "a number per second from 0 (no limit) to 1000000",
                                      .parse = parse_number32,
                                      .size = sizeof(uint32_t),
                                      .max = 1000000};

static int read_tftp(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct field fields[] = {
        FIELD("port", type_port, struct server_settings, tftp_port),
        FIELD("per_source", type_count, struct server_settings, tftp_per_source),
        FIELD("new_per_second", type_rate, struct server_settings, tftp_cps),
        FIELD("pause", type_seconds, struct server_settings, tftp_pause_s),
        FIELD("max_blksize", type_blksize, struct server_settings, tftp_max_blksize),
        FIELD("max_windowsize", type_window, struct server_settings, tftp_max_window),
        {0},
    };
    return map_fields(m, value, fields, "tftp", &key->pos, object);
}

static int read_http(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct field fields[] = {
        FIELD("port", type_port, struct server_settings, http_port),
        {0},
    };
    return map_fields(m, value, fields, "http", &key->pos, object);
}

static int read_server(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *object)
{
    static const struct field fields[] = {
        FIELD("interfaces", type_interface, struct server_settings, interfaces, .list = true),
        FIELD("dhcp_port", type_port, struct server_settings, dhcp_port),
        {.key = "tftp", .read = read_tftp},
        {.key = "http", .read = read_http},
        FIELD("router_advertisement", type_bool, struct server_settings, router_advert),
        FIELD("state", type_folder, struct server_settings, state_dir),
        FIELD("cache", type_folder, struct server_settings, cache_dir),
        FIELD("loaders", type_folder, struct server_settings, loader_dir),
        {0},
    };
    struct server_settings *server = &((struct site *)object)->server;
    int r = map_fields(m, value, fields, "server", &key->pos, server);
    if (server->dhcp_port == server->tftp_port)
        r = map_error(m, &key->pos, "DHCP and TFTP cannot share the UDP port %u; give one of them another",
                      server->dhcp_port);
    if (server->dhcp_port == PXE_PORT || server->tftp_port == PXE_PORT)
        r = map_error(m, &key->pos, "the UDP port %d is where PXE firmware asks; give %s another", PXE_PORT,
                      server->dhcp_port == PXE_PORT ? "DHCP" : "TFTP");
    return r;
}

/* `FIRST-LAST`. */
static int parse_pool(const struct type *type, const char *text, void *target)
{
    const char *dash = strchr(text, '-');
    struct pool pool = {0};
    (void)type;
    if (!dash)
        return -EINVAL;
    cleanup_free char *first = xstrndup(text, (size_t)(dash - text));
    if (ipv4_parse(first, &pool.first) < 0 || ipv4_parse(dash + 1, &pool.last) < 0 || pool.first > pool.last)
        return -EINVAL;
    memcpy(target, &pool, sizeof(pool));
    return 0;
}

static const struct type type_pool = {
    .what = "pool",
    .expected = "the first and the last address, the lower one first, like 192.168.7.100-192.168.7.199",
    .parse = parse_pool,
    .size = sizeof(struct pool)};

static const char *const unknown_words[] = {
    [UNKNOWN_DENY] = "deny", [UNKNOWN_ALLOW] = "allow", [UNKNOWN_ALLOW + 1] = NULL};
static const struct type type_unknown = {.what = "way to treat unknown machines",
                                         .expected = "deny or allow",
                                         .parse = parse_word,
                                         .size = sizeof(enum unknown_policy),
                                         .words = unknown_words};

static bool has_key(const struct yaml_node *node, const char *key)
{
    for (size_t i = 0; node->kind == YAML_MAPPING && i + 1 < node->items.n; i += 2)
        if (str_eq(node->items.items[i]->text, key))
            return true;
    return false;
}

static int read_subnet(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                       void *user)
{
    static const struct field fields[] = {
        FIELD("prefix", type_prefix, struct subnet, prefix, .required = true),
        FIELD("interface", type_interface, struct subnet, interface),
        FIELD("router", type_ipv4, struct subnet, router),
        FIELD("pools", type_pool, struct subnet, pools, .list = true),
        FIELD("dns", type_ipv4, struct subnet, dns, .list = true),
        FIELD("ntp", type_ipv4, struct subnet, ntp, .list = true),
        FIELD("domain", type_text, struct subnet, domain),
        FIELD("lease", type_seconds, struct subnet, lease_s),
        FIELD("max_lease", type_seconds, struct subnet, max_lease_s),
        FIELD("unknown", type_unknown, struct subnet, unknown),
        FIELD("unknown_profile", type_label, struct subnet, unknown_profile),
        {0},
    };
    struct site *site = user;
    struct subnet *subnet = VEC_ADD(&site->subnets);
    cleanup_free char *what = xasprintf("subnet %s", key->text);
    *subnet = subnet_new(xstrdup(key->text));
    subnet->pos = key->pos;
    int r = map_fields(m, value, fields, what, &subnet->pos, subnet);
    /* One of the two said alone moves the other, as far as it must. */
    if (!has_key(value, "max_lease") && subnet->max_lease_s < subnet->lease_s)
        subnet->max_lease_s = subnet->lease_s;
    if (!has_key(value, "lease") && subnet->lease_s > subnet->max_lease_s)
        subnet->lease_s = subnet->max_lease_s;
    return r;
}

static const char *const ip_words[] = {
    [IP_STATIC] = "static", [IP_DHCP] = "dhcp", [IP_NONE] = "none", [IP_NONE + 1] = NULL};
static const struct type type_ip_mode = {.what = "way to get an address",
                                         .expected = "static, dhcp or none",
                                         .parse = parse_word,
                                         .size = sizeof(enum ip_mode),
                                         .words = ip_words};

/* H21..H24: `ram`, `shell`, or what stands behind root=. */
static int read_root(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                     void *object)
{
    static const struct type type_root = {
        .what = "root",
        .expected = "ram, shell, or what the kernel's root= takes, like \"/dev/vda rootfstype=ext4\"",
        .parse = parse_text,
        .size = sizeof(char *)};
    struct profile *profile = object;
    cleanup_free char *text = NULL;
    int r = map_value(m, key->text, &type_root, value, &text);
    if (r < 0)
        return r;
    if (text[0] == '\0' || text[0] == ' ')
        return map_error(m, &value->pos, "\"root\" is empty; expected %s", type_root.expected);
    profile->root_mode = str_eq(text, "ram") ? ROOT_RAM : str_eq(text, "shell") ? ROOT_SHELL : ROOT_OTHER;
    if (profile->root_mode == ROOT_OTHER)
        profile->root = TAKE_PTR(text);
    return 0;
}

static int parse_console(const struct type *type, const char *text, void *target)
{
    return text[0] && !strchr(text, ' ') ? parse_text(type, text, target) : -EINVAL;
}

static const struct type type_console = {.what = "console",
                                         .expected = "what the kernel's console= takes, like ttyS0,115200",
                                         .parse = parse_console,
                                         .size = sizeof(char *)};

static int read_profile(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *user)
{
    static const struct field fields[] = {
        FIELD("kernel", type_label, struct profile, kernel, .required = true),
        FIELD("image", type_label, struct profile, image),
        FIELD("console", type_console, struct profile, console),
        FIELD("ip", type_ip_mode, struct profile, ip),
        {.key = "root", .read = read_root},
        FIELD("cmdline", type_text, struct profile, cmdline),
        FIELD("memory", type_size, struct profile, memory),
        {0},
    };
    struct site *site = user;
    struct profile *profile = VEC_ADD(&site->profiles);
    cleanup_free char *what = xasprintf("profile %s", key->text);
    profile->name = xstrdup(key->text);
    profile->cmdline = xstrdup("");
    profile->pos = key->pos;
    return map_fields(m, value, fields, what, &profile->pos, profile);
}

static int read_subnets(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                        void *object)
{
    return map_names(m, value, key->text, read_subnet, object);
}

static int read_profiles(struct mapper *m, const struct yaml_node *key, const struct yaml_node *value,
                         void *object)
{
    return map_names(m, value, key->text, read_profile, object);
}

int read_main(struct mapper *m, const struct yaml_node *root, struct site *site)
{
    static const struct field fields[] = {
        {.key = "server", .read = read_server},
        {.key = "subnets", .read = read_subnets, .required = true, .expected = "at least one subnet"},
        {.key = "profiles", .read = read_profiles, .required = true, .expected = "at least one profile"},
        {0},
    };
    return map_fields(m, root, fields, "rambox.yaml", &root->pos, site);
}
