/* proto/udp.h and proto/ndp.h: headers made by hand, against packets worked out by other means. */
#include "base/cleanup.h"
#include "proto/ndp.h"
#include "proto/udp.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>

/* RFC 1071 §3: the example of the sum, and that an odd last byte counts as the high half of a word. */
static void checksum_of_rfc_1071(void **state)
{
    (void)state;
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_end(checksum_add(0, example, sizeof(example))), 0x220d);
    assert_int_equal(checksum_end(checksum_add(0, "\x12", 1)), 0xffff & ~0x1200);
    assert_int_equal(checksum_end(checksum_add(checksum_add(0, example, 4), example + 4, 4)), 0x220d);
}

/* D2: an OFFER to a client without an address. The IP checksum was worked out by other means; the UDP
 * one is right when the sum over all it covers is zero. */
static void headers_of_an_offer(void **state)
{
    (void)state;
    uint8_t packet[UDP4_HEADERS_SIZE + 5];
    struct writer w = writer_of(packet, sizeof(packet));
    static const uint8_t expected[] = {0x45, 0, 0, 33,  0,   0, 0x40, 0, 64, 17, 0xab, 0x6f, 192,
                                       168,  7, 1, 192, 168, 7, 11,   0, 67, 0,  68,   0,    13};
    struct udp4 udp = {0xc0a80701, 0xc0a8070b, 67, 68};
    udp4_write_headers(&w, &udp, "reply", 5);
    writer_put(&w, "reply", 5);
    assert_false(w.failed);
    assert_memory_equal(packet, expected, sizeof(expected));
    uint8_t pseudo[] = {192, 168, 7, 1, 192, 168, 7, 11, 0, 17, 0, 13};
    assert_int_equal(checksum_end(checksum_add(checksum_add(0, pseudo, 12), packet + 20, 13)), 0);
}

/* A UDP checksum that comes out as zero is sent as all ones: zero means "none" (RFC 768). */
static void zero_checksum_is_sent_as_ones(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t packet[UDP4_HEADERS_SIZE], payload[] = {(uint8_t)(i >> 8), (uint8_t)i};
        struct writer w = writer_of(packet, sizeof(packet));
        udp4_write_headers(&w, &(struct udp4){1, 2, 3, 4}, payload, 2);
        assert_false(packet[26] == 0 && packet[27] == 0);
        seen += packet[26] == 0xff && packet[27] == 0xff;
    }
    assert_int_equal(seen, 1);
}

static void headers_that_do_not_fit(void **state)
{
    (void)state;
    uint8_t packet[UDP4_HEADERS_SIZE - 1];
    struct writer w = writer_of(packet, sizeof(packet));
    udp4_write_headers(&w, &(struct udp4){0}, "", 0);
    assert_true(w.failed && w.used == 0);
    uint8_t large[64];
    w = writer_of(large, sizeof(large));
    udp4_write_headers(&w, &(struct udp4){0}, large, 65536 - UDP4_HEADERS_SIZE);
    assert_true(w.failed && w.used == 0);
}

/* A router solicitation as a Linux kernel sends it (52:54:00:12:34:56, source link-layer option). */
static const uint8_t solicitation[] = {
    0x60, 0,    0,    0,    0,    16,   58, 255, 0xfe, 0x80, 0, 0, 0,    0,    0, 0,    0x50, 0x54, 0,
    0xff, 0xfe, 0x12, 0x34, 0x56, 0xff, 2,  0,   0,    0,    0, 0, 0,    0,    0, 0,    0,    0,    0,
    0,    2,    133,  0,    0x71, 0xb5, 0,  0,   0,    0,    1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56};

/* P14: each rule of RFC 4861 §6.1.1, broken alone, makes it no solicitation. */
static void solicitation_is_checked(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        int expected;
    } broken[] = {{0, 0x40, -ENOMSG}, {6, 17, -ENOMSG},  {7, 64, -EBADMSG}, {5, 17, -ENOMSG},
                  {40, 134, -ENOMSG}, {41, 1, -EBADMSG}, {43, 0, -EBADMSG}, {24, 0xfe, -EBADMSG}};
    struct ipv6 source;
    const struct mac mac = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
    struct ipv6 expected = ipv6_link_local(&mac);
    assert_int_equal(ndp_read_solicitation(solicitation, sizeof(solicitation), &source), 0);
    assert_memory_equal(&source, &expected, sizeof(source));
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        uint8_t packet[sizeof(solicitation)];
        memcpy(packet, solicitation, sizeof(packet));
        packet[broken[i].at] = broken[i].value;
        assert_int_equal(ndp_read_solicitation(packet, sizeof(packet), &source), broken[i].expected);
    }
    for (size_t n = 0; n < sizeof(solicitation); n++)
        assert_int_equal(ndp_read_solicitation(solicitation, n, &source), -ENOMSG);
}

/* P14: router lifetime 0, no option, hop limit 255, a right checksum; to all nodes when the solicitor has no
 * address yet. */
static void advertisement(void **state)
{
    (void)state;
    const struct mac mac = {{0x02, 0, 0, 0, 0, 1}};
    struct ipv6 own = ipv6_link_local(&mac), none = {{0}}, node = {{0xfe, 0x80, [15] = 9}};
    uint8_t packet[NDP_ADVERTISEMENT_SIZE];
    struct writer w = writer_of(packet, sizeof(packet));
    ndp_write_advertisement(&w, &own, &node);
    assert_int_equal(w.used, sizeof(packet));
    assert_memory_equal(packet + 24, &node, 16);
    assert_int_equal(packet[7], 255);
    assert_int_equal(packet[40], 134);
    for (size_t i = 44; i < sizeof(packet); i++)
        assert_int_equal(packet[i], 0);
    uint8_t tail[] = {0, 0, 0, 16, 0, 0, 0, 58};
    assert_int_equal(
        checksum_end(checksum_add(checksum_add(checksum_add(0, packet + 8, 32), tail, 8), packet + 40, 16)),
        0);
    w = writer_of(packet, sizeof(packet));
    ndp_write_advertisement(&w, &own, &none);
    assert_int_equal(packet[24], 0xff);
    assert_int_equal(packet[39], 1);
    w = writer_of(packet, sizeof(packet) - 1);
    ndp_write_advertisement(&w, &own, &node);
    assert_true(w.failed && w.used == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_of_rfc_1071),          cmocka_unit_test(headers_of_an_offer),
        cmocka_unit_test(zero_checksum_is_sent_as_ones), cmocka_unit_test(headers_that_do_not_fit),
        cmocka_unit_test(solicitation_is_checked),       cmocka_unit_test(advertisement),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
