/* Asking and listening on one network; the contract is in doctor/lan.h. */
#include "doctor/lan.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

/* Probes leave one at a time: a burst would lose some of them in a small buffer, and prove nothing. */
enum { PACE_US = 20000, SECOND_US = 1000000, BOOT_SERVER_WAIT_US = 2 * SECOND_US, ECHO_US = SECOND_US / 4 };

const struct lan_arch lan_archs[LAN_ARCHS] = {
    {0, PROBE_PXE},   {6, PROBE_PXE},   {7, PROBE_PXE},   {9, PROBE_PXE},  {11, PROBE_PXE},
    {15, PROBE_HTTP}, {16, PROBE_HTTP}, {19, PROBE_HTTP}, {41, PROBE_PXE},
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_US + (uint64_t)t.tv_nsec / 1000;
}

/* The stranger's address: made of our own, so that however often somebody looks, a server that remembers it
 * remembers one. Locally administered, and not our own when that is too. */
static struct mac stranger_of(const struct mac *own)
{
    struct mac mac = *own;
    mac.b[0] = (uint8_t)((mac.b[0] & ~1) | 2);
    if (mac_equal(&mac, own))
        mac.b[0] ^= 4;
    return mac;
}

/* A node to ask as: one with an address in the subnet, else one that takes any of its pool. */
static const struct node *node_for(const struct site *site, const struct subnet *subnet)
{
    const struct node *any = NULL;
    VEC_EACH(node, &site->nodes) {
        if (node->ip && prefix_contains(&subnet->prefix, node->ip))
            return node;
        if (!node->ip && !any)
            any = node;
    }
    return subnet->pools.n || subnet->mode == DHCP_PROXY ? any : NULL;
}

static const struct subnet *subnet_on(const struct site *site, const struct doctor_iface *iface)
{
    VEC_EACH(subnet, &site->subnets)
        if (str_eq(subnet->interface, iface->name))
            return subnet;
    return site_subnet_of(site, iface->address);
}

static void add_probes(struct lan *lan, uint32_t xid)
{
    struct mac stranger = stranger_of(&lan->iface->mac), known = lan->node ? lan->node->mac : stranger;
    const struct probe strangers[] = {
        [PROBE_STRANGER_SYSTEM] = {PROBE_SYSTEM, 0, stranger, xid},
        [PROBE_STRANGER_BIOS] = {PROBE_PXE, 0, stranger, xid + 1},
        [PROBE_STRANGER_UEFI] = {PROBE_PXE, 7, stranger, xid + 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
        answers_probe(lan->answers, &strangers[i]);
    for (size_t i = 0; lan->known && i < LAN_ARCHS; i++)
        answers_probe(lan->answers, &(struct probe){lan_archs[i].kind, lan_archs[i].arch, known,
                                                    xid + PROBE_KNOWN + (uint32_t)i});
}

int lan_init(struct lan *lan, const struct doctor_iface *iface, const struct site *site, bool own_runs,
             uint16_t server_port, uint32_t xid)
{
    *lan = (struct lan){.iface = iface, .own_runs = own_runs, .frames = -1, .loop = -1};
    lan->answers = calloc(1, sizeof(*lan->answers));
    if (!lan->answers)
        return -ENOMEM;
    lan->answers->server_port = server_port;
    lan->subnet = site ? subnet_on(site, iface) : NULL;
    lan->node = lan->subnet ? node_for(site, lan->subnet) : NULL;
    lan->known = lan->node || (lan->subnet && lan->subnet->unknown != UNKNOWN_DENY);
    add_probes(lan, xid);
    return 0;
}

void lan_clear(struct lan *lan)
{
    free(lan->answers);
    if (lan->frames >= 0)
        close(lan->frames);
    if (lan->loop >= 0)
        close(lan->loop);
    *lan = (struct lan){.frames = -1, .loop = -1};
}

const struct server_heard *lan_own(const struct lan *lan)
{
    const struct answers *a = lan->answers;
    for (size_t i = 0; lan->own_runs && lan->known && i < a->servers_n; i++)
        for (size_t j = 0; a->servers[i].local && j < LAN_ARCHS; j++)
            if (a->servers[i].to[PROBE_KNOWN + j].heard)
                return &a->servers[i];
    return NULL;
}

/* ---- sockets ---- */

/* Hears what this machine sends too, since that is where our own server's answers are. */
static int open_frames(const struct doctor_iface *iface)
{
    /* Untagged IPv4 with UDP, unfragmented, from port 4011 or to port 68; all else never wakes us. */
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 11),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 5, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WIRE_PXE_PORT, 3, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0x40000),
    };
    static const struct sock_fprog filter = {.len = ARRAY_SIZE(code), .filter = code};
    const int size = 1 << 20;
    struct sockaddr_ll sa = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = iface->index};
    cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
        bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    return TAKE_FD(fd);
}

/* Sends broadcasts by way of IP, which hands them to this machine's own sockets too: what leaves through a
 * packet socket does not come back to them. */
static int open_loop(const struct doctor_iface *iface)
{
    const int on = 1;
    cleanup_close int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface->name, (socklen_t)strlen(iface->name)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int lan_open(struct lan *lan, struct diags *diags)
{
    lan->frames = open_frames(lan->iface);
    lan->loop = lan->frames < 0 ? lan->frames : open_loop(lan->iface);
    int r = lan->loop;
    if (r == -EPERM || r == -EACCES) {
        diag_error(
            diags, NULL,
            "no permission for a packet socket, by which the network is asked: run `rambox doctor` as root");
        return r;
    }
    return r < 0 ? diag_errno(diags, r, "cannot listen on %s", lan->iface->name) : 0;
}

/* ---- asking and listening ---- */

/* As a frame of a client without address, and by way of IP to whoever listens on this machine. */
static void send_probe(struct lan *lan, size_t i)
{
    uint8_t message[WIRE_MESSAGE_MAX], buf[WIRE_FRAME_MAX];
    struct probe_sent *sent = &lan->answers->probes[i];
    uint16_t port = lan->answers->server_port;
    struct sockaddr_in everybody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_BROADCAST)};
    size_t size = wire_discover(&sent->probe, message);
    sent->at_us = now_us();
    /* What cannot be sent now is sent again, or counts as unanswered: the interface may be gone. */
    int n = wire_packet(lan->iface->address, port, message, size, buf, sizeof(buf));
    if (n > 0)
        (void)sendto(lan->loop, buf, (size_t)n, 0, (const struct sockaddr *)&everybody, sizeof(everybody));
    n = wire_frame(&lan->iface->mac, DHCP_SERVER_PORT, message, size, buf, sizeof(buf));
    if (n > 0)
        (void)send(lan->frames, buf, (size_t)n, 0);
}

static void read_frames(struct lan *lan)
{
    uint8_t frame[DHCP_PACKET_MAX + 64];
    for (int i = 0; i < 256; i++) {
        struct sockaddr_ll from = {0};
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(lan->frames, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);
        if (n < 0)
            return;
        answers_take(lan->answers, now_us(), from.sll_pkttype == PACKET_OUTGOING, frame, (size_t)n);
    }
}

/* Of more networks than one call of poll is told of, the others are read when one of these wakes it, or when
 * the next probe is due. */
static void listen_until(struct lan *lans, size_t n, uint64_t end_us)
{
    struct pollfd fds[64];
    size_t count = n < ARRAY_SIZE(fds) ? n : ARRAY_SIZE(fds);
    uint64_t now;
    while ((now = now_us()) < end_us) {
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = lans[i].frames, .events = POLLIN};
        (void)poll(fds, count, (int)((end_us - now) / 1000 + 1));
        for (size_t i = 0; i < n; i++)
            read_frames(&lans[i]);
    }
}

static void send_round(struct lan *lans, size_t n, bool unanswered_only)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < lans[i].answers->probes_n; j++) {
            if (unanswered_only && answers_has(lans[i].answers, j, lans[i].own_runs && j >= PROBE_KNOWN))
                continue;
            send_probe(&lans[i], j);
            listen_until(lans, n, now_us() + PACE_US);
        }
}

void lans_watch(struct lan *lans, size_t n, unsigned seconds, struct progress *progress)
{
    uint64_t start = now_us(), end = start + (uint64_t)seconds * SECOND_US, again = start + (end - start) / 3;
    if (!n)
        return;
    send_round(lans, n, false);
    for (uint64_t now; (now = now_us()) < end;) {
        progress_update(progress, "watch the network", (now - start) / SECOND_US, seconds, NULL);
        if (again && now >= again) {
            send_round(lans, n, true);
            again = 0;
        }
        uint64_t until = now + ECHO_US < end ? now + ECHO_US : end;
        listen_until(lans, n, again && until > again ? again + 1 : until);
    }
}

/* ---- port 4011 ---- */

/* Not bound to the interface: our own server's answers come by the loopback one. */
static int open_boot_client(const struct doctor_iface *iface)
{
    const int on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(iface->address)};
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* To our own server as a broadcast: it listens on the interface, where nothing else of ours arrives. */
static void ask_boot_server(const struct lan *lan, int fd, const struct boot_server *to)
{
    uint8_t message[WIRE_MESSAGE_MAX];
    union {
        struct cmsghdr header;
        uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {0};
    size_t probe = lan->known ? PROBE_KNOWN : PROBE_STRANGER_BIOS;
    size_t size = wire_boot_request(&lan->answers->probes[probe].probe, lan->iface->address, message);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(WIRE_PXE_PORT),
                                  .sin_addr.s_addr = htonl(to->own ? INADDR_BROADCAST : to->address)};
    struct iovec part = {message, size};
    struct msghdr m = {.msg_name = &address,
                       .msg_namelen = sizeof(address),
                       .msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    struct in_pktinfo info = {.ipi_ifindex = lan->iface->index,
                              .ipi_spec_dst.s_addr = htonl(lan->iface->address)};
    control.header = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
    memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
    (void)sendmsg(fd, &m, 0);
}

static void take_boot_answer(struct lan *lan, uint64_t after_us, ipv4_t from, const uint8_t *data,
                             size_t size)
{
    struct dhcp_packet *p = &lan->answers->reply.message;
    size_t probe = lan->known ? PROBE_KNOWN : PROBE_STRANGER_BIOS;
    if (dhcp_parse(data, size, p) != DHCP_OK || p->op != DHCP_BOOTREPLY ||
        p->xid != lan->answers->probes[probe].probe.xid)
        return;
    for (size_t i = 0; i < lan->boot_servers_n; i++) {
        struct boot_server *s = &lan->boot_servers[i];
        if (s->address != from || s->answered)
            continue;
        s->answered = true;
        s->after_us = after_us;
        answer_file(p, s->file);
    }
}

static bool all_answered(const struct lan *lan)
{
    for (size_t i = 0; i < lan->boot_servers_n; i++)
        if (!lan->boot_servers[i].answered)
            return false;
    return true;
}

static void choose_boot_servers(struct lan *lan)
{
    const struct answers *a = lan->answers;
    if (lan->own_runs && lan->known)
        lan->boot_servers[lan->boot_servers_n++] =
            (struct boot_server){.server = lan_own(lan), .address = lan->iface->address, .own = true};
    for (size_t i = 0; i < a->servers_n; i++)
        if (a->servers[i].asks_4011 && !a->servers[i].local && a->servers[i].source)
            lan->boot_servers[lan->boot_servers_n++] =
                (struct boot_server){.server = &a->servers[i], .address = a->servers[i].source};
}

void lan_ask_boot_servers(struct lan *lan)
{
    uint8_t data[DHCP_PACKET_MAX];
    cleanup_close int fd = open_boot_client(lan->iface);
    choose_boot_servers(lan);
    uint64_t start = now_us(), end = start + BOOT_SERVER_WAIT_US, asked = 0;
    for (uint64_t now = start; fd >= 0 && now < end && !all_answered(lan); now = now_us()) {
        if (!asked || now - asked >= SECOND_US) {
            for (size_t i = 0; i < lan->boot_servers_n; i++)
                ask_boot_server(lan, fd, &lan->boot_servers[i]);
            asked = now;
        }
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct sockaddr_in from = {0};
        socklen_t size = sizeof(from);
        if (poll(&wait, 1, 100) <= 0)
            continue;
        ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &size);
        if (n > 0)
            take_boot_answer(lan, now_us() - asked, ntohl(from.sin_addr.s_addr), data, (size_t)n);
    }
}
