/* See init/lease.h. */
#include "init/lease.h"

#include <errno.h>
#include <string.h>

#include "init/netspec.h"

#define MTU_MIN                                                                                              \
    576 /* RFC 2132 §5.1 has 68, below which IPv4 has no use; a node boots by less than this never */

static bool is_host(ipv4_t address)
{
    return address >> 24 != 0 && address >> 24 != 127 && address >> 28 != 14 && address != UINT32_MAX;
}

static void add_route(struct lease *lease, ipv4_t destination, ipv4_t netmask, ipv4_t gateway)
{
    if (lease->route_count < LEASE_ROUTES)
        lease->routes[lease->route_count++] = (struct lease_route){
            .destination = destination & netmask, .netmask = netmask, .gateway = gateway};
}

/* RFC 3442: the length of a netmask, as many bytes of the destination as it covers, the gateway. Where there
 * are such routes the option Router does not count. */
static bool read_classless(const struct dhcp_packet *ack, struct lease *lease)
{
    struct reader r = dhcp_option(ack, DHCP_CLASSLESS_ROUTES);
    bool found = false;

    while (!r.failed && r.left) {
        ipv4_t destination = 0;
        uint8_t length = reader_u8(&r);
        if (length > 32)
            break;
        for (unsigned byte = 0; byte < (length + 7u) / 8; byte++)
            destination |= (ipv4_t)reader_u8(&r) << (24 - 8 * byte);
        ipv4_t gateway = reader_u32(&r);
        if (r.failed)
            break;
        add_route(lease, destination, length ? UINT32_MAX << (32 - length) : 0, gateway);
        found = true;
    }
    return found;
}

static void read_routes(const struct dhcp_packet *ack, struct lease *lease)
{
    if (read_classless(ack, lease))
        return;
    struct reader r = dhcp_option(ack, DHCP_ROUTER);
    ipv4_t router = reader_u32(&r);
    if (!r.failed && is_host(router))
        add_route(lease, 0, 0, router);
}

static void read_dns(const struct dhcp_packet *ack, struct lease *lease)
{
    struct reader r = dhcp_option(ack, DHCP_DNS);

    while (lease->dns_count < LEASE_SERVERS) {
        ipv4_t address = reader_u32(&r);
        if (r.failed)
            break;
        if (address)
            lease->dns[lease->dns_count++] = address;
    }
}

/* It becomes a line of a file: what is no name is no domain. */
static void read_domain(const struct dhcp_packet *ack, struct lease *lease)
{
    struct reader r = dhcp_option(ack, DHCP_DOMAIN_NAME);
    char domain[sizeof(lease->domain)];

    while (!r.failed && r.left && r.p[r.left - 1] == '\0')
        r.left--;
    if (r.failed || text_copy(domain, sizeof(domain), (const char *)r.p, r.left) < 0 ||
        strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != r.left)
        return;
    memcpy(lease->domain, domain, r.left + 1);
}

/* RFC 2131 §4.4.5: what the server does not say is half of the time, and seven eighths. */
static void read_times(const struct dhcp_packet *ack, struct lease *lease)
{
    uint32_t seconds = LEASE_FOREVER, t1 = 0, t2 = 0;

    (void)dhcp_get_u32(ack, DHCP_LEASE_TIME, &seconds);
    if (seconds == 0)
        seconds = 1;
    if (!dhcp_get_u32(ack, DHCP_REBINDING_TIME, &t2) || t2 == 0 || t2 > seconds)
        t2 = seconds - seconds / 8;
    if (!dhcp_get_u32(ack, DHCP_RENEWAL_TIME, &t1) || t1 == 0 || t1 > t2)
        t1 = seconds / 2 < t2 ? seconds / 2 : t2;
    lease->seconds = seconds;
    lease->renew = seconds == LEASE_FOREVER ? LEASE_FOREVER : t1;
    lease->rebind = seconds == LEASE_FOREVER ? LEASE_FOREVER : t2;
}

int lease_read(const struct dhcp_packet *ack, struct lease *ret)
{
    struct lease lease;
    uint16_t mtu = 0;

    memset(&lease, 0, sizeof(lease)); /* padding too: leases are compared as bytes */
    lease.address = ack->yiaddr;
    if (!is_host(lease.address) || !dhcp_get_u32(ack, DHCP_SERVER_ID, &lease.server) || !lease.server)
        return -EBADMSG;
    if (!dhcp_get_u32(ack, DHCP_SUBNET_MASK, &lease.netmask) || !lease.netmask ||
        (~lease.netmask & (~lease.netmask + 1)))
        lease.netmask = netspec_class_mask(lease.address);
    lease.next_server = ack->siaddr ? ack->siaddr : lease.server;
    if (dhcp_get_u16(ack, DHCP_INTERFACE_MTU, &mtu) && mtu >= MTU_MIN)
        lease.mtu = mtu;
    read_routes(ack, &lease);
    read_dns(ack, &lease);
    read_domain(ack, &lease);
    (void)dhcp_host_name(ack, lease.host);
    read_times(ack, &lease);
    *ret = lease;
    return 0;
}

static void add_servers(const ipv4_t *servers, unsigned count, unsigned *total, struct text *text)
{
    char address[IPV4_TEXT_MAX];

    for (unsigned i = 0; i < count && *total < LEASE_SERVERS; i++, (*total)++)
        text_addf(text, "nameserver %s\n", ipv4_format(servers[i], address));
}

void lease_resolver(const struct lease *lease, const ipv4_t *first, unsigned first_count, struct text *text)
{
    unsigned total = 0;

    if (lease->domain[0])
        text_addf(text, "search %s\n", lease->domain);
    add_servers(first, first_count, &total, text);
    add_servers(lease->dns, lease->dns_count, &total, text);
}

void lease_pnp(const struct lease *lease, struct text *text)
{
    char address[IPV4_TEXT_MAX];

    lease_resolver(lease, NULL, 0, text);
    text_addf(text, "bootserver %s\n", ipv4_format(lease->next_server, address));
}
