/* See cli/control.h. */
#include "cli/control.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { WAIT_S = 15, ANSWER_MAX = 4 << 20 };

struct control_client {
    int fd;
    struct str read; /* what came and was not looked at */
};

/* By way of the folder's descriptor, as the server bound it: the path may be longer than an address. */
static int connect_path(int fd, const char *state_dir)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    cleanup_close int folder = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/control", folder);
    return connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

int control_connect(const char *state_dir, struct control_client **ret_client)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
        return -errno;
    int r = connect_path(fd, state_dir);
    if (r < 0)
        return r == -ECONNREFUSED ? -ENOENT : r == -EAGAIN ? -ETIMEDOUT : r; /* refused: left behind */
    struct control_client *client = xcalloc(1, sizeof(*client));
    client->fd = TAKE_FD(fd);
    *ret_client = client;
    return 0;
}

void control_disconnect(struct control_client *client)
{
    if (!client)
        return;
    close(client->fd);
    str_free(&client->read);
    free(client);
}

/* Reads until a line is there; it stands at the beginning of client->read, *ret_size bytes long. */
static int read_line(struct control_client *client, size_t *ret_size)
{
    char buf[16384];
    for (;;) {
        const char *text = str_text(&client->read), *end = strchr(text, '\n');
        if (end) {
            *ret_size = (size_t)(end - text);
            return 0;
        }
        if (client->read.len > ANSWER_MAX)
            return -EBADMSG;
        ssize_t n = recv(client->fd, buf, sizeof(buf), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return -EPIPE;
        str_add_n(&client->read, buf, (size_t)n);
    }
}

static int send_line(struct control_client *client, json_t *request)
{
    cleanup_free char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text)
        return -ENOMEM;
    size_t size = strlen(text);
    text[size] = '\n';
    for (size_t sent = 0; sent <= size;) {
        ssize_t n = send(client->fd, text + sent, size + 1 - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int control_ask(struct control_client *client, json_t *request, json_t **ret_answer, char **ret_reason)
{
    size_t size = 0;
    int r = send_line(client, request);
    if (r == 0)
        r = read_line(client, &size);
    if (r < 0)
        return r;
    json_t *answer = json_loadb(str_text(&client->read), size, 0, NULL);
    struct str rest = {0};
    str_add_n(&rest, client->read.s + size + 1, client->read.len - size - 1);
    str_free(&client->read);
    client->read = rest;
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (json_is_true(json_object_get(answer, "ok"))) {
        *ret_answer = answer;
        return 0;
    }
    r = error ? 1 : -EBADMSG;
    if (error)
        *ret_reason = xstrdup(error);
    json_decref(answer);
    return r;
}
