/* HTTP for reports; the contract is in post.h. */
#include "init/post.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "init/text.h"

/* Connects within the time given; from then on the socket blocks, for at most as long each time. */
static int connect_within(int fd, const struct sockaddr_in *server, int ms)
{
    struct timeval limit = {ms / 1000, ms % 1000 * 1000};
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0) {
        if (errno != EINPROGRESS)
            return -errno;
        int n = poll(&ready, 1, ms);
        if (n <= 0)
            return n < 0 ? -errno : -ETIMEDOUT;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
            return error ? -error : -errno;
    }
    if (fcntl(fd, F_SETFL, 0) < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    return 0;
}

static int send_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Reads the status line, "HTTP/1.x CODE ...", as far as the first digit of the code. */
static int read_status(int fd)
{
    char answer[10];
    size_t used = 0;

    while (used < sizeof(answer)) {
        ssize_t n = recv(fd, answer + used, sizeof(answer) - used, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        used += (size_t)n;
    }
    if (memcmp(answer, "HTTP/1.", 7) != 0)
        return -EPROTO;
    if (answer[9] == '2')
        return 0;
    return answer[9] == '4' ? -EBADMSG : -EPROTO;
}

static int post_once(const struct post *post, const char *body, size_t length)
{
    char head[256];
    struct text text;

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    text_start(&text, head, sizeof(head));
    text_add(&text, "POST /v1/report HTTP/1.1\r\nHost: ");
    text_ipv4(&text, post->server.sin_addr.s_addr);
    text_addf(&text,
              ":%u\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
              ntohs(post->server.sin_port), length);
    int r = connect_within(fd, &post->server, post->connect_ms);
    if (r == 0)
        r = send_all(fd, head, text.used);
    if (r == 0)
        r = send_all(fd, body, length);
    if (r == 0)
        r = read_status(fd);
    close(fd);
    return r;
}

int post_report(const struct post *post, const char *body, size_t length)
{
    struct timespec pause = {0, 250000000};
    int r = -EINVAL;

    for (unsigned i = 0; i < post->tries; i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
            pause = pause.tv_sec                ? (struct timespec){pause.tv_sec * 2, 0}
                    : pause.tv_nsec < 500000000 ? (struct timespec){0, 500000000}
                                                : (struct timespec){1, 0};
        }
        r = post_once(post, body, length);
        if (r == 0 || r == -EBADMSG)
            break;
    }
    return r;
}
