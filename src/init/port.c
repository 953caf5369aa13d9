/* See init/port.h. */
#include "init/port.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "init/dhcp_socket.h"
#include "init/files.h"
#include "init/say.h"

#define RESOLVER "/etc/resolv.conf"
#define MTU_MIN  576
#define MTU_MAX  1500

int64_t port_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Different on each node, also on one that has no entropy yet. */
static uint32_t seed(const struct mac *mac)
{
    uint32_t value = 0;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
        value = (uint32_t)port_now() * 2654435761u;
    for (size_t i = 0; i < sizeof(mac->b); i++)
        value = (value ^ mac->b[i]) * 16777619u;
    return value ? value : 1;
}

void port_ask(struct port *port, const char *host, int64_t slowest)
{
    unsigned mtu = port->link.mtu;

    port->client = (struct dhcp_client){
        .mac = port->link.mac,
        .host = host,
        .wanted = port->ip->address,
        .mtu = (uint16_t)(mtu < MTU_MIN   ? MTU_MIN
                          : mtu > MTU_MAX ? MTU_MAX
                                          : mtu),
        .slowest = slowest,
        .random = seed(&port->link.mac),
    };
    port->asking = true;
    dhcp_client_begin(&port->client, port_now());
}

void port_rest(struct port *port)
{
    if (port->fd >= 0)
        close(port->fd);
    port->fd = -1;
}

static int open_for(struct port *port, const struct dhcp_client_message *message)
{
    bool bound = message->source != 0;

    if (port->fd >= 0 && port->fd_bound == bound)
        return 0;
    port_rest(port);
    int fd =
        bound ? dhcp_socket_open_bound(port->link.name, message->source) : dhcp_socket_open(port->link.index);
    if (fd < 0)
        return fd;
    port->fd = fd;
    port->fd_bound = bound;
    return 0;
}

/* A message that cannot be sent is as good as lost: the next one may get through. */
static void send_message(struct port *port, const struct dhcp_client_message *message)
{
    int r = open_for(port, message);

    if (r == 0)
        r = dhcp_socket_send(port->fd, port->link.index, message);
    if (r == -EAFNOSUPPORT && port->client.sent == 1)
        say("%s cannot ask by DHCP: the kernel needs CONFIG_PACKET", port->link.name);
}

static enum dhcp_client_event receive(struct port *port)
{
    static uint8_t buffer[DHCP_PACKET_MAX];
    enum dhcp_client_event event = DHCP_NOTHING;
    const void *payload;
    long n;

    while (event == DHCP_NOTHING && port->fd >= 0 &&
           (n = dhcp_socket_receive(port->fd, port->fd_bound, buffer, sizeof(buffer), &payload)) >= 0)
        if (n > 0)
            event = dhcp_client_take(&port->client, port_now(), payload, (size_t)n);
    return event;
}

enum dhcp_client_event port_work(struct port *port)
{
    static struct dhcp_client_message message;

    enum dhcp_client_event event = receive(port);
    while (event == DHCP_NOTHING) {
        event = dhcp_client_due(&port->client, port_now(), &message);
        if (event != DHCP_SEND)
            break;
        send_message(port, &message);
        event = DHCP_NOTHING;
    }
    if (event != DHCP_NOTHING)
        port_rest(port);
    return event;
}

static void write_texts(const struct port *port, const struct lease *lease)
{
    char buffer[512];
    struct text text;

    text_start(&text, buffer, sizeof(buffer));
    lease_resolver(lease, port->spec->nameservers, port->spec->nameserver_count, &text);
    if (text.used && files_create(RESOLVER, buffer) < 0)
        say("cannot write " RESOLVER ": names are not resolved");
    text_start(&text, buffer, sizeof(buffer));
    lease_pnp(lease, &text);
    if (lease->next_server)
        (void)files_create(PORT_PNP, buffer); /* without /run there is the environment */
}

static void set_mtu(const struct port *port, const struct lease *lease)
{
    unsigned mtu = port->ip->mtu ? port->ip->mtu : lease->mtu;

    if (!mtu || mtu == port->link.mtu)
        return;
    int r = link_set_mtu(port->link.name, mtu);
    if (r < 0)
        say("cannot set the MTU of %s to %u: %s", port->link.name, mtu, strerror(-r));
}

static void set_routes(const struct port *port, const struct lease *lease)
{
    char to[IPV4_TEXT_MAX], by[IPV4_TEXT_MAX];

    for (unsigned i = 0; i < lease->route_count; i++) {
        const struct lease_route *route = &lease->routes[i];
        int r = link_add_route(port->link.name, route);
        if (r < 0)
            say("cannot route %s by %s on %s: %s", ipv4_format(route->destination, to),
                ipv4_format(route->gateway, by), port->link.name, strerror(-r));
    }
}

/* Whether an address, a route or a server is another than before; times count for nothing. */
static bool is_same(const struct lease *a, const struct lease *b)
{
    struct lease one = *a, two = *b;

    one.seconds = two.seconds = one.renew = two.renew = one.rebind = two.rebind = 0;
    return memcmp(&one, &two, sizeof(one)) == 0;
}

void port_withdraw(struct port *port)
{
    for (unsigned i = 0; i < port->lease.route_count; i++)
        (void)link_remove_route(port->link.name, &port->lease.routes[i]);
    if (port->lease.address)
        (void)link_set_address(port->link.name, 0, 0);
    memset(&port->lease, 0, sizeof(port->lease));
}

int port_apply(struct port *port, const struct lease *lease)
{
    char address[IPV4_TEXT_MAX];

    if (port->lease.address && is_same(&port->lease, lease)) {
        port->lease = *lease;
        return 0;
    }
    port_withdraw(port);
    set_mtu(port, lease);
    int r = link_set_address(port->link.name, lease->address, lease->netmask);
    if (r < 0) {
        say("cannot give %s the address %s: %s", port->link.name, ipv4_format(lease->address, address),
            strerror(-r));
        return r;
    }
    set_routes(port, lease);
    write_texts(port, lease);
    port->lease = *lease;
    return 0;
}

struct lease port_static_lease(const struct net_ip *ip)
{
    struct lease lease;

    memset(&lease, 0, sizeof(lease));
    lease.address = ip->address;
    lease.netmask = ip->netmask;
    lease.next_server = ip->server;
    lease.seconds = lease.renew = lease.rebind = LEASE_FOREVER;
    if (ip->gateway)
        lease.routes[lease.route_count++] = (struct lease_route){.gateway = ip->gateway};
    return lease;
}
