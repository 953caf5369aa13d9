/* proto/dhcp and proto/pxe: what firmware really sends, every malformed message of the hostile list, and
 * replies byte by byte. */
#include "test.h"

#include "proto/pxe.h"

#include <errno.h>
#include <stdlib.h>

/* A DISCOVER under construction. */
struct message {
    uint8_t b[DHCP_PACKET_MAX + 64];
    size_t n;
};

static void start(struct message *m)
{
    static const uint8_t head[12] = {1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 4, 0x80, 0};
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    static const uint8_t cookie[4] = {0x63, 0x82, 0x53, 0x63};
    memset(m, 0, sizeof(*m));
    memcpy(m->b, head, sizeof(head));
    memcpy(m->b + 28, mac, sizeof(mac));
    memcpy(m->b + 236, cookie, sizeof(cookie));
    m->n = 240;
}

static void add(struct message *m, const void *data, size_t n)
{
    memcpy(m->b + m->n, data, n);
    m->n += n;
}
#define ADD(m, ...) add(m, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static struct dhcp_packet packet;

static enum dhcp_defect parse(const struct message *m)
{
    /* An exact copy on the heap, so that the sanitizer sees one byte too far. */
    void *exact = malloc(m->n ? m->n : 1);
    memcpy(exact, m->b, m->n);
    enum dhcp_defect defect = dhcp_parse(exact, m->n, &packet);
    free(exact);
    return defect;
}

/* The DISCOVER of an iPXE ROM as QEMU carries it (options as captured). */
static void ipxe_discover(struct message *m)
{
    start(m);
    ADD(m, 53, 1, 1, 57, 2, 0x05, 0xc0, 93, 2, 0, 0, 94, 3, 1, 2, 1);
    add(m, "\x3c\x20PXEClient:Arch:00000:UNDI:002001", 34);
    add(m, "\x4d\x04iPXE", 6);
    ADD(m, 55, 24, 1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135,
        175, 203, 255);
    ADD(m, 175, 48, 177, 5, 1, 0x80, 0x86, 0x10, 0x0e, 24, 1, 1, 34, 1, 1, 25, 1, 1, 33, 1, 1, 16, 1, 2, 19,
        1, 1, 17, 1, 1, 39, 1, 1, 235, 3, 1, 21, 1, 18, 1, 1, 21, 1, 1, 27, 1, 1, 38, 1, 1);
    ADD(m, 61, 7, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56);
    ADD(m, 97, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 255);
}

static void test_ipxe(void **state) /* P1, P9, H2 */
{
    struct message m;
    struct pxe_client c;
    struct mac mac;
    uint16_t size;
    ipxe_discover(&m);
    assert_int_equal(parse(&m), DHCP_OK);
    assert_int_equal(packet.type, DHCP_DISCOVER);
    assert_int_equal(packet.xid, 0xdeadbeef);
    assert_true(dhcp_mac(&packet, &mac));
    assert_memory_equal(mac.b, "\x52\x54\x00\x12\x34\x56", 6);
    assert_true(dhcp_get_u16(&packet, DHCP_MAX_SIZE, &size));
    assert_int_equal(size, 1472);
    pxe_client_of(&packet, &c);
    assert_int_equal(c.class, PXE_CLIENT);
    assert_true(c.ipxe);
    assert_int_equal(c.archs_n, 1);
    assert_int_equal(c.archs[0], PXE_ARCH_BIOS);
    assert_true(c.has_uuid);
    assert_int_equal(c.uuid[15], 16);
    assert_true(pxe_ipxe_has(&c, 0x13));  /* HTTP */
    assert_false(pxe_ipxe_has(&c, 0x14)); /* HTTPS */
}

static void test_uuid_orders(void **state) /* H9: firmware sends either order */
{
    uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const uint8_t swapped[16] = {4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16};
    pxe_uuid_swap(uuid);
    assert_memory_equal(uuid, swapped, 16);
}

static void test_arch_list(void **state) /* P1: a list; P12: odd or absent is none */
{
    struct message m;
    struct pxe_client c;
    start(&m);
    ADD(&m, 53, 1, 1, 93, 4, 0, 7, 0, 16, 255);
    assert_int_equal(parse(&m), DHCP_OK);
    pxe_client_of(&packet, &c);
    assert_int_equal(c.archs_n, 2);
    assert_int_equal(c.archs[1], 16);
    assert_string_equal(pxe_arch_name(7), "UEFI x64 (byte code)");
    assert_null(pxe_arch_name(4711));
    start(&m);
    ADD(&m, 53, 1, 1, 93, 3, 0, 7, 0, 97, 5, 0, 1, 2, 3, 4, 255);
    assert_int_equal(parse(&m), DHCP_OK);
    pxe_client_of(&packet, &c);
    assert_int_equal(c.archs_n, 0);
    assert_false(c.has_uuid);
}

static void test_ipxe_options_past_their_end(void **state) /* hostile: 175 and 77 past themselves */
{
    struct message m;
    struct pxe_client c;
    start(&m);
    ADD(&m, 53, 1, 1, 175, 3, 19, 9, 1, 77, 3, 200, 'a', 'b', 255);
    assert_int_equal(parse(&m), DHCP_OK);
    pxe_client_of(&packet, &c);
    assert_true(c.ipxe);
    assert_false(pxe_ipxe_has(&c, 19));
    start(&m); /* RFC 3004 form of the class */
    ADD(&m, 53, 1, 1, 77, 5, 4, 'i', 'P', 'X', 'E', 255);
    assert_int_equal(parse(&m), DHCP_OK);
    pxe_client_of(&packet, &c);
    assert_true(c.ipxe);
}

static void test_split_options_are_joined(void **state) /* D16, RFC 3396 */
{
    struct message m;
    struct reader r;
    start(&m);
    ADD(&m, 53, 1, 1, 60, 3, 'P', 'X', 'E', 12, 1, 'n', 60, 6, 'C', 'l', 'i', 'e', 'n', 't', 255);
    assert_int_equal(parse(&m), DHCP_OK);
    r = dhcp_option(&packet, DHCP_VENDOR_CLASS);
    assert_int_equal(r.left, 9);
    assert_true(dhcp_begins(&packet, DHCP_VENDOR_CLASS, "PXEClient"));
    assert_false(dhcp_begins(&packet, DHCP_VENDOR_CLASS, "PXEClient:"));
}

static void
test_overload(void **state) /* D15: 1 file, 2 sname, 3 both; the joined order is options, file, sname */
{
    static const struct {
        uint8_t overload;
        const char *text;
    } cases[] = {{1, "ab"}, {2, "ac"}, {3, "abc"}};
    for (size_t i = 0; i < 3; i++) {
        struct message m;
        start(&m);
        memcpy(m.b + 44,
               "\x0c\x01"
               "c\xff",
               4); /* sname */
        memcpy(m.b + 108,
               "\x0c\x01"
               "b\xff",
               4); /* file */
        ADD(&m, 53, 1, 1, 52, 1, cases[i].overload, 12, 1, 'a', 255);
        assert_int_equal(parse(&m), DHCP_OK);
        struct reader r = dhcp_option(&packet, 12);
        assert_int_equal(r.left, strlen(cases[i].text));
        assert_memory_equal(r.p, cases[i].text, r.left);
        assert_int_equal(packet.file[0] == '\0', (cases[i].overload & 1) != 0);
        assert_int_equal(packet.sname[0] == '\0', (cases[i].overload & 2) != 0);
    }
}

static void test_hostile(void **state) /* the hostile list: each is dropped with the reason that counts it */
{
    static const struct {
        const char *options;
        size_t n;
        enum dhcp_defect defect;
    } cases[] = {
        {"\x35\x01\x01\x0c\x05"
         "abc",
         8, DHCP_BAD_OPTION},                     /* length past the end */
        {"\x35\x01\x01\x0c", 4, DHCP_BAD_OPTION}, /* code without length */
        {"\x35\x01\x01", 3, DHCP_OK},             /* no END */
        {"\x35\x01\x01\x3d\x00\xff", 6, DHCP_OK}, /* zero-length 61 */
        {"\x34\x01\x00\xff", 4, DHCP_BAD_OVERLOAD},
        {"\x34\x01\x04\xff", 4, DHCP_BAD_OVERLOAD},
        {"\x34\x01\xff\xff", 4, DHCP_BAD_OVERLOAD},
        {"\x34\x02\x01\x01\xff", 5, DHCP_BAD_OVERLOAD},
        {"\x35\x01\x01\x35\x01\x03\xff", 7, DHCP_BAD_TYPE}, /* two 53 */
        {"\x35\x01\x00\xff", 4, DHCP_BAD_TYPE},
        {"\x35\x01\x09\xff", 4, DHCP_BAD_TYPE},
        {"\x35\x00\xff", 3, DHCP_BAD_TYPE},
        {"\xff", 1, DHCP_OK}, /* D19: BOOTP */
        {"", 0, DHCP_OK},
    };
    struct message m;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(&m);
        add(&m, cases[i].options, cases[i].n);
        assert_int_equal(parse(&m), cases[i].defect);
    }
    for (size_t n = 0; n < 240; n++) {
        start(&m);
        m.n = n;
        assert_int_equal(parse(&m), DHCP_TOO_SHORT);
    }
    start(&m);
    m.n = DHCP_PACKET_MAX + 1;
    assert_int_equal(parse(&m), DHCP_TOO_LONG);
    start(&m);
    m.b[0] = 3;
    assert_int_equal(parse(&m), DHCP_BAD_OP);
    start(&m);
    m.b[2] = 17;
    assert_int_equal(parse(&m), DHCP_BAD_HLEN);
    start(&m);
    m.b[237] = 0;
    assert_int_equal(parse(&m), DHCP_BAD_COOKIE);
    start(&m); /* overloaded field with an option past its end */
    m.b[108] = 12;
    m.b[109] = 200;
    ADD(&m, 52, 1, 1, 255);
    assert_int_equal(parse(&m), DHCP_BAD_OPTION);
}

static void test_host_names(void **state) /* hostile: long or empty host names */
{
    static const struct {
        const char *text;
        size_t n;
        const char *name; /* NULL: refused */
    } cases[] = {
        {"n1", 2, "n1"},        {"n1.lab.example", 14, "n1"},
        {"n1\0\0", 4, "n1"},    {"", 0, NULL},
        {"-n", 2, NULL},        {"a b", 3, NULL},
        {"\n", 1, NULL},        {".", 1, NULL},
        {"n1;reboot", 9, NULL},
    };
    char name[64];
    struct message m;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start(&m);
        ADD(&m, 53, 1, 1, 12, (uint8_t)cases[i].n);
        add(&m, cases[i].text, cases[i].n);
        assert_int_equal(parse(&m), DHCP_OK);
        assert_int_equal(dhcp_host_name(&packet, name), cases[i].name != NULL);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
    }
    start(&m);
    ADD(&m, 53, 1, 1, 12, 255);
    memset(m.b + m.n, 'a', 255);
    m.n += 255;
    assert_int_equal(parse(&m), DHCP_OK);
    assert_false(dhcp_host_name(&packet, name));
}

static void test_size_limit(void **state) /* D18: 57 of 0, 575, 576, 1000, 65535; absent; a small MTU */
{
    static const struct {
        int asked;
        unsigned mtu;
        size_t limit;
    } cases[] = {{-1, 1500, 548},     {0, 1500, 548},     {575, 1500, 548},
                 {576, 0, 548},       {1000, 0, 972},     {65535, 1500, 1472},
                 {65535, 9000, 1472}, {1472, 1400, 1372}, {1472, 100, 548}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message m;
        start(&m);
        ADD(&m, 53, 1, 1);
        if (cases[i].asked >= 0)
            ADD(&m, 57, 2, (uint8_t)(cases[i].asked >> 8), (uint8_t)cases[i].asked);
        assert_int_equal(parse(&m), DHCP_OK);
        assert_int_equal(dhcp_size_limit(&packet, cases[i].mtu), cases[i].limit);
    }
}

static const struct dhcp_head head = {
    .xid = 7, .flags = 0x8000, .htype = 1, .hlen = 6, .yiaddr = 0x0a000005, .file = "pxelinux.0"};

static void test_writer(void **state) /* D10, D17: fields, option 82 whole and last, at least 300 bytes */
{
    uint8_t buf[DHCP_REPLY_MAX];
    struct dhcp_writer w;
    static const uint8_t relay[] = {1, 4, 0, 1, 2, 3, 2, 200}; /* sub-option 2 is short: opaque to us */
    dhcp_begin(&w, buf, sizeof(buf), 548, &head, relay, sizeof(relay));
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, DHCP_OFFER);
    dhcp_put_u32(&w, DHCP_SERVER_ID, 0x0a000001);
    dhcp_put_text(&w, DHCP_DOMAIN_NAME, "");
    dhcp_put_addresses(&w, DHCP_DNS, NULL, 0);
    int n = dhcp_end(&w);
    assert_int_equal(n, 300);
    assert_int_equal(buf[0], 2);
    assert_memory_equal(buf + 16, "\x0a\x00\x00\x05", 4);
    assert_string_equal((char *)buf + 108, "pxelinux.0");
    static const uint8_t options[] = {53, 1, 2, 54, 4, 10, 0, 0, 1, 82, 8, 1, 4, 0, 1, 2, 3, 2, 200, 255, 0};
    assert_memory_equal(buf + 240, options, sizeof(options));
    assert_int_equal(dhcp_parse(buf, (size_t)n, &packet), DHCP_OK);
    assert_int_equal(dhcp_option(&packet, 82).left, sizeof(relay));
}

static void test_writer_limit(void **state) /* D16, D17, D18: what does not fit is left out whole; 82 stays */
{
    uint8_t buf[DHCP_REPLY_MAX], big[300];
    struct dhcp_writer w;
    memset(big, 'x', sizeof(big));
    dhcp_begin(&w, buf, sizeof(buf), 548, &head, big, 100);
    dhcp_put(&w, 200, big, 300); /* would fit, but for option 82 */
    assert_true(w.dropped);
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, DHCP_ACK);
    int n = dhcp_end(&w);
    assert_true(n > 0 && n <= 548);
    assert_int_equal(dhcp_parse(buf, (size_t)n, &packet), DHCP_OK);
    assert_false(dhcp_has(&packet, 200));
    assert_int_equal(packet.type, DHCP_ACK);
    assert_int_equal(dhcp_option(&packet, 82).left, 100);

    dhcp_begin(&w, buf, sizeof(buf), 1472, &head, NULL, 0);
    dhcp_put(&w, 200, big, 300); /* split in 255 and 45, joined again */
    assert_false(w.dropped);
    n = dhcp_end(&w);
    assert_int_equal(buf[241], 255);
    assert_int_equal(dhcp_parse(buf, (size_t)n, &packet), DHCP_OK);
    assert_int_equal(dhcp_option(&packet, 200).left, 300);

    dhcp_begin(&w, buf, sizeof(buf), 548, &head, big, 300);
    w.relay_size = 310;
    assert_int_equal(dhcp_end(&w), -ENOBUFS);
}

static void test_request_writer(void **state)
{
    uint8_t buf[400];
    struct dhcp_writer w;
    static struct dhcp_packet p;
    const struct dhcp_head asked = {
        .xid = 7, .flags = DHCP_FLAG_BROADCAST, .htype = 1, .hlen = 6, .chaddr = {2, 0, 0, 0, 0, 9}};
    dhcp_begin_request(&w, buf, sizeof(buf), &asked, 4);
    dhcp_put_u8(&w, DHCP_MESSAGE_TYPE, DHCP_DISCOVER);
    assert_int_equal(dhcp_end(&w), 300);
    assert_int_equal(dhcp_parse(buf, 300, &p), DHCP_OK);
    assert_int_equal(p.op, DHCP_BOOTREQUEST);
    assert_int_equal(p.type, DHCP_DISCOVER);
    assert_int_equal(p.secs, 4);
    assert_int_equal(p.chaddr[5], 9);
    dhcp_begin_request(&w, buf, 100, &asked, 0);
    assert_int_equal(dhcp_end(&w), -ENOBUFS);
}

static void test_vendor_options(void **state) /* H1, P6: exact lengths, ascending, END */
{
    const struct pxe_vendor all = {.fields = 0xfe,
                                   .cport = 1758,
                                   .sport = 1759,
                                   .timeout = 1,
                                   .delay = 2,
                                   .discovery_control = 11,
                                   .discovery_mcast = 0xe0000102};
    static const uint8_t expected[] = {1, 4, 0, 0, 0, 0, 2, 2,  6, 0xde, 3,   2, 6, 0xdf, 4,
                                       1, 1, 5, 1, 2, 6, 1, 11, 7, 4,    224, 0, 1, 2,    255};
    uint8_t buf[PXE_VENDOR_MAX];
    assert_int_equal(pxe_vendor_encode(&all, buf), sizeof(expected));
    assert_memory_equal(buf, expected, sizeof(expected));
    assert_int_equal(pxe_ipxe_encode(buf), 3);
    assert_memory_equal(buf, "\xb0\x01\x01", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipxe),
        cmocka_unit_test(test_uuid_orders),
        cmocka_unit_test(test_arch_list),
        cmocka_unit_test(test_ipxe_options_past_their_end),
        cmocka_unit_test(test_split_options_are_joined),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_writer_limit),
        cmocka_unit_test(test_request_writer),
        cmocka_unit_test(test_vendor_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
