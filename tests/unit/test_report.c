/* serve/report and serve/http: what nodes report, what is refused and with which words, and the routes. */
#include "serve_fixture.h"

#include "serve/http.h"
#include "serve/report.h"

#include <errno.h>

#define WHOLE                                                                                                \
    "{\"boot\":\"0000000000000042\",\"node\":\"n1\",\"mac\":\"52:54:00:00:00:01\",\"new\":{\"x\":[1]},"      \
    "\"stages\":[{\"stage\":\"init\",\"us\":1200000},{\"stage\":\"ready\",\"us\":1300000,\"detail\":"        \
    "\"a\\nb\"}],"                                                                                           \
    "\"facts\":{\"mem_total_kb\":60000,\"mem_free_kb\":50000,\"mem_available_kb\":52000,\"mem_used_kb\":"    \
    "4000,"                                                                                                  \
    "\"root_kb\":900,\"modules\":0,\"device_nodes\":50,\"interfaces\":[{\"name\":\"lo\",\"up\":true,"        \
    "\"mac\":\"\","                                                                                          \
    "\"address\":\"127.0.0.1\",\"prefix\":8},{\"name\":\"eth0\",\"up\":true,\"mac\":\"52:54:00:00:00:01\","  \
    "\"address\":\"10.7.0.21\",\"prefix\":24}],\"mounts\":[{\"source\":\"proc\",\"target\":\"/"              \
    "proc\",\"type\":"                                                                                       \
    "\"proc\",\"options\":\"rw\"}],\"kernel\":\"6.1.0\",\"cmdline\":\"rw rambox\"}}"

struct bed {
    struct events events;
    struct counters counters;
    struct boot_table *boots;
    struct http_server http;
    struct moment now;
};
static struct bed bed;

static int setup(void **state)
{
    memset(&bed, 0, sizeof(bed));
    bed.events.sink.emit = events_emit;
    bed.boots = boot_table_new(&(struct boot_table_config){
        .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    bed.events.boots = bed.boots;
    const struct boot boot = {.id = 0x42, .mac = n1_mac, .node = "n1", .ip = N1_IP, .started_us = 1};
    assert_int_equal(boot_table_load(bed.boots, &bed.now, &boot), 0);
    bed.http = (struct http_server){.boots = bed.boots, .sink = &bed.events.sink, .counters = &bed.counters};
    return 0;
}

static int teardown(void **state)
{
    boot_table_free(bed.boots);
    return 0;
}

static int parse(const char *text, struct report *report, char **facts, char error[static REPORT_ERROR_MAX])
{
    return report_parse(text, strlen(text), report, facts, error);
}

static void test_whole_report(void **state) /* H30 */
{
    struct report r;
    char error[REPORT_ERROR_MAX], *facts = NULL;
    assert_int_equal(parse(WHOLE, &r, &facts, error), 0);
    assert_int_equal(r.boot, 0x42);
    assert_string_equal(r.node, "n1");
    assert_true(mac_equal(&r.mac, &n1_mac));
    assert_int_equal(r.stages.n, 2);
    assert_string_equal(r.stages.items[1].name, "ready");
    assert_int_equal(r.stages.items[1].us, 1300000);
    assert_string_equal(r.stages.items[1].detail, "a b"); /* no control characters reach a log */
    assert_true(r.has_facts);
    assert_int_equal(r.facts.mem_used_kb, 4000);
    assert_int_equal(r.facts.device_nodes, 50);
    assert_int_equal(r.facts.interfaces.n, 2);
    assert_int_equal(r.facts.interfaces.items[1].address, N1_IP);
    assert_int_equal(r.facts.interfaces.items[1].prefix, 24);
    assert_string_equal(r.facts.mounts.items[0].target, "/proc");
    assert_string_equal(r.facts.kernel, "6.1.0");
    assert_non_null(strstr(facts, "\"root_kb\":900"));
    free(facts);
    report_clear(&r);
}

#define NIC "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
#define HARDWARE                                                                                             \
    "{\"arch\":\"x86_64\",\"new\":1,\"dmi\":{\"vendor\":\"QEMU\",\"product\":\"Standard PC\"},\"devices\":[" \
    "{\"modalias\":\"" NIC "\",\"driver\":\"e1000e\"},{\"modalias\":\"virtio:d00000002v00001AF4\"}],"        \
    "\"missing_firmware\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}"
#define FACTS                                                                                                \
    "\"mem_total_kb\":1,\"mem_free_kb\":1,\"mem_available_kb\":1,\"mem_used_kb\":1,\"root_kb\":1,"           \
    "\"modules\":0,"                                                                                         \
    "\"device_nodes\":1"

/* What the machine is made of comes with the facts or alone; it is kept apart from them. */
static void test_hardware(void **state)
{
    struct report r;
    char error[REPORT_ERROR_MAX], *facts = NULL;
    assert_int_equal(parse("{\"facts\":{" FACTS ",\"hardware\":" HARDWARE "}}", &r, &facts, error), 0);
    assert_true(r.has_facts && r.has_hardware);
    assert_string_equal(facts, "{" FACTS "}");
    assert_int_equal(r.hardware.devices.n, 2);
    assert_string_equal(r.hardware.devices.items[0].driver, "e1000e");
    assert_non_null(strstr(r.hardware_json, "\"efi\":false"));
    assert_null(strstr(r.hardware_json, "new"));
    free(facts);
    report_clear(&r);
    facts = NULL;
    assert_int_equal(parse("{\"facts\":{\"hardware\":" HARDWARE "}}", &r, &facts, error), 0);
    assert_true(!r.has_facts && r.has_hardware);
    assert_null(facts);
    report_clear(&r);
    assert_int_equal(parse("{\"facts\":{" FACTS ",\"hardware\":null}}", &r, NULL, error), 0);
    assert_true(r.has_facts && !r.has_hardware);
    report_clear(&r);
}

static void test_least_report(void **state)
{
    struct report r;
    char error[REPORT_ERROR_MAX];
    assert_int_equal(parse("{}", &r, NULL, error), 0);
    assert_int_equal(r.boot, 0);
    report_clear(&r);
    assert_int_equal(
        parse("{\"boot\":\"\",\"node\":\"\",\"mac\":\"\",\"stages\":[],\"facts\":null}", &r, NULL, error), 0);
    assert_false(r.has_facts);
    report_clear(&r);
}

static void test_refusals(void **state) /* each names its field and what was expected */
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "the report is empty"},
        {"[]", "expected an object"},
        {"{\"boot\":7}", "boot: expected a string"},
        {"{\"boot\":\"xyz\"}", "boot: expected 16 hexadecimal digits"},
        {"{\"mac\":\"1:2\"}", "mac: expected a MAC address"},
        {"{\"stages\":{}}", "stages: expected a list"},
        {"{\"stages\":[7]}", "stages[0]: expected an object"},
        {"{\"stages\":[{\"stage\":\"a\",\"us\":1},{\"us\":1}]}", "stages[1].stage: expected it to be there"},
        {"{\"stages\":[{\"stage\":\"a\",\"us\":-1}]}", "stages[0].us: expected a number of 0 or above"},
        {"{\"stages\":[{\"stage\":\"a\",\"us\":1.5}]}", "stages[0].us: expected a number of 0 or above"},
        {"{\"facts\":[]}", "facts: expected an object"},
        {"{\"facts\":{\"mem_total_kb\":\"x\"}}", "facts.mem_total_kb: expected a number of 0 or above"},
        {"{\"facts\":{\"hardware\":7}}", "facts.hardware: expected an object"},
        {"{\"facts\":{\"hardware\":{\"arch\":\"vax\"}}}", "facts.hardware: arch: expected x86_64 or arm64"},
        {"{\"facts\":{\"hardware\":" HARDWARE ",\"modules\":1}}",
         "facts.mem_total_kb: expected it to be there"},
        {"{\"facts\":{\"hardware\":{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a:\\u001b[2J\"}]}}}",
         "facts.hardware: devices[0].modalias: expected up to 4095 bytes of text without control characters"},
        {"{\"a\":1,\"a\":2}", NULL},
        {"{\"boot\":\"\\u0000\"}", NULL},
        {"{\"boot\":\"\xff\"}", NULL},
        {"{} x", NULL},
        {"{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", "the report is nested too deeply"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct report r;
        char error[REPORT_ERROR_MAX] = "", *facts = NULL;
        assert_int_equal(parse(cases[i].text, &r, &facts, error), -EINVAL);
        assert_true(error[0]);
        if (cases[i].error)
            assert_string_equal(error, cases[i].error);
    }
}

static void test_text_is_fit_for_json(
    void **state) /* cut between characters; a refusal that quotes bad bytes is readable */
{
    struct report r;
    char error[REPORT_ERROR_MAX];
    cleanup_str struct str text = {0};
    str_add(&text, "{\"node\":\"");
    for (int i = 0; i < 40; i++)
        str_add(&text, "\u00e4");
    str_add(&text, "\"}");
    assert_int_equal(report_parse(str_text(&text), text.len, &r, NULL, error), 0);
    assert_int_equal(strlen(r.node), 62);
    report_clear(&r);
    assert_int_equal(parse("{\"node\":\"\xff\"}", &r, NULL, error), -EINVAL);
    for (char *p = error; *p; p++)
        assert_in_range(*p, ' ', '~');
    /* U+009B begins a terminal's control sequence as ESC [ does. */
    assert_int_equal(parse("{\"node\":\"a\\u009b2Jb\\u00e4\"}", &r, NULL, error), 0);
    assert_string_equal(r.node, "a  2Jb\u00e4");
    report_clear(&r);
}

static void test_limits(void **state) /* hostile: deep JSON, long bodies, long lists */
{
    struct report r;
    char error[REPORT_ERROR_MAX];
    cleanup_free char *deep = xmalloc(60000);
    memset(deep, '[', 60000);
    assert_int_equal(report_parse(deep, 60000, &r, NULL, error), -EINVAL);
    cleanup_free char *big = xmalloc(REPORT_MAX + 1);
    memset(big, ' ', REPORT_MAX + 1);
    assert_int_equal(report_parse(big, REPORT_MAX + 1, &r, NULL, error), -EMSGSIZE);
    cleanup_str struct str many = {0};
    str_add(&many, "{\"stages\":[");
    for (int i = 0; i < 65; i++)
        str_printf(&many, "%s{\"stage\":\"a\",\"us\":%d}", i ? "," : "", i);
    str_add(&many, "]}");
    assert_int_equal(report_parse(str_text(&many), many.len, &r, NULL, error), -EINVAL);
    assert_string_equal(error, "stages: expected at most 64 entries, not 65");
    cleanup_str struct str facts = {
        0}; /* what every boot keeps is not as long as what every machine may be */
    str_add(&facts, "{\"facts\":{" FACTS ",\"new\":\"");
    for (int i = 0; i < 7000; i++)
        str_add(&facts, "0123456789");
    str_add(&facts, "\"}}");
    char *text = NULL;
    assert_int_equal(report_parse(str_text(&facts), facts.len, &r, &text, error), -EINVAL);
    assert_string_equal(error, "facts: expected at most 65536 bytes but hardware");
}

static struct http_answer answer;

static void request(const char *method, const char *path, const char *body, unsigned status)
{
    free(answer.body);
    const struct http_request r = {
        .method = method, .target = {path, ""}, .body = body, .size = strlen(body), .from = N1_IP};
    http_handle(&bed.http, &bed.now, &r, &answer);
    assert_int_equal(answer.status, status);
    assert_int_equal(answer.body != NULL, answer.content_type != NULL);
    assert_int_equal(answer.size, answer.body ? strlen(answer.body) : 0);
}

static void
test_report_to_events(void **state) /* a node reports all its stages each time; each is told once */
{
    request("POST", "/v1/report",
            "{\"boot\":\"0000000000000042\",\"stages\":[{\"stage\":\"init\",\"us\":1200000}]}", 204);
    assert_int_equal(bed.events.n[EVENT_STAGE], 1);
    assert_string_equal(bed.events.detail[EVENT_STAGE], "init");
    request("POST", "/v1/report", WHOLE, 204);
    assert_int_equal(bed.events.n[EVENT_STAGE], 2);
    assert_string_equal(bed.events.detail[EVENT_STAGE], "ready: a b");
    assert_int_equal(bed.events.last[EVENT_STAGE].node_us, 1300000);
    assert_int_equal(bed.events.last[EVENT_STAGE].boot, 0x42);
    assert_int_equal(bed.events.last[EVENT_STAGE].ip, N1_IP);
    assert_int_equal(bed.events.n[EVENT_FACTS], 1);
    struct boot boot;
    enum boot_stage stage = STAGE_DISCOVER;
    assert_true(boot_table_get(bed.boots, 0x42, &boot, &stage));
    assert_int_equal(stage, STAGE_READY);
    assert_int_equal(counter_value(&bed.counters, COUNT_REPORTS), 2);
}

/* One line for people, the class, and the machine as JSON. */
static void test_hardware_to_events(void **state)
{
    request("POST", "/v1/report", "{\"boot\":\"0000000000000042\",\"facts\":{\"hardware\":" HARDWARE "}}",
            204);
    assert_int_equal(bed.events.n[EVENT_FACTS], 0);
    assert_int_equal(bed.events.n[EVENT_HARDWARE], 1);
    assert_string_equal(
        bed.events.detail[EVENT_HARDWARE],
        "QEMU Standard PC, 2 devices, 1 without a driver, firmware missing: a, b, c, d and 2 more");
    assert_true(mac_equal(&bed.events.last[EVENT_HARDWARE].mac, &n1_mac));
    assert_int_equal(bed.events.last[EVENT_HARDWARE].boot, 0x42);
    request("POST", "/v1/report", WHOLE, 204);
    assert_int_equal(bed.events.n[EVENT_HARDWARE], 1);
}

static void test_foreign_reports(void **state) /* a boot that there is not, another card, and no boot */
{
    request("POST", "/v1/report",
            "{\"boot\":\"0000000000000043\",\"stages\":[{\"stage\":\"ready\",\"us\":1}]}", 404);
    request("POST", "/v1/report",
            "{\"boot\":\"0000000000000042\",\"mac\":\"52:54:00:00:00:07\",\"stages\":[{\"stage\":\"ready\","
            "\"us\":1}]}",
            204);
    assert_int_equal(bed.events.n[EVENT_STAGE], 1);
    assert_int_equal(bed.events.last[EVENT_STAGE].boot, 0x42);
    assert_true(mac_equal(&bed.events.last[EVENT_STAGE].mac, &n1_mac));
    request("POST", "/v1/report", "{\"node\":\"n9\",\"stages\":[{\"stage\":\"ready\",\"us\":1}]}", 204);
    assert_int_equal(bed.events.n[EVENT_STAGE], 2);
    assert_int_equal(bed.events.last[EVENT_STAGE].boot, 0);
}

/* A unified image knows neither its node nor its boot. */
static void test_nameless_reports(void **state)
{
    request("POST", "/v1/report", "{\"stages\":[{\"stage\":\"init\",\"us\":1}]}", 204);
    assert_int_equal(bed.events.last[EVENT_STAGE].boot, 0x42); /* by the address it comes from */
    assert_true(mac_equal(&bed.events.last[EVENT_STAGE].mac, &n1_mac));
    request("POST", "/v1/report",
            "{\"mac\":\"52:54:00:00:00:01\",\"stages\":[{\"stage\":\"init\",\"us\":1},{\"stage\":\"ready\","
            "\"us\":2}]}",
            204);
    assert_int_equal(bed.events.n[EVENT_STAGE], 2); /* what was told is not told again */
    assert_int_equal(bed.events.last[EVENT_STAGE].boot, 0x42);
}

static bool not_ready(void *user, const char **ret_why)
{
    *ret_why = "nothing is published";
    return false;
}

static bool more_metrics(void *user, void (*put)(void *to, const char *name, uint64_t value), void *to)
{
    put(to, "rambox_leases{use=\"bound\"}", 7);
    return !user;
}

static void test_routes(void **state) /* W5 */
{
    request("GET", "/healthz", "", 200);
    assert_string_equal(answer.body, "ok\n");
    request("HEAD", "/healthz", "", 200);
    request("GET", "/readyz", "", 200);
    bed.http.ready = not_ready;
    request("GET", "/readyz", "", 503);
    assert_string_equal(answer.body, "nothing is published\n");
    request("GET", "/", "", 404);
    request("GET", "/v1/report", "", 405);
    assert_string_equal(answer.allow, "POST");
    request("DELETE", "/metrics", "", 405);
    assert_string_equal(answer.allow, "GET, HEAD");
    request("GET", "/healthz", "body", 413);
    request("POST", "/v1/report", "{\"boot\":7}", 400);
    assert_string_equal(answer.body, "{\"error\":\"boot: expected a string\"}");
    assert_int_equal(http_body_max("POST", "/v1/report"), REPORT_MAX);
    assert_int_equal(http_body_max("GET", "/v1/report"), 0);
    assert_int_equal(http_body_max("POST", "/nowhere"), 0);
}

static void test_metrics(void **state) /* W5: every counter has a name, and no name stands twice */
{
    char a[COUNTER_NAME_MAX], b[COUNTER_NAME_MAX];
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        assert_non_null(counter_name(i, a));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(counter_name(i, a), counter_name(j, b));
    }
    count(&bed.counters, COUNT_DHCP_IN + 1, 3);
    bed.http.metrics = more_metrics;
    request("GET", "/metrics", "", 200);
    assert_non_null(strstr(answer.body, "\nrambox_dhcp_received_total{type=\"DISCOVER\"} 3\n"));
    assert_non_null(strstr(
        answer.body,
        "# TYPE rambox_dhcp_silent_total counter\nrambox_dhcp_silent_total{reason=\"malformed\"} 0\n"));
    assert_non_null(strstr(answer.body, "rambox_leases{use=\"bound\"} 7\n"));
    bed.http.user = &bed; /* the rest cannot be had now: half a list would say that the rest is 0 */
    request("GET", "/metrics", "", 503);
}

static int release(void **state)
{
    free(answer.body);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_report),     TEST(least_report),       TEST(refusals),         TEST(limits),
        TEST(report_to_events), TEST(foreign_reports),    TEST(nameless_reports), TEST(routes),
        TEST(hardware),         TEST(hardware_to_events), TEST(metrics),          TEST(text_is_fit_for_json),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
