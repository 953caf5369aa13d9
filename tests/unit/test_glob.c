/* base/glob: patterns over what clients say of themselves, which may be any bytes. */
#include "test.h"

#include "base/glob.h"

#include <errno.h>

static bool matches(const char *pattern, const void *data, size_t size)
{
    struct glob glob;
    assert_int_equal(glob_parse(pattern, &glob), 0);
    bool result = glob_match(&glob, data, size);
    glob_free(&glob);
    return result;
}
#define MATCHES(pattern, text) matches(pattern, text, sizeof(text) - 1)

static void test_match(void **state)
{
    (void)state;
    assert_true(MATCHES("PXEClient*", "PXEClient:Arch:00007"));
    assert_true(MATCHES("PXEClient*", "PXEClient"));
    assert_false(MATCHES("PXEClient*", "HTTPClient"));
    assert_false(MATCHES("PXEClient", "PXEClient:"));
    assert_true(MATCHES("*", ""));
    assert_false(MATCHES("?", ""));
    assert_true(MATCHES("a?c", "abc"));
    assert_false(MATCHES("a?c", "ac"));
    assert_true(MATCHES("*rack*7", "dc rack 1 rack 7"));
    assert_false(MATCHES("*rack*7", "dc rack 1 rack 78"));
    assert_true(MATCHES("a*b*c", "abbbbc"));
    assert_true(MATCHES("0x0104*", "\1\4\0\xff"));
    assert_true(MATCHES("0x01FF", "\1\xff"));
    assert_false(MATCHES("0x2a", "x")); /* the byte of `*` stands for itself */
    assert_true(MATCHES("0x2a", "*"));
    assert_true(MATCHES("?", "\0"));
}

static void test_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "0x", "0x0", "0x0g", "0x*01", "0x01?"};
    struct glob glob = {0};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(glob_parse(wrong[i], &glob), -EINVAL);
    char longest[514];
    memset(longest, 'a', sizeof(longest));
    longest[513] = '\0';
    assert_int_equal(glob_parse(longest, &glob), -EINVAL);
    longest[512] = '\0';
    assert_int_equal(glob_parse(longest, &glob), 0);
    glob_free(&glob);
}

static void shows(const char *pattern, const char *expected)
{
    struct glob glob;
    cleanup_str struct str text = {0};
    assert_int_equal(glob_parse(pattern, &glob), 0);
    glob_format(&glob, &text);
    glob_free(&glob);
    assert_string_equal(str_text(&text), expected);
}

static void test_format(void **state)
{
    (void)state;
    shows("SIP-?*", "SIP-?*");
    shows("0x0104*", "0x0104*");
    shows("0x5349", "SI");
    shows("0x2a", "0x2a");
    shows("0x3078", "0x3078"); /* `0x` as text would be digits */
    shows("\xc3\xa4?", "0xc3a4??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
