/* See daemon/sockets.h. */
#include "daemon/sockets.h"
#include "base/str.h"
#include "daemon/port_owner.h"
#include "model/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* A storm of nodes must fit into the kernel's queue while a batch is worked on: DHCP's holds the first
 * messages of 25,000 machines. It is memory only while they wait in it. */
enum { DHCP_BUFFER = 32 << 20, RECEIVE_BUFFER = 8 << 20, SEND_BUFFER = 4 << 20, HTTP_BACKLOG = 1024 };

static struct sockaddr_in address_of(ipv4_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

/* Past the system's limit with CAP_NET_ADMIN, else up to it; one that is as large already is left so. The
 * kernel counts with twice the size. */
static void set_buffer(int fd, int forced, int plain, int size)
{
    int has = 0;
    socklen_t length = sizeof(has);
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) == 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, plain, &has, &length) < 0 || has / 2 < size)
        (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static void set_buffers(int fd, int receive)
{
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
}

/* Sockets opened ahead. */

enum kind { AHEAD_DHCP, AHEAD_TFTP, AHEAD_HTTP };

struct ahead {
    enum kind kind;
    char name[IF_NAMESIZE]; /* of the interface; "" where an address is bound */
    ipv4_t address;
    uint16_t port;
    int fd;    /* -errno: it could not be opened */
    char *why; /* then */
};

static VEC(struct ahead) ahead;
static int spares[SOCKETS_SPARE];
static size_t spares_n;

static void keep_ahead(enum kind kind, const char *name, ipv4_t address, uint16_t port, int fd,
                       const struct diags *why)
{
    struct ahead *a = VEC_ADD(&ahead);
    *a = (struct ahead){.kind = kind, .address = address, .port = port, .fd = fd};
    snprintf(a->name, sizeof(a->name), "%s", name);
    if (fd < 0)
        a->why = xstrdup(why->list.n ? why->list.items[0].text : strerror(-fd));
}

/* Hands over what was opened ahead. False: nothing was. */
static bool take_ahead(enum kind kind, const char *name, ipv4_t address, uint16_t port, struct diags *diags,
                       int *ret_fd)
{
    VEC_EACH(a, &ahead) {
        if (a->kind != kind || strcmp(a->name, name) != 0 || a->address != address || a->port != port)
            continue;
        if (a->fd < 0) {
            diag_error(diags, NULL, "%s", a->why);
            free(a->why);
        }
        *ret_fd = a->fd;
        *a = ahead.items[--ahead.n];
        return true;
    }
    return false;
}

static bool has_buffer(int fd, int receive)
{
    int has = 0;
    socklen_t size = sizeof(has);
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &has, &size) == 0 && has / 2 >= receive;
}

/* A UDP socket: a new one, unless it would have small buffers and there is a spare one. */
static int udp_socket(int receive)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    set_buffers(fd, receive);
    if (!has_buffer(fd, receive) && spares_n) {
        close(fd);
        fd = spares[--spares_n];
    }
    return fd;
}

/* One for the reserve. -1: without the privilege there is nothing to keep. */
static int large_socket(void)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        set_buffers(fd, DHCP_BUFFER);
    return fd >= 0 && has_buffer(fd, DHCP_BUFFER) ? TAKE_FD(fd) : -1;
}

/* Says why the port could not be had. `key` is its name in rambox.yaml; NULL: it cannot be another. */
static int refuse_bind(int r, const char *what, const char *key, ipv4_t address, uint16_t port, bool tcp,
                       struct diags *diags)
{
    char owner[64], text[IPV4_TEXT_MAX];
    const char *where = address ? ipv4_format(address, text) : "all addresses";
    if (r == -EADDRINUSE) {
        port_owner(tcp, address, port, owner, sizeof(owner));
        cleanup_free char *other =
            key ? xasprintf(", or give rambox another port (server: %s in rambox.yaml)", key) : NULL;
        diag_error(diags, NULL, "%s port %u (%s) on %s is in use by %s: stop that program%s",
                   tcp ? "TCP" : "UDP", port, what, where, owner[0] ? owner : "another program",
                   other ? other : "");
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

static int open_dhcp(const struct served_iface *iface, uint16_t port, struct diags *diags)
{
    const int on = 1;
    struct sockaddr_in any = address_of(0, port);
    cleanup_close int fd = udp_socket(DHCP_BUFFER);
    if (fd < 0)
        return diag_errno(diags, fd, "cannot open a DHCP socket");
    if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface->name, (socklen_t)strlen(iface->name)) < 0)
        return diag_errno(diags, -errno, "cannot use interface %s for DHCP", iface->name);
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
        return refuse_bind(-errno, "DHCP", port == DHCP_PXE_PORT ? NULL : "dhcp_port", 0, port, false, diags);
    return TAKE_FD(fd);
}

int socket_open_dhcp(const struct served_iface *iface, uint16_t port, struct diags *diags, int *ret_queue)
{
    int fd, queue = 0;
    socklen_t size = sizeof(queue);
    if (!take_ahead(AHEAD_DHCP, iface->name, 0, port, diags, &fd))
        fd = open_dhcp(iface, port, diags);
    if (fd < 0)
        return fd;
    (void)getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, &size);
    *ret_queue = queue;
    return fd;
}

static int open_tftp(ipv4_t address, uint16_t port, struct diags *diags)
{
    struct sockaddr_in sa = address_of(address, port);
    cleanup_close int fd = udp_socket(RECEIVE_BUFFER);
    if (fd < 0)
        return diag_errno(diags, fd, "cannot open a TFTP socket");
    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return refuse_bind(-errno, "TFTP", "tftp: port", address, port, false, diags);
    return TAKE_FD(fd);
}

int socket_open_tftp(ipv4_t address, uint16_t port, struct diags *diags)
{
    int fd;
    return take_ahead(AHEAD_TFTP, "", address, port, diags, &fd) ? fd : open_tftp(address, port, diags);
}

static int open_http(ipv4_t address, uint16_t port, struct diags *diags)
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

int socket_open_http(ipv4_t address, uint16_t port, struct diags *diags)
{
    int fd;
    return take_ahead(AHEAD_HTTP, "", address, port, diags, &fd) ? fd : open_http(address, port, diags);
}

static void dhcp_ahead(const struct served_iface *iface, uint16_t port)
{
    cleanup_diags struct diags why = {0};
    keep_ahead(AHEAD_DHCP, iface->name, 0, port, open_dhcp(iface, port, &why), &why);
}

static void address_ahead(enum kind kind, ipv4_t address, uint16_t port)
{
    cleanup_diags struct diags why = {0};
    int fd = kind == AHEAD_TFTP ? open_tftp(address, port, &why) : open_http(address, port, &why);
    keep_ahead(kind, "", address, port, fd, &why);
}

void sockets_ahead(const struct served_ifaces *served, const struct server_settings *settings)
{
    VEC_EACH(iface, &served->list) {
        dhcp_ahead(iface, settings->dhcp_port);
        dhcp_ahead(iface, DHCP_PXE_PORT);
        address_ahead(AHEAD_TFTP, iface->address, settings->tftp_port);
        address_ahead(AHEAD_HTTP, iface->address, settings->http_port);
    }
    for (int fd; spares_n < SOCKETS_SPARE && (fd = large_socket()) >= 0;)
        spares[spares_n++] = fd;
}

void sockets_ahead_done(void)
{
    VEC_EACH(a, &ahead) {
        close_cleanup(&a->fd);
        free(a->why);
    }
    VEC_FREE(&ahead);
}

void sockets_end(void)
{
    sockets_ahead_done();
    while (spares_n)
        close(spares[--spares_n]);
}

/* `what` and what it is for. */
static int refuse_raw(int r, const char *what, struct diags *diags)
{
    if (r == -EPERM || r == -EACCES)
        diag_error(diags, NULL, "no permission for a %s: run `rambox serve` as root, or give it CAP_NET_RAW",
                   what);
    else
        diag_errno(diags, r, "cannot open a %s", what);
    return r;
}

static int packet_socket(uint16_t protocol, struct diags *diags)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol));
    return fd < 0
               ? refuse_raw(-errno, "packet socket, which answers machines that have no address yet", diags)
               : fd;
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

int socket_open_arp(struct diags *diags)
{
    /* Operation 2: an answer. Requests, of which there are many, never wake us. */
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x40000),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    static const struct sock_fprog filter = {.len = ARRAY_SIZE(code), .filter = code};
    struct sockaddr_ll sa = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP)};
    cleanup_close int fd = packet_socket(0, diags);
    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
        bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return diag_errno(diags, -errno, "cannot hear answers to ARP probes");
    return TAKE_FD(fd);
}

int socket_open_echo(struct diags *diags)
{
    const struct icmp_filter answers = {.data = ~(1u << ICMP_ECHOREPLY)};
    cleanup_close int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (fd < 0)
        return refuse_raw(-errno, "raw socket, which asks whether an address is in use", diags);
    if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &answers, sizeof(answers)) < 0)
        return diag_errno(diags, -errno, "cannot hear answers to echo requests");
    return TAKE_FD(fd);
}
