/* daemon/control: the socket that the commands ask, with the real server behind it. */
#include "daemon/clock.h"
#include "daemon/control.h"
#include "store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void ignore(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    (void)event;
}

static uint64_t random_number(void *user)
{
    static uint64_t n;
    (void)user;
    return ++n;
}

/* A server without sockets, but this one. */
struct bed {
    uv_loop_t loop;
    uv_timer_t tick; /* the loop comes back to see whether the test has what it waits for */
    char *state_dir;
    struct event_sink sink;
    struct counters counters;
    struct boot_table *boots;
    struct http_server http;
    struct dhcp_server *dhcp;
    struct store *store;
    struct committer *committer;
    struct fitted *fitted;
    struct generations generations;
    struct control *control;
};

static json_t *bed_status(void *user)
{
    (void)user;
    return json_pack("{s:i}", "generation", 7);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static struct bed *bed_open(void)
{
    struct bed *b = xcalloc(1, sizeof(*b));
    cleanup_diags struct diags diags = {0};
    b->state_dir = xasprintf("%s/store", folder);
    b->sink.emit = ignore;
    b->store = open_store();
    b->boots = boot_table_new(
        &(struct boot_table_config){.random = random_number, .sink = &b->sink, .counters = &b->counters});
    b->dhcp = dhcp_server_new(&(struct dhcp_server_config){
        .random = random_number, .sink = &b->sink, .counters = &b->counters, .boots = b->boots});
    b->fitted = fitted_new(&(struct fitted_config){.random = random_number, .sink = &b->sink});
    generations_init(&b->generations);
    b->http = (struct http_server){.boots = b->boots, .sink = &b->sink, .counters = &b->counters};
    assert_int_equal(uv_loop_init(&b->loop), 0);
    uv_timer_init(&b->loop, &b->tick);
    uv_timer_start(&b->tick, on_tick, 10, 10);
    assert_int_equal(committer_new(&b->loop, b->store, &b->committer), 0);
    assert_int_equal(control_new(&(struct control_host){.loop = &b->loop,
                                                        .state_dir = b->state_dir,
                                                        .dhcp_server = b->dhcp,
                                                        .committer = b->committer,
                                                        .fitted = b->fitted,
                                                        .generations = &b->generations,
                                                        .http = &b->http,
                                                        .status = bed_status},
                                 &diags, &b->control),
                     0);
    return b;
}

static void bed_close(struct bed *b)
{
    committer_free(b->committer);
    control_free(b->control);
    uv_close((uv_handle_t *)&b->tick, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    dhcp_server_free(b->dhcp);
    fitted_free(b->fitted);
    generations_clear(&b->generations);
    boot_table_free(b->boots);
    store_close(b->store);
    free(b->state_dir);
    free(b);
}

static int dial(const struct bed *b)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", b->state_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

/* Runs the loop until a whole line came, or the end, which is the empty line. The caller's. */
static char *hear(struct bed *b, int fd)
{
    struct str line = {0};
    char byte;
    for (;;) {
        ssize_t n = recv(fd, &byte, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN) || (n == 1 && byte == '\n'))
            return str_steal(&line);
        if (n == 1)
            str_add_n(&line, &byte, 1);
        else
            uv_run(&b->loop, UV_RUN_ONCE);
    }
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hears(struct bed *b, int fd, const char *wanted)
{
    cleanup_free char *line = hear(b, fd);
    assert_string_equal(line, wanted);
}

/* The socket is its owner's alone; what a server left behind is replaced, and an orderly stop leaves nothing.
 */
static void socket_is_private(void **state)
{
    (void)state;
    cleanup_free char *path = xasprintf("%s/store/control", folder);
    struct stat st;
    for (unsigned i = 0; i < 2; i++) {
        struct bed *b = bed_open();
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0600);
        bed_close(b);
        assert_int_equal(stat(path, &st), -1);
        assert_int_equal(file_write_atomic(path, "", 0, 0644), 0);
    }
}

/* Several requests in one piece, and one in several, are answered in order. */
static void answers_line_by_line(void **state)
{
    (void)state;
    struct bed *b = bed_open();
    int fd = dial(b);
    say(fd, "{\"call\":\"status\"}\nnonsense\n{\"call\":\"sta");
    hears(b, fd, "{\"generation\":7,\"ok\":true}");
    hears(b, fd, "{\"ok\":false,\"error\":\"expected one JSON object in a line\"}");
    uv_run(&b->loop, UV_RUN_ONCE);
    say(fd, "tus\"}\n{\"call\":\"lease-release\",\"ip\":\"10.0.0.1\"}\n");
    hears(b, fd, "{\"generation\":7,\"ok\":true}");
    hears(b, fd, "{\"ok\":false,\"error\":\"10.0.0.1 is not leased\"}");
    say(fd, "{\"call\":\"metrics\"}\n");
    cleanup_free char *metrics = hear(b, fd);
    assert_non_null(strstr(metrics, "\"rambox_boots\":0"));
    assert_non_null(strstr(metrics, "\"rambox_dhcp_received_total{type=\\\"DISCOVER\\\"}\":0"));
    close(fd);
    bed_close(b);
}

static int take_state(void *user, const struct lease *lease)
{
    *(enum lease_state *)user = lease->state;
    return 0;
}

static int count_candidate(void *user, const struct candidate *candidate)
{
    (void)candidate;
    ++*(unsigned *)user;
    return 0;
}

/* A lease is released and a candidate forgotten in the store before the answer comes. */
static void calls_are_durable(void **state)
{
    (void)state;
    struct bed *b = bed_open();
    struct moment now = moment_now();
    struct store_op ops[] = {lease_op(0x0a000001),
                             {.kind = STORE_CANDIDATE_PUT, .candidate = {.mac = {{2, 0, 0, 0, 0, 1}}}}};
    struct store *reader = NULL;
    cleanup_diags struct diags diags = {0};
    enum lease_state lease_state = LEASE_BOUND;
    unsigned candidates = 0;
    int fd = dial(b);
    ops[0].lease.expires = now.unix_us / 1000000 + 1000;
    assert_int_equal(committer_submit(b->committer, ops, 2, NULL, NULL), 0);
    assert_int_equal(dhcp_server_load_lease(b->dhcp, &now, &ops[0].lease), 0);
    say(fd, "{\"call\":\"lease-release\",\"ip\":\"10.0.0.1\"}\n"
            "{\"call\":\"candidate-forget\",\"mac\":\"02:00:00:00:00:01\"}\n");
    hears(b, fd, "{\"ok\":true,\"ip\":\"10.0.0.1\"}");
    hears(b, fd, "{\"ok\":true,\"mac\":\"02:00:00:00:00:01\"}");
    assert_int_equal(store_open_reader(file, &diags, &reader), 0);
    assert_int_equal(store_each_lease(reader, take_state, &lease_state), 0);
    assert_int_equal(lease_state, LEASE_RELEASED);
    assert_int_equal(store_each_candidate(reader, count_candidate, &candidates), 0);
    assert_int_equal(candidates, 0);
    store_close(reader);
    say(fd, "{\"call\":\"lease-release\",\"ip\":\"10.0.0.1\"}\n");
    hears(b, fd, "{\"ok\":false,\"error\":\"10.0.0.1 is not leased\"}");
    close(fd);
    bed_close(b);
}

static int take_trial_state(void *user, const struct trial *trial)
{
    *(enum trial_state *)user = trial->state;
    return 0;
}

/* A generation with a kernel of class 0123456789ab. */
static struct generation *generation_of_class(const struct digest *kernel)
{
    struct generation *g = generation_new(1, 0, site_new());
    *VEC_ADD(&g->artifacts) = (struct generation_artifact){
        .kind = ARTIFACT_KERNEL, .name = xstrdup("class-0123456789ab"), .digest = *kernel};
    return g;
}

/* A kernel that has failed is tried again; that is in the store before the answer comes. */
static void failed_kernels_are_tried_again(void **state)
{
    (void)state;
    struct bed *b = bed_open();
    struct moment now = moment_now();
    struct trial trial = {.class = "0123456789ab", .state = TRIAL_FAILED};
    struct store *reader = NULL;
    cleanup_diags struct diags diags = {0};
    enum trial_state trial_state = TRIAL_RUNNING;
    const char *retry = "{\"call\":\"hardware-retry\",\"class\":\"0123456789ab\"}\n";
    int fd = dial(b);
    say(fd, retry);
    hears(b, fd, "{\"ok\":false,\"error\":\"the current generation has no kernel of class 0123456789ab\"}");
    generations_publish(&b->generations, generation_of_class(&trial.kernel));
    say(fd, retry);
    hears(
        b, fd,
        "{\"ok\":false,\"error\":\"the kernel of class 0123456789ab has not failed: the next machine of the "
        "class that boots tries it\"}");
    fitted_trial(b->fitted, &now, &trial, 300);
    say(fd, retry);
    hears(b, fd, "{\"ok\":true,\"class\":\"0123456789ab\"}");
    assert_int_equal(store_open_reader(file, &diags, &reader), 0);
    assert_int_equal(store_each_trial(reader, take_trial_state, &trial_state), 0);
    assert_int_equal(trial_state, TRIAL_WITHDRAWN);
    store_close(reader);
    say(fd, "{\"call\":\"hardware-retry\",\"class\":\"n1\"}\n");
    hears(b, fd, "{\"ok\":false,\"error\":\"\\\"class\\\" is no hardware class\"}");
    close(fd);
    bed_close(b);
}

/* F3: what cannot be written is not said to be done. */
static void failing_store_is_said(void **state)
{
    (void)state;
    struct bed *b = bed_open();
    struct moment now = moment_now();
    struct store_op op = lease_op(0x0a000001);
    sqlite3 *db; /* somebody who holds the store for longer than the server waits */
    op.lease.expires = now.unix_us / 1000000 + 1000;
    assert_int_equal(dhcp_server_load_lease(b->dhcp, &now, &op.lease), 0);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int fd = dial(b);
    say(fd, "{\"call\":\"lease-release\",\"ip\":\"10.0.0.1\"}\n");
    cleanup_free char *line = hear(b, fd);
    assert_true(
        str_starts(line, "{\"ok\":false,\"error\":\"10.0.0.1 is free until the server restarts only"));
    sqlite3_close(db);
    close(fd);
    bed_close(b);
}

/* Hostile: lines without end, connections without end, one who asks and does not listen, one who hangs up
 * while it is worked for. Others are answered as before. */
static void hostile_clients(void **state)
{
    (void)state;
    struct bed *b = bed_open();
    char endless[CONTROL_LINE_MAX + 2];
    int fds[CONTROL_CONNECTIONS_MAX + 1];
    memset(endless, ' ', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';

    int fd = dial(b);
    say(fd, endless);
    hears(b, fd, "{\"ok\":false,\"error\":\"the line is too long\"}");
    hears(b, fd, "");
    close(fd);

    for (unsigned i = 0; i < 50; i++)
        uv_run(&b->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = dial(b);
    hears(b, fds[CONTROL_CONNECTIONS_MAX], "{\"ok\":false,\"error\":\"too many connections\"}");
    hears(b, fds[CONTROL_CONNECTIONS_MAX], "");
    say(fds[0], "{\"call\":\"status\"}\n");
    hears(b, fds[0], "{\"generation\":7,\"ok\":true}");
    for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);

    fd = dial(b);
    unsigned asked = 0;
    for (bool full = false; !full && asked < 100000; asked++) {
        full = send(fd, "{\"call\":\"metrics\"}\n", 19, MSG_NOSIGNAL) != 19;
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    assert_true(asked < 100000); /* the socket is full: nobody reads on for it */
    close(fd);

    fd = dial(b);
    say(fd, "{\"call\":\"candidate-forget\",\"mac\":\"02:00:00:00:00:01\"}\n");
    close(fd);
    fd = dial(b);
    say(fd, "{\"call\":\"candidate-forget\",\"mac\":\"02:00:00:00:00:02\"}\n{\"call\":\"status\"}\n");
    hears(b, fd, "{\"ok\":true,\"mac\":\"02:00:00:00:00:02\"}");
    hears(b, fd, "{\"generation\":7,\"ok\":true}");
    say(fd, "{\"call\":\"candidate-forget\",\"mac\":\"02:00:00:00:00:03\"}\n"); /* and the server stops */
    uv_run(&b->loop, UV_RUN_ONCE);
    bed_close(b);
    close(fd);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(socket_is_private, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_line_by_line, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_are_durable, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_kernels_are_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_store_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_clients, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("control", tests, make_folder, remove_folder);
}
