/* src/init: the files a node is set up from: profile, fstab, device manager, host name (H13, H14, H20). */
#include "test.h"

#include "init/devices.h"
#include "init/fstab.h"
#include "init/network.h"
#include "init/profile.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

static void test_H14_the_howtos_fstab(void **state)
{
    static const char text[] = "# what a node mounts\n"
                               "devpts /dev/pts devpts nosuid,noexec,gid=5,mode=0620 0 0\n"
                               "\n"
                               "tmpfs\t/run\ttmpfs\tnosuid,nodev,mode=0755\n"
                               "proc /proc proc nosuid,nodev,noexec 0 0";
    struct fstab_cursor cursor = {text, 0};
    struct fstab_entry e;
    unsigned long flags;
    char data[64];
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.target, "/dev/pts");
    assert_int_equal(cursor.line, 2);
    assert_int_equal(fstab_options(e.options, &flags, data, sizeof(data)), 0);
    assert_int_equal(flags, MS_NOSUID | MS_NOEXEC);
    assert_string_equal(data, "gid=5,mode=0620");
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.source, "tmpfs");
    assert_string_equal(e.type, "tmpfs");
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.type, "proc");
    assert_int_equal(fstab_options(e.options, &flags, data, sizeof(data)), 0);
    assert_int_equal(flags, MS_NOSUID | MS_NODEV | MS_NOEXEC);
    assert_string_equal(data, "");
    assert_int_equal(fstab_next(&cursor, &e), 0);
}

static void test_lines_that_are_not_understood(void **state)
{
    char text[700] = "one two\nproc relative proc\na /b c\n";
    struct fstab_cursor cursor = {text, 0};
    struct fstab_entry e;
    memset(text + strlen(text), 'x', 600);
    assert_int_equal(fstab_next(&cursor, &e), -EINVAL);
    assert_int_equal(fstab_next(&cursor, &e), -EINVAL);
    assert_int_equal(cursor.line, 2);
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.options, "defaults");
    assert_int_equal(fstab_next(&cursor, &e), -ENAMETOOLONG);
    assert_int_equal(fstab_next(&cursor, &e), 0);
}

static void test_octal_escapes(void **state)
{
    struct fstab_cursor cursor = {"a\\040b /c\\011d\\000 e\\9 x\\", 0};
    struct fstab_entry e;
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.source, "a b");
    assert_string_equal(e.target, "/c\td\\000");
    assert_string_equal(e.type, "e\\9");
    assert_string_equal(e.options, "x\\");
}

static void test_swap_needs_no_target(void **state)
{
    struct fstab_cursor cursor = {"/dev/sda none swap sw", 0};
    struct fstab_entry e;
    assert_int_equal(fstab_next(&cursor, &e), 1);
    assert_string_equal(e.type, "swap");
}

static void test_options(void **state)
{
    unsigned long flags;
    char data[16];
    assert_int_equal(fstab_options("defaults,ro,rw,nodev,dev,,size=1m", &flags, data, sizeof(data)), 0);
    assert_int_equal(flags, 0);
    assert_string_equal(data, "size=1m");
    assert_int_equal(fstab_options("0123456789abcdef", &flags, data, sizeof(data)), -ENAMETOOLONG);
    assert_int_equal(fstab_options("", &flags, data, sizeof(data)), 0);
    assert_string_equal(data, "");
    assert_true(fstab_has("a,noauto", "noauto"));
    assert_true(fstab_has("vers=3", "vers"));
    assert_false(fstab_has("noautos,nfsvers=3", "noauto"));
    assert_false(fstab_has("nfsvers=3", "vers"));
    assert_false(fstab_has("", "vers"));
}

static void test_H13_profile(void **state)
{
    const char *text = "# comment\n"
                       "export PATH=/bin:/sbin\n"
                       "  EDITOR='vi x'\n"
                       "export A=\"b c\" # why\n"
                       "export HOME=$(pwd)\n"
                       "P=$PATH:/x\n"
                       "Q=a;reboot\n"
                       "umask 022\n"
                       "export PATH\n"
                       "1A=x\nB='open\nC=a b\nexportD=1\nE=";
    static const char *const expected[][2] = {
        {"PATH", "/bin:/sbin"}, {"EDITOR", "vi x"}, {"A", "b c"}, {"exportD", "1"}, {"E", ""},
    };
    struct profile_variable v;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(profile_next(&text, &v), 1);
        assert_string_equal(v.name, expected[i][0]);
        assert_string_equal(v.value, expected[i][1]);
    }
    assert_int_equal(profile_next(&text, &v), 0);
}

static void test_profile_lines_that_are_too_long(void **state)
{
    char line[2000] = "export A=";
    const char *text = line;
    struct profile_variable v;
    memset(line + 9, 'x', 1500);
    strcat(line, "\nB=1\n");
    assert_int_equal(profile_next(&text, &v), 1);
    assert_string_equal(v.name, "B");
}

static void test_H20_device_manager(void **state)
{
    enum device_manager m;
    assert_int_equal(devices_parse("", &m), 0);
    assert_int_equal(m, DEVICES_DEVTMPFS);
    assert_int_equal(devices_parse("# which\n mdev\n", &m), 0);
    assert_int_equal(m, DEVICES_MDEV);
    assert_int_equal(devices_parse("hotplug # the old way", &m), 0);
    assert_int_equal(m, DEVICES_HOTPLUG);
    assert_int_equal(devices_parse("devtmpfs", &m), 0);
    assert_int_equal(m, DEVICES_DEVTMPFS);
    assert_int_equal(devices_parse("udev", &m), -EINVAL);
    assert_int_equal(devices_parse("mdevx", &m), -EINVAL);
}

static void test_H20_host_name(void **state)
{
    static const struct {
        const char *node, *ip, *kernel, *file, *expected;
    } cases[] = {
        {"n1", "ip-name", "dhcp-name", "rambox\n", "n1"},
        {"", "ip-name", "dhcp-name", "rambox\n", "ip-name"},
        {"", "", "dhcp-name", "rambox\n", "dhcp-name"},
        {"", "", "(none)", "\n rambox x\n", "rambox"},
        {"", "", "10.0.0.5", "rambox\n", "rambox"},
        {"", "", "(none)", "", NULL},
        {"", "", "", " \n", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cmdline c = {0};
        char name[65];
        strncpy(c.node, cases[i].node, sizeof(c.node) - 1);
        strncpy(c.hostname, cases[i].ip, sizeof(c.hostname) - 1);
        int r = network_choose_name(&c, cases[i].kernel, cases[i].file, name);
        assert_int_equal(r, cases[i].expected ? 0 : -ENOENT);
        if (cases[i].expected)
            assert_string_equal(name, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_H14_the_howtos_fstab),
        cmocka_unit_test(test_lines_that_are_not_understood),
        cmocka_unit_test(test_octal_escapes),
        cmocka_unit_test(test_swap_needs_no_target),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_H13_profile),
        cmocka_unit_test(test_profile_lines_that_are_too_long),
        cmocka_unit_test(test_H20_device_manager),
        cmocka_unit_test(test_H20_host_name),
    };
    return cmocka_run_group_tests_name("init_files", tests, NULL, NULL);
}
