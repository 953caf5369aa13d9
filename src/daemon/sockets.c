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
        ahead.n--; /* the others stay in their order, which is that of a group */
        memmove(a, a + 1, (size_t)(ahead.items + ahead.n - a) * sizeof(*a));
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

/* F8: what is too large for a link on the way is cut there (no "don't fragment"), as boot ROMs expect it:
 * they cannot take smaller blocks once the transfer runs, and many a firewall drops what would tell us. */
static void allow_fragments(int fd)
{
    const int never = IP_PMTUDISC_DONT;
    (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof(never));
}

/* The first is opened as any other, so that a port in use is noticed, and then shared. */
static int open_tftp(ipv4_t address, uint16_t port, bool first, struct diags *diags)
{
    const int on = 1;
    struct sockaddr_in sa = address_of(address, port);
    cleanup_close int fd = udp_socket(RECEIVE_BUFFER);
    if (fd < 0)
        return diag_errno(diags, fd, "cannot open a TFTP socket");
    allow_fragments(fd);
    if (!first && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return diag_errno(diags, -errno, "cannot share the TFTP port");
    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return refuse_bind(-errno, "TFTP", "tftp: port", address, port, false, diags);
    return TAKE_FD(fd);
}

/* Which of the n sockets: by the source address in the IP header, multiplied so that neighbours spread. The
 * kernel runs it for each packet, with the UDP payload as its data. */
static int steer(int fd, unsigned n)
{
    enum { SOURCE = 12 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + SOURCE),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0 ? -errno : 0;
}

/* Opens all but the first. *ret_n: how many are open, also on failure. */
static int share_tftp(ipv4_t address, uint16_t port, unsigned n, struct diags *diags, int *fds,
                      unsigned *ret_n)
{
    const int on = 1;
    *ret_n = 1;
    if (setsockopt(fds[0], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return diag_errno(diags, -errno, "cannot share the TFTP port");
    for (unsigned i = 1; i < n; i++, (*ret_n)++) {
        fds[i] = open_tftp(address, port, false, diags);
        if (fds[i] < 0)
            return fds[i];
    }
    int r = steer(fds[n - 1], n);
    return r < 0 ? diag_errno(diags, r, "cannot share the TFTP port by source addresses") : 0;
}

static int open_tftp_group(ipv4_t address, uint16_t port, unsigned n, struct diags *diags, int *ret_fds)
{
    int fds[TFTP_SOCKETS_MAX];
    unsigned open = 1;
    fds[0] = open_tftp(address, port, true, diags);
    if (fds[0] < 0)
        return fds[0];
    int r = n > 1 ? share_tftp(address, port, n, diags, fds, &open) : 0;
    if (r < 0) {
        while (open)
            close(fds[--open]);
        return r;
    }
    memcpy(ret_fds, fds, n * sizeof(fds[0]));
    return 0;
}

int sockets_open_tftp(ipv4_t address, uint16_t port, unsigned n, struct diags *diags, int *ret_fds)
{
    unsigned taken = 0;
    while (taken < n && take_ahead(AHEAD_TFTP, "", address, port, diags, &ret_fds[taken]))
        if (ret_fds[taken++] < 0)
            return ret_fds[taken - 1]; /* it was the only one: none is open */
    return taken == n ? 0 : open_tftp_group(address, port, n, diags, ret_fds);
}

int socket_open_tftp_transfer(ipv4_t address, uint16_t *ret_port)
{
    struct sockaddr_in sa = address_of(address, 0);
    socklen_t size = sizeof(sa);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
        return -errno;
    allow_fragments(fd);
    *ret_port = ntohs(sa.sin_port);
    return TAKE_FD(fd);
}

static int open_http(ipv4_t address, uint16_t port, bool tls, struct diags *diags)
{
    const int on = 1;
    struct sockaddr_in sa = address_of(address, port);
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return diag_errno(diags, -errno, "cannot open an HTTP socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, HTTP_BACKLOG) < 0)
        return refuse_bind(-errno, tls ? "HTTPS" : "HTTP", tls ? "http: tls: port" : "http: port", address,
                           port, true, diags);
    return TAKE_FD(fd);
}

int socket_open_http(ipv4_t address, uint16_t port, bool tls, struct diags *diags)
{
    int fd;
    return take_ahead(AHEAD_HTTP, "", address, port, diags, &fd) ? fd : open_http(address, port, tls, diags);
}

static void dhcp_ahead(const struct served_iface *iface, uint16_t port)
{
    cleanup_diags struct diags why = {0};
    keep_ahead(AHEAD_DHCP, iface->name, 0, port, open_dhcp(iface, port, &why), &why);
}

static void tftp_ahead(ipv4_t address, uint16_t port, unsigned n)
{
    cleanup_diags struct diags why = {0};
    int fds[TFTP_SOCKETS_MAX];
    int r = open_tftp_group(address, port, n, &why, fds);
    for (unsigned i = 0; i < (r < 0 ? 1 : n); i++)
        keep_ahead(AHEAD_TFTP, "", address, port, r < 0 ? r : fds[i], &why);
}

static void http_ahead(ipv4_t address, uint16_t port, bool tls)
{
    cleanup_diags struct diags why = {0};
    keep_ahead(AHEAD_HTTP, "", address, port, open_http(address, port, tls, &why), &why);
}

void sockets_ahead(const struct served_ifaces *served, const struct server_settings *settings,
                   unsigned tftp_sockets)
{
    VEC_EACH(iface, &served->list) {
        dhcp_ahead(iface, settings->dhcp_port);
        dhcp_ahead(iface, DHCP_PXE_PORT);
        tftp_ahead(iface->address, settings->tftp_port, tftp_sockets);
        http_ahead(iface->address, settings->http_port, false);
        if (settings->https_port)
            http_ahead(iface->address, settings->https_port, true);
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
