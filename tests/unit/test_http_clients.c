/* daemon/http_clients with real connections over the loopback interface and a clock of our own: limits (W3),
 * time-outs (hostile: slowloris, slow read), ends and progress. */
#include "serve_fixture.h"

#include "daemon/http_clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000)
#define SOURCE 0x0a070032u
#define OTHER  0x0a070033u

/* A connection: what the server has of it, and the client's end. */
struct line {
    struct http_client *client;
    int fd, peer;
};

static struct bed {
    struct events events;
    struct counters counters;
    struct http_clients *clients;
    struct moment now;
    unsigned woken;
} bed;

static void on_wake(void *user)
{
    (void)user;
    bed.woken++;
}

static int setup(void **state)
{
    (void)state;
    const struct http_limits limits = {
        .connections = 6, .per_source = 3, .downloads = 4, .downloads_per_source = 2};
    memset(&bed, 0, sizeof(bed));
    bed.events.sink.emit = events_emit;
    bed.now = (struct moment){.mono_us = 1000 * SECOND, .unix_us = 1};
    bed.clients = http_clients_new(&limits, &bed.events.sink, &bed.counters, on_wake, NULL);
    return bed.clients ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    http_clients_free(bed.clients);
    return 0;
}

/* A TCP connection whose client has little room for what it does not read. */
static void join(int *ret_server, int *ret_client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const int little = 4096;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(*ret_client, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    (void)connect(*ret_client, (const struct sockaddr *)&address, sizeof(address));
    *ret_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(*ret_server >= 0);
    close(listener);
}

static struct line come(ipv4_t from)
{
    struct line line;
    join(&line.fd, &line.peer);
    line.client = http_client_open(bed.clients, &bed.now, line.fd, from, SERVER);
    assert_non_null(line.client);
    return line;
}

static void go(struct line *line)
{
    http_client_close(bed.clients, &bed.now, line->client);
    close(line->fd);
    close(line->peer);
}

/* Asks, as it does between two files. */
static bool is_heard(const struct line *line)
{
    bool heard = http_client_request(bed.clients, &bed.now, line->client);
    http_client_answered(bed.clients, &bed.now, line->client);
    return heard;
}

/* A request for a file; `boot` of a known machine, or 0. What http_client_begin says. */
static int ask(const struct line *line, uint64_t size, uint64_t boot)
{
    struct file_answer what = {.name = "g1/kernel/smallest", .boot = boot};
    assert_true(http_client_request(bed.clients, &bed.now, line->client));
    return http_client_begin(bed.clients, &bed.now, line->client, &what, size);
}

static void all_is_out(const struct line *line)
{
    http_client_end(bed.clients, &bed.now, line->client, NULL);
}

/* Time goes on; returns what the clock's owner hears. */
static int after(uint64_t us)
{
    bed.now.mono_us += us;
    return http_clients_tick(bed.clients, &bed.now);
}

static uint64_t counted(unsigned which)
{
    return counter_value(&bed.counters, which);
}

/* Whether the server cut it: the client sees the end, whatever it has not read. */
static bool is_cut(const struct line *line)
{
    struct pollfd p = {.fd = line->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLRDHUP);
}

/* The client takes up to so many bytes, as they come; 0 when none came for a generous while. */
static size_t take(const struct line *line, size_t most)
{
    static char buf[1 << 16];
    size_t taken = 0;
    struct pollfd p = {.fd = line->peer, .events = POLLIN};
    while (taken < most && poll(&p, 1, 20000) == 1) {
        ssize_t n = recv(line->peer, buf, most - taken < sizeof(buf) ? most - taken : sizeof(buf), 0);
        if (n <= 0)
            break;
        taken += (size_t)n;
    }
    return taken;
}

/* Fills the connection until the kernel takes no more; how much that was. */
static size_t fill(const struct line *line)
{
    static const char zeros[1 << 16];
    size_t sent = 0;
    for (ssize_t n = 0; n >= 0; n = send(line->fd, zeros, sizeof(zeros), MSG_NOSIGNAL))
        sent += (size_t)n;
    assert_int_equal(errno, EAGAIN);
    return sent;
}

/* ---- limits ---- */

static void test_connections_of_a_source(void **state) /* W3 */
{
    struct line lines[4], other;
    (void)state;
    for (int i = 0; i < 4; i++)
        lines[i] = come(SOURCE);
    for (int i = 0; i < 3; i++)
        assert_true(is_heard(&lines[i]));
    assert_false(is_heard(&lines[3])); /* the newest, not one of those before it */
    assert_int_equal(counted(COUNT_HTTP_LIMITED_CLIENTS), 1);
    other = come(OTHER);
    assert_true(is_heard(&other)); /* others do not pay for it */
    go(&lines[0]);
    assert_true(is_heard(&lines[3])); /* there is room again */
    assert_int_equal(http_clients_figures(bed.clients).connections, 4);
    for (int i = 1; i < 4; i++)
        go(&lines[i]);
    go(&other);
    assert_int_equal(http_clients_figures(bed.clients).connections, 0);
}

static void test_connections_in_all(void **state) /* W3 */
{
    struct line lines[7];
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        lines[i] = come(SOURCE + i);
    for (unsigned i = 0; i < 6; i++)
        assert_true(is_heard(&lines[i]));
    assert_false(is_heard(&lines[6]));
    http_clients_set_limits(bed.clients, &(struct http_limits){7, 3, 4, 2});
    assert_true(is_heard(&lines[6])); /* a new limit counts at once */
    for (unsigned i = 0; i < 7; i++)
        go(&lines[i]);
}

/* Above a limit some more are taken, so that they hear why; after that none. */
static void test_admission(void **state) /* W3; hostile: a flood of connections */
{
    enum { OVER = 16, ALL = 6 + 256 };
    struct line lines[3 + OVER];
    (void)state;
    for (int i = 0; i < 3 + OVER; i++) {
        assert_true(http_clients_admit(bed.clients, SOURCE));
        lines[i] = come(SOURCE);
    }
    assert_false(http_clients_admit(bed.clients, SOURCE));
    assert_true(http_clients_admit(bed.clients, OTHER));
    http_clients_gone(bed.clients);
    for (unsigned i = 0; i < ALL - 3 - OVER; i++) /* on their way to a worker: they count too */
        assert_true(http_clients_admit(bed.clients, OTHER + i));
    assert_false(http_clients_admit(bed.clients, OTHER + ALL));
    http_clients_gone(bed.clients);
    assert_true(http_clients_admit(bed.clients, OTHER + ALL));
    assert_int_equal(counted(COUNT_HTTP_LIMITED_CLIENTS), 2);
    for (int i = 0; i < 3 + OVER; i++)
        go(&lines[i]);
}

static void test_downloads(void **state) /* W3 */
{
    struct line lines[3], others[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        lines[i] = come(SOURCE);
        others[i] = come(OTHER + i);
    }
    assert_int_equal(ask(&lines[0], 1000, 0), 0);
    assert_int_equal(ask(&lines[1], 1000, 0), 0);
    assert_int_equal(ask(&lines[2], 1000, 0), -EBUSY); /* of this source */
    assert_int_equal(ask(&others[0], 1000, 0), 0);
    assert_int_equal(ask(&others[1], 1000, 0), 0);
    assert_int_equal(ask(&others[2], 1000, 0), -EBUSY); /* of all */
    assert_int_equal(counted(COUNT_HTTP_LIMITED), 2);
    assert_int_equal(http_clients_figures(bed.clients).downloads, 4);
    all_is_out(&lines[0]);
    assert_int_equal(ask(&lines[2], 1000, 0), 0);
    all_is_out(&others[0]);
    assert_int_equal(ask(&others[2], 1000, 0), 0);
    assert_int_equal(http_client_begin(bed.clients, &bed.now, NULL, &(struct file_answer){0}, 1), -ENOMEM);
    for (unsigned i = 0; i < 3; i++) {
        go(&lines[i]);
        go(&others[i]);
    }
    assert_int_equal(http_clients_figures(bed.clients).downloads, 0);
}

/* ---- time-outs ---- */

static void test_slowloris(void **state) /* hostile: slowloris */
{
    struct line silent = come(SOURCE), dripping = come(SOURCE), answered = come(SOURCE);
    (void)state;
    assert_true(http_client_request(bed.clients, &bed.now, answered.client)); /* and waits for its answer */
    after(HTTP_REQUEST_S * SECOND);
    assert_false(is_cut(&silent) || is_cut(&dripping));
    assert_int_equal(send(dripping.peer, "GET", 3, MSG_NOSIGNAL), 3); /* bytes are no request */
    after(2 * SECOND);
    assert_true(is_cut(&silent));
    assert_true(is_cut(&dripping));
    assert_false(is_cut(&answered));
    assert_int_equal(counted(COUNT_HTTP_SLOW), 2);
    after(5 * SECOND);
    assert_int_equal(counted(COUNT_HTTP_SLOW), 2); /* once each */
    go(&silent);
    go(&dripping);
    go(&answered);
}

static void test_idle_counts_from_the_answer(void **state) /* W1: keep-alive */
{
    struct line line = come(SOURCE);
    (void)state;
    for (int i = 0; i < 5; i++) {
        after(HTTP_REQUEST_S * SECOND - SECOND);
        assert_true(is_heard(&line));
    }
    assert_false(is_cut(&line));
    after((HTTP_REQUEST_S + 1) * SECOND);
    assert_true(is_cut(&line));
    go(&line);
}

static void test_slow_reader(void **state) /* hostile: slow read */
{
    struct line line = come(SOURCE);
    (void)state;
    assert_int_equal(ask(&line, 64 << 20, 0), 0);
    (void)fill(&line);
    after((HTTP_STALL_S - 1) * SECOND);
    assert_false(is_cut(&line));
    assert_int_equal(take(&line, 1000), 1000); /* a little now and then is no progress */
    after(2 * SECOND);
    assert_true(is_cut(&line));
    http_client_end(bed.clients, &bed.now, line.client, "whatever the worker saw of it");
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 0);
    assert_non_null(strstr(bed.events.detail[EVENT_FILE_ABORTED], "too little"));
    assert_true(bed.events.last[EVENT_FILE_ABORTED].bytes < 64 << 20);
    assert_int_equal(counted(COUNT_HTTP_TIMEOUT), 1);
    assert_int_equal(counted(COUNT_HTTP_SLOW), 0); /* it is counted as a file's end */
    go(&line);
}

static void test_steady_reader(void **state) /* a slow network is no attack */
{
    struct line line = come(SOURCE);
    size_t sent;
    (void)state;
    assert_int_equal(ask(&line, 64 << 20, 0), 0);
    sent = fill(&line);
    for (int i = 0; i < 10; i++) {
        after(HTTP_STALL_S * SECOND - SECOND);
        size_t some =
            4 * HTTP_PROGRESS; /* so that HTTP_PROGRESS of it are acknowledged, whatever is held back */
        assert_int_equal(take(&line, some < sent ? some : sent), some);
        sent += fill(&line) - some;
        after(SECOND);
    }
    assert_false(is_cut(&line));
    assert_int_equal(http_clients_figures(bed.clients).downloads, 1);
    go(&line);
}

/* ---- ends and progress ---- */

static bool is_told(enum event_kind kind)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000 && !bed.events.n[kind]; i++) {
        nanosleep(&pause, NULL); /* the kernel's acknowledgements come when they come */
        (void)after(10000);
    }
    return bed.events.n[kind] == 1;
}

static void
test_end_is_the_clients(void **state) /* a file has ended when the client has it, not when we wrote it */
{
    struct line line = come(SOURCE);
    (void)state;
    assert_int_equal(ask(&line, 64 << 20, 7), 0);
    size_t size = fill(&line);
    all_is_out(&line);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 0);
    assert_int_equal(after(200000), 10); /* somebody waits for the end, so it is looked for often */
    assert_int_equal(bed.events.n[EVENT_FILE_END], 0);
    assert_int_equal(take(&line, size), size);
    assert_true(is_told(EVENT_FILE_END));
    assert_int_equal(bed.events.last[EVENT_FILE_END].boot, 7);
    assert_true(bed.events.last[EVENT_FILE_END].took_us >= 200000);
    assert_int_equal(counted(COUNT_HTTP_FINISHED), 1);
    assert_int_equal(counted(COUNT_HTTP_BYTES), 64 << 20);
    assert_int_equal(http_clients_figures(bed.clients).downloads, 0);
    go(&line);
}

static void test_progress_is_told(void **state)
{
    struct line line = come(SOURCE);
    (void)state;
    assert_int_equal(after(0), 1000);
    assert_int_equal(bed.woken, 0);
    assert_int_equal(ask(&line, 64 << 20, 7), 0);
    assert_int_equal(bed.woken, 1); /* the clock runs faster from now on */
    assert_int_equal(bed.events.n[EVENT_FILE_START], 1);
    assert_int_equal(bed.events.last[EVENT_FILE_START].bytes_total, 64 << 20);
    (void)fill(&line);
    assert_int_equal(after(50000), 100);
    assert_int_equal(bed.events.n[EVENT_FILE_PROGRESS], 0);
    after(50000);
    assert_int_equal(bed.events.n[EVENT_FILE_PROGRESS], 1);
    assert_true(bed.events.last[EVENT_FILE_PROGRESS].bytes <= 64 << 20);
    go(&line);
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED], 1);
    assert_string_equal(bed.events.detail[EVENT_FILE_ABORTED], "the client went away");
    assert_int_equal(counted(COUNT_HTTP_ABORTED), 1);
    assert_int_equal(after(0), -1);
}

static void
test_small_files(void **state) /* of nobody we know: over at once, without questions to the kernel */
{
    struct line line = come(SOURCE);
    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(ask(&line, 1000, 0), 0);
        all_is_out(&line);
        assert_int_equal(bed.events.n[EVENT_FILE_END], i);
    }
    assert_int_equal(bed.events.last[EVENT_FILE_END].bytes, 1000);
    assert_int_equal(counted(COUNT_HTTP_BYTES), 3000);
    assert_int_equal(bed.woken, 0);
    go(&line);
}

static void test_next_request_ends_the_file_before(void **state) /* W1: keep-alive */
{
    struct line line = come(SOURCE);
    (void)state;
    assert_int_equal(ask(&line, 64 << 20, 0), 0);
    (void)fill(&line);
    all_is_out(&line);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 0);
    assert_int_equal(ask(&line, 1000, 0), 0);
    assert_int_equal(bed.events.n[EVENT_FILE_END], 1);
    assert_int_equal(http_clients_figures(bed.clients).downloads, 1);
    go(&line);
}

static void test_all_go_with_it(void **state) /* what is still there when the server ends */
{
    struct line line = come(SOURCE);
    (void)state;
    assert_int_equal(ask(&line, 64 << 20, 7), 0);
    http_clients_free(bed.clients);
    bed.clients = NULL;
    assert_int_equal(bed.events.n[EVENT_FILE_ABORTED] + bed.events.n[EVENT_FILE_END], 1);
    close(line.fd);
    close(line.peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connections_of_a_source),
        TEST(test_connections_in_all),
        TEST(test_admission),
        TEST(test_downloads),
        TEST(test_slowloris),
        TEST(test_idle_counts_from_the_answer),
        TEST(test_slow_reader),
        TEST(test_steady_reader),
        TEST(test_end_is_the_clients),
        TEST(test_progress_is_told),
        TEST(test_small_files),
        TEST(test_next_request_ends_the_file_before),
        TEST(test_all_go_with_it),
    };
    return cmocka_run_group_tests_name("http_clients", tests, NULL, NULL);
}
