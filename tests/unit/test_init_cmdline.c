/* src/init: the kernel command line (H11, H21, H22) and what root= asks for (H24). */
#include "test.h"

#include "init/cmdline.h"
#include "init/rootspec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct cmdline parsed(const char *text)
{
    struct cmdline c;
    cmdline_parse(text, &c);
    return c;
}

static void test_H22_defaults(void **state)
{
    struct cmdline c = parsed("");
    assert_string_equal(c.init, "/sbin/init");
    assert_string_equal(c.root, "");
    assert_int_equal(c.rootwait, 10);
    assert_false(c.shell || c.rambox || c.secure || c.read_write || c.init_refused || c.panic_given);
    assert_true(c.console);
    assert_int_equal(c.problem_count, 0);
}

static void test_H11_the_howtos_lines(void **state)
{
    struct cmdline c = parsed("initrd=initramfs.cpio.gz rw ip=dhcp shell\n");
    assert_true(c.shell && c.read_write);
    assert_string_equal(c.ip, "dhcp");
    assert_string_equal(c.hostname, "");
    c = parsed("rambox ip=10.0.0.5:10.0.0.1:10.0.0.1:255.255.255.0:node5:eth0:off");
    assert_true(c.rambox);
    assert_string_equal(c.hostname, "node5");
}

static void test_H22_the_last_one_wins(void **state)
{
    struct cmdline c = parsed("init=/a root=/dev/sda init=/b rw ro root=/dev/sdb");
    assert_string_equal(c.init, "/b");
    assert_string_equal(c.root, "/dev/sdb");
    assert_false(c.read_write);
    assert_false(parsed("init=bad init=/good").init_refused);
    assert_true(parsed("init=/good init=bad").init_refused);
}

static void test_H22_init_must_be_absolute(void **state)
{
    struct cmdline c = parsed("init=sbin/init");
    assert_true(c.init_refused);
    assert_string_equal(c.init, "");
    assert_int_equal(c.problem_count, 1);
    assert_string_equal(c.problems[0].key, "init");
    assert_true(parsed("init=").init_refused);
}

static void test_values_that_are_too_long_are_refused(void **state)
{
    char line[600] = "init=/";
    memset(line + 6, 'x', 400);
    struct cmdline c = parsed(line);
    assert_true(c.init_refused);
    assert_true(c.problem_count > 0);
    memcpy(line, "root=/", 6);
    c = parsed(line);
    assert_string_equal(c.root, "");
    assert_int_equal(c.problem_count, 1);
}

static void test_words_are_whole_words(void **state)
{
    struct cmdline c = parsed("shells xshell rambox.x shell=1 rambox=1 nsecure rambox.secur");
    assert_false(c.shell || c.rambox || c.secure);
    c = parsed("-- shell");
    assert_true(c.shell);
}

static void test_secure_is_on_unless_it_is_switched_off(void **state)
{
    assert_true(parsed("rambox.secure").secure);
    assert_true(parsed("rambox.secure=1").secure);
    assert_true(parsed("rambox.secure=yes").secure);
    assert_true(parsed("rambox.secure=").secure);
    assert_false(parsed("rambox.secure=0").secure);
    assert_false(parsed("rambox.secure=no").secure);
    assert_false(parsed("rambox.console=no").console);
}

static void test_quotes_keep_white_space(void **state)
{
    struct cmdline c = parsed("\"init=/a b\" rambox.node=\"n 1\" rootflags=\"x,y");
    assert_string_equal(c.init, "/a b");
    assert_string_equal(c.node, "n 1");
    assert_string_equal(c.rootflags, "x,y");
    assert_true(parsed("a=\"shell\" b").shell == false);
}

static void test_numbers(void **state)
{
    struct cmdline c = parsed("panic=7 rambox.rootwait=0");
    assert_true(c.panic_given);
    assert_int_equal(c.panic, 7);
    assert_int_equal(c.rootwait, 0);
    c = parsed("panic=-1");
    assert_int_equal(c.panic, -1);
    c = parsed("panic=soon rambox.rootwait=99999 rambox.rootwait=-1 rambox.rootwait= "
               "panic=99999999999999999999999999");
    assert_false(c.panic_given);
    assert_int_equal(c.rootwait, 10);
    assert_int_equal(c.problem_count, 5);
}

static void test_where_to_report(void **state)
{
    struct cmdline c = parsed("rambox.server=10.0.0.1:8080 rambox.boot=abc-1 rambox.node=n1");
    assert_string_equal(c.server, "10.0.0.1:8080");
    assert_string_equal(c.boot, "abc-1");
    assert_string_equal(c.node, "n1");
}

static void test_a_hostname_that_is_too_long(void **state)
{
    char line[256];
    char name[90] = "";
    memset(name, 'h', 80);
    snprintf(line, sizeof(line), "ip=::::%s:eth0:off", name);
    struct cmdline c = parsed(line);
    assert_string_equal(c.hostname, "");
    assert_int_equal(c.problem_count, 1);
}

static void test_problems_are_bounded(void **state)
{
    struct cmdline c =
        parsed("panic=a panic=a panic=a panic=a panic=a panic=a panic=a panic=a panic=a panic=a");
    assert_int_equal(c.problem_count, CMDLINE_PROBLEMS);
}

static struct rootspec root_of(const char *root, const char *nfsroot)
{
    struct rootspec spec;
    const char *why = NULL;
    assert_int_equal(rootspec_parse(root, nfsroot, &spec, &why), 0);
    return spec;
}

static void test_H24_forms_of_root(void **state)
{
    struct rootspec s = root_of("/dev/vda1", "");
    assert_int_equal(s.kind, ROOT_DEVICE);
    assert_string_equal(s.name, "/dev/vda1");
    s = root_of("UUID=abc", "");
    assert_int_equal(s.kind, ROOT_UUID);
    s = root_of("LABEL=data", "");
    assert_int_equal(s.kind, ROOT_LABEL);
    s = root_of("/dev/nfs", "10.0.0.1:/srv/root,tcp,vers=3");
    assert_int_equal(s.kind, ROOT_NFS);
    assert_string_equal(s.server, "10.0.0.1");
    assert_string_equal(s.name, "/srv/root");
    assert_string_equal(s.options, "tcp,vers=3");
    s = root_of("nfs:10.0.0.2:/r", "");
    assert_string_equal(s.server, "10.0.0.2");
    s = root_of("10.0.0.3:/r", "");
    assert_string_equal(s.server, "10.0.0.3");
    s = root_of("/dev/nfs", "/srv/root");
    assert_string_equal(s.server, "");
}

static void test_H24_root_that_is_none(void **state)
{
    static const struct {
        const char *root, *nfsroot;
        int error;
    } bad[] = {
        {"", "", -ENOENT},           {"sda1", "", -EINVAL},         {"/dev/", "", -EINVAL},
        {"/dev/nfs", "", -EINVAL},   {"UUID=", "", -EINVAL},        {"server:/r", "", -EINVAL},
        {"nfs:/x", "x", 0},          {"nfs:x", "", -EINVAL},        {"8:1", "", -EINVAL},
        {"PARTUUID=1", "", -EINVAL}, {"300.0.0.1:/r", "", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rootspec spec;
        const char *why = NULL;
        assert_int_equal(rootspec_parse(bad[i].root, bad[i].nfsroot, &spec, &why), bad[i].error);
        assert_true((why != NULL) == (bad[i].error < 0));
    }
}

static void test_H24_nfs_options(void **state)
{
    char data[128], small[8];
    assert_int_equal(rootspec_nfs_data("", "10.0.0.1", data, sizeof(data)), 0);
    assert_string_equal(data, "vers=3,nolock,addr=10.0.0.1");
    assert_int_equal(rootspec_nfs_data("nfsvers=4,lock,addr=1.2.3.4", "10.0.0.1", data, sizeof(data)), 0);
    assert_string_equal(data, "nfsvers=4,lock,addr=1.2.3.4");
    assert_int_equal(rootspec_nfs_data("", "10.0.0.1", small, sizeof(small)), -ENAMETOOLONG);
}

static void test_H24_ext_superblocks(void **state)
{
    uint8_t block[EXT_SUPERBLOCK_SIZE] = {0};
    block[0x38] = 0x53;
    block[0x39] = 0xef;
    for (int i = 0; i < 16; i++)
        block[0x68 + i] = (uint8_t)(i * 17);
    memcpy(block + 0x78, "root", 4);
    struct rootspec s = root_of("UUID=00112233-4455-6677-8899-aabbccddeeff", "");
    assert_true(rootspec_matches_ext(&s, block));
    s = root_of("UUID=00112233-4455-6677-8899-AABBCCDDEEFF", "");
    assert_true(rootspec_matches_ext(&s, block));
    s = root_of("LABEL=root", "");
    assert_true(rootspec_matches_ext(&s, block));
    s = root_of("LABEL=roo", "");
    assert_false(rootspec_matches_ext(&s, block));
    s = root_of("LABEL=0123456789abcdef0", "");
    assert_false(rootspec_matches_ext(&s, block));
    memcpy(block + 0x78, "0123456789abcdef", 16);
    s = root_of("LABEL=0123456789abcdef", "");
    assert_true(rootspec_matches_ext(&s, block));
    block[0x39] = 0;
    assert_false(rootspec_matches_ext(&s, block));
}

static void test_H24_the_server_that_dhcp_named(void **state)
{
    char server[16];
    assert_int_equal(rootspec_bootserver("#PROTO: DHCP\ndomain x\nbootserver 10.0.0.9\nbootpath /\n", server),
                     0);
    assert_string_equal(server, "10.0.0.9");
    assert_int_equal(rootspec_bootserver("#MANUAL\nbootserver 0.0.0.0\n", server), -ENOENT);
    assert_int_equal(rootspec_bootserver("", server), -ENOENT);
    assert_int_equal(rootspec_bootserver("bootserver 10.0.0.9.10.11.12.13.14", server), -ENOENT);
}

static void test_trial(void **state)
{
    static const struct {
        const char *text;
        long seconds;
        unsigned problems;
    } rows[] = {{"", 0, 0},         {"trial=300", 300, 0},     {"trial", 0, 1},          {"trial=", 0, 1},
                {"trial=0", 0, 1},  {"trial=-5", 0, 1},        {"trial=86401", 0, 1},    {"trial=5m", 0, 1},
                {"xtrial=5", 0, 0}, {"trial=86400", 86400, 0}, {"trial=7 trial=x", 7, 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cmdline c = parsed(rows[i].text);
        assert_int_equal(c.trial, rows[i].seconds);
        assert_int_equal(c.problem_count, rows[i].problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_H22_defaults),
        cmocka_unit_test(test_trial),
        cmocka_unit_test(test_H11_the_howtos_lines),
        cmocka_unit_test(test_H22_the_last_one_wins),
        cmocka_unit_test(test_H22_init_must_be_absolute),
        cmocka_unit_test(test_values_that_are_too_long_are_refused),
        cmocka_unit_test(test_words_are_whole_words),
        cmocka_unit_test(test_secure_is_on_unless_it_is_switched_off),
        cmocka_unit_test(test_quotes_keep_white_space),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_where_to_report),
        cmocka_unit_test(test_a_hostname_that_is_too_long),
        cmocka_unit_test(test_problems_are_bounded),
        cmocka_unit_test(test_H24_forms_of_root),
        cmocka_unit_test(test_H24_root_that_is_none),
        cmocka_unit_test(test_H24_nfs_options),
        cmocka_unit_test(test_H24_ext_superblocks),
        cmocka_unit_test(test_H24_the_server_that_dhcp_named),
    };
    return cmocka_run_group_tests_name("init_cmdline", tests, NULL, NULL);
}
