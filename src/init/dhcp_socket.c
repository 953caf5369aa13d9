/* See init/dhcp_socket.h. */
#include "init/dhcp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proto/udp.h"

static struct sockaddr_ll link_address(int interface_index)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETHERTYPE_IP),
                                  .sll_ifindex = interface_index,
                                  .sll_halen = ETH_ALEN};

    memset(address.sll_addr, 0xff, ETH_ALEN);
    return address;
}

int dhcp_socket_open(int interface_index)
{
    struct sockaddr_ll address = link_address(interface_index);

    /* No protocol until it is bound: nothing of another interface gets in. */
    cleanup_close int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int dhcp_socket_open_bound(const char *interface, ipv4_t address)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(DHCP_CLIENT_PORT), .sin_addr.s_addr = htonl(address)};
    int yes = 1;

    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface) + 1) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&local, sizeof(local)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int send_unbound(int fd, int interface_index, const struct dhcp_client_message *message)
{
    static const struct udp4 udp = {
        .destination = UINT32_MAX, .source_port = DHCP_CLIENT_PORT, .destination_port = DHCP_SERVER_PORT};
    struct sockaddr_ll to = link_address(interface_index);
    uint8_t packet[UDP4_HEADERS_SIZE + sizeof(message->data)];
    struct writer w = writer_of(packet, sizeof(packet));

    udp4_write_headers(&w, &udp, message->data, message->size);
    writer_put(&w, message->data, message->size);
    if (w.failed)
        return -EMSGSIZE;
    return sendto(fd, packet, w.used, 0, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

int dhcp_socket_send(int fd, int interface_index, const struct dhcp_client_message *message)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(DHCP_SERVER_PORT),
                             .sin_addr.s_addr = htonl(message->destination)};

    if (!message->source)
        return send_unbound(fd, interface_index, message);
    return sendto(fd, message->data, message->size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno
                                                                                                     : 0;
}

long dhcp_socket_receive(int fd, bool bound, void *buffer, size_t size, const void **ret_payload)
{
    struct reader payload;
    struct udp4 udp;

    ssize_t n = recv(fd, buffer, size, 0);
    if (n < 0)
        /* The interface went down: it may come back. */
        return errno == EINTR || errno == ENETDOWN || errno == ECONNREFUSED ? 0 : -errno;
    if (bound) {
        *ret_payload = buffer;
        return n;
    }
    if (udp4_read(buffer, (size_t)n, &udp, &payload) < 0 || udp.destination_port != DHCP_CLIENT_PORT)
        return 0;
    *ret_payload = payload.p;
    return (long)payload.left;
}
