/*
 * What the kernel command line says about the network. A boot loader's prompt lets anybody type it, and names
 * out of it become names of interfaces and of files below /sys.
 */
#include "init/netspec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(const char *name)
{
    must(*name && strnlen(name, IFNAMSIZ) < IFNAMSIZ && !strpbrk(name, "/ \t\n") && strcmp(name, "..") != 0);
}

static void check_ip(const struct net_ip *ip)
{
    if (ip->interface[0])
        check_name(ip->interface);
    must(ip->method == NET_STATIC ? ip->address && ip->netmask : ip->method == NET_DHCP || ip->interface[0]);
    must((~ip->netmask & (~ip->netmask + 1)) == 0);
    must(ip->mtu == 0 || (ip->mtu >= 68 && ip->mtu <= 65535));
    must(!ip->has_mac || mac_is_unicast(&ip->mac));
}

static void check_bond(const struct net_bond *bond)
{
    check_name(bond->name);
    must(bond->slave_count >= 1 && bond->slave_count <= NETSPEC_SLAVES);
    for (unsigned i = 0; i < bond->slave_count; i++)
        check_name(bond->slaves[i]);
    for (const char *at = bond->options; *at; at += strcspn(at, ","), at += *at == ',')
        must(strcspn(at, "/") > strcspn(at, "=")); /* no name of a file leads elsewhere */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct netspec spec;

    if (size > 4096)
        return 0;
    char *line = malloc(size + 1);
    must(line != NULL);
    memcpy(line, data, size);
    line[size] = '\0';
    netspec_parse(line, &spec);
    must(spec.ip_count <= NETSPEC_IPS && spec.nameserver_count <= NETSPEC_NAMESERVERS);
    for (unsigned i = 0; i < spec.ip_count; i++)
        check_ip(&spec.ips[i]);
    must(spec.vlan_count <= NETSPEC_VLANS && spec.bond_count <= NETSPEC_BONDS);
    for (unsigned i = 0; i < spec.vlan_count; i++) {
        check_name(spec.vlans[i].name);
        check_name(spec.vlans[i].parent);
        must(spec.vlans[i].id >= 1 && spec.vlans[i].id <= 4094);
    }
    for (unsigned i = 0; i < spec.bond_count; i++)
        check_bond(&spec.bonds[i]);
    must(spec.problem_count <= NETSPEC_PROBLEMS);
    for (unsigned i = 0; i < spec.problem_count; i++)
        must(spec.problems[i].word[0] && spec.problems[i].expected);
    must(spec.dhcp >= 0 && spec.dhcp <= 3600 && spec.carrier >= 0 && spec.carrier <= 3600);
    free(line);
    return 0;
}
