/* The network's words -> struct netspec; the contract is in netspec.h. */
#include "init/netspec.h"

#include <string.h>

#include "init/cmdline.h"
#include "init/text.h"

#define LIMIT_IFLINK  10 /* seconds */
#define LIMIT_CARRIER 30
#define LIMIT_DHCP    90
#define LIMIT_MAX     3600
#define VLAN_ID_MAX   4094
#define MTU_MIN       68 /* RFC 791 */
#define MTU_MAX       65535
#define BOND_NAME     "bond0"
#define BOND_SLAVES   "eth0,eth1"

#define EXPECT_METHOD   "dhcp, on, any, both, off or none as the method"
#define EXPECT_IP       "dhcp, off, IFACE:dhcp or CLIENT:SERVER:GATEWAY:NETMASK:HOST:IFACE:off"
#define EXPECT_ADDRESS  "IPv4 addresses like 192.168.7.11, or nothing, before the netmask"
#define EXPECT_NETMASK  "a netmask like 255.255.255.0 or 24"
#define EXPECT_IFACE    "an interface's name of at most 15 characters"
#define EXPECT_TAIL     "an MTU and a MAC address, or DNS servers, behind the method"
#define EXPECT_IPV4     "IPv4: nothing here speaks IPv6"
#define EXPECT_VLAN     "vlan=NAME:IFACE with a NAME like vlan5 or IFACE.5, from 1 to 4094"
#define EXPECT_BOND     "bond=NAME:IFACE,IFACE:OPTION=VALUE,...:MTU, with at most 8 interfaces"
#define EXPECT_FEWER    "fewer of these: no more than 8 ip=, 8 vlan=, 4 bond=, 3 nameserver="
#define EXPECT_TWICE    "an interface only once"
#define EXPECT_SECONDS  "seconds from 0 to 3600"
#define EXPECT_BOOTIF   "a MAC address like 01-52-54-00-12-34-56"
#define EXPECT_RESOLVER "an IPv4 address"

/* The rest of a value, of which fields are taken. */
struct fields {
    const char *at; /* NULL: no more */
};

/* Takes the next field, up to `separator`, into `ret`. False when it is too long; none left is an empty one.
 */
static bool next_field(struct fields *f, char separator, char *ret, size_t size)
{
    ret[0] = '\0';
    if (!f->at)
        return true;
    const char *end = strchr(f->at, separator);
    const char *at = f->at;
    f->at = end ? end + 1 : NULL;
    return text_copy(ret, size, at, end ? (size_t)(end - at) : strlen(at)) == 0;
}

/* A name that the kernel lets an interface have, or with `optional` none. */
static bool is_interface(const char *name, bool optional)
{
    if (!*name)
        return optional;
    for (const char *p = name; *p; p++)
        if (*p <= ' ' || *p == '/' || *p == 0x7f)
            return false;
    return strlen(name) < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool take_interface(struct fields *f, char separator, bool optional, char ret[static IFNAMSIZ])
{
    return next_field(f, separator, ret, IFNAMSIZ) && is_interface(ret, optional);
}

/* An address; an empty field and 0.0.0.0 are none. */
static bool take_address(struct fields *f, ipv4_t *ret)
{
    char text[IPV4_TEXT_MAX];

    return next_field(f, ':', text, sizeof(text)) && (!*text || ipv4_parse(text, ret) == 0);
}

static bool take_netmask(struct fields *f, ipv4_t *ret)
{
    char text[IPV4_TEXT_MAX];
    long length;

    if (!next_field(f, ':', text, sizeof(text)))
        return false;
    if (!*text)
        return true;
    if (text_number(text, 1, 32, &length) == 0) {
        *ret = UINT32_MAX << (32 - length);
        return true;
    }
    return ipv4_parse(text, ret) == 0 && (~*ret & (~*ret + 1)) == 0;
}

ipv4_t netspec_class_mask(ipv4_t address)
{
    return address >> 31 == 0 ? 0xff000000 : address >> 30 == 2 ? 0xffff0000 : 0xffffff00;
}

static const char *take_method(const char *method, struct net_ip *ip)
{
    static const struct {
        const char *word;
        enum net_method method;
    } methods[] = {
        {"dhcp", NET_DHCP}, {"on", NET_DHCP}, {"any", NET_DHCP},
        {"both", NET_DHCP}, {"off", NET_OFF}, {"none", NET_OFF},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(method, methods[i].word) == 0) {
            ip->method = methods[i].method;
            if (ip->method == NET_OFF && ip->address)
                ip->method = NET_STATIC;
            return NULL;
        }
    return strchr(method, '6') ? EXPECT_IPV4 : EXPECT_METHOD;
}

/* [MTU][:MAC], of which MAC has colons of its own. */
static const char *take_hardware(struct fields *f, struct net_ip *ip)
{
    char text[16];
    long mtu;

    if (!next_field(f, ':', text, sizeof(text)))
        return EXPECT_TAIL;
    if (*text) {
        if (text_number(text, MTU_MIN, MTU_MAX, &mtu) < 0)
            return EXPECT_TAIL;
        ip->mtu = (unsigned)mtu;
    }
    if (f->at && *f->at) {
        if (mac_parse(f->at, &ip->mac) < 0 || !mac_is_unicast(&ip->mac))
            return EXPECT_TAIL;
        ip->has_mac = true;
    }
    return NULL;
}

static void add_nameserver(struct netspec *spec, ipv4_t address)
{
    if (address && spec->nameserver_count < NETSPEC_NAMESERVERS)
        spec->nameservers[spec->nameserver_count++] = address;
}

/* What stands behind the method of the long form: an MTU and a MAC address, or as the kernel has it DNS and
 * NTP servers. Only the first is beyond the kernel. */
static const char *take_tail(struct netspec *spec, struct fields *f, struct net_ip *ip)
{
    ipv4_t address[3] = {0};
    struct fields ahead = *f;

    if (!f->at || !*f->at)
        return NULL;
    bool servers = true;
    for (unsigned i = 0; i < 3 && servers; i++)
        servers = take_address(&ahead, &address[i]);
    if (!servers || (ahead.at && *ahead.at)) {
        spec->beyond_kernel = true;
        return take_hardware(f, ip);
    }
    add_nameserver(spec, address[0]);
    add_nameserver(spec, address[1]);
    return NULL;
}

/* CLIENT:SERVER:GATEWAY:NETMASK:HOST:IFACE:METHOD; the host's name is cmdline.h's to read. */
static const char *take_long(struct netspec *spec, struct fields *f, struct net_ip *ip)
{
    char text[256];

    if (!take_address(f, &ip->address) || !take_address(f, &ip->server) || !take_address(f, &ip->gateway))
        return EXPECT_ADDRESS;
    if (!take_netmask(f, &ip->netmask))
        return EXPECT_NETMASK;
    (void)next_field(f, ':', text, sizeof(text));
    if (!take_interface(f, ':', true, ip->interface))
        return EXPECT_IFACE;
    (void)next_field(f, ':', text, sizeof(text));
    ip->method = ip->address ? NET_STATIC : NET_DHCP;
    const char *wrong = *text ? take_method(text, ip) : NULL;
    if (wrong)
        return wrong;
    if (ip->address && !ip->netmask)
        ip->netmask = netspec_class_mask(ip->address);
    return take_tail(spec, f, ip);
}

static const char *take_short(struct netspec *spec, struct fields *f, struct net_ip *ip)
{
    char text[16];

    spec->beyond_kernel = true;
    if (!take_interface(f, ':', false, ip->interface))
        return EXPECT_IFACE;
    (void)next_field(f, ':', text, sizeof(text));
    const char *wrong = take_method(text, ip);
    return wrong ? wrong : take_hardware(f, ip);
}

/* Whether the first field is one of the long form: an address, or nothing. */
static bool is_long(const char *value)
{
    char text[IPV4_TEXT_MAX];
    ipv4_t address;
    struct fields f = {value};

    return *value == ':' || (next_field(&f, ':', text, sizeof(text)) && ipv4_parse(text, &address) == 0);
}

static const char *read_ip(struct netspec *spec, const char *value, struct net_ip *ip)
{
    struct fields f = {value};

    if (!*value)
        return EXPECT_IP;
    if (*value == '[')
        return EXPECT_IPV4;
    if (is_long(value))
        return take_long(spec, &f, ip);
    if (strchr(value, ':'))
        return take_short(spec, &f, ip);
    return take_method(value, ip);
}

static const char *take_ip(struct netspec *spec, const char *value)
{
    struct net_ip ip = {.method = NET_OFF};

    const char *wrong = read_ip(spec, value, &ip);
    if (wrong)
        return wrong;
    if (ip.method == NET_OFF && !ip.interface[0]) {
        spec->off = true;
        return NULL;
    }
    if (spec->ip_count == NETSPEC_IPS)
        return EXPECT_FEWER;
    for (unsigned i = 0; i < spec->ip_count; i++)
        if (strcmp(spec->ips[i].interface, ip.interface) == 0)
            return EXPECT_TWICE;
    spec->ips[spec->ip_count++] = ip;
    return NULL;
}

/* The digits at the end of NAME, of which there are 4 or no zeroes before; what is before them is `vlan` or
 * the parent and a dot. */
static const char *take_vlan(struct netspec *spec, const char *value)
{
    struct net_vlan vlan = {.style = VLAN_PLAIN};
    struct fields f = {value};
    size_t parent;
    long id;

    if (!take_interface(&f, ':', false, vlan.name) || !take_interface(&f, ':', false, vlan.parent) || f.at)
        return EXPECT_VLAN;
    const char *digits = vlan.name + strlen(vlan.name);
    while (digits > vlan.name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    parent = strlen(vlan.parent);
    if ((size_t)(digits - vlan.name) == parent + 1 && strncmp(vlan.name, vlan.parent, parent) == 0 &&
        vlan.name[parent] == '.')
        vlan.style = VLAN_PARENT_PLAIN;
    else if (digits - vlan.name != 4 || strncmp(vlan.name, "vlan", 4) != 0)
        return EXPECT_VLAN;
    if (text_number(digits, 1, VLAN_ID_MAX, &id) < 0 || (*digits == '0' && strlen(digits) != 4))
        return EXPECT_VLAN;
    if (*digits == '0')
        vlan.style = vlan.style == VLAN_PLAIN ? VLAN_PADDED : VLAN_PARENT_PADDED;
    vlan.id = (unsigned)id;
    if (spec->vlan_count == NETSPEC_VLANS)
        return EXPECT_FEWER;
    spec->beyond_kernel = true;
    spec->vlans[spec->vlan_count++] = vlan;
    return NULL;
}

/* OPTION=VALUE,...: words that become names of files. */
static bool are_options(const char *options)
{
    char option[sizeof(((struct net_bond *)0)->options)];
    struct fields f = {*options ? options : NULL};

    while (f.at) {
        if (!next_field(&f, ',', option, sizeof(option)))
            return false;
        size_t name = strspn(option, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (name == 0 || option[name] != '=' || !option[name + 1])
            return false;
    }
    return true;
}

static const char *take_bond(struct netspec *spec, const char *value)
{
    struct net_bond bond = {.slave_count = 0};
    char slaves[NETSPEC_SLAVES * IFNAMSIZ], mtu[8];
    struct fields f = {value}, list;
    long number = 0;

    if (!next_field(&f, ':', bond.name, sizeof(bond.name)) || !next_field(&f, ':', slaves, sizeof(slaves)) ||
        !next_field(&f, ':', bond.options, sizeof(bond.options)) || !next_field(&f, ':', mtu, sizeof(mtu)) ||
        f.at || !is_interface(bond.name, true) || !are_options(bond.options))
        return EXPECT_BOND;
    if (!bond.name[0])
        memcpy(bond.name, BOND_NAME, sizeof(BOND_NAME));
    list.at = slaves[0] ? slaves : BOND_SLAVES;
    while (list.at) {
        if (bond.slave_count == NETSPEC_SLAVES ||
            !take_interface(&list, ',', false, bond.slaves[bond.slave_count++]))
            return EXPECT_BOND;
    }
    if (*mtu && text_number(mtu, MTU_MIN, MTU_MAX, &number) < 0)
        return EXPECT_BOND;
    bond.mtu = (unsigned)number;
    if (spec->bond_count == NETSPEC_BONDS)
        return EXPECT_FEWER;
    spec->beyond_kernel = true;
    spec->bonds[spec->bond_count++] = bond;
    return NULL;
}

static const char *take_resolver(struct netspec *spec, const char *value)
{
    ipv4_t address;

    if (ipv4_parse(value, &address) < 0 || !address)
        return EXPECT_RESOLVER;
    if (spec->nameserver_count == NETSPEC_NAMESERVERS)
        return EXPECT_FEWER;
    add_nameserver(spec, address);
    return NULL;
}

/* PXELINUX writes the hardware type before the address. */
static const char *take_bootif(struct netspec *spec, const char *value)
{
    if (strlen(value) == 20 && strncmp(value, "01", 2) == 0 && (value[2] == '-' || value[2] == ':'))
        value += 3;
    if (mac_parse(value, &spec->bootif) < 0)
        return EXPECT_BOOTIF;
    spec->has_bootif = true;
    return NULL;
}

static const char *take_seconds(const char *value, long *ret)
{
    return text_number(value, 0, LIMIT_MAX, ret) < 0 ? EXPECT_SECONDS : NULL;
}

static const char *take_iflink(struct netspec *spec, const char *value)
{
    return take_seconds(value, &spec->iflink);
}

static const char *take_carrier(struct netspec *spec, const char *value)
{
    return take_seconds(value, &spec->carrier);
}

static const char *take_dhcp(struct netspec *spec, const char *value)
{
    return take_seconds(value, &spec->dhcp);
}

/* The same, where the kernel would take it amiss: it reads `ip=` itself, and of an interface's name it makes
 * an address. */
static const char *take_own_ip(struct netspec *spec, const char *value)
{
    spec->beyond_kernel = true;
    return take_ip(spec, value);
}

/* Each returns NULL, or what it expected. */
static const struct {
    const char *name;
    const char *(*take)(struct netspec *spec, const char *value);
} keys[] = {
    {"ip", take_ip},
    {"rambox.ip", take_own_ip},
    {"vlan", take_vlan},
    {"bond", take_bond},
    {"nameserver", take_resolver},
    {"BOOTIF", take_bootif},
    {"rd.net.timeout.iflink", take_iflink},
    {"rd.net.timeout.carrier", take_carrier},
    {"rd.net.timeout.dhcp", take_dhcp},
};

static void problem(struct netspec *spec, const struct cmdline_word *word, const char *expected)
{
    struct text text;

    if (spec->problem_count == NETSPEC_PROBLEMS)
        return;
    struct netspec_problem *p = &spec->problems[spec->problem_count++];
    p->expected = expected;
    text_start(&text, p->word, sizeof(p->word));
    text_addf(&text, "%.*s=%.*s", (int)word->name_length, word->name, (int)word->value_length, word->value);
}

static void take_word(struct netspec *spec, const struct cmdline_word *word, bool *bootif)
{
    char value[256];

    if (word->name_length == 9 && memcmp(word->name, "rd.bootif", 9) == 0)
        *bootif = word->value_length != 1 || *word->value != '0';
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strlen(keys[i].name) != word->name_length ||
            memcmp(word->name, keys[i].name, word->name_length) != 0)
            continue;
        const char *wrong = text_copy(value, sizeof(value), word->value, word->value_length) < 0
                                ? "fewer than 256 characters"
                                : keys[i].take(spec, value);
        if (wrong)
            problem(spec, word, wrong);
    }
}

void netspec_parse(const char *cmdline, struct netspec *ret)
{
    struct cmdline_word word;
    bool bootif = true;

    *ret = (struct netspec){.iflink = LIMIT_IFLINK, .carrier = LIMIT_CARRIER, .dhcp = LIMIT_DHCP};
    while (cmdline_next(&cmdline, &word))
        take_word(ret, &word, &bootif);
    ret->has_bootif &= bootif;
    if (ret->ip_count)
        ret->off = false;
    if (ret->ip_count > 1)
        ret->beyond_kernel = true;
}
