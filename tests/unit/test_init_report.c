/* src/init: stages, facts and the JSON of a report (H30). */
#include "test.h"

#include "init/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

static void test_text_is_bounded(void **state)
{
    char buffer[8];
    struct text t;
    text_start(&t, buffer, sizeof(buffer));
    text_addf(&t, "%s-%d", "ab", -12);
    assert_string_equal(buffer, "ab--12");
    assert_false(t.cut);
    text_add(&t, "xyz");
    assert_string_equal(buffer, "ab--12x");
    assert_true(t.cut);
    assert_int_equal(t.used, 7);
}

static void test_text_formats(void **state)
{
    char buffer[128];
    struct text t;
    text_start(&t, buffer, sizeof(buffer));
    text_addf(&t, "%.*s %u %02x %ld %lu %zu %d %%", 2, "abc", 7U, 10U, LONG_MIN, ULONG_MAX, (size_t)0,
              INT_MIN);
    assert_string_equal(buffer, "ab 7 0a -9223372036854775808 18446744073709551615 0 -2147483648 %");
}

static void test_numbers(void **state)
{
    long n = 42;
    assert_int_equal(text_number("-9223372036854775808", LONG_MIN, LONG_MAX, &n), 0);
    assert_true(n == LONG_MIN);
    assert_int_equal(text_number("9223372036854775807", LONG_MIN, LONG_MAX, &n), 0);
    assert_true(n == LONG_MAX);
    n = 42;
    assert_int_equal(text_number("9223372036854775808", LONG_MIN, LONG_MAX, &n), -ERANGE);
    assert_int_equal(text_number("11", 0, 10, &n), -ERANGE);
    assert_int_equal(text_number("", 0, 10, &n), -EINVAL);
    assert_int_equal(text_number("-", 0, 10, &n), -EINVAL);
    assert_int_equal(text_number("1x", 0, 10, &n), -EINVAL);
    assert_int_equal(text_number(" 1", 0, 10, &n), -EINVAL);
    assert_int_equal(n, 42);
}

static void test_json_strings(void **state)
{
    static const char *const cases[][2] = {
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\x01\x7f", "\"\\u000a\\u0001\\u007f\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xff"
         "a",
         "\"\\ufffda\""},
        {"\xc3", "\"\\ufffd\""},
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xc0\x80", "\"\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buffer[64];
        struct text t;
        text_start(&t, buffer, sizeof(buffer));
        text_json(&t, cases[i][0]);
        assert_string_equal(buffer, cases[i][1]);
    }
}

static void test_stages_pass_through_the_environment(void **state)
{
    struct stages a = {0}, b;
    char encoded[STAGES_ENCODED];
    assert_int_equal(stages_add(&a, "init", 123456, NULL), 0);
    assert_int_equal(stages_add(&a, "failed", UINT64_C(1) << 62, "a detail"), 0);
    stages_encode(&a, encoded, sizeof(encoded));
    assert_string_equal(encoded, "init:123456 failed:4611686018427387904");
    stages_decode(encoded, &b);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.at[1].name, "failed");
    assert_int_equal(b.at[0].us, 123456);
    assert_string_equal(b.at[1].detail, "");
    stages_decode("x  :5 a:1:2 b:-1 c:3 toolongastagename:1 d:99999999999999999999 UP:1 e:", &b);
    assert_int_equal(b.count, 1);
    assert_string_equal(b.at[0].name, "c");
}

static void test_stages_are_bounded(void **state)
{
    struct stages s = {0};
    char encoded[STAGES_ENCODED];
    assert_int_equal(stages_add(&s, "", 1, NULL), -EINVAL);
    assert_int_equal(stages_add(&s, "a\"b", 1, NULL), -EINVAL);
    assert_int_equal(stages_add(&s, "0123456789abcdef", 1, NULL), -EINVAL);
    for (int i = 0; i < STAGES_MAX; i++)
        assert_int_equal(stages_add(&s, "0123456789abcde", UINT64_MAX, NULL), 0);
    assert_int_equal(stages_add(&s, "more", 1, NULL), -ENOSPC);
    stages_encode(&s, encoded, sizeof(encoded));
    assert_int_equal(strlen(encoded), STAGES_MAX * 37 - 1);
}

static void test_H30_memory_as_free_counts(void **state)
{
    struct facts_memory m;
    facts_parse_memory("MemTotal:         55000 kB\nMemFree:          40000 kB\nMemAvailable:     45000 kB\n"
                       "Buffers:            100 kB\nCached:            3000 kB\nSwapCached:          77 kB\n"
                       "SReclaimable:       900 kB\n",
                       &m);
    assert_int_equal(m.total_kb, 55000);
    assert_int_equal(m.free_kb, 40000);
    assert_int_equal(m.available_kb, 45000);
    assert_int_equal(m.used_kb, 11000);
    facts_parse_memory("MemTotal: 5\nMemFree: 9\ngarbage", &m);
    assert_int_equal(m.used_kb, 0);
}

static void test_H30_interfaces(void **state)
{
    const char *dev = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n    lo: 0 0\n  eth0:12 3\n"
                      "averyveryverylongname: 1\nwlan0: 1";
    char name[IFNAMSIZ];
    assert_int_equal(facts_next_interface(&dev, name), 1);
    assert_string_equal(name, "lo");
    assert_int_equal(facts_next_interface(&dev, name), 1);
    assert_string_equal(name, "eth0");
    assert_int_equal(facts_next_interface(&dev, name), 1);
    assert_string_equal(name, "wlan0");
    assert_int_equal(facts_next_interface(&dev, name), 0);
    assert_int_equal(facts_prefix(htonl(0xffffff00)), 24);
    assert_int_equal(facts_prefix(0), 0);
    assert_int_equal(facts_count_lines(""), 0);
    assert_int_equal(facts_count_lines("a\nb"), 2);
    assert_int_equal(facts_count_lines("a\nb\n"), 2);
}

static void test_H30_the_interface_that_speaks(void **state)
{
    struct facts_interface i[3] = {{.name = "lo", .address = "127.0.0.1"},
                                   {.name = "eth0", .card = true},
                                   {.name = "eth1", .card = true}};
    assert_ptr_equal(facts_main_interface(i, 3), &i[1]);
    strcpy(i[2].address, "10.0.0.5");
    assert_ptr_equal(facts_main_interface(i, 3), &i[2]);
    assert_null(facts_main_interface(i, 1));
    /* What the kernel made by itself comes first in its list. */
    struct facts_interface made[3] = {{.name = "lo"}, {.name = "bond0"}, {.name = "eth0", .card = true}};
    assert_ptr_equal(facts_main_interface(made, 3), &made[2]);
    assert_null(facts_main_interface(made, 2));
}

static void test_body_without_facts(void **state)
{
    struct stages s = {0};
    char buffer[512];
    struct text t;
    stages_add(&s, "init", 1, NULL);
    stages_add(&s, "failed", 2, "no \"root\"");
    struct report r = {.boot = "b1", .node = "n1", .mac = "52:54:00:12:34:56", .stages = &s};
    text_start(&t, buffer, sizeof(buffer));
    report_body(&r, &t);
    assert_string_equal(buffer, "{\"boot\":\"b1\",\"node\":\"n1\",\"mac\":\"52:54:00:12:34:56\",\"stages\":["
                                "{\"stage\":\"init\",\"us\":1},"
                                "{\"stage\":\"failed\",\"us\":2,\"detail\":\"no \\\"root\\\"\"}]}");
}

static void test_body_with_facts(void **state)
{
    static struct facts f;
    struct stages s = {0};
    char buffer[2048];
    struct text t;
    f.memory = (struct facts_memory){1, 2, 3, 4};
    f.root_kb = 5;
    f.modules = 6;
    f.device_nodes = 7;
    f.interface_count = 1;
    f.interfaces[0] = (struct facts_interface){"eth0", true, true, "aa:bb:cc:dd:ee:ff", "10.0.0.5", 24};
    strcpy(f.mounts, "rootfs / rootfs rw 0 0\nbroken\nproc /proc proc rw,nosuid 0 0\n");
    strcpy(f.kernel, "6.1");
    strcpy(f.cmdline, "rambox a=\"b\"");
    struct report r = {.boot = "", .node = "", .mac = "", .stages = &s, .facts = &f};
    text_start(&t, buffer, sizeof(buffer));
    report_body(&r, &t);
    assert_string_equal(
        buffer, "{\"boot\":\"\",\"node\":\"\",\"mac\":\"\",\"stages\":[],\"facts\":{\"mem_total_kb\":1,\"mem_"
                "free_kb\":2,"
                "\"mem_available_kb\":3,\"mem_used_kb\":4,\"root_kb\":5,\"modules\":6,\"device_nodes\":7,"
                "\"interfaces\":[{\"name\":\"eth0\",\"up\":true,\"mac\":\"aa:bb:cc:dd:ee:ff\",\"address\":"
                "\"10.0.0.5\","
                "\"prefix\":24}],\"mounts\":[{\"source\":\"rootfs\",\"target\":\"/"
                "\",\"type\":\"rootfs\",\"options\":\"rw\"},"
                "{\"source\":\"proc\",\"target\":\"/proc\",\"type\":\"proc\",\"options\":\"rw,nosuid\"}],"
                "\"kernel\":\"6.1\",\"cmdline\":\"rambox a=\\\"b\\\"\"}}");
}

static void test_server_addresses(void **state)
{
    struct sockaddr_in a;
    assert_int_equal(report_server("10.0.2.100:8080", &a), 0);
    assert_int_equal(ntohs(a.sin_port), 8080);
    assert_int_equal(ntohl(a.sin_addr.s_addr), 0x0a000264);
    static const char *const bad[] = {
        "",        "10.0.0.1",     "10.0.0.1:",           "10.0.0.1:0", "10.0.0.1:65536",
        "host:80", "10.0.0.1:80x", "1.2.3.4.5.6.7.8.9:1", ":80",        "[::1]:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(report_server(bad[i], &a), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_bounded),
        cmocka_unit_test(test_text_formats),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_stages_pass_through_the_environment),
        cmocka_unit_test(test_stages_are_bounded),
        cmocka_unit_test(test_H30_memory_as_free_counts),
        cmocka_unit_test(test_H30_interfaces),
        cmocka_unit_test(test_H30_the_interface_that_speaks),
        cmocka_unit_test(test_body_without_facts),
        cmocka_unit_test(test_body_with_facts),
        cmocka_unit_test(test_server_addresses),
    };
    return cmocka_run_group_tests_name("init_report", tests, NULL, NULL);
}
