/* See doctor/ping.h. */
#include "doctor/ping.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

/* RFC 792 */
enum { ECHO_REPLY = 0, ECHO_REQUEST = 8, IP_HEADER = 20, SMALL = 64, MTU_MAX = 1500, WAIT_US = 1000000 };
enum { SEQUENCE_SMALL = 1, SEQUENCE_WHOLE = 2 };

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void send_echo(int fd, ipv4_t address, uint16_t id, uint16_t sequence, size_t size)
{
    uint8_t buf[MTU_MAX];
    struct writer w = writer_of(buf, size);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    writer_u8(&w, ECHO_REQUEST);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, id);
    writer_u16(&w, sequence);
    writer_fill(&w, 0, writer_left(&w));
    uint16_t sum = checksum_end(checksum_add(0, buf, w.used));
    buf[2] = (uint8_t)(sum >> 8);
    buf[3] = (uint8_t)sum;
    /* One that cannot be sent is one that does not answer. */
    (void)sendto(fd, buf, w.used, 0, (const struct sockaddr *)&to, sizeof(to));
}

/* A whole IP packet. */
static void take_reply(const uint8_t *data, size_t size, ipv4_t from, uint16_t id, struct ping *pings,
                       size_t n)
{
    struct reader r = reader_of(data, size);
    size_t header = (size_t)(reader_u8(&r) & 15) * 4;
    r = reader_of(data, size);
    reader_take(&r, header);
    uint8_t type = reader_u8(&r);
    reader_take(&r, 3);
    uint16_t reply_id = reader_u16(&r), sequence = reader_u16(&r);
    if (r.failed || type != ECHO_REPLY || reply_id != id)
        return;
    for (size_t i = 0; i < n; i++) {
        if (pings[i].address != from)
            continue;
        pings[i].answers |= sequence == SEQUENCE_SMALL;
        pings[i].whole |= sequence == SEQUENCE_WHOLE;
    }
}

static bool all_there(const struct ping *pings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!pings[i].whole || !pings[i].answers)
            return false;
    return true;
}

int ping_all(const char *interface, unsigned mtu, struct ping *pings, size_t n)
{
    const int no_fragments = IP_PMTUDISC_PROBE; /* DF, whatever was learnt of the path */
    uint8_t buf[MTU_MAX + IP_HEADER];
    cleanup_close int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &no_fragments, sizeof(no_fragments)) < 0)
        return -errno;
    uint16_t id = (uint16_t)getpid();
    size_t whole = (mtu < MTU_MAX ? mtu : MTU_MAX) - IP_HEADER;
    for (size_t i = 0; i < n; i++) {
        send_echo(fd, pings[i].address, id, SEQUENCE_SMALL, SMALL);
        send_echo(fd, pings[i].address, id, SEQUENCE_WHOLE, whole);
    }
    uint64_t end = now_us() + WAIT_US;
    for (uint64_t now; n && !all_there(pings, n) && (now = now_us()) < end;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        struct sockaddr_in from = {0};
        socklen_t size = sizeof(from);
        if (poll(&wait, 1, (int)((end - now) / 1000 + 1)) <= 0)
            continue;
        ssize_t got = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &size);
        if (got > 0)
            take_reply(buf, (size_t)got, ntohl(from.sin_addr.s_addr), id, pings, n);
    }
    return 0;
}
