/* lab-boot: boots one virtual node against somebody else's boot servers, and says where the time went.
 *
 *     lab-boot [--firmware bios|uefi|secure|arm64] [--method pxe|http] [--nic virtio|e1000] [--memory 64M]
 *              [--accel auto|kvm|tcg] [--timeout S] [--console FILE]
 *              --address 10.77.0.1 [--address6 fd77::1/64] --server 'PROGRAM ARGUMENT...' [--server ...]
 *
 * The network and the machine are those of `rambox try` (src/lab), so that stacks are compared on the same
 * node. The servers run in the namespace, a bridge `lab0` with the address. The packets on the bridge and two
 * lines on the node's console give the marks:
 *
 *     packet   its first DHCP packet
 *     loader   its first request for a file, by TFTP or by HTTP on port 80
 *     kernel   its first request for a file whose name has `bzImage` or `kernel`
 *     loaded   the last packet of a file
 *     init     the console said `bench: init`
 *     ready    the console said `bench: ready`
 *
 * Prints one JSON object, seconds, a value a line; exits 0 when the node became ready.
 */
#include "base/process.h"
#include "base/str.h"
#include "base/vec.h"
#include "lab/node.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

enum mark { MARK_PACKET, MARK_LOADER, MARK_KERNEL, MARK_LOADED, MARK_INIT, MARK_READY, MARKS };

struct bench {
    struct lab_node_spec spec;
    ipv4_t address;
    unsigned timeout_s;
    const char *console_path;
    const char *address6; /* NULL: none; what a router advertisement of dnsmasq needs */
    VEC(const char *) server_lines;
    VEC(struct lab_child) servers;
    struct lab_net net;
    struct lab_node node;
    int sniffer, signals;
    double powered_on;
    double marks[MARKS]; /* 0: not seen */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* the clock of the packets' time stamps */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void mark(struct bench *bench, enum mark which, double at)
{
    if (bench->marks[which] == 0)
        bench->marks[which] = at - bench->powered_on;
}

/* Every packet on the bridge, both ways, with the kernel's time stamp. */
static int open_sniffer(const char *interface)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int on = 1, size = 64 << 20;
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        return -errno;
    return fd;
}

/* Its request for a file; `at_name` is what stands there, up to `size` bytes. */
static void take_request(struct bench *bench, const uint8_t *at_name, size_t size, double at)
{
    char name[256];
    snprintf(name, sizeof(name), "%.*s", (int)(size < 255 ? size : 255), (const char *)at_name);
    name[strcspn(name, "\r")] = '\0';
    mark(bench, MARK_LOADER, at);
    if (strstr(name, "bzImage") || strstr(name, "kernel"))
        mark(bench, MARK_KERNEL, at);
}

/* A part of a file on its way. */
static void take_data(struct bench *bench, double at)
{
    if (bench->marks[MARK_KERNEL] > 0 && bench->marks[MARK_INIT] == 0)
        bench->marks[MARK_LOADED] = at - bench->powered_on;
}

static void take_udp(struct bench *bench, const uint8_t *p, size_t size, bool outgoing, double at)
{
    unsigned from = (unsigned)(p[0] << 8 | p[1]), to = (unsigned)(p[2] << 8 | p[3]);
    if (!outgoing && to == 67)
        mark(bench, MARK_PACKET, at);
    else if (!outgoing && to == 69 && size > 10)
        take_request(bench, p + 10, size - 10, at);
    else if (outgoing && from != 67 && to != 68)
        take_data(bench, at);
}

/* `whole` is the size of the segment on the wire, of which `size` bytes are here. */
static void take_tcp(struct bench *bench, const uint8_t *p, size_t size, size_t whole, bool outgoing,
                     double at)
{
    unsigned from = (unsigned)(p[0] << 8 | p[1]), to = (unsigned)(p[2] << 8 | p[3]);
    size_t header = (size_t)(p[12] >> 4) * 4;
    if (header < 20 || whole <= header || size < header + 4)
        return;
    if (!outgoing && to == 80 && memcmp(p + header, "GET ", 4) == 0)
        take_request(bench, p + header + 4, size - header - 4, at);
    else if (outgoing && from == 80)
        take_data(bench, at);
}

static void take_packet(struct bench *bench, const uint8_t *p, size_t size, bool outgoing, double at)
{
    size_t header = size ? (size_t)(p[0] & 15) * 4 : 0;
    if (size < 28 || p[0] >> 4 != 4 || header < 20 || size < header + 8)
        return;
    size_t whole = (size_t)(p[2] << 8 | p[3]);
    if (p[9] == IPPROTO_UDP)
        take_udp(bench, p + header, size - header, outgoing, at);
    else if (p[9] == IPPROTO_TCP && size >= header + 20 && whole > header)
        take_tcp(bench, p + header, size - header, whole - header, outgoing, at);
}

static void read_packets(struct bench *bench)
{
    uint8_t data[512];
    char control[256];
    struct sockaddr_ll from;
    struct iovec part = {data, sizeof(data)};
    ssize_t n;
    for (;;) {
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof(from),
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof(control)};
        if ((n = recvmsg(bench->sniffer, &message, MSG_DONTWAIT)) < 0)
            return;
        struct timespec t = {0};
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
                memcpy(&t, CMSG_DATA(c), sizeof(t));
        take_packet(bench, data, (size_t)n, from.sll_pkttype == PACKET_OUTGOING,
                    (double)t.tv_sec + (double)t.tv_nsec / 1e9);
    }
}

static int start_server(struct bench *bench, const char *line, struct diags *diags)
{
    cleanup_free char *words = xstrdup(line);
    VEC(const char *) argv = {0};
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        VEC_PUSH(&argv, word);
    VEC_PUSH(&argv, NULL);
    struct lab_child child = LAB_CHILD_NONE;
    int r = lab_child_start(&(struct lab_child_spec){.argv = argv.items}, diags, &child);
    VEC_FREE(&argv);
    if (r == 0)
        VEC_PUSH(&bench->servers, child);
    return r;
}

/* What the servers print goes to stderr; their pipes must not fill up. */
static void drain_servers(struct bench *bench)
{
    char buffer[4096];
    ssize_t n;
    VEC_EACH(server, &bench->servers)
        while (server->output >= 0 && (n = read(server->output, buffer, sizeof(buffer))) > 0)
            (void)!write(STDERR_FILENO, buffer, (size_t)n);
}

/* Until ready, the end of the time, a signal or the end of the node. */
static void watch(struct bench *bench)
{
    while (bench->marks[MARK_READY] == 0 && bench->node.power == LAB_POWER_ON &&
           now() - bench->powered_on < bench->timeout_s) {
        struct pollfd fds[] = {{.fd = bench->sniffer, .events = POLLIN},
                               {.fd = bench->node.serial, .events = POLLIN},
                               {.fd = bench->node.control, .events = POLLIN},
                               {.fd = bench->signals, .events = POLLIN}};
        (void)poll(fds, ARRAY_SIZE(fds), 50);
        double at = now();
        if (fds[3].revents)
            return;
        read_packets(bench);
        lab_node_read(&bench->node);
        drain_servers(bench);
        if (lab_console_said(&bench->node.console, 0, "bench: init"))
            mark(bench, MARK_INIT, at);
        if (lab_console_said(&bench->node.console, 0, "bench: ready"))
            mark(bench, MARK_READY, at);
    }
}

static int run(struct bench *bench, struct diags *diags)
{
    char name[] = "lab0";
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int r = lab_enter(diags);
    if (r < 0 || (r = lab_net_make(name, bench->address, 24, diags, &bench->net)) < 0)
        return r;
    const char *const six[] = {"ip", "-6", "addr", "add", bench->address6, "dev", name, "nodad", NULL};
    if (bench->address6 && process_run(&(struct process_spec){.argv = six}) != 0)
        diag_warning(diags, NULL, "cannot give the bridge the address %s", bench->address6);
    bench->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if ((bench->sniffer = open_sniffer(name)) < 0)
        return diag_errno(diags, bench->sniffer, "cannot watch the packets");
    VEC_EACH(line, &bench->server_lines)
        if ((r = start_server(bench, *line, diags)) < 0)
            return r;
    if ((r = lab_node_start(&bench->spec, &bench->net, diags, &bench->node)) < 0)
        return r;
    usleep(500 * 1000); /* the servers settle while nothing is measured */
    read_packets(bench);
    memset(bench->marks, 0, sizeof(bench->marks));
    bench->powered_on = now();
    if ((r = lab_node_power_on(&bench->node)) < 0)
        return diag_errno(diags, r, "cannot power on");
    watch(bench);
    return 0;
}

/* Where the time went: the phases of `rambox try --json`. */
static void print(const struct bench *bench)
{
    static const struct {
        const char *name;
        enum mark from, to;
    } phases[] = {{"dhcp", MARK_PACKET, MARK_LOADER},
                  {"loader", MARK_LOADER, MARK_KERNEL},
                  {"files", MARK_KERNEL, MARK_LOADED},
                  {"kernel", MARK_LOADED, MARK_INIT},
                  {"init", MARK_INIT, MARK_READY}};
    printf("{\n  \"accel\": \"%s\"", lab_accel_name(bench->spec.accel));
    if (bench->marks[MARK_READY] > 0) {
        printf(",\n  \"ready_s\": %.3f,\n  \"firmware\": %.3f", bench->marks[MARK_READY],
               bench->marks[MARK_PACKET]);
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
            printf(",\n  \"%s\": %.3f", phases[i].name,
                   bench->marks[phases[i].to] - bench->marks[phases[i].from]);
    }
    printf("\n}\n");
}

static int take_option(struct bench *bench, const char *name, const char *value)
{
    uint64_t number;
    if (str_eq(name, "--firmware"))
        return lab_firmware_parse(value, &bench->spec.firmware);
    if (str_eq(name, "--method"))
        return lab_method_parse(value, &bench->spec.method);
    if (str_eq(name, "--nic"))
        return lab_nic_parse(value, &bench->spec.nic);
    if (str_eq(name, "--accel"))
        return lab_accel_parse(value, &bench->spec.accel);
    if (str_eq(name, "--memory"))
        return parse_size(value, &bench->spec.memory);
    if (str_eq(name, "--address"))
        return ipv4_parse(value, &bench->address);
    if (str_eq(name, "--address6"))
        return bench->address6 = value, 0;
    if (str_eq(name, "--console"))
        return bench->console_path = value, 0;
    if (str_eq(name, "--server"))
        return VEC_PUSH(&bench->server_lines, value), 0;
    if (!str_eq(name, "--timeout") || parse_u64(value, 1, 3600, &number) < 0)
        return -EINVAL;
    bench->timeout_s = (unsigned)number;
    return 0;
}

int main(int argc, char **argv)
{
    struct bench bench = {
        .spec = {.name = "n1", .mac = {{0x52, 0x54, 0, 0x77, 0, 1}}, .memory = 64 << 20, .cpus = 2},
        .address = 0x0a4d0001,
        .timeout_s = 90,
        .node = LAB_NODE_NONE};
    cleanup_diags struct diags diags = {0};
    for (int i = 1; i < argc; i += 2)
        if (!argv[i + 1] || take_option(&bench, argv[i], argv[i + 1]) < 0) {
            fprintf(stderr, "lab-boot: wrong option %s\n", argv[i]);
            return 2;
        }
    bench.spec.accel = lab_firmware_accel(bench.spec.firmware, bench.spec.accel);
    int r = lab_firmware_check(bench.spec.firmware, &diags);
    if (r == 0)
        r = run(&bench, &diags);
    diags_print(&diags, stderr);
    if (r == 0)
        print(&bench);
    if (r == 0 && bench.marks[MARK_READY] == 0) {
        cleanup_free char *tail = lab_console_tail(&bench.node.console, 40);
        fprintf(stderr, "lab-boot: the node did not become ready; it %s; its console ended so:\n%s\n",
                lab_power_text(bench.node.power), tail);
    }
    FILE *console = bench.console_path ? fopen(bench.console_path, "we") : NULL;
    if (console) {
        fputs(str_text(&bench.node.console.text), console);
        fclose(console);
    }
    bool ready = r == 0 && bench.marks[MARK_READY] > 0;
    lab_node_end(&bench.node);
    VEC_EACH(server, &bench.servers)
        lab_child_end(server, 500);
    VEC_FREE(&bench.servers);
    VEC_FREE(&bench.server_lines);
    return ready ? 0 : 1;
}
