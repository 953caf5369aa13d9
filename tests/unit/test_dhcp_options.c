/* proto/dhcp_options: each kind of value both ways, byte by byte as the RFCs print them, and every refusal.
 */
#include "test.h"

#include "proto/dhcp_options.h"

#include <errno.h>

#define VALUES_MAX 4

/* Encodes and compares. */
static void check(struct dhcp_option_spec spec, const char *const values[VALUES_MAX], const char *hex)
{
    uint8_t data[DHCP_OPTION_DATA_MAX];
    struct dhcp_option_fault fault = {0};
    size_t n = 0;
    while (n < VALUES_MAX && values[n])
        n++;
    int size = dhcp_option_encode(&spec, values, n, data, sizeof(data), &fault);
    assert_string_equal(fault.reason, "");
    assert_true(size >= 0);
    cleanup_str struct str text = {0};
    for (int i = 0; i < size; i++)
        str_printf(&text, "%02x", data[i]);
    assert_string_equal(str_text(&text), hex);
    struct dhcp_option_texts texts;
    assert_int_equal(dhcp_option_values(&spec, data, (size_t)size, &texts), spec.kind);
    assert_int_equal(texts.list.n, n);
    dhcp_option_texts_clear(&texts);
}
#define CHECK(name, hex, ...)                                                                                \
    check(*dhcp_option_by_name(name), (const char *const[VALUES_MAX]){__VA_ARGS__}, hex)
#define CHECK_AS(code, kind, hex, ...)                                                                       \
    check(dhcp_option_as(code, kind), (const char *const[VALUES_MAX]){__VA_ARGS__}, hex)

static void test_encode(void **state)
{
    (void)state;
    CHECK("time-offset", "fffff1f0", "-3600");
    CHECK("time-offset", "80000000", "-2147483648");
    CHECK("domain-name-servers", "c0a8070109090909", "192.168.7.1", "9.9.9.9");
    CHECK("domain-name", "6c61622e6578616d706c65", "lab.example");
    CHECK("domain-name", "796573", "yes"); /* text is what stands there */
    CHECK("ip-forwarding", "01", "yes");
    CHECK("ip-forwarding", "00", "off");
    CHECK("interface-mtu", "2328", "9000");
    CHECK("path-mtu-plateau-table", "004405dc", "68", "1500");
    CHECK("arp-cache-timeout", "ffffffff", "4294967295");
    CHECK("default-ip-ttl", "ff", "255");
    CHECK("static-routes", "0a000000c0a80701", "10.0.0.0 192.168.7.1");
    CHECK("tftp-server-address", "c0a80701", "192.168.7.1");
    /* RFC 3442: as many bytes of the destination as its length needs. */
    CHECK("classless-static-routes", "00c0a80701", "0.0.0.0/0 via 192.168.7.1");
    CHECK("classless-static-routes", "080ac0a80701110a0080000000001b0a229e40c0a80701",
          "10.0.0.0/8 via 192.168.7.1", "10.0.128.0/17 via 0.0.0.0", "10.34.158.64/27 via 192.168.7.1");
    CHECK("ms-classless-static-routes", "20c0a80705c0a80701", "192.168.7.5/32 via 192.168.7.1");
    /* RFC 3397 §2's own example. */
    CHECK("domain-search", "03656e67056170706c6503636f6d00096d61726b6574696e67c004", "eng.apple.com",
          "marketing.apple.com");
    CHECK("domain-search", "03656e67056170706c6503636f6d00c004c000", "eng.apple.com", "apple.com.",
          "eng.apple.com");
    /* Elsewhere names are written out (RFC 3361 §3.1, RFC 4280 §4.1). */
    CHECK("sip-servers", "00016103636f6d00016203636f6d00", "a.com", "b.com");
    CHECK("sip-servers", "01c0a80701c0a80702", "192.168.7.1", "192.168.7.2");
    CHECK("v4-lost", "036c6f7300", "los");
    CHECK_AS(224, DHCP_KIND_U16, "00050006", "5", "6");
    CHECK_AS(224, DHCP_KIND_HEX, "0a0b0c", "0a:0B-0c");
    CHECK_AS(224, DHCP_KIND_HEX, "0a0b", "0x0a0b");
    CHECK_AS(224, DHCP_KIND_HEX, "", "");
    CHECK_AS(6, DHCP_KIND_TEXT, "78", "x");
}

static void refuse(struct dhcp_option_spec spec, const char *const values[VALUES_MAX], size_t index,
                   const char *reason)
{
    uint8_t data[4] = {1, 2, 3, 4};
    struct dhcp_option_fault fault = {0};
    size_t n = 0;
    while (n < VALUES_MAX && values[n])
        n++;
    int r = dhcp_option_encode(&spec, values, n, data, sizeof(data), &fault);
    assert_string_equal(fault.reason, reason);
    assert_int_equal(fault.index, index);
    assert_int_equal(r, strstr(reason, "longer") ? -E2BIG : -EINVAL);
    assert_memory_equal(data, ((uint8_t[]){1, 2, 3, 4}), 4);
}
#define REFUSE(name, index, reason, ...)                                                                     \
    refuse(*dhcp_option_by_name(name), (const char *const[VALUES_MAX]){__VA_ARGS__}, index, reason)
#define NUMBER(range) "no number from " range " in decimal digits without leading zeros"
#define DOMAIN        "no domain name; expected labels of letters, digits, - and _ like lab.example"
#define ROUTE                                                                                                \
    "no route; expected a network and its gateway like \"10.0.0.0/8 via 192.168.7.1\", or \"default via "    \
    "192.168.7.1\""

static void test_refuse(void **state)
{
    (void)state;
    REFUSE("domain-name-servers", 1, "no IPv4 address; expected four numbers like 192.168.7.11", "1.1.1.1",
           "1.1.1");
    REFUSE("domain-name-servers", 0, "without a value; expected one", NULL);
    REFUSE("swap-server", 2, "a list; expected one value", "1.1.1.1", "1.1.1.2");
    REFUSE("domain-name-servers", 2, "longer than a DHCP message can carry; expected at most 1200 bytes",
           "1.1.1.1", "1.1.1.2");
    REFUSE("default-ip-ttl", 0, NUMBER("1 to 255"), "256");
    REFUSE("default-ip-ttl", 0, NUMBER("1 to 255"), "0");
    REFUSE("interface-mtu", 0, NUMBER("68 to 65535"), "67");
    REFUSE("interface-mtu", 0, NUMBER("68 to 65535"), "0x5dc");
    REFUSE("interface-mtu", 0, NUMBER("68 to 65535"), "01500");
    REFUSE("arp-cache-timeout", 0, NUMBER("0 to 4294967295"), "4294967296");
    REFUSE("arp-cache-timeout", 0, NUMBER("0 to 4294967295"), "-1");
    REFUSE("time-offset", 0,
           "no number from -2147483648 to 2147483647 in decimal digits without leading zeros", "2147483648");
    REFUSE("time-offset", 0,
           "no number from -2147483648 to 2147483647 in decimal digits without leading zeros", "-01");
    REFUSE("ip-forwarding", 0, "neither yes nor no; expected one of them", "1");
    REFUSE("domain-name", 0, "no text; expected at least one character, and no control characters", "");
    REFUSE("domain-name", 0, "no text; expected at least one character, and no control characters", "a\nb");
    REFUSE("domain-search", 0, DOMAIN, "lab..example");
    REFUSE("domain-search", 0, DOMAIN, ".");
    REFUSE("domain-search", 0, DOMAIN, "a b");
    REFUSE("classless-static-routes", 0, ROUTE, "10.0.0.1/8 via 192.168.7.1");
    REFUSE("classless-static-routes", 0, ROUTE, "10.0.0.0/8");
    REFUSE("classless-static-routes", 0, ROUTE, "10.0.0.0/8 via router");
    REFUSE("static-routes", 0,
           "no pair of IPv4 addresses; expected two with a blank between, like \"10.0.0.0 192.168.7.1\"",
           "10.0.0.0");
    REFUSE("sip-servers", 1, "no SIP server; expected domain names, or IPv4 addresses, not both", "a",
           "1.1.1.1");
    REFUSE("isns", 0, "no bytes; expected pairs of hexadecimal digits like 0a0b or 0a:0b", "0a:");
}

static void shows(uint8_t code, const void *data, size_t size, const char *expected)
{
    cleanup_free char *text = dhcp_option_format(code, data, size);
    assert_string_equal(text, expected);
}
#define SHOWS(code, expected, ...)                                                                           \
    shows(code, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), expected)

/* Any bytes have a text: what is not of the option's kind is shown as bytes. */
static void test_format(void **state)
{
    (void)state;
    SHOWS(6, "[192.168.7.1, 9.9.9.9]", 192, 168, 7, 1, 9, 9, 9, 9);
    SHOWS(6, "0xc0a807", 192, 168, 7);
    SHOWS(16, "0xc0a80701c0a80702", 192, 168, 7, 1, 192, 168, 7, 2); /* one address, not two */
    SHOWS(19, "0x02", 2);
    SHOWS(26, "1500", 5, 220);
    SHOWS(26, "0x0001", 0, 1);
    SHOWS(15, "lab", 'l', 'a', 'b', 0);
    SHOWS(15, "0x6c1b62", 'l', 0x1b, 'b');
    SHOWS(15, "0x6ce462", 'l', 0xe4, 'b');
    SHOWS(121, "[10.0.0.0/8 via 192.168.7.1, default via 192.168.7.1]", 8, 10, 192, 168, 7, 1, 0, 192, 168, 7,
          1);
    SHOWS(121, "0x090a41c0a80701", 9, 10, 65, 192, 168, 7, 1); /* bits beyond the length */
    SHOWS(119, "0xc000", 0xc0, 0);                             /* a name that points to itself */
    SHOWS(119, "0x0161c000", 1, 'a', 0xc0, 0);
    SHOWS(53, "5", 5);
    SHOWS(224, "phones", 'p', 'h', 'o', 'n', 'e', 's');
    shows(43, NULL, 0, "(empty)");
}

static void test_registry(void **state)
{
    (void)state;
    for (unsigned code = 1; code < 255; code++) {
        struct dhcp_option_spec spec = dhcp_option_by_code((uint8_t)code);
        assert_int_equal(spec.code, code);
        if (spec.name)
            assert_int_equal(dhcp_option_by_name(spec.name)->code, code);
    }
    static const uint8_t refused[] = {0,  1,  12, 28, 50, 51, 52, 53, 54,  55,  56,  57, 58,
                                      59, 61, 67, 81, 82, 93, 94, 97, 108, 118, 175, 255};
    for (size_t i = 0; i < sizeof(refused); i++)
        assert_non_null(dhcp_option_by_code(refused[i]).instead);
    assert_null(dhcp_option_by_code(66).instead);
    assert_null(dhcp_option_by_code(224).instead);
    assert_null(dhcp_option_by_code(224).name);
    assert_null(dhcp_option_by_name("dns"));
    assert_string_equal(dhcp_option_nearest("domain-name-server"), "domain-name-servers");
    assert_string_equal(dhcp_option_nearest("mtu-interface") ? "near" : "none", "none");
    for (int kind = 0; kind < DHCP_KINDS; kind++)
        assert_int_equal(dhcp_kind_find(dhcp_kind_name((enum dhcp_kind)kind)), kind);
    assert_int_equal(dhcp_kind_find("u64"), -ENOENT);
    assert_int_equal(dhcp_option_as(26, DHCP_KIND_U16).min, 68);
    assert_int_equal(dhcp_option_as(26, DHCP_KIND_U8).min, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
