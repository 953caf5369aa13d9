/* serve/http_request and serve/http_file: targets, queries, ranges and conditions, and files by HTTP. */
#include "serve_fixture.h"

#include "base/file.h"
#include "serve/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

/* ---- parsers ---- */

static void target(const char *text, int r, const char *path, const char *query)
{
    char buf[HTTP_TARGET_MAX + 2];
    struct http_target t = {0};
    snprintf(buf, sizeof(buf), "%s", text);
    assert_int_equal(http_target_parse(buf, &t), r);
    if (r < 0)
        return;
    assert_string_equal(t.path, path);
    assert_string_equal(t.query, query);
}

static void test_targets(void **state) /* hostile: %2e%2e, %00, overlong UTF-8, absolute form, 4 KiB */
{
    target("/", 0, "/", "");
    target("/a%20b?x=%31&y", 0, "/a b", "x=%31&y");
    target("/a?b?c", 0, "/a", "b?c");
    target("*", 0, "*", "");
    target("http://host:80/a?b", 0, "/a", "b");
    target("HTTPS://host/a", 0, "/a", "");
    target("http://host", 0, "/", "");
    target("http://host?q", 0, "/", "q");
    target("/%2e%2e/%2E%2e/etc", 0, "/../../etc", "");
    target("/%c0%ae", 0, "/\xc0\xae", "");
    static const char *const bad[] = {"",     "a",     "ftp://h/a", "/%",      "/%2",    "/%zz",
                                      "/%00", "/a%00", "/a b",      "/a\x01b", "/a\x7f", "**"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        target(bad[i], -EINVAL, NULL, NULL);
    char longest[HTTP_TARGET_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[HTTP_TARGET_MAX] = '\0';
    target(longest, 0, longest, "");
    longest[HTTP_TARGET_MAX] = 'a';
    longest[HTTP_TARGET_MAX + 1] = '\0';
    target(longest, -ENAMETOOLONG, NULL, NULL);
}

static void test_queries(void **state)
{
    char value[8];
    assert_int_equal(http_query_value("mac=1&uuid=a%2Bb+c&x=", "uuid", value, sizeof(value)), 0);
    assert_string_equal(value, "a+b c");
    assert_int_equal(http_query_value("mac=1", "mac", value, sizeof(value)), 0);
    assert_string_equal(value, "1");
    static const struct {
        const char *query;
        int r;
    } others[] = {
        {"", -ENOENT},       {"mac", -ENOENT},          {"mac=", -ENOENT},    {"mac=&mac=1", -ENOENT},
        {"macs=1", -ENOENT}, {"xmac=1", -ENOENT},       {"mac=%", -EINVAL},   {"mac=%00", -EINVAL},
        {"mac=1234567", 0},  {"mac=12345678", -EINVAL}, {"a=mac=1", -ENOENT}, {"&&&mac=1", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(http_query_value(others[i].query, "mac", value, sizeof(value)), others[i].r);
}

static void range(const char *text, uint64_t total, int r, uint64_t first, uint64_t size)
{
    struct http_range got = {0};
    assert_int_equal(http_range_parse(text, total, &got), r);
    assert_int_equal(got.first, first);
    assert_int_equal(got.size, size);
}

static void test_ranges(void **state) /* W1; hostile: 1,000 ranges */
{
    range("bytes=0-0", 10, 1, 0, 1);
    range("bytes=2-", 10, 1, 2, 8);
    range("bytes=2-4", 10, 1, 2, 3);
    range("bytes=2-99999999999999999999999999", 10, 1, 2, 8);
    range("BYTES= 9-9", 10, 1, 9, 1);
    range("bytes=-3", 10, 1, 7, 3);
    range("bytes=-30", 10, 1, 0, 10);
    range("bytes=10-", 10, -ERANGE, 0, 0);
    range("bytes=18446744073709551615-18446744073709551615", 10, -ERANGE, 0, 0);
    range("bytes=99999999999999999999-", UINT64_MAX, -ERANGE, 0, 0);
    range("bytes=-0", 10, -ERANGE, 0, 0);
    range("bytes=0-", 0, -ERANGE, 0, 0);
    range("bytes=-5", 0, -ERANGE, 0, 0);
    static const char *const whole[] = {"",           "bytes",         "bytes=",     "bytes=-",
                                        "bytes=a-b",  "bytes=4-2",     "bytes=1",    "bytes=1-2x",
                                        "items=0-1",  "bytes=-x",      "bytes=--1",  "bytes=1--2",
                                        "bytes=+1-2", "bytes=0-0,2-3", "bytes=-1,-2"};
    for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
        range(whole[i], 10, 0, 0, 0);
    cleanup_str struct str many = {0};
    str_add(&many, "bytes=0-0");
    for (int i = 0; i < 1000; i++)
        str_add(&many, ",0-9");
    range(str_text(&many), 10, 0, 0, 0);
}

static void test_tags(void **state)
{
    assert_true(http_tag_matches("*", "a", false));
    assert_true(http_tag_matches("\"a\"", "a", false));
    assert_true(http_tag_matches(" \"b\" , \"a\"", "a", false));
    assert_true(http_tag_matches("W/\"a\"", "a", true));
    assert_false(http_tag_matches("W/\"a\"", "a", false));
    static const char *const others[] = {"", "a", "\"a", "\"aa\"", "\"\"", "w/\"a\"", ",,", "\"b\" \"", "**"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(http_tag_matches(others[i], "a", true));
}

static void test_dates(void **state)
{
    char buf[HTTP_DATE_MAX];
    int64_t t = 0;
    assert_string_equal(http_date_format(784111777, buf), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(http_date_parse(buf, &t), 0);
    assert_int_equal(t, 784111777);
    assert_string_equal(http_date_format(0, buf), "Thu, 01 Jan 1970 00:00:00 GMT");
    static const char *const bad[] = {"",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun Nov  6 08:49:37 1994",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nop 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1969 08:49:37 GMT",
                                      "Sun, -6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT "};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(http_date_parse(bad[i], &t), -EINVAL);
    for (int64_t far = INT64_MIN; far != 0; far /= 7) /* no date that is not one, whatever a disk says */
        assert_int_equal(strlen(http_date_format(far, buf)), HTTP_DATE_MAX - 1);
}

/* ---- files ---- */

#define KERNEL "0123456789"

struct bed {
    struct events events;
    struct counters counters;
    struct boot_table *boots;
    struct generation *generation;
    struct files *files;
    struct http_server http;
    struct moment now;
    char dir[64];
    int fd;
    const char *fields[8]; /* name, value, name, value */
};
static struct bed bed;
static struct http_answer answer;

static struct generation *get_generation(void *user, unsigned number)
{
    return number == 0 || number == 12 ? generation_ref(bed.generation) : NULL;
}

static void write_file(const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", bed.dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static int setup(void **state)
{
    struct digest d;
    char hex[DIGEST_TEXT_MAX];
    memset(&bed, 0, sizeof(bed));
    snprintf(bed.dir, sizeof(bed.dir), "/tmp/rambox-test-XXXXXX");
    assert_non_null(mkdtemp(bed.dir));
    bed.fd = open(bed.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bed.events.sink.emit = events_emit;
    bed.boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    bed.events.boots = bed.boots;
    bed.generation = fixture_generation(12, fixture_site(UNKNOWN_DENY));
    struct profile *guest = &bed.generation->site->profiles.items[1];
    guest->boot_file = xstrdup("shim.efi");
    bed.files = files_new(&(struct files_config){.artifacts_fd = bed.fd,
                                                 .loader_fds = &bed.fd,
                                                 .loader_fds_n = 1,
                                                 .generations = {get_generation, NULL},
                                                 .boots = bed.boots});
    bed.http = (struct http_server){
        .boots = bed.boots, .files = bed.files, .sink = &bed.events.sink, .counters = &bed.counters};
    memset(d.b, 0xaa, sizeof(d.b));
    write_file(digest_format(&d, hex), KERNEL);
    write_file("shim.efi", "MZ");
    write_file("pxelinux.0", "loader");
    return 0;
}

static void forget(void)
{
    free(answer.body);
    served_file_unref(answer.what.file);
    answer = (struct http_answer){0};
}

static int teardown(void **state)
{
    forget();
    files_free(bed.files);
    boot_table_free(bed.boots);
    generation_unref(bed.generation);
    close(bed.fd);
    dir_remove(bed.dir);
    return 0;
}

static const char *field(void *user, const char *name)
{
    for (size_t i = 0; i + 1 < ARRAY_SIZE(bed.fields) && bed.fields[i]; i += 2)
        if (strcasecmp(bed.fields[i], name) == 0)
            return bed.fields[i + 1];
    return NULL;
}

static void ask(const char *method, const char *text, unsigned status)
{
    char buf[HTTP_TARGET_MAX + 1];
    forget();
    snprintf(buf, sizeof(buf), "%s", text);
    struct http_request request = {.method = method, .from = N1_IP, .local = SERVER, .header = field};
    assert_int_equal(http_target_parse(buf, &request.target), 0);
    http_handle(&bed.http, &bed.now, &request, &answer);
    assert_int_equal(answer.status, status);
}

static void with(const char *name, const char *value)
{
    memset((void *)bed.fields, 0, sizeof(bed.fields));
    bed.fields[0] = name;
    bed.fields[1] = value;
}

static void sends(const char *text)
{
    assert_non_null(answer.what.file);
    assert_int_equal(answer.part.size, strlen(text));
    assert_true(answer.part.first <= answer.what.file->size &&
                answer.part.size <= answer.what.file->size - answer.part.first);
    assert_memory_equal(answer.what.file->data + answer.part.first, text, strlen(text));
}

#define PATH "/g12/kernel/smallest"
#define TAG  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

static void test_whole_files(void **state) /* W1, W2 */
{
    ask("GET", PATH, 200);
    sends(KERNEL);
    assert_string_equal(answer.etag, TAG); /* the artifact's SHA-256 */
    assert_string_equal(answer.content_type, "application/octet-stream");
    assert_int_equal(strlen(answer.modified), HTTP_DATE_MAX - 1);
    assert_false(answer.no_store);
    ask("HEAD", PATH, 200);
    sends(KERNEL);
    ask("GET", "/shim.efi", 200);
    assert_string_equal(answer.content_type, "application/efi");
    assert_true(answer.etag[0]);
    ask("GET", "/pxelinux.cfg/01-52-54-00-00-00-01", 200);
    assert_string_equal(answer.content_type, "text/plain; charset=utf-8");
    assert_true(answer.no_store);
    assert_false(answer.etag[0] || answer.modified[0]); /* P2: what is empty is not sent */
    struct file_answer what = {.file = answer.what.file};
    what.file->kind = FILE_LOADER;
    static const char *const types[][2] = {{"a.img", "application/vnd.efi-img"},
                                           {"a.iso", "application/vnd.efi-iso"}};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        snprintf(what.name, sizeof(what.name), "%s", types[i][0]);
        assert_string_equal(http_content_type(&what), types[i][1]);
    }
}

static void test_parts(void **state) /* W1 */
{
    with("Range", "bytes=2-4");
    ask("GET", PATH, 206);
    sends("234");
    assert_string_equal(answer.content_range, "bytes 2-4/10");
    ask("HEAD", PATH, 200); /* RFC 9110 §14.2: Range is GET's */
    sends(KERNEL);
    with("Range", "bytes=10-");
    ask("GET", PATH, 416);
    assert_string_equal(answer.content_range, "bytes */10");
    assert_null(answer.what.file);
    with("Range", "bytes=0-0,4-5");
    ask("GET", PATH, 200);
    sends(KERNEL);
}

static void test_if_range(void **state)
{
    char date[HTTP_DATE_MAX];
    ask("GET", PATH, 200);
    memcpy(date, answer.modified, sizeof(date));
    const struct {
        const char *known;
        unsigned status;
    } cases[] = {{TAG, 206},      {date, 206}, {"\"other\"", 200},
                 {"W/" TAG, 200}, {"*", 200},  {"Sun, 06 Nov 1994 08:49:37 GMT", 200},
                 {"", 200}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        with("Range", "bytes=1-");
        bed.fields[2] = "If-Range";
        bed.fields[3] = cases[i].known;
        ask("GET", PATH, cases[i].status);
        sends(cases[i].status == 206 ? KERNEL + 1 : KERNEL);
    }
}

static void test_conditions(void **state) /* RFC 9110 §13 */
{
    static const struct {
        const char *name, *value;
        unsigned status;
    } cases[] = {
        {"If-None-Match", TAG, 304},
        {"If-None-Match", "W/" TAG, 304},
        {"If-None-Match", "\"x\", " TAG, 304},
        {"If-None-Match", "*", 304},
        {"If-None-Match", "\"x\"", 200},
        {"If-Match", TAG, 200},
        {"If-Match", "\"x\"", 412},
        {"If-Modified-Since", "Fri, 31 Dec 2999 08:49:37 GMT", 304},
        {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 200},
        {"If-Modified-Since", "yesterday", 200},
        {"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", 412},
        {"If-Unmodified-Since", "Fri, 31 Dec 2999 08:49:37 GMT", 200},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        with(cases[i].name, cases[i].value);
        ask("GET", PATH, cases[i].status);
        assert_string_equal(answer.etag, TAG);
        assert_int_equal(answer.what.file != NULL, cases[i].status == 200);
    }
    with("If-None-Match", "\"\""); /* a configuration has no tag, and so not the empty one */
    ask("GET", "/pxelinux.cfg/default", 200);
}

static void test_what_there_is_not(void **state) /* hostile names */
{
    static const struct {
        const char *target;
        unsigned status;
    } cases[] = {
        {"/", 404},
        {"/nothing", 404},
        {"/v1/nothing", 404},
        {"/g11/kernel/smallest", 404},
        {"/g12/kernel/../../etc/passwd", 403},
        {"/%2e%2e/%2e%2e/etc/passwd", 403},
        {"/%c0%ae%c0%ae/etc/passwd", 403},
        {"/pxelinux.cfg/nobody", 404},
        {"/pxelinux.cfg/01-02-00-00-00-00-77", 404},
        {"/ipxe?mac=02:00:00:00:00:77", 404},
        {"/v1/boot/02:00:00:00:00:77", 404},
        {"/v1/boot/nobody", 400},
        {"/v1/boot/", 400},
        {"/grub.cfgx", 404},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ask("GET", cases[i].target, cases[i].status);
        assert_null(answer.what.file);
        assert_non_null(answer.body);
        assert_non_null(strstr(answer.body, "{\"error\":"));
    }
    assert_int_equal(bed.events.n[EVENT_FILE_REFUSED], 12 - 1);
    assert_string_equal(event_name(&bed.events.last[EVENT_FILE_REFUSED]), "http-refused");
    assert_int_equal(counter_value(&bed.counters, COUNT_HTTP_REFUSED), 3);
    assert_int_equal(counter_value(&bed.counters, COUNT_HTTP_NOT_FOUND), 8);
}

static void test_methods(void **state) /* hostile: POST to files, method names */
{
    static const char *const methods[] = {"POST",    "PUT", "DELETE", "TRACE",
                                          "CONNECT", "get", "BREW",   "PROPFIND"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        ask(methods[i], PATH, 405);
        assert_string_equal(answer.allow, "GET, HEAD");
    }
    ask("OPTIONS", "*", 204);
    assert_null(answer.body);
    ask("GET", "*", 405);
    assert_int_equal(http_body_max("POST", PATH), 0);
}

static bool has(const char *part)
{
    cleanup_free char *text = xstrndup((const char *)answer.what.file->data, (size_t)answer.what.file->size);
    return strstr(text, part) != NULL;
}

static void test_boot_scripts(void **state)
{
    uint64_t id = boot_table_discover(bed.boots, &bed.now, &n1_mac, "n1", NULL, 12);
    char boot[BOOT_ID_TEXT_MAX];
    boot_table_assign(bed.boots, &bed.now, id, N1_IP, 12);
    ask("GET", "/boot.ipxe", 200);
    assert_true(has("#!ipxe\n") && has("chain --replace --autofree /ipxe?mac="));
    static const char *const asked[] = {"/ipxe?mac=52:54:00:00:00:01", "/ipxe?uuid=x&mac=52-54-00-00-00-01",
                                        "/ipxe?mac=%35%32:54:00:00:00:01",
                                        "/ipxe?mac=&uuid=12345678-9abc-def0-0102-030405060708", "/ipxe"};
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        ask("GET", asked[i], 200);
        assert_true(has("kernel --name kernel /g12/kernel/smallest initrd=image rw ip=10.7.0.21:"));
        assert_true(has(boot_id_format(id, boot)));
        assert_true(answer.no_store);
    }
    ask("GET", "/v1/boot/52:54:00:00:00:01", 200);
    assert_string_equal(answer.content_type, "application/json");
    assert_true(
        has("{\"kernel\":\"/g12/kernel/smallest\",\"initrd\":[\"/g12/image/smallest\"],\"cmdline\":\"rw "));
    static const char *const grub[] = {"/grub.cfg", "/grub.cfg-01-52-54-00-00-00-01",
                                       "/boot/grub/grub.cfg-0A070015", "/grub/grub.cfg"};
    for (size_t i = 0; i < ARRAY_SIZE(grub); i++) {
        ask("GET", grub[i], 200);
        assert_true(has("linux '/g12/kernel/smallest' 'rw' 'ip=10.7.0.21:"));
    }
    struct boot b;
    enum boot_stage stage;
    assert_true(boot_table_get(bed.boots, id, &b, &stage));
    events_emit(&bed.events.sink,
                &(struct event){.kind = EVENT_FILE_START, .at = bed.now, .boot = id, .file = "ipxe"});
    assert_true(boot_table_get(bed.boots, id, &b, &stage));
    assert_int_equal(stage, STAGE_CONFIG);
}

/* A server that began anew knows nothing of the boot: then what iPXE says of its processor counts. */
static void test_script_by_architecture(void **state)
{
    for (enum artifact_kind kind = ARTIFACT_KERNEL; kind <= ARTIFACT_IMAGE; kind++)
        *VEC_ADD(&bed.generation->artifacts) =
            (struct generation_artifact){.kind = kind, .name = xstrdup("smallest.arm64")};
    bed.generation->site->profiles.items[0].archs = 1 << ARCH_X86_64 | 1 << ARCH_ARM64;
    ask("GET", "/ipxe?mac=52:54:00:00:00:01&arch=arm64", 200);
    assert_true(has("kernel --name kernel /g12/kernel/smallest.arm64 "));
    ask("GET", "/ipxe?mac=52:54:00:00:00:01&arch=x86_64", 200);
    assert_true(has("kernel --name kernel /g12/kernel/smallest "));
    ask("GET", "/ipxe?mac=52:54:00:00:00:01&arch=", 200);
    assert_true(has("kernel --name kernel /g12/kernel/smallest "));
    ask("GET", "/ipxe?mac=52:54:00:00:00:01&arch=longer-than-any-name", 200);
    assert_true(has("kernel --name kernel /g12/kernel/smallest "));
    uint64_t id = boot_table_discover(bed.boots, &bed.now, &n1_mac, "n1", NULL, 12);
    boot_table_set_arch(bed.boots, id, ARCH_ARM64); /* the firmware's word comes first */
    ask("GET", "/ipxe?mac=52:54:00:00:00:01&arch=x86_64", 200);
    assert_true(has("kernel --name kernel /g12/kernel/smallest.arm64 "));
    ask("GET", "/v1/boot/52:54:00:00:00:01", 200);
    assert_true(has("\"/g12/kernel/smallest.arm64\",\"initrd\":[\"/g12/image/smallest.arm64\"]"));
}

static void test_script_by_tftp(void **state)
{
    struct file_answer what;
    const char *reason;
    const struct file_request request = {.name = "boot.ipxe", .from = N1_IP, .local = SERVER};
    assert_int_equal(files_open(bed.files, &bed.now, &request, &what, &reason), 0);
    cleanup_free char *text = xstrndup((const char *)what.file->data, (size_t)what.file->size);
    assert_non_null(strstr(text, "chain --replace --autofree http://10.7.0.1:8069/ipxe?mac="));
    served_file_unref(what.file);
}

static void test_refusals(void **state) /* W3: empty, with a number */
{
    forget();
    http_refuse(&bed.http, 503, "busy", &answer);
    assert_null(answer.body);
    assert_int_equal(answer.size, 0);
    assert_int_equal(answer.retry_after_s, HTTP_RETRY_S);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static bool not_ready(void *user, const char **ret_why)
{
    *ret_why = "nothing is published yet";
    return false;
}

static bool more_metrics(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to)
{
    write(to, "rambox_generation", 12);
    return bed.http.ready == NULL; /* they cannot be had while we are not ready */
}

static void test_state(void **state) /* W5 */
{
    ask("GET", "/healthz", 200);
    assert_string_equal(answer.body, "ok\n");
    ask("GET", "/readyz", 200);
    bed.http.metrics = more_metrics;
    ask("GET", "/metrics", 200);
    assert_string_equal(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(answer.body, "# TYPE rambox_http_requests_total counter\n"
                                        "rambox_http_requests_total 3\n"));
    assert_non_null(strstr(answer.body, "# TYPE rambox_boots gauge\nrambox_boots 0\n"));
    assert_non_null(strstr(answer.body, "\nrambox_generation 12\n"));
    bed.http.ready = not_ready;
    ask("GET", "/readyz", 503);
    assert_string_equal(answer.body, "nothing is published yet\n");
    assert_true(answer.retry_after_s > 0);
    ask("GET", "/healthz", 200); /* the process answers all the same */
    ask("GET", "/metrics", 503); /* rather than half of them */
    assert_null(answer.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_dates),
        FILES(test_whole_files),
        FILES(test_script_by_architecture),
        FILES(test_parts),
        FILES(test_if_range),
        FILES(test_conditions),
        FILES(test_what_there_is_not),
        FILES(test_methods),
        FILES(test_boot_scripts),
        FILES(test_script_by_tftp),
        FILES(test_refusals),
        FILES(test_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
