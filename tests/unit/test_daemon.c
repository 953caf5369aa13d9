/* daemon/: the parts of the process that stand alone. The sockets are tested with real clients in tests/net.
 */
#include "base/file.h"
#include "base/str.h"
#include "daemon/committer.h"
#include "daemon/event_stream.h"
#include "daemon/generations.h"
#include "daemon/iface.h"
#include "daemon/port_owner.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

static char folder[] = "/tmp/rambox-test-daemon.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(folder);
}

/* The committer. */

struct bench {
    uv_loop_t loop;
    struct store *store;
    struct committer *committer;
    uv_idle_t alive; /* keeps the loop running */
    unsigned done, failed, told, told_good;
    char *path;
};

static void keep_alive(uv_idle_t *idle)
{
    (void)idle;
}

static void on_failure(void *user, int r)
{
    struct bench *b = user;
    if (r < 0)
        b->told++;
    else
        b->told_good++;
}

static void bench_open(struct bench *b)
{
    cleanup_diags struct diags diags = {0};
    b->path = xasprintf("%s/rambox.db", folder);
    unlink(b->path);
    assert_int_equal(store_open(b->path, &diags, &b->store), 0);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    uv_idle_init(&b->loop, &b->alive);
    uv_idle_start(&b->alive, keep_alive);
    assert_int_equal(committer_new(&b->loop, b->store, &b->committer), 0);
    committer_on_failure(b->committer, on_failure, b);
}

static void bench_close(struct bench *b)
{
    committer_free(b->committer);
    uv_close((uv_handle_t *)&b->alive, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    store_close(b->store);
    free(b->path);
}

static void on_done(void *user, int r)
{
    struct bench *b = user;
    b->done++;
    b->failed += r < 0;
}

static struct store_op lease_op(ipv4_t ip)
{
    return (struct store_op){.kind = STORE_LEASE_PUT,
                             .lease = {.ip = ip, .state = LEASE_BOUND, .client.size = 1}};
}

static int count_lease(void *user, const struct lease *lease)
{
    (void)lease;
    ++*(unsigned *)user;
    return 0;
}

static unsigned lease_count(struct store *store)
{
    unsigned n = 0;
    assert_int_equal(store_each_lease(store, count_lease, &n), 0);
    return n;
}

static void *submit_many(void *user)
{
    struct bench *b = user;
    static atomic_uint next = 1;
    for (unsigned i = 0; i < 1000; i++) {
        struct store_op op = lease_op(atomic_fetch_add(&next, 1));
        assert_int_equal(committer_submit(b->committer, &op, 1, on_done, b), 0);
    }
    return NULL;
}

/* D20: from many threads at once, each is told once, and the many share few commits. */
static void many_wait_for_one_sync(void **state)
{
    (void)state;
    struct bench b = {0};
    pthread_t threads[4];
    bench_open(&b);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &b), 0);
    while (b.done < 4000)
        uv_run(&b.loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(b.done, 4000);
    assert_int_equal(b.failed, 0);
    struct committer_stats stats = committer_stats(b.committer);
    assert_int_equal(stats.operations, 4000);
    assert_in_range(stats.commits, 1, 4000);
    bench_close(&b);
}

/* One batch that cannot be stored fails alone; its neighbours in the group do not. */
static void bad_batch_fails_alone(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_open(&b);
    for (unsigned i = 1; i <= 20; i++) {
        struct store_op op = lease_op(i);
        if (i == 7)
            op.kind = (enum store_op_kind)99;
        assert_int_equal(committer_submit(b.committer, &op, 1, on_done, &b), 0);
    }
    while (b.done < 20)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_int_equal(b.failed, 1);
    assert_int_equal(b.told, 1);
    assert_int_equal(b.told_good, 1);
    struct store *store = b.store;
    b.store = NULL;
    bench_close(&b);
    assert_int_equal(lease_count(store), 19);
    store_close(store);
}

/* What was handed over before the stop is stored and told. */
static void stop_commits_what_waits(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_open(&b);
    for (unsigned i = 1; i <= 100; i++) {
        struct store_op op = lease_op(i);
        assert_int_equal(committer_submit(b.committer, &op, 1, on_done, &b), 0);
    }
    struct store_op report = {.kind = STORE_REPORT, .report = {.boot = 1, .json = xstrdup("{}")}};
    assert_int_equal(committer_submit(b.committer, &report, 1, NULL, NULL), 0);
    struct store *store = b.store;
    b.store = NULL;
    bench_close(&b);
    assert_int_equal(b.done, 100);
    assert_int_equal(lease_count(store), 100);
    store_close(store);
}

/* Generations. */

static void generations_are_held(void **state)
{
    (void)state;
    struct generations g;
    generations_init(&g);
    struct generation_source source = generations_source(&g);
    assert_null(source.get(source.user, 0));
    for (unsigned i = 1; i <= 10; i++)
        generations_publish(&g, generation_new(i, 0, site_new()));
    assert_int_equal(g.current->number, 10);
    assert_null(source.get(source.user, 2)); /* the ninth back */
    struct generation *old = source.get(source.user, 3);
    assert_non_null(old);
    generations_publish(&g, generation_new(3, 0, site_new())); /* a roll back, loaded anew */
    assert_int_equal(g.current->number, 3);
    assert_ptr_not_equal(g.current, old);
    assert_int_equal(old->number, 3); /* whoever holds it keeps it */
    generation_unref(old);
    struct generation *now = source.get(source.user, 0), *before = source.get(source.user, 10);
    assert_ptr_equal(now, g.current);
    assert_int_equal(before->number, 10);
    generation_unref(now);
    generation_unref(before);
    generations_hold(&g, generation_new(1, 0, site_new()));
    assert_int_equal(g.current->number, 3);
    generations_clear(&g);
}

static void *take_and_drop(void *user)
{
    struct generation_source source = generations_source(user);
    for (unsigned i = 0; i < 20000; i++) {
        struct generation *g = source.get(source.user, 0);
        if (g)
            assert_true(g->number >= 1 && g->site);
        generation_unref(g);
    }
    return NULL;
}

/* Readers of other threads while the loop's thread publishes: nothing is used after it was freed (ASan). */
static void generations_switch_under_readers(void **state)
{
    (void)state;
    struct generations g;
    pthread_t threads[2];
    generations_init(&g);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, &g), 0);
    for (unsigned i = 1; i < 2000; i++)
        generations_publish(&g, generation_new(i, 0, site_new()));
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    generations_clear(&g);
}

/* Interfaces. */

static void add_iface(struct ifaces *ifaces, const char *name, bool up, const char *address, uint8_t length)
{
    struct iface *iface = VEC_ADD(&ifaces->list);
    snprintf(iface->name, sizeof(iface->name), "%s", name);
    iface->index = (int)ifaces->list.n;
    iface->up = up;
    if (!address)
        return;
    struct iface_address *a = VEC_ADD(&iface->addresses);
    assert_int_equal(ipv4_parse(address, &a->address), 0);
    a->prefix.length = length;
    a->prefix.address = a->address & prefix_mask(&a->prefix);
}

static void interfaces_are_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *names[3];
        bool setting; /* in the configuration instead of on the command line */
        const char *subnet_interface;
        const char *expected, *warning;
    } cases[] = {
        {{NULL}, false, NULL, "in ", NULL},
        {{"out"}, false, NULL, "out ", NULL},
        {{"out"}, true, NULL, "out ", NULL},
        {{"in", "gone"}, false, NULL, "in ", "there is no interface gone"},
        {{"down"}, false, NULL, "", "interface down is down"},
        {{"bare"}, false, NULL, "", "interface bare has no IPv4 address"},
        {{NULL}, false, "out", "in out ", NULL},
        {{"gone"}, false, NULL, "", "the subnets are 192.168.7.0/24"},
    };
    struct ifaces ifaces = {0};
    add_iface(&ifaces, "in", true, "192.168.7.1", 24);
    add_iface(&ifaces, "out", true, "10.0.0.1", 8);
    add_iface(&ifaces, "down", false, "192.168.7.2", 24);
    add_iface(&ifaces, "bare", true, NULL, 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(site_free) struct site *site = site_new();
        cleanup_diags struct diags diags = {0};
        cleanup_str struct str chosen = {0}, said = {0};
        struct served_ifaces served;
        struct subnet *subnet = VEC_ADD(&site->subnets);
        assert_int_equal(prefix_parse("192.168.7.0/24", &subnet->prefix), 0);
        subnet->interface = xstrdup(cases[i].subnet_interface);
        for (size_t j = 0; cases[i].setting && cases[i].names[j]; j++)
            VEC_PUSH(&site->server.interfaces, xstrdup(cases[i].names[j]));
        assert_int_equal(site_index(site, &diags), 0);
        ifaces_choose(&ifaces, site, cases[i].setting ? NULL : cases[i].names, &diags, &served);
        VEC_EACH(iface, &served.list)
            str_printf(&chosen, "%s ", iface->name);
        VEC_EACH(diag, &diags.list)
            str_add(&said, diag->text);
        assert_string_equal(str_text(&chosen), cases[i].expected);
        assert_true(cases[i].warning ? strstr(str_text(&said), cases[i].warning) != NULL : said.len == 0);
        VEC_FREE(&served.list);
    }
    ifaces_clear(&ifaces);
}

static void own_interfaces_are_read(void **state)
{
    (void)state;
    struct ifaces ifaces = {0};
    bool found = false;
    assert_int_equal(ifaces_read(&ifaces), 0);
    VEC_EACH(iface, &ifaces.list)
        found = found || (strcmp(iface->name, "lo") == 0 && iface->index > 0 && iface->mtu > 1500);
    assert_true(found);
    ifaces_clear(&ifaces);
}

static void port_owner_is_found(void **state)
{
    (void)state;
    char text[64], expected[32];
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
    snprintf(expected, sizeof(expected), "(pid %d)", getpid());
    assert_non_null(strstr(port_owner(false, 0, ntohs(sa.sin_port), text, sizeof(text)), expected));
    assert_non_null(
        strstr(port_owner(false, INADDR_LOOPBACK, ntohs(sa.sin_port), text, sizeof(text)), expected));
    assert_string_equal(port_owner(false, 0x01020304, ntohs(sa.sin_port), text, sizeof(text)), "");
    assert_string_equal(port_owner(true, 0, ntohs(sa.sin_port), text, sizeof(text)), "");
}

/* Events. */

static void event_as_json(void **state)
{
    (void)state;
    struct event event = {.kind = EVENT_FACTS,
                          .at = {.mono_us = 12, .unix_us = 34},
                          .mac = {{0x52, 0x54, 0, 0, 0, 1}},
                          .node = "n1",
                          .ip = 0xc0a8070b,
                          .boot = 0xfedcba9876543210u,
                          .file = "a\"b\n",
                          .json = "{\"modules\":0}",
                          .bytes_total = UINT32_MAX + 1ull};
    cleanup_free char *text = event_to_json(&event);
    assert_null(strchr(text, '\n'));
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "event")), "facts");
    assert_string_equal(json_string_value(json_object_get(object, "mac")), "52:54:00:00:00:01");
    assert_string_equal(json_string_value(json_object_get(object, "ip")), "192.168.7.11");
    assert_string_equal(json_string_value(json_object_get(object, "boot")), "fedcba9876543210");
    assert_string_equal(json_string_value(json_object_get(object, "file")), "a\"b\n");
    assert_true(json_integer_value(json_object_get(object, "bytes_total")) == UINT32_MAX + 1ll);
    assert_true(json_is_object(json_object_get(object, "json")));
    assert_null(json_object_get(object, "detail"));
    assert_null(json_object_get(object, "bytes"));
    json_decref(object);
}

/* Names that come over the wire may be no UTF-8; the line is JSON all the same. */
static void event_with_foreign_bytes(void **state)
{
    (void)state;
    struct event event = {.kind = EVENT_TFTP_REFUSED, .file = "pxelinux.0\xff", .detail = "no such file"};
    cleanup_free char *text = event_to_json(&event);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "detail")), "no such file");
    assert_string_equal(json_string_value(json_object_get(object, "file")), "pxelinux.0\\xff");
    json_decref(object);
}

/* A reader that stops reading stops nobody: what does not fit is counted, and told when it reads again. */
static void slow_reader_of_events(void **state)
{
    (void)state;
    cleanup_free char *path = xasprintf("%s/fifo", folder);
    cleanup_diags struct diags diags = {0};
    struct event_stream *stream = NULL;
    struct event event = {.kind = EVENT_DHCP_IN, .detail = "DISCOVER"};
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(event_stream_open(path, &diags, &stream), 0);
    for (unsigned i = 0; i < EVENTS_WAITING * 2; i++)
        event_stream_write(stream, &event);
    FILE *reader = fopen(path, "re");
    char line[4096] = "";
    bool lost = false;
    while (!lost && fgets(line, sizeof(line), reader)) /* the end of the loop is the proof */
        lost = strstr(line, "\"event\":\"lost\"") != NULL;
    assert_true(lost);
    fclose(reader);
    event_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_wait_for_one_sync),
        cmocka_unit_test(bad_batch_fails_alone),
        cmocka_unit_test(stop_commits_what_waits),
        cmocka_unit_test(generations_are_held),
        cmocka_unit_test(generations_switch_under_readers),
        cmocka_unit_test(interfaces_are_chosen),
        cmocka_unit_test(own_interfaces_are_read),
        cmocka_unit_test(port_owner_is_found),
        cmocka_unit_test(event_as_json),
        cmocka_unit_test(event_with_foreign_bytes),
        cmocka_unit_test(slow_reader_of_events),
    };
    return cmocka_run_group_tests_name("daemon", tests, make_folder, remove_folder);
}
