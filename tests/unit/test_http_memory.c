/* F11: an allocation that fails, once and anywhere in the handling of requests, costs one request. First the
 * decisions alone, then the whole service with clients over the loopback interface. Linked with malloc and
 * its like wrapped; jansson's and those of open_memstream fail as ours do. */
#include "failing_malloc.h"
#include "serve_fixture.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/http_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { PORT = 8069, KERNEL_SIZE = 100000, STEPS_MAX = 400 };
#define OURS 0x7f000001u

FILE *__real_open_memstream(char **text, size_t *size); // NOLINT(bugprone-reserved-identifier)
FILE *__wrap_open_memstream(char **text, size_t *size); // NOLINT(bugprone-reserved-identifier)

FILE *__wrap_open_memstream(char **text, size_t *size) // NOLINT(bugprone-reserved-identifier)
{
    return fails() ? NULL : __real_open_memstream(text, size);
}

static struct bed {
    struct events events;
    struct counters counters;
    struct boot_table *boots;
    struct generation *generation;
    struct files *files;
    struct http_server http;
    struct moment now;
    struct http_service *service;
    struct http_listener *listener;
    uv_loop_t loop;
    char dir[64];
    int fd;
} bed;

static struct generation *get_generation(void *user, unsigned number)
{
    (void)user;
    return number == 0 || number == 12 ? generation_ref(bed.generation) : NULL;
}

static void write_file(const char *name, size_t size)
{
    cleanup_free char *path = xasprintf("%s/%s", bed.dir, name);
    static const char bytes[KERNEL_SIZE];
    assert_int_equal(file_write_atomic(path, bytes, size, 0644), 0);
}

/* Sinks are called from several threads, but always under the lock of http_clients or by one worker. */
static void forget_event(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    (void)event;
}

static int setup(void **state)
{
    struct digest d;
    char hex[DIGEST_TEXT_MAX];
    (void)state;
    memset(&bed, 0, sizeof(bed));
    snprintf(bed.dir, sizeof(bed.dir), "/tmp/rambox-test-XXXXXX");
    assert_non_null(mkdtemp(bed.dir));
    bed.fd = open(bed.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bed.events.sink.emit = forget_event;
    bed.boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    bed.generation = fixture_generation(12, fixture_site(UNKNOWN_DENY));
    bed.files = files_new(&(struct files_config){.artifacts_fd = bed.fd,
                                                 .loader_fds = &bed.fd,
                                                 .loader_fds_n = 1,
                                                 .generations = {get_generation, NULL},
                                                 .boots = bed.boots});
    bed.http = (struct http_server){
        .boots = bed.boots, .files = bed.files, .sink = &bed.events.sink, .counters = &bed.counters};
    memset(d.b, 0xaa, sizeof(d.b));
    write_file(digest_format(&d, hex), KERNEL_SIZE);
    memset(d.b, 0xbb, sizeof(d.b));
    write_file(digest_format(&d, hex), 10);
    write_file("pxelinux.0", 40000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    files_free(bed.files);
    boot_table_free(bed.boots);
    generation_unref(bed.generation);
    close(bed.fd);
    return dir_remove(bed.dir);
}

/* clang-format off */
#define REPORT                                                                                               \
    "{\"mac\":\"52:54:00:00:00:01\",\"stages\":[{\"stage\":\"init\",\"us\":1},{\"stage\":\"ready\",\"us\":2}],"         \
    "\"facts\":{\"mem_total_kb\":6,\"mem_free_kb\":5,\"mem_available_kb\":5,\"mem_used_kb\":4,\"root_kb\":9,"        \
    "\"modules\":0,\"device_nodes\":5,\"interfaces\":[{\"name\":\"eth0\",\"up\":true,\"mac\":\"52:54:00:00:00:01\"," \
    "\"address\":\"10.7.0.21\",\"prefix\":24}],\"mounts\":[{\"source\":\"proc\",\"target\":\"/proc\","              \
    "\"type\":\"proc\",\"options\":\"rw\"}],\"kernel\":\"6.1\",\"cmdline\":\"rw\"," \
    "\"hardware\":{\"arch\":\"x86_64\",\"dmi\":{\"vendor\":\"V\"},\"devices\":[{\"modalias\":\"pci:v1\",\"driver\":\"d\"}]," \
    "\"missing_firmware\":[\"f\"]}}}"
/* clang-format on */

static const struct wanted {
    const char *method, *path, *body;
    unsigned status;
} wanted[] = {
    {"GET", "/g12/kernel/smallest", "", 200},
    {"HEAD", "/g12/kernel/smallest", "", 200},
    {"GET", "/g12/image/smallest", "", 200},
    {"GET", "/pxelinux.0", "", 200},
    {"GET", "/boot.ipxe", "", 200},
    {"GET", "/ipxe?mac=52:54:00:00:00:01", "", 200},
    {"GET", "/grub.cfg-01-52-54-00-00-00-01", "", 200},
    {"GET", "/pxelinux.cfg/01-52-54-00-00-00-01", "", 200},
    {"GET", "/v1/boot/52:54:00:00:00:01", "", 200},
    {"GET", "/v1/boot/nobody", "", 400},
    {"GET", "/nothing", "", 404},
    {"PUT", "/healthz", "", 405},
    {"GET", "/healthz", "", 200},
    {"GET", "/readyz", "", 200},
    {"GET", "/metrics", "", 200},
    {"POST", "/v1/report", REPORT, 204},
    {"POST", "/v1/report", "{", 400},
};

/* ---- the decisions ---- */

/* What an answer sends. */
struct sent {
    unsigned status;
    size_t size;
    char bytes[KERNEL_SIZE];
};

static void decide(const struct wanted *w, struct sent *ret_sent)
{
    struct http_answer answer;
    char text[128];
    snprintf(text, sizeof(text), "%s", w->path);
    struct http_request request = {
        .method = w->method, .from = N1_IP, .local = SERVER, .body = w->body, .size = strlen(w->body)};
    assert_int_equal(http_target_parse(text, &request.target), 0);
    http_handle(&bed.http, &bed.now, &request, &answer);
    ret_sent->status = answer.status;
    ret_sent->size = answer.what.file ? answer.part.size : answer.size;
    assert_true(ret_sent->size <= sizeof(ret_sent->bytes));
    const void *bytes = answer.what.file ? (const void *)answer.what.file->data : answer.body;
    if (ret_sent->size)
        memcpy(ret_sent->bytes, bytes, ret_sent->size);
    free(answer.body);
    served_file_unref(answer.what.file);
}

/* Whole and the same, or an error. What jansson could not read for want of memory it may call wrong (400). */
static void is_same_or_refused(const struct wanted *w, const struct sent *got, const struct sent *right)
{
    if (got->status == 200 && !str_eq(w->path, "/metrics")) { /* those are counters */
        assert_int_equal(got->size, right->size);
        assert_memory_equal(got->bytes, right->bytes, right->size);
    } else if (got->status != right->status) {
        assert_int_equal(got->status, w->body[0] && got->status == 400 ? 400 : 503);
        assert_true(got->status == 400 || got->size == 0); /* W3 */
    }
}

static void test_each_decision(void **state) /* F11 */
{
    static struct sent right, got;
    unsigned refused = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        bool over = false;
        decide(&wanted[i], &right);
        assert_int_equal(right.status, wanted[i].status);
        for (unsigned nth = 1; !over; nth++) {
            assert_true(nth < STEPS_MAX);
            made = 0;
            fail_at = nth;
            decide(&wanted[i], &got);
            over = made < nth; /* it needed no more than those before: none failed */
            fail_at = 0;
            is_same_or_refused(&wanted[i], &got, &right);
            refused += got.status != right.status;
            assert_true(got.status == right.status || !over);
            decide(&wanted[i], &got); /* who asks again is answered */
            assert_int_equal(got.status, right.status);
        }
    }
    assert_true(refused >= 10); /* or nothing was tried */
}

/* ---- the service ---- */

static int dial(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(OURS)};
    const struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* A request on a connection of its own. Its status; 0: the connection was closed without a whole answer. */
static unsigned fetch(const struct wanted *w)
{
    static char buf[KERNEL_SIZE + 4096];
    cleanup_close int fd = dial();
    size_t n = 0;
    int size = snprintf(buf, sizeof(buf),
                        "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                        w->method, w->path, strlen(w->body), w->body);
    if (send(fd, buf, (size_t)size, MSG_NOSIGNAL) != size)
        return 0;
    for (ssize_t got = 1; got > 0 && n<sizeof(buf) - 1; n += got> 0 ? (size_t)got : 0) {
        got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
        assert_false(got < 0 && errno == EAGAIN); /* whoever waits is answered, or hears the end */
    }
    buf[n] = '\0';
    const char *end = strstr(buf, "\r\n\r\n"), *length = strcasestr(buf, "\r\nContent-Length: ");
    if (!end || strncmp(buf, "HTTP/1.1 ", 9) != 0)
        return 0;
    size_t body = n - (size_t)(end + 4 - buf);
    if (length && strcmp(w->method, "HEAD") != 0 && body != strtoul(length + 18, NULL, 10))
        return 0;
    return (unsigned)strtoul(buf + 9, NULL, 10);
}

static int start(void **state)
{
    cleanup_diags struct diags diags = {0};
    const struct http_limits limits = {
        .connections = 100, .per_source = 100, .downloads = 100, .downloads_per_source = 100};
    setup(state);
    assert_int_equal(uv_loop_init(&bed.loop), 0);
    assert_int_equal(http_service_new(&bed.loop, &bed.http, &limits, &bed.service), 0);
    return http_service_listen(bed.service, OURS, PORT, false, &diags, &bed.listener);
}

static int stop(void **state)
{
    http_service_free(bed.service);
    uv_run(&bed.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bed.loop), 0);
    return teardown(state);
}

static void test_each_request(void **state) /* F11 */
{
    unsigned lost = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        bool over = false;
        for (unsigned nth = 1; !over; nth++) {
            assert_true(nth < STEPS_MAX);
            made = 0;
            fail_at = nth;
            unsigned status = fetch(&wanted[i]);
            over = made < nth;
            fail_at = 0;
            assert_true(status == wanted[i].status ||
                        ((status == 503 || status == 0 || (wanted[i].body[0] && status == 400)) && !over));
            lost += status != wanted[i].status;
            assert_int_equal(fetch(&wanted[i]), wanted[i].status);
        }
    }
    assert_true(lost >= 10);
}

/* What was lost on the way gave its place back: nobody is counted who is not there. */
static void test_nothing_is_left(void **state) /* F11, W3 */
{
    (void)state;
    test_each_request(state);
    for (int i = 0; i < 200; i++) /* limits of 100: a place lost with each would show */
        assert_int_equal(fetch(&wanted[i % 3]), 200);
    struct http_figures figures = http_service_figures(bed.service);
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 4000 && (figures.connections || figures.downloads); i++) {
        nanosleep(&pause, NULL); /* the workers see the end of a connection a little later */
        figures = http_service_figures(bed.service);
    }
    assert_int_equal(figures.connections, 0);
    assert_int_equal(figures.downloads, 0);
}

/* A namespace where the loopback interface is up, so that the port is ours. */
static int own_network(void **state)
{
    (void)state;
    struct ifreq request = {.ifr_name = "lo"};
    json_set_alloc_funcs(__wrap_malloc, free);
    if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return 0;
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -1;
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_decision, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_left, start, stop),
    };
    return cmocka_run_group_tests_name("http_memory", tests, own_network, NULL);
}
