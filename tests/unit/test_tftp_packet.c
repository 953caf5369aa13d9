/* proto/tftp: requests as loaders send them, and every malformed one of the hostile list. */
#include "test.h"

#include "proto/tftp.h"

#include <errno.h>
#include <stdlib.h>

static struct tftp_packet packet;
static void *held;

/* Parses an exact copy that lives until the next call, as strings point into it. */
static int parse(const void *data, size_t n)
{
    free(held);
    held = malloc(n ? n : 1);
    memcpy(held, data, n);
    return tftp_parse(held, n, &packet);
}
#define PARSE(text) parse(text, sizeof(text) - 1)

static void test_ipxe_request(void **state) /* T9; as an iPXE ROM asks */
{
    assert_int_equal(PARSE("\0\1pxelinux.0\0octet\0blksize\0001432\0tsize\0000\0"), 0);
    assert_int_equal(packet.op, TFTP_RRQ);
    assert_string_equal(packet.request.name, "pxelinux.0");
    assert_int_equal(packet.request.mode, TFTP_OCTET);
    assert_int_equal(packet.request.options.has, TFTP_O_BLKSIZE | TFTP_O_TSIZE);
    assert_int_equal(packet.request.options.blksize, 1432);
    assert_int_equal(packet.request.options.tsize, 0);
}

static void test_option_names(void **state) /* T9: either case, unknown passed over, no tsize in netascii */
{
    assert_int_equal(
        PARSE("\0\1f\0NetASCII\0BLKSIZE\000512\0x\0y\0TSize\0000\0WindowSize\0008\0TIMEOUT\0003\0"), 0);
    assert_int_equal(packet.request.mode, TFTP_NETASCII);
    assert_int_equal(packet.request.options.has, TFTP_O_BLKSIZE | TFTP_O_WINDOWSIZE | TFTP_O_TIMEOUT);
    assert_int_equal(packet.request.options.windowsize, 8);
    assert_int_equal(packet.request.options.timeout, 3);
}

static void
test_option_values(void **state) /* T4..T6 and the hostile values: those out of range count as not asked */
{
    static const struct {
        const char *name, *value;
        bool taken;
    } cases[] = {
        {"blksize", "8", true},      {"blksize", "65464", true},     {"blksize", "7", false},
        {"blksize", "65465", false}, {"blksize", "-1", false},       {"blksize", "99999999999", false},
        {"blksize", "12abc", false}, {"blksize", "", false},         {"blksize", " 512", false},
        {"blksize", "+512", false},  {"timeout", "1", true},         {"timeout", "255", true},
        {"timeout", "0", false},     {"timeout", "256", false},      {"windowsize", "0", false},
        {"windowsize", "1", true},   {"windowsize", "65535", true},  {"windowsize", "65536", false},
        {"tsize", "0", true},        {"tsize", "99999999999", true}, {"tsize", "18446744073709551616", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t buf[128] = {0, 1};
        struct writer w = writer_of(buf, sizeof(buf));
        w.used = 2;
        writer_cstr(&w, "f");
        writer_cstr(&w, "octet");
        writer_cstr(&w, cases[i].name);
        writer_cstr(&w, cases[i].value);
        assert_int_equal(parse(buf, w.used), 0);
        assert_int_equal(packet.request.options.has != 0, cases[i].taken);
    }
}

static void test_hostile_requests(void **state)
{
    uint8_t big[8192];
    assert_int_equal(PARSE(""), -EINVAL);
    assert_int_equal(PARSE("\0"), -EINVAL);
    assert_int_equal(PARSE("\0\1"), -EINVAL);
    assert_int_equal(PARSE("\0\1name"), -EINVAL);                   /* missing NUL */
    assert_int_equal(PARSE("\0\1name\0"), -EINVAL);                 /* missing mode */
    assert_int_equal(PARSE("\0\1name\0octet"), -EINVAL);            /* its NUL */
    assert_int_equal(PARSE("\0\1\0octet\0"), -EINVAL);              /* empty name */
    assert_int_equal(PARSE("\0\1name\0mail\0"), -EINVAL);           /* obsolete mode */
    assert_int_equal(PARSE("\0\1name\0octet\0blksize\0"), -EINVAL); /* option without value */
    assert_int_equal(PARSE("\0\1name\0octet\0\0\0\0"), 0);          /* padding of old ROMs */
    assert_int_equal(PARSE("\0\11name\0octet\0"), -EINVAL);         /* unknown opcode */
    assert_int_equal(PARSE("\0\4\1"), -EINVAL);                     /* half a block number */
    memset(big, 'a', sizeof(big));                                  /* a 4 KiB name, an oversized request */
    memcpy(big, "\0\1", 2);
    memcpy(big + 4098, "\0octet", 7);
    assert_int_equal(parse(big, 4105), -EINVAL);
    memcpy(big + 2 + 256, "\0octet", 7); /* one byte too many */
    assert_int_equal(parse(big, 265), -EINVAL);
    memcpy(big + 2 + 255, "\0octet", 7);
    assert_int_equal(parse(big, 264), 0);
}

static void test_hundreds_of_options(void **state) /* hostile: repeated; the first of several counts */
{
    uint8_t buf[TFTP_REQUEST_MAX] = {0, 1};
    struct writer w = writer_of(buf, sizeof(buf));
    w.used = 2;
    writer_cstr(&w, "f");
    writer_cstr(&w, "octet");
    writer_cstr(&w, "blksize");
    writer_cstr(&w, "1024");
    while (writer_left(&w) >= 13) {
        writer_cstr(&w, "blksize");
        writer_cstr(&w, "2048");
    }
    assert_int_equal(parse(buf, w.used), 0);
    assert_int_equal(packet.request.options.blksize, 1024);
}

static void test_others(void **state)
{
    uint8_t buf[TFTP_SMALL_MAX];
    const struct tftp_options o = {
        .has = 15, .blksize = 1408, .tsize = 12345678901, .timeout = 5, .windowsize = 16};
    static const char oack[] = "\0\6blksize\0001408\0tsize\00012345678901\0timeout\0005\0windowsize\00016";
    assert_int_equal(PARSE("\0\4\377\377"), 0);
    assert_int_equal(packet.block, 65535);
    assert_int_equal(PARSE("\0\5\0\10User aborted\0"), 0);
    assert_int_equal(packet.code, 8);
    assert_string_equal(packet.message, "User aborted");
    assert_int_equal(PARSE("\0\5\0\0no NUL"), 0); /* quirk: old ROMs */
    assert_string_equal(packet.message, "");
    assert_int_equal(tftp_write_oack(buf, &o), sizeof(oack));
    assert_memory_equal(buf, oack, sizeof(oack));
    memset(buf, 'x', sizeof(buf));
    char longer[300];
    memset(longer, 'm', sizeof(longer));
    longer[299] = '\0';
    assert_int_equal(tftp_write_error(buf, TFTP_E_NOT_FOUND, longer), TFTP_SMALL_MAX);
    assert_int_equal(buf[TFTP_SMALL_MAX - 1], 0);
}

/* What a client writes and reads: each is the other side's inverse. */
static void test_client(void **state)
{
    uint8_t buf[TFTP_REQUEST_MAX], ack[TFTP_ACK_SIZE];
    char name[TFTP_NAME_MAX + 2];
    const struct tftp_options o = {.has = TFTP_O_BLKSIZE | TFTP_O_TSIZE, .blksize = 1468};
    static const char rrq[] = "\0\1pxelinux.0\0octet\0blksize\0001468\0tsize\0000";
    assert_int_equal(tftp_write_request(buf, "pxelinux.0", &o), sizeof(rrq));
    assert_memory_equal(buf, rrq, sizeof(rrq));
    memset(name, 'n', sizeof(name));
    name[TFTP_NAME_MAX + 1] = '\0';
    assert_int_equal(tftp_write_request(buf, name, &o), -ENAMETOOLONG);
    tftp_write_ack(ack, 0x1234);
    assert_memory_equal(ack, "\0\4\x12\x34", 4);
    assert_int_equal(PARSE("\0\6tsize\00042430\0BLKSIZE\0001468\0"), 0);
    assert_int_equal(packet.op, TFTP_OACK);
    assert_int_equal(packet.options.has, TFTP_O_BLKSIZE | TFTP_O_TSIZE);
    assert_int_equal(packet.options.blksize, 1468);
    assert_int_equal(packet.options.tsize, 42430);
    assert_int_equal(PARSE("\0\6"), 0);
    assert_int_equal(packet.options.has, 0);
    assert_int_equal(PARSE("\0\6blksize\0"), -EINVAL);
}

static int release(void **state)
{
    free(held);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipxe_request),
        cmocka_unit_test(test_option_names),
        cmocka_unit_test(test_option_values),
        cmocka_unit_test(test_hostile_requests),
        cmocka_unit_test(test_hundreds_of_options),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_client),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
