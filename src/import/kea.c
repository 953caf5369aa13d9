/* Kea: the reservations of Dhcp4, global, of subnets and of subnets in shared networks; also a file that
 * holds nothing but reservations. */
#include "import/json.h"

#include <errno.h>

struct kea {
    struct input *s;
    const struct json *json;
};

/* What else stands in Dhcp4. */
static const struct advice advice[] = {
    {"client-classes", "write them as `classes` of rambox.yaml"},
    {"boot-file-name",
     "rambox sends the boot file for a machine's architecture; what it boots is its profile"},
    {"hosts-database", "reservations in a database are not read; write them out as JSON first"},
    {"hosts-databases", "reservations in databases are not read; write them out as JSON first"},
    {"hooks-libraries", "rambox has none"},
    {"next-server", "rambox is the boot server itself"},
    {"option-data", ADVICE_OPTIONS},
    {"pools", "write them as `pools` of the subnet in rambox.yaml"},
    {"subnet", "write it as `prefix` of a subnet in rambox.yaml"},
    {"valid-lifetime", "a subnet of rambox.yaml has `lease`"},
    {"max-valid-lifetime", "a subnet of rambox.yaml has `max_lease`"},
    {0},
};

/* The members of a reservation. */

/* Hexadecimal with or without colons, or text in single quotes. The number of bytes, or -EINVAL. */
static int identifier_bytes(const char *text, uint8_t bytes[static CLIENT_ID_MAX])
{
    size_t n = strlen(text);
    if (n >= 2 && text[0] == '\'' && text[n - 1] == '\'' && n - 2 <= CLIENT_ID_MAX) {
        memcpy(bytes, text + 1, n - 2);
        return (int)(n - 2);
    }
    if (str_starts(text, "0x"))
        text += 2;
    return hex_bytes(text, bytes, CLIENT_ID_MAX);
}

static void take_hw_address(struct kea *k, const struct pos *at, const char *text, struct import_host *host)
{
    host->has_mac = take_mac(k->s, at, text, &host->mac) == 0;
}

static void take_id(struct kea *k, const struct pos *at, const char *text, struct import_host *host)
{
    uint8_t id[CLIENT_ID_MAX];
    int n = identifier_bytes(text, id);
    take_client_id(k->s, at, id, n < 0 ? 0 : (size_t)n, host);
}

/* RFC 8415 §11.2, §11.4: types 1 (with a time) and 3 hold a MAC address, of one of the machine's cards. */
static void take_duid(struct kea *k, const struct pos *at, const char *text, struct import_host *host)
{
    uint8_t id[CLIENT_ID_MAX];
    struct mac mac;
    char shown[MAC_TEXT_MAX];
    int n = identifier_bytes(text, id);
    size_t offset = n == 14 && id[1] == 1 ? 8 : n == 10 && id[1] == 3 ? 4 : 0;
    (void)host;
    if (!offset || id[0] || id[2] || id[3] != 1) {
        input_lost(k->s, at, "the DUID is not taken over: rambox knows a node by its MAC address");
        return;
    }
    memcpy(mac.b, id + offset, sizeof(mac.b));
    input_lost(
        k->s, at,
        "the DUID is not taken over: rambox knows a node by its MAC address, which may be the %s in it",
        mac_format(&mac, shown));
}

static void take_ip_address(struct kea *k, const struct pos *at, const char *text, struct import_host *host)
{
    char shown[SHOWN_MAX];
    if (text[0] && ipv4_parse(text, &host->ip) < 0)
        input_lost(k->s, at, "\"%s\" is no IPv4 address; not taken over", show_text(text, shown));
}

static void take_hostname(struct kea *k, const struct pos *at, const char *text, struct import_host *host)
{
    (void)k;
    (void)at;
    if (text[0] == '\0')
        return;
    free(host->name);
    host->name = xstrdup(text);
}

/* Members that are often there and empty are not worth a word then. */
static const struct {
    const char *key;
    void (*take)(struct kea *k, const struct pos *at, const char *text, struct import_host *host);
    const char *instead; /* without `take`; NULL: nothing is lost */
} members[] = {
    {"hw-address", take_hw_address, NULL},
    {"client-id", take_id, NULL},
    {"duid", take_duid, NULL},
    {"ip-address", take_ip_address, NULL},
    {"hostname", take_hostname, NULL},
    {"circuit-id", NULL,
     "rambox knows a node by its MAC address; by the port it is plugged into only a class of rambox.yaml "
     "goes"},
    {"flex-id", NULL, "rambox knows a node by its MAC address"},
    {"boot-file-name", NULL,
     "rambox sends the boot file for a machine's architecture; what it boots is its profile"},
    {"next-server", NULL, "rambox is the boot server itself"},
    {"server-hostname", NULL, "rambox is the boot server itself"},
    {"client-classes", NULL,
     "a class of rambox.yaml goes by what a machine sends; name what this one boots with --profile"},
    {"option-data", NULL, "write it as `options:` into the node's file"},
    {"ip-addresses", NULL, "rambox gives out IPv4 addresses"},
    {"prefixes", NULL, "rambox gives out IPv4 addresses"},
    {"user-context", NULL, NULL},
    {"comment", NULL, NULL},
};

static bool is_empty(const struct json *json, size_t value)
{
    const char *text = json_text(json, value);
    return text ? text[0] == '\0' || str_eq(text, "0.0.0.0") : json->values.items[value].next == value + 1;
}

static void read_member(struct kea *k, size_t key, size_t value, struct import_host *host)
{
    const char *name = json_text(k->json, key), *text = json_text(k->json, value);
    struct pos key_pos = json_pos(k->s, k->json, key), pos = json_pos(k->s, k->json, value);
    char shown[SHOWN_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (!str_eq(members[i].key, name))
            continue;
        if (members[i].take && text)
            members[i].take(k, &pos, text, host);
        else if (members[i].take)
            input_lost(k->s, &pos, "%s is no string; not taken over", name);
        else if (members[i].instead && !is_empty(k->json, value))
            input_lost(k->s, &key_pos, "%s is not taken over: %s", name, members[i].instead);
        return;
    }
    input_lost(k->s, &key_pos, "%s is not taken over", show_text(name, shown));
}

static void read_reservation(struct kea *k, size_t object)
{
    struct import_host host = {.pos = json_pos(k->s, k->json, object)};
    if (k->json->values.items[object].kind != JSON_VALUE_OBJECT) {
        input_lost(k->s, &host.pos, "this is no reservation (an object in braces); not taken over");
        return;
    }
    JSON_EACH(key, k->json, object)
    {
        size_t value = k->json->values.items[key].next;
        read_member(k, key, value, &host);
        key = value;
    }
    if (host.has_mac) {
        *input_add(k->s, &host.pos) = host;
        return;
    }
    if (!json_member(k->json, object, "hw-address")) /* else what is wrong with it was said */
        say_without_mac(k->s, &host.pos, "this reservation has no hw-address", &host);
    host_clear(&host);
}

/* Where reservations are. */

static void read_reservations(struct kea *k, size_t object)
{
    size_t list = json_member(k->json, object, "reservations");
    if (list && k->json->values.items[list].kind == JSON_VALUE_ARRAY)
        JSON_EACH(it, k->json, list)
    read_reservation(k, it);
}

static void give_advice(struct kea *k, size_t object)
{
    if (k->json->values.items[object].kind != JSON_VALUE_OBJECT)
        return;
    JSON_EACH(key, k->json, object)
    {
        struct pos pos = json_pos(k->s, k->json, key);
        size_t value = k->json->values.items[key].next;
        if (!is_empty(k->json, value))
            input_advise(k->s, advice, json_text(k->json, key), &pos);
        key = value;
    }
}

static void read_scope(struct kea *k, size_t object)
{
    read_reservations(k, object);
    give_advice(k, object);
}

static void read_subnets(struct kea *k, size_t object)
{
    size_t subnets = json_member(k->json, object, "subnet4");
    if (subnets && k->json->values.items[subnets].kind == JSON_VALUE_ARRAY)
        JSON_EACH(subnet, k->json, subnets)
    read_scope(k, subnet);
}

static void read_dhcp4(struct kea *k, size_t dhcp4)
{
    size_t networks = json_member(k->json, dhcp4, "shared-networks");
    read_scope(k, dhcp4);
    read_subnets(k, dhcp4);
    if (networks && k->json->values.items[networks].kind == JSON_VALUE_ARRAY)
        JSON_EACH(network, k->json, networks)
        {
            read_scope(k, network);
            read_subnets(k, network);
        }
}

/* One of the things that the file holds: a whole configuration, one without its outermost braces, a list of
 * reservations, one of them. */
static void read_top(struct kea *k, size_t top)
{
    static const char *const others[] = {"Dhcp6", "DhcpDdns", "Control-agent"};
    if (k->json->values.items[top].kind == JSON_VALUE_ARRAY) {
        JSON_EACH(it, k->json, top)
        read_reservation(k, it);
        return;
    }
    size_t dhcp4 = json_member(k->json, top, "Dhcp4");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        size_t other = json_member(k->json, top, others[i]);
        struct pos pos = json_pos(k->s, k->json, other);
        if (other)
            input_lost(k->s, &pos, "%s is not read: rambox takes over what Dhcp4 has", others[i]);
        if (other && !dhcp4)
            return;
    }
    if (dhcp4)
        read_dhcp4(k, dhcp4);
    else if (json_member(k->json, top, "hw-address"))
        read_reservation(k, top);
    else
        read_dhcp4(k, top);
}

int read_kea(struct input *s)
{
    struct json json = {0};
    struct kea k = {s, &json};
    int r = json_read(s, &json);
    if (r == 0)
        JSON_EACH(top, &json, 0)
    read_top(&k, top);
    json_free(&json);
    return r;
}
