/* daemon/: the parts of the process that stand alone. The sockets are tested with real clients in tests/net.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/committer.h"
#include "daemon/event_stream.h"
#include "daemon/events.h"
#include "daemon/generations.h"
#include "daemon/iface.h"
#include "daemon/port_owner.h"
#include "daemon/store_pack.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
    unsigned done, failed, told, told_good, later_left;
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

/* Keeps another connection's write transaction open, so that nothing can be committed meanwhile. */
static sqlite3 *hold_database(const struct bench *b)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static struct store_op event_op(uint64_t boot)
{
    return (struct store_op){.kind = STORE_BOOT_EVENT, .event = {.boot = boot, .at_us = 1, .what = "offer"}};
}

static void on_urgent(void *user, int r)
{
    struct bench *b = user;
    on_done(user, r);
    if (b->done == 100)
        b->later_left = committer_stats(b->committer).later;
}

/* What nobody waits for is bounded, takes no room of what somebody waits for, and lets it go first. */
static void waiting_goes_before_background(void **state)
{
    (void)state;
    struct bench b = {0};
    bench_open(&b);
    sqlite3 *db = hold_database(&b);
    for (unsigned i = 0; i < COMMITTER_MAX_LATER + 2000; i++) {
        struct store_op op = event_op(i);
        committer_submit_later(b.committer, &op, 1);
    }
    assert_in_range(committer_stats(b.committer).dropped, 2000 - 512, 2000);
    for (unsigned i = 1; i <= 100; i++) {
        struct store_op op = lease_op(i);
        assert_int_equal(committer_submit(b.committer, &op, 1, on_urgent, &b), 0);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK); /* rolls back */
    while (b.done < 100)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_int_equal(b.failed, 0);
    assert_true(b.later_left > COMMITTER_MAX_LATER / 2);
    while (committer_stats(b.committer).later)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    struct store *store = b.store;
    b.store = NULL;
    bench_close(&b);
    assert_int_equal(lease_count(store), 100);
    store_close(store);
}

/* Hostile: reports as long as they may be, while the disk hangs: so much of them waits, the rest is dropped.
 */
static void long_reports_are_bounded(void **state)
{
    (void)state;
    enum { SIZE = 250000, FIT = COMMITTER_MAX_LATER_BYTES / (SIZE + 1), MORE = 100 };
    struct bench b = {0};
    bench_open(&b);
    sqlite3 *db = hold_database(&b);
    for (unsigned i = 0; i < FIT + MORE; i++) {
        struct store_op op = {.kind = i % 2 ? STORE_MACHINE_PUT : STORE_REPORT};
        char *json = xcalloc(1, SIZE + 1);
        memset(json, 'j', SIZE);
        if (op.kind == STORE_REPORT)
            op.report.json = json;
        else
            op.machine.json = json;
        committer_submit_later(b.committer, &op, 1);
    }
    assert_int_equal(committer_stats(b.committer).dropped, MORE);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    while (committer_stats(b.committer).later)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    struct store_op op = {.kind = STORE_REPORT, .report.json = xstrdup("{}")};
    while (committer_stats(b.committer).operations < FIT)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    committer_submit_later(b.committer, &op, 1);
    assert_int_equal(committer_stats(b.committer).dropped, MORE); /* there is room again */
    bench_close(&b);
}

static int take_trial(void *user, const struct trial *trial)
{
    *(struct trial *)user = *trial;
    return 0;
}

/* kill -9 right after a kernel came up: that must not be behind a long queue, or dropped with it. */
static void trials_go_before_background(void **state)
{
    (void)state;
    static struct events events;
    struct bench b = {0};
    struct trial trial = {.class = "0123456789ab", .state = TRIAL_PROVEN}, stored = {0};
    bench_open(&b);
    events_init(&events);
    events.committer = b.committer;
    sqlite3 *db = hold_database(&b);
    for (unsigned i = 0; i < COMMITTER_MAX_LATER + 2000; i++) {
        struct store_op op = event_op(i);
        committer_submit_later(b.committer, &op, 1);
    }
    uint64_t dropped = committer_stats(b.committer).dropped;
    events.sink.emit(&events.sink, &(struct event){.kind = EVENT_TRIAL, .trial = &trial});
    assert_int_equal(committer_stats(b.committer).dropped, dropped);
    assert_int_equal(committer_stats(b.committer).waiting, 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    while (committer_stats(b.committer).later)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    struct store *store = b.store;
    b.store = NULL;
    bench_close(&b);
    assert_int_equal(store_each_trial(store, take_trial, &stored), 0);
    assert_string_equal(stored.class, trial.class);
    assert_int_equal(stored.state, TRIAL_PROVEN);
    store_close(store);
}

static int same_lease(void *user, const struct lease *lease)
{
    const struct lease *wanted = user;
    assert_int_equal(lease->ip, wanted->ip);
    assert_int_equal(lease->state, wanted->state);
    assert_int_equal(lease->client.size, wanted->client.size);
    assert_memory_equal(lease->client.b, wanted->client.b, wanted->client.size);
    assert_memory_equal(lease->mac.b, wanted->mac.b, sizeof(wanted->mac.b));
    assert_true(lease->start == wanted->start && lease->expires == wanted->expires);
    assert_string_equal(lease->hostname, wanted->hostname);
    return 0;
}

/* An operation waits packed, and is what it was before: the longest client id, one that ends in zeros, none.
 */
static void waiting_operations_are_packed(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {0, 1, 7, CLIENT_KEY_MAX};
    static const char *const hostnames[] = {
        "", "n1", "a123456789012345678901234567890123456789012345678901234567890ab"};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        for (size_t j = 0; j < ARRAY_SIZE(hostnames); j++) {
            struct store_op op = {.kind = STORE_LEASE_PUT,
                                  .lease = {.ip = 0xc0a80764,
                                            .state = LEASE_DECLINED,
                                            .client.size = sizes[i],
                                            .mac = {{0x52, 0x54, 0, 0, 0, 9}},
                                            .start = 1000000000000,
                                            .expires = -1}};
            struct store_op back;
            memset(op.lease.client.b, j ? 0xff : 0, sizes[i]);
            memset(&back, 0xa5, sizeof(back));
            snprintf(op.lease.hostname, sizeof(op.lease.hostname), "%s", hostnames[j]);
            size_t size = store_packed_size(&op);
            cleanup_free uint8_t *packed = malloc(size); /* exactly: ASan sees a byte too many */
            assert_ptr_equal(store_pack(&op, packed), packed + size);
            assert_ptr_equal(store_unpack(packed, &back), packed + size);
            assert_int_equal(back.kind, STORE_LEASE_PUT);
            assert_int_equal(same_lease(&op.lease, &back.lease), 0);
            assert_true(size < 120 + sizes[i] + strlen(hostnames[j]));
        }
    struct store_op event = event_op(7), back;
    uint8_t packed[sizeof(event) * 2];
    memset(&back, 0xa5, sizeof(back));
    const uint8_t *end = store_pack(&event, packed);
    assert_ptr_equal(store_unpack(packed, &back), end);
    assert_int_equal(back.kind, STORE_BOOT_EVENT);
    assert_true(back.event.boot == 7 && back.event.at_us == 1);
    assert_string_equal(back.event.what, "offer");
    assert_string_equal(back.event.detail, "");
    struct store_op machine = {.kind = STORE_MACHINE_PUT,
                               .machine = {.node = "n1", .class = "0123456789ab", .boot = 8, .json = "{}"}};
    assert_ptr_equal(store_unpack(packed, &back), store_pack(&machine, packed));
    assert_true(back.machine.boot == 8 && back.machine.json == machine.machine.json);
    assert_string_equal(back.machine.node, "n1");
    assert_string_equal(back.machine.class, "0123456789ab");
    struct store_op trial = {
        .kind = STORE_TRIAL_PUT,
        .trial = {.state = TRIAL_FAILED, .kernel.b[31] = 9, .ended_us = 7, .stage = "init"}};
    assert_ptr_equal(store_unpack(packed, &back), store_pack(&trial, packed));
    assert_true(back.trial.state == TRIAL_FAILED && back.trial.kernel.b[31] == 9 && back.trial.ended_us == 7);
    assert_string_equal(back.trial.stage, "init");
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

/* The log. */

struct logged {
    int saved, fds[2];
};

static void log_to_pipe(struct logged *l)
{
    assert_int_equal(pipe(l->fds), 0);
    l->saved = dup(STDERR_FILENO);
    assert_true(dup2(l->fds[1], STDERR_FILENO) >= 0);
    assert_int_equal(log_start(), 0);
}

static void log_back(struct logged *l)
{
    assert_true(dup2(l->saved, STDERR_FILENO) >= 0);
    close(l->saved);
    close(l->fds[1]);
}

static void *log_many(void *user)
{
    for (unsigned i = 0; i < 1000; i++)
        log_info("line %u of %s", i, (const char *)user);
    return NULL;
}

static void *read_all(void *user)
{
    struct logged *l = user;
    struct str *text = xcalloc(1, sizeof(*text));
    char buffer[4096];
    ssize_t n;
    while ((n = read(l->fds[0], buffer, sizeof(buffer))) > 0)
        str_add_n(text, buffer, (size_t)n);
    close(l->fds[0]);
    return text;
}

/* Every line once, whole, each thread's in order; the end writes what waits. */
static void log_keeps_order(void **state)
{
    (void)state;
    struct logged l;
    pthread_t threads[3], reader;
    void *read;
    unsigned next[3] = {0}, lines = 0;
    static const char *const names[] = {"a", "b", "c"};
    log_to_pipe(&l);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &l), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)(uintptr_t)names[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    log_stop();
    log_info("line 1000 of a"); /* at once again */
    log_back(&l);
    pthread_join(reader, &read);
    struct str *text = read;
    char *rest = NULL;
    for (char *line = strtok_r(text->s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
        unsigned number;
        char name;
        const char *at = strstr(line, "line ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "line %u of %c", &number, &name), 2); /* NOLINT(cert-err34-c) */
        assert_int_equal(number, next[name - 'a']++);
    }
    assert_int_equal(lines, 3001);
    str_free(text);
    free(text);
}

/* Nobody reads: whoever logs goes on, and how many lines were lost is said when somebody reads again. */
static void log_flood_is_counted(void **state)
{
    (void)state;
    struct logged l;
    pthread_t reader;
    void *read;
    log_to_pipe(&l);
    for (unsigned i = 0; i < 50000; i++)
        log_info("a line of a flood that nobody reads, and which is long enough to fill what there is: %u",
                 i);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &l), 0);
    log_stop();
    log_back(&l);
    pthread_join(reader, &read);
    struct str *text = read;
    assert_non_null(strstr(text->s, "lines of the log were lost here"));
    assert_non_null(strstr(text->s, "what there is: 0\n"));
    str_free(text);
    free(text);
}

/* Hostile: reports of no boot, each of another machine, do not fill the log. Those of our nodes are all
 * there. */
static void log_of_reports_is_bounded(void **state)
{
    (void)state;
    static struct events events;
    struct logged l;
    pthread_t reader;
    void *read;
    unsigned lines = 0;
    struct event event = {
        .kind = EVENT_HARDWARE, .at.mono_us = 1000000, .class = "0123456789ab", .detail = "spoofed"};
    events_init(&events);
    log_to_pipe(&l);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &l), 0);
    for (unsigned i = 0; i < 2000; i++) {
        event.kind = i % 2 ? EVENT_STAGE : EVENT_HARDWARE;
        event.mac = (struct mac){{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        events.sink.emit(&events.sink, &event);
    }
    log_stop();
    log_back(&l);
    pthread_join(reader, &read);
    struct str *text = read;
    for (const char *at = text->s; (at = strstr(at, "spoofed")); at++)
        lines++;
    assert_int_equal(lines, EVENTS_BURST);
    str_free(text);
    free(text);
}

/* What was said before a crash is written. */
static void log_survives_a_crash(void **state)
{
    (void)state;
    static const int ways[] = {SIGABRT, SIGSEGV, 0};
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct logged l;
        int status;
        void *read;
        assert_int_equal(pipe(l.fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            (void)signal(SIGSEGV, SIG_DFL);
            (void)signal(SIGABRT, SIG_DFL);
            dup2(l.fds[1], STDERR_FILENO);
            (void)log_start();
            for (unsigned j = 0; j < 100; j++)
                log_info("before %u", j);
            if (ways[i] == SIGABRT)
                abort();
            raise(ways[i]);
            exit(0); /* NOLINT(concurrency-mt-unsafe): the end by exit is what is tested */
        }
        close(l.fds[1]);
        read = read_all(&l);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, ways[i]);
        struct str *text = read;
        assert_non_null(strstr(str_text(text), "before 99\n"));
        str_free(text);
        free(text);
    }
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

static ipv4_t by_way_of_out(ipv4_t destination)
{
    return destination == 0xac100001 ? 0x0a000002 : 0; /* 172.16.0.1: from 10.0.0.2 */
}

/* P13: a subnet behind a relay agent is served where the agent is reached, at the address it is reached from.
 */
static void relays_choose_an_interface(void **state)
{
    (void)state;
    struct ifaces ifaces = {.source_to = by_way_of_out};
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags diags = {0};
    struct served_ifaces served;
    add_iface(&ifaces, "in", true, "192.168.7.1", 24);
    add_iface(&ifaces, "out", true, "10.0.0.1", 8);
    struct iface_address *second = VEC_ADD(&ifaces.list.items[1].addresses);
    *second = (struct iface_address){.address = 0x0a000002, .prefix = {0x0a000000, 8}};
    struct subnet *subnet = VEC_ADD(&site->subnets);
    assert_int_equal(prefix_parse("172.16.0.0/24", &subnet->prefix), 0);
    assert_int_equal(site_index(site, &diags), 0);
    ifaces_choose(&ifaces, site, NULL, &diags, &served);
    assert_int_equal(served.list.n, 0);
    assert_non_null(strstr(diags.list.items[0].text, "relays:"));
    VEC_FREE(&served.list);
    VEC_PUSH(&subnet->relays, 0xac100001);
    ifaces_choose(&ifaces, site, NULL, &diags, &served);
    assert_int_equal(served.list.n, 1);
    assert_string_equal(served.list.items[0].name, "out");
    assert_int_equal(served.list.items[0].address, 0x0a000002);
    VEC_FREE(&served.list);
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
    struct event event = {.kind = EVENT_FILE_REFUSED, .file = "pxelinux.0\xff", .detail = "no such file"};
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
    assert_int_equal(event_stream_start(stream, &diags), 0);
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
        cmocka_unit_test(waiting_goes_before_background),
        cmocka_unit_test(trials_go_before_background),
        cmocka_unit_test(long_reports_are_bounded),
        cmocka_unit_test(waiting_operations_are_packed),
        cmocka_unit_test(stop_commits_what_waits),
        cmocka_unit_test(log_keeps_order),
        cmocka_unit_test(log_flood_is_counted),
        cmocka_unit_test(log_of_reports_is_bounded),
        cmocka_unit_test(log_survives_a_crash),
        cmocka_unit_test(generations_are_held),
        cmocka_unit_test(generations_switch_under_readers),
        cmocka_unit_test(interfaces_are_chosen),
        cmocka_unit_test(relays_choose_an_interface),
        cmocka_unit_test(own_interfaces_are_read),
        cmocka_unit_test(port_owner_is_found),
        cmocka_unit_test(event_as_json),
        cmocka_unit_test(event_with_foreign_bytes),
        cmocka_unit_test(slow_reader_of_events),
    };
    return cmocka_run_group_tests_name("daemon", tests, make_folder, remove_folder);
}
