/* src/build/fetch: inputs are fetched once, verified, and whole (H19). URLs come from a real HTTP server on
 * this machine; packages from apt where there is one. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "build/unpack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct place {
    char *dir, *cache, *www;
    struct diags diags;
    struct build_env env;
    pid_t server;
    unsigned port;
};

static int setup(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    p->dir = xstrdup("/tmp/test-fetch.XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    p->cache = xasprintf("%s/cache", p->dir);
    p->www = xasprintf("%s/www", p->dir);
    p->env = (struct build_env){.cache_dir = p->cache, .diags = &p->diags};
    *state = p;
    return dir_make(p->www);
}

static void stop_server(struct place *p)
{
    if (p->server <= 0)
        return;
    kill(p->server, SIGKILL);
    waitpid(p->server, NULL, 0);
    p->server = 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    stop_server(p);
    dir_remove(p->dir);
    diags_free(&p->diags);
    free(p->dir);
    free(p->cache);
    free(p->www);
    free(p);
    return 0;
}

/* A port that nobody listens on. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static bool answers(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* Serves p->www on 127.0.0.1. Skips the test where there is no python3. */
static void start_server(struct place *p)
{
    cleanup_free char *python = find_program("python3");
    if (!python) {
        skip();
        return;
    }
    p->port = free_port();
    cleanup_free char *port = xasprintf("%u", p->port);
    p->server = fork();
    if (p->server == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execl(python, "python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", p->www, port,
              NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && !answers(p->port); i++)
        usleep(50000);
    assert_true(answers(p->port));
}

static char *url_of(const struct place *p, const char *name)
{
    return xasprintf("http://127.0.0.1:%u/%s", p->port, name);
}

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    assert_int_equal(file_write_atomic(path, data, size, 0644), 0);
}

static struct digest sum_of(const void *data, size_t size)
{
    struct hash hash;
    struct digest digest;
    hash_init(&hash);
    hash_add(&hash, data, size);
    hash_end(&hash, &digest);
    return digest;
}

/* Nothing but whole inputs may be in the cache. */
static unsigned inputs(const struct place *p)
{
    cleanup_free char *folder = xasprintf("%s/inputs/url", p->cache);
    CLEANUP(closedir) DIR *dir = opendir(folder);
    unsigned n = 0;
    while (dir && readdir(dir))
        n++;
    return n > 2 ? n - 2 : 0;
}

static void test_url_is_fetched_once(void **state)
{
    struct place *p = *state;
    struct digest sum = sum_of("payload", 7);
    cleanup_input struct input first = {0}, second = {0};
    cleanup_free char *text = NULL;
    start_server(p);
    write_file(p->www, "file", "payload", 7);
    cleanup_free char *url = url_of(p, "file");
    assert_int_equal(fetch_url(&p->env, url, &sum, &first), 0);
    assert_false(first.cached);
    assert_int_equal(file_read(first.path, 100, &text, NULL), 0);
    assert_string_equal(text, "payload");
    /* The second time needs no server at all. */
    stop_server(p);
    assert_int_equal(fetch_url(&p->env, url, &sum, &second), 0);
    assert_true(second.cached);
    assert_string_equal(first.path, second.path);
    assert_int_equal(p->diags.errors, 0);
}

static void test_url_with_wrong_sum_is_not_kept(void **state)
{
    struct place *p = *state;
    struct digest sum = sum_of("something else", 14);
    struct input input = {0};
    start_server(p);
    write_file(p->www, "file", "payload", 7);
    cleanup_free char *url = url_of(p, "file");
    assert_int_equal(fetch_url(&p->env, url, &sum, &input), -EBADMSG);
    assert_null(input.path);
    assert_int_equal(inputs(p), 0);
    assert_int_equal(p->diags.errors, 1);
    assert_non_null(strstr(p->diags.list.items[0].text, "239f59ed55e737c7")); /* what it has */
}

static void test_url_errors_say_why(void **state)
{
    struct place *p = *state;
    struct digest sum = {0};
    struct input input = {0};
    start_server(p);
    cleanup_free char *missing = url_of(p, "missing");
    assert_int_equal(fetch_url(&p->env, missing, &sum, &input), -EIO);
    assert_non_null(strstr(p->diags.list.items[0].text, "404"));
    stop_server(p);
    assert_int_equal(fetch_url(&p->env, missing, &sum, &input), -EIO);
    assert_int_equal(fetch_url(&p->env, "file:///etc/passwd", &sum, &input), -EIO);
    assert_int_equal(fetch_url(&p->env, missing, NULL, &input), -EINVAL);
    assert_non_null(strstr(p->diags.list.items[3].text, "sha256"));
    assert_int_equal(inputs(p), 0);
}

/* A server that promises more than it sends: the connection ends in the middle. */
static void test_cut_download_is_not_kept(void **state)
{
    struct place *p = *state;
    struct digest sum = sum_of("half", 4); /* even when what came has the sum */
    struct input input = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    cleanup_close int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    p->server = fork();
    if (p->server == 0) {
        static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
        char request[1000];
        int fd = accept(listener, NULL, NULL);
        if (read(fd, request, sizeof(request)) > 0)
            (void)write_all(fd, reply, sizeof(reply) - 1);
        _exit(0);
    }
    cleanup_free char *url = xasprintf("http://127.0.0.1:%u/x", ntohs(address.sin_port));
    assert_int_equal(fetch_url(&p->env, url, &sum, &input), -EIO);
    assert_int_equal(inputs(p), 0);
}

static void test_local_file_is_verified(void **state)
{
    struct place *p = *state;
    struct digest right = sum_of("x", 1), wrong = sum_of("y", 1);
    cleanup_input struct input input = {0};
    cleanup_free char *path = xasprintf("%s/x", p->www);
    write_file(p->www, "x", "x", 1);
    assert_int_equal(fetch_file(&p->env, path, &wrong, &input), -EBADMSG);
    assert_int_equal(fetch_file(&p->env, path, &right, &input), 0);
    assert_string_equal(input.path, path);
    assert_true(digest_equal(&input.digest, &right));
    assert_int_equal(fetch_file(&p->env, "/nowhere", NULL, &input), -ENOENT);
}

static int run(const char *command)
{
    return system(command);
}

static void test_tarball_is_unpacked_once(void **state)
{
    struct place *p = *state;
    cleanup_input struct input input = {0};
    cleanup_free char *tree = NULL, *again = NULL;
    cleanup_free char *path = xasprintf("%s/t.tar.gz", p->dir);
    cleanup_free char *command = xasprintf(
        "cd %s && mkdir -p top-1 && echo 'config A' >top-1/Kconfig && tar czf %s top-1", p->www, path);
    assert_int_equal(run(command), 0);
    assert_int_equal(fetch_file(&p->env, path, NULL, &input), 0);
    assert_int_equal(unpack_tree(&p->env, &input, "Kconfig", &tree), 0);
    assert_true(str_ends(tree, "/top-1"));
    /* The same tree the next time, untouched. */
    cleanup_free char *mark = xasprintf("%s/mark", tree);
    assert_int_equal(file_write_atomic(mark, "", 0, 0644), 0);
    assert_int_equal(unpack_tree(&p->env, &input, "Kconfig", &again), 0);
    assert_string_equal(tree, again);
    assert_true(file_exists(mark));
    assert_int_equal(p->diags.errors, 0);
}

static void test_wrong_archives_are_said(void **state)
{
    struct place *p = *state;
    struct input input = {0};
    char *tree = NULL;
    write_file(p->www, "no.tar", "this is no archive", 18);
    cleanup_free char *path = xasprintf("%s/no.tar", p->www);
    assert_int_equal(fetch_file(&p->env, path, NULL, &input), 0);
    assert_int_equal(unpack_tree(&p->env, &input, "Kconfig", &tree), -EIO);
    assert_null(tree);
    input_clear(&input);
    cleanup_free char *command = xasprintf("cd %s && tar cf empty.tar no.tar", p->www);
    cleanup_free char *empty = xasprintf("%s/empty.tar", p->www);
    assert_int_equal(run(command), 0);
    assert_int_equal(fetch_file(&p->env, empty, NULL, &input), 0);
    assert_int_equal(unpack_tree(&p->env, &input, "Kconfig", &tree), -EINVAL);
    assert_non_null(strstr(p->diags.list.items[1].text, "Kconfig"));
    input_clear(&input);
}

static void test_package_names_are_no_options(void **state)
{
    struct place *p = *state;
    static const char *const bad[] = {"", "-o", "--version", "../etc", "a b", "a/b", "a;b"};
    struct input input = {0};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(fetch_package(&p->env, bad[i], &input), -EINVAL);
        assert_int_equal(fetch_source_package(&p->env, bad[i], &input), -EINVAL);
    }
}

/* A package that came before is used as it is, without apt. */
static void test_cached_package_needs_no_apt(void **state)
{
    struct place *p = *state;
    cleanup_input struct input input = {0};
    cleanup_free char *folder = xasprintf("%s/inputs/deb/thing", p->cache);
    assert_int_equal(dir_make(folder), 0);
    write_file(folder, "thing_1_all.deb", "x", 1);
    write_file(folder, "SHA256", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n", 65);
    assert_int_equal(fetch_package(&p->env, "thing", &input), 0);
    assert_true(input.cached);
    assert_true(str_ends(input.path, "/thing_1_all.deb"));
}

static void test_unknown_package_is_said(void **state)
{
    struct place *p = *state;
    struct input input = {0};
    assert_true(fetch_package(&p->env, "rambox-no-such-package", &input) < 0);
    assert_int_equal(p->diags.errors, 1);
    assert_non_null(strstr(p->diags.list.items[0].text, "rambox-no-such-package"));
    cleanup_free char *folder = xasprintf("%s/inputs/deb", p->cache);
    char **names = NULL;
    assert_int_equal(dir_names(folder, NULL, &names), 0);
    assert_null(names[0]); /* nothing half is left */
    names_free(names);
}

/* --refresh: what was fetched since is fresh, as for the second kernel from one package; a time to come is of
 * a clock that was wrong. */
static void test_refreshed_once(void **state)
{
    static const struct {
        int64_t age; /* seconds */
        bool fresh;
    } cases[] = {{5, true}, {50, false}, {-1000, false}};
    struct place *p = *state;
    struct timespec now;
    cleanup_free char *folder = xasprintf("%s/inputs/deb/rambox-no-such-package", p->cache);
    cleanup_free char *sum = xasprintf("%s/SHA256", folder);
    assert_int_equal(dir_make(folder), 0);
    write_file(folder, "thing_1_all.deb", "x", 1);
    write_file(folder, "SHA256", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n", 65);
    clock_gettime(CLOCK_REALTIME, &now);
    p->env.refresh = (now.tv_sec - 30) * INT64_C(1000000000);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_input struct input input = {0};
        const struct timespec when = {.tv_sec = now.tv_sec - cases[i].age};
        assert_int_equal(utimensat(AT_FDCWD, sum, (const struct timespec[]){when, when}, 0), 0);
        int r = fetch_package(&p->env, "rambox-no-such-package", &input);
        assert_true(cases[i].fresh ? r == 0 : r < 0);
    }
    assert_true(file_exists(sum)); /* what is there stays when nothing better comes */
}

/* A .deb that holds one file. The caller's. */
static char *make_package(const struct place *p)
{
    char *deb = xasprintf("%s/thing.deb", p->dir);
    cleanup_free char *command = xasprintf(
        "cd %s && mkdir -p thing/DEBIAN && echo content >thing/file && printf 'Package: thing\\n"
        "Version: 1\\nArchitecture: all\\nMaintainer: a test <test@invalid>\\nDescription: a "
        "test\\n' >thing/DEBIAN/control && dpkg-deb --root-owner-group -Znone -b thing %s >/dev/null",
        p->dir, deb);
    assert_int_equal(run(command), 0);
    return deb;
}

static bool is_in_cache(const struct place *p, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", p->cache, name);
    return file_exists(path);
}

/* H19: what a builder that was killed left half done goes with the next attempt, and nothing else does. */
static void test_leftovers_go(void **state)
{
    static const char *const left[] = {"inputs/deb/rambox-no-such-package.part.aaaaaa",
                                       "inputs/deb/rambox-no-such-package.part.bbbbbb.apt"};
    struct place *p = *state;
    struct input input = {0};
    char *tree = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
        cleanup_free char *folder = xasprintf("%s/%s/deeper", p->cache, left[i]);
        assert_int_equal(dir_make(folder), 0);
    }
    cleanup_free char *other = xasprintf("%s/inputs/deb/rambox-no-such-package-either.part.cccccc", p->cache);
    assert_int_equal(dir_make(other), 0);
    assert_true(fetch_package(&p->env, "rambox-no-such-package", &input) < 0);
    for (size_t i = 0; i < ARRAY_SIZE(left); i++)
        assert_false(is_in_cache(p, left[i]));
    assert_true(file_exists(other));
    /* The same of what is unpacked; of an archive of something else nothing stays. */
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *deb = make_package(p);
    assert_int_equal(fetch_file(&p->env, deb, NULL, &input), 0);
    digest_format(&input.digest, hex);
    cleanup_free char *half = xasprintf("%s/trees/%.16s.part.dddddd", p->cache, hex);
    cleanup_free char *whole = xasprintf("%s/trees/%.16s", p->cache, hex);
    assert_int_equal(dir_make(half), 0);
    assert_true(unpack_tree(&p->env, &input, "Kconfig", &tree) < 0);
    assert_false(file_exists(half));
    assert_false(file_exists(whole));
    input_clear(&input);
}

/* What is no tree may be a package that somebody reads. */
static void test_wrong_use_destroys_nothing(void **state)
{
    struct place *p = *state;
    cleanup_input struct input input = {0};
    cleanup_free char *deb = make_package(p), *folder = NULL;
    char *tree = NULL;
    assert_int_equal(fetch_file(&p->env, deb, NULL, &input), 0);
    assert_int_equal(unpack_package(&p->env, &input, NULL, &folder), 0);
    cleanup_free char *file = xasprintf("%s/file", folder);
    assert_true(file_exists(file));
    assert_true(unpack_tree(&p->env, &input, "Kconfig", &tree) < 0);
    assert_true(file_exists(file));
}

/* The second builder says on this pipe that it waits, and the first goes on then. */
static int waits[2];

static void say_waiting(struct progress *p, const char *text)
{
    if (strstr(text, "another rambox"))
        (void)!write(waits[1], "w", 1);
}

static void update_nothing(struct progress *p, const char *task, uint64_t done, uint64_t total,
                           const char *detail)
{
}

static int finish_again(const struct build_env *env, const char *folder)
{
    return -EALREADY;
}

static const struct input *shared_input;
static pid_t second;

/* While the first one unpacks, another one wants the same. */
static int finish_slowly(const struct build_env *env, const char *folder)
{
    char byte;
    second = fork();
    if (second == 0) {
        struct progress progress = {.update = update_nothing, .say = say_waiting};
        struct build_env own = *env;
        char *again = NULL;
        own.progress = &progress;
        for (int fd = 3; fd < 64; fd++) /* the first one's lock among them */
            if (fd != waits[1])
                close(fd);
        int r = unpack_package(&own, shared_input, finish_again, &again);
        cleanup_free char *mark = xasprintf("%s/mark", r == 0 ? again : "");
        bool found = file_exists(mark);
        free(again);
        _exit(found ? 0 : 1);
    }
    cleanup_free char *mark = xasprintf("%s/mark", folder);
    close(waits[1]);
    assert_int_equal(read(waits[0], &byte, 1), 1);
    return file_write_atomic(mark, "", 0, 0644);
}

/* Two builders unpack the same once. */
static void test_unpacked_by_one(void **state)
{
    struct place *p = *state;
    cleanup_input struct input input = {0};
    cleanup_free char *deb = make_package(p), *folder = NULL;
    int status = -1;
    assert_int_equal(fetch_file(&p->env, deb, NULL, &input), 0);
    assert_int_equal(pipe2(waits, O_CLOEXEC), 0);
    shared_input = &input;
    assert_int_equal(unpack_package(&p->env, &input, finish_slowly, &folder), 0);
    cleanup_free char *mark = xasprintf("%s/mark", folder);
    assert_true(file_exists(mark));
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(status, 0);
    assert_true(file_exists(mark));
    close(waits[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_url_is_fetched_once),
        TEST(test_url_with_wrong_sum_is_not_kept),
        TEST(test_url_errors_say_why),
        TEST(test_cut_download_is_not_kept),
        TEST(test_local_file_is_verified),
        TEST(test_tarball_is_unpacked_once),
        TEST(test_wrong_archives_are_said),
        TEST(test_package_names_are_no_options),
        TEST(test_cached_package_needs_no_apt),
        TEST(test_unknown_package_is_said),
        TEST(test_refreshed_once),
        TEST(test_leftovers_go),
        TEST(test_wrong_use_destroys_nothing),
        TEST(test_unpacked_by_one),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
