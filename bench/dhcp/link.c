/* See link.h. */
#include "dhcp/link.h"
#include "base/bytes.h"
#include "proto/dhcp.h"
#include "proto/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BUFFER = 64 << 20 };

/* Whole, unfragmented UDP over IPv4 to port 68. */
static struct sock_filter to_clients[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 8),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 4, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, LINK_PACKET),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static void prepare(struct link *l)
{
    for (size_t i = 0; i < LINK_BATCH; i++) {
        l->in.parts[i] = (struct iovec){l->in.data[i], LINK_PACKET};
        l->out.parts[i].iov_base = l->out.data[i];
        l->in.messages[i].msg_hdr = (struct msghdr){.msg_iov = &l->in.parts[i], .msg_iovlen = 1};
        l->out.messages[i].msg_hdr = (struct msghdr){.msg_iov = &l->out.parts[i], .msg_iovlen = 1};
        if (l->connected)
            continue;
        l->in.messages[i].msg_hdr.msg_name = &l->in.peers[i];
        l->out.messages[i].msg_hdr.msg_name = &l->out.peers[i];
        l->out.messages[i].msg_hdr.msg_namelen = sizeof(l->out.peers[i]);
    }
}

static void set_buffers(int fd)
{
    const int size = BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

/* A UDP socket on port 67 of `address`. */
static int open_udp(ipv4_t address)
{
    const int on = 1;
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_port = htons(DHCP_SERVER_PORT), .sin_addr.s_addr = htonl(address)};
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
        return -errno;
    set_buffers(fd);
    return TAKE_FD(fd);
}

int link_open_relay(struct link *l, ipv4_t server, ipv4_t address, struct diags *diags)
{
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(DHCP_SERVER_PORT), .sin_addr.s_addr = htonl(server)};
    struct sockaddr_in own = {0};
    socklen_t size = sizeof(own);
    l->connected = true;
    l->headers = 0;
    l->fd = open_udp(address);
    if (l->fd < 0)
        return diag_errno(diags, l->fd, "cannot open UDP port 67");
    if (connect(l->fd, (const struct sockaddr *)&peer, sizeof(peer)) < 0 ||
        getsockname(l->fd, (struct sockaddr *)&own, &size) < 0)
        return diag_errno(diags, -errno, "cannot reach the server");
    l->address = ntohl(own.sin_addr.s_addr);
    prepare(l);
    return 0;
}

static int open_packet(const char *interface, struct mac *ret_mac)
{
    const int on = 1;
    const struct sock_fprog filter = {ARRAY_SIZE(to_clients), to_clients};
    struct ifreq request = {0};
    struct sockaddr_ll own = {.sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_IP),
                              .sll_ifindex = (int)if_nametoindex(interface)};
    struct packet_mreq every = {.mr_ifindex = own.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
    cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || own.sll_ifindex == 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &every, sizeof(every)) < 0 ||
        bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
        return -errno;
    set_buffers(fd);
    memcpy(ret_mac->b, request.ifr_hwaddr.sa_data, sizeof(ret_mac->b));
    return TAKE_FD(fd);
}

int link_open_direct(struct link *l, const char *interface, struct diags *diags)
{
    l->connected = true;
    l->headers = LINK_HEADERS;
    l->fd = open_packet(interface, &l->mac);
    if (l->fd < 0)
        return diag_errno(diags, l->fd, "cannot use interface %s", interface);
    prepare(l);
    return 0;
}

int link_open_server(struct link *l, const char *interface, struct diags *diags)
{
    l->connected = false;
    l->headers = 0;
    l->fd = open_udp(0);
    if (l->fd < 0 ||
        setsockopt(l->fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
        return diag_errno(diags, l->fd < 0 ? l->fd : -errno, "cannot open UDP port 67 on %s", interface);
    prepare(l);
    return 0;
}

void link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

uint8_t *link_add(struct link *l, size_t size, const struct sockaddr_in *to)
{
    if (l->out.n == LINK_BATCH)
        link_flush(l);
    unsigned i = l->out.n++;
    l->out.parts[i].iov_len = size;
    if (to)
        l->out.peers[i] = *to;
    return l->out.data[i];
}

void link_flush(struct link *l)
{
    unsigned sent = 0, refused = 0;
    while (sent < l->out.n) {
        int n = sendmmsg(l->fd, l->out.messages + sent, l->out.n - sent, 0);
        if (n > 0) {
            sent += (unsigned)n;
            refused = 0;
        } else if (errno == EINTR || (errno == ECONNREFUSED && refused++ < 3)) {
            continue; /* the answer to an earlier packet: nobody listened */
        } else {
            l->unsent++;
            sent++;
            refused = 0;
        }
    }
    l->out.n = 0;
}

unsigned link_receive(struct link *l)
{
    for (unsigned i = 0; !l->connected && i < LINK_BATCH; i++)
        l->in.messages[i].msg_hdr.msg_namelen = sizeof(l->in.peers[i]);
    int n = recvmmsg(l->fd, l->in.messages, LINK_BATCH, MSG_DONTWAIT, NULL);
    l->in.n = n > 0 ? (unsigned)n : 0;
    return l->in.n;
}

const uint8_t *link_message(const struct link *l, unsigned i, size_t *ret_size)
{
    struct reader r = reader_of(l->in.data[i], l->in.messages[i].msg_len);
    if (l->headers) {
        (void)reader_take(&r, 14);
        size_t ip = (size_t)(reader_u8(&r) & 15) * 4; /* the filter saw the rest */
        (void)reader_take(&r, ip < 20 ? 19 : ip - 1);
        (void)reader_u32(&r);
        size_t udp = reader_u16(&r);
        (void)reader_u16(&r);
        r = reader_sub(&r, udp < 8 ? 0 : udp - 8);
        if (r.failed)
            return NULL;
    }
    *ret_size = r.left;
    return r.p;
}

void link_write_headers(uint8_t frame[static LINK_HEADERS], const struct mac *from, const struct mac *to,
                        const struct sockaddr_in *source, const struct sockaddr_in *destination, size_t size)
{
    static const uint8_t nothing[LINK_PACKET];
    struct writer w = writer_of(frame, LINK_HEADERS);
    const struct udp4 udp = {.source = ntohl(source->sin_addr.s_addr),
                             .destination = ntohl(destination->sin_addr.s_addr),
                             .source_port = ntohs(source->sin_port),
                             .destination_port = ntohs(destination->sin_port)};
    writer_put(&w, to->b, sizeof(to->b));
    writer_put(&w, from->b, sizeof(from->b));
    writer_u16(&w, ETH_P_IP);
    udp4_write_headers(&w, &udp, nothing, size);
    frame[LINK_HEADERS - 2] = frame[LINK_HEADERS - 1] = 0;
}
