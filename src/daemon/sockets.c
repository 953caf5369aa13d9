/* See daemon/sockets.h. */
#include "daemon/sockets.h"
#include "daemon/port_owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* A storm of nodes must fit into the kernel's queue while a batch is worked on. */
enum { RECEIVE_BUFFER = 8 << 20, SEND_BUFFER = 4 << 20, HTTP_BACKLOG = 1024 };

static struct sockaddr_in address_of(ipv4_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

/* Past the system's limit with CAP_NET_ADMIN, else up to it. */
static void set_buffer(int fd, int forced, int plain, int size)
{
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static void set_buffers(int fd)
{
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
}

/* Says why the port could not be had. `key` is its name in rambox.yaml. */
static int refuse_bind(int r, const char *what, const char *key, ipv4_t address, uint16_t port, bool tcp,
                       struct diags *diags)
{
    char owner[64], text[IPV4_TEXT_MAX];
    const char *where = address ? ipv4_format(address, text) : "all addresses";
    if (r == -EADDRINUSE) {
        port_owner(tcp, address, port, owner, sizeof(owner));
        diag_error(diags, NULL,
                   "%s port %u (%s) on %s is in use by %s: stop that program, or give rambox another port "
                   "(server: %s in rambox.yaml)",
                   tcp ? "TCP" : "UDP", port, what, where, owner[0] ? owner : "another program", key);
    } else if (r == -EACCES || r == -EPERM) {
        diag_error(
            diags, NULL,
            "no permission for %s port %u (%s): run `rambox serve` as root, or give it CAP_NET_BIND_SERVICE "
            "and CAP_NET_RAW",
            tcp ? "TCP" : "UDP", port, what);
    } else {
        diag_errno(diags, r, "cannot listen on %s port %u (%s) on %s", tcp ? "TCP" : "UDP", port, what,
                   where);
    }
    return r;
}

int socket_open_dhcp(const struct served_iface *iface, uint16_t port, struct diags *diags)
{
    const int on = 1;
    struct sockaddr_in any = address_of(0, port);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot open a DHCP socket");
    if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface->name, (socklen_t)strlen(iface->name)) < 0)
        return diag_errno(diags, -errno, "cannot use interface %s for DHCP", iface->name);
    set_buffers(fd);
    if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
        return refuse_bind(-errno, "DHCP", "dhcp_port", 0, port, false, diags);
    return TAKE_FD(fd);
}

int socket_open_tftp(ipv4_t address, uint16_t port, struct diags *diags)
{
    struct sockaddr_in sa = address_of(address, port);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot open a TFTP socket");
    set_buffers(fd);
    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return refuse_bind(-errno, "TFTP", "tftp: port", address, port, false, diags);
    return TAKE_FD(fd);
}

int socket_open_http(ipv4_t address, uint16_t port, struct diags *diags)
{
    const int on = 1;
    struct sockaddr_in sa = address_of(address, port);
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot open an HTTP socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, HTTP_BACKLOG) < 0)
        return refuse_bind(-errno, "HTTP", "http: port", address, port, true, diags);
    return TAKE_FD(fd);
}

static int packet_socket(uint16_t protocol, struct diags *diags)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol));
    if (fd >= 0)
        return fd;
    int r = -errno;
    if (r == -EPERM || r == -EACCES)
        diag_error(
            diags, NULL,
            "no permission for a packet socket, which answers machines that have no address yet: run `rambox "
            "serve` as root, or give it CAP_NET_RAW");
    else
        diag_errno(diags, r, "cannot open a packet socket");
    return r;
}

int socket_open_link(struct diags *diags)
{
    int fd = packet_socket(0, diags); /* protocol 0: it receives nothing */
    if (fd >= 0)
        set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
    return fd;
}

int socket_open_solicitations(const struct served_iface *iface, struct diags *diags)
{
    /* Next header ICMPv6 (58) and type router solicitation (133); all else never wakes us. */
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 133, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x40000),     BPF_STMT(BPF_RET | BPF_K, 0),
    };
    static const struct sock_fprog filter = {.len = ARRAY_SIZE(code), .filter = code};
    /* All routers, ff02::2: a card that filters by hardware must be told. */
    struct packet_mreq all_routers = {.mr_ifindex = iface->index,
                                      .mr_type = PACKET_MR_MULTICAST,
                                      .mr_alen = 6,
                                      .mr_address = {0x33, 0x33, 0, 0, 0, 2}};
    struct sockaddr_ll sa = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6), .sll_ifindex = iface->index};
    cleanup_close int fd = packet_socket(0, diags);
    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
        bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all_routers, sizeof(all_routers)) < 0)
        return diag_errno(diags, -errno, "cannot hear router solicitations on %s", iface->name);
    return TAKE_FD(fd);
}
