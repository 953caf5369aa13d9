/* lab/: consoles, children that end with us, and the machine that every stack is measured on. */
#include "base/file.h"
#include "base/str.h"
#include "lab/efi_vars.h"
#include "lab/node.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static void add(struct lab_console *console, const char *text)
{
    lab_console_add(console, text, strlen(text));
}

static void console_tail_is_plain_text(void **state)
{
    (void)state;
    struct lab_console console = {0};
    cleanup_free char *empty = lab_console_tail(&console, 3);
    assert_string_equal(empty, "");
    add(&console, "first\r\n\r\n  \r\n\033[2J\033[01;01Hsecond\033[0m\r\nthird\tx\x01\r\nlast");
    cleanup_free char *all = lab_console_tail(&console, 10);
    assert_string_equal(all, "first\nsecond\nthird x\nlast");
    cleanup_free char *two = lab_console_tail(&console, 2);
    assert_string_equal(two, "third x\nlast");
    add(&console, "\r\n\033[");
    cleanup_free char *cut = lab_console_tail(&console, 1);
    assert_string_equal(cut, "last\n");
    lab_console_free(&console);
}

static void console_positions_survive_dropping(void **state)
{
    (void)state;
    struct lab_console console = {0};
    char block[1024];
    memset(block, 'x', sizeof(block));
    add(&console, "beginning");
    for (unsigned i = 0; i < 3 * LAB_CONSOLE_KEEP / sizeof(block); i++)
        lab_console_add(&console, block, sizeof(block));
    assert_int_equal(lab_console_end(&console), 9 + 3 * LAB_CONSOLE_KEEP);
    assert_true(console.text.len >= LAB_CONSOLE_KEEP && console.text.len <= 2 * LAB_CONSOLE_KEEP);
    assert_false(lab_console_said(&console, 0, "beginning"));
    uint64_t from = lab_console_end(&console);
    add(&console, "answer");
    assert_true(lab_console_said(&console, from, "answer"));
    assert_true(lab_console_said(&console, 0, "answer"));
    assert_false(lab_console_said(&console, from + 1, "answer"));
    lab_console_free(&console);
}

static void wait_for_output(struct lab_child *child, char *buffer, size_t size)
{
    size_t used = 0;
    for (ssize_t n = 1; n > 0 && used < size - 1; used += (size_t)n) {
        (void)poll(&(struct pollfd){.fd = child->output, .events = POLLIN}, 1, 10000);
        n = read(child->output, buffer + used, size - 1 - used);
        if (n <= 0)
            break;
    }
    buffer[used] = '\0';
}

static void child_output_and_status(void **state)
{
    (void)state;
    struct lab_child child = LAB_CHILD_NONE;
    cleanup_diags struct diags diags = {0};
    char said[64];
    const char *const argv[] = {"sh", "-c", "echo $WORD; echo err >&2; exit 7", NULL};
    const char *const env[] = {"WORD=hello", NULL};
    assert_int_equal(
        lab_child_start(&(struct lab_child_spec){.argv = argv, .extra_env = env}, &diags, &child), 0);
    wait_for_output(&child, said, sizeof(said));
    assert_string_equal(said, "hello\nerr\n");
    while (lab_child_running(&child))
        usleep(1000);
    assert_int_equal(child.status, 7);
    lab_child_end(&child, 0);
    lab_child_end(&child, 0);
}

static void child_that_ignores_sigterm_is_killed(void **state)
{
    (void)state;
    struct lab_child child = LAB_CHILD_NONE;
    cleanup_diags struct diags diags = {0};
    char said[8];
    const char *const argv[] = {"sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done", NULL};
    assert_int_equal(lab_child_start(&(struct lab_child_spec){.argv = argv}, &diags, &child), 0);
    (void)poll(&(struct pollfd){.fd = child.output, .events = POLLIN}, 1, 10000);
    assert_int_equal(read(child.output, said, sizeof(said)), 3);
    lab_child_end(&child, 50);
    assert_int_equal(child.status, 128 + SIGKILL);
    assert_int_equal(child.output, -1);
}

static void child_dies_with_its_parent(void **state)
{
    (void)state;
    int fds[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct lab_child child = LAB_CHILD_NONE;
        cleanup_diags struct diags diags = {0};
        const char *const argv[] = {"sleep", "1000", NULL};
        if (lab_child_start(&(struct lab_child_spec){.argv = argv}, &diags, &child) < 0)
            _exit(1);
        (void)!write(fds[1], &child.pid, sizeof(child.pid));
        pause();
    }
    assert_int_equal(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    assert_int_equal(kill(grandchild, 0), 0);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    /* It is somebody else's to wait for now; a zombie counts as dead. */
    cleanup_free char *path = xasprintf("/proc/%d/cmdline", (int)grandchild);
    for (int i = 0; i < 1000; i++) {
        cleanup_free char *words = NULL;
        size_t size = 0;
        if (file_read(path, 4096, &words, &size) < 0 || size == 0)
            break;
        usleep(10000);
        assert_true(i < 999);
    }
    close(fds[0]);
    close(fds[1]);
}

static void missing_program_is_named(void **state)
{
    (void)state;
    struct lab_child child = LAB_CHILD_NONE;
    cleanup_diags struct diags diags = {0};
    const char *const argv[] = {"no-such-program-here", NULL};
    assert_int_equal(lab_child_start(&(struct lab_child_spec){.argv = argv}, &diags, &child), -ENOENT);
    assert_non_null(strstr(diags.list.items[0].text, "no-such-program-here"));
}

static bool has_pair(char **argv, const char *option, const char *value)
{
    for (; argv[0] && argv[1]; argv++)
        if (str_eq(argv[0], option) && str_eq(argv[1], value))
            return true;
    return false;
}

static void machine_has_a_card_and_no_disk(void **state)
{
    (void)state;
    struct lab_node_spec spec = {.name = "n1",
                                 .mac = {{0x52, 0x54, 0, 0x77, 0, 1}},
                                 .nic = LAB_NIC_E1000,
                                 .memory = 48 << 20,
                                 .cpus = 2,
                                 .accel = LAB_ACCEL_TCG};
    char **argv = lab_node_arguments(&spec, &(struct lab_node_ends){7, 8, 9, -1});
    assert_true(has_pair(argv, "-device", "e1000,netdev=net,bootindex=1,mac=52:54:00:77:00:01"));
    assert_true(has_pair(argv, "-m", "48M"));
    assert_true(has_pair(argv, "-smp", "2"));
    assert_true(has_pair(argv, "-netdev", "tap,id=net,fd=7"));
    for (char **word = argv; *word; word++)
        assert_false(str_starts(*word, "-drive") || str_starts(*word, "-hd") || str_starts(*word, "-cdrom") ||
                     str_starts(*word, "-kernel"));
    names_free(argv);
}

#define OVMF_VARS "/usr/share/OVMF/OVMF_VARS_4M.fd"

/* What EDK2 wrote itself is read, and what was added is found again: it has a platform key now. */
static void keys_are_enrolled_once(void **state)
{
    (void)state;
    cleanup_free char *store = NULL, *theirs = NULL;
    size_t size, their_size;
    const char der[] = "stands for a certificate";
    assert_int_equal(file_read(OVMF_VARS, 1 << 24, &store, &size), 0);
    assert_int_equal(file_read("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", 1 << 24, &theirs, &their_size), 0);
    assert_int_equal(lab_vars_add(theirs, their_size, LAB_TRUST_OWNER, der, sizeof(der)), -EBADMSG);
    assert_null(memmem(store, size, der, sizeof(der)));
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_OWNER, der, sizeof(der)), 0);
    assert_non_null(memmem(store, size, der, sizeof(der)));
    assert_non_null(memmem(store, size, "d\0b\0\0", 6));
    assert_non_null(memmem(store, size, "S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0E\0n", 21));
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_OWNER, der, sizeof(der)), -EBADMSG);
}

/* A store that has an owner takes what shim and TLS trust. */
static void owned_stores_take_more_trust(void **state)
{
    (void)state;
    cleanup_free char *store = NULL;
    size_t size;
    const char der[] = "stands for a certificate";
    assert_int_equal(file_read("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", 1 << 24, &store, &size), 0);
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_OWNER, der, sizeof(der)), -EBADMSG);
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_SHIM, der, sizeof(der)), 0);
    assert_non_null(memmem(store, size, "M\0o\0k\0L\0i\0s\0t\0\0", 16));
    assert_null(memmem(store, size, "T\0l\0s\0C\0a", 9));
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_TLS, der, sizeof(der)), 0);
    assert_non_null(memmem(store, size, "T\0l\0s\0C\0a", 9));
}

static void stores_that_are_none_are_refused(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    char none[256] = "", to[] = "/tmp/rambox-vars-XXXXXX";
    close(mkstemp(to));
    cleanup_free char *store = NULL, *large = calloc(1, 65536);
    size_t size;
    assert_int_equal(file_read(OVMF_VARS, 1 << 24, &store, &size), 0);
    assert_int_equal(lab_vars_add(none, sizeof(none), LAB_TRUST_OWNER, "x", 1), -EBADMSG);
    assert_int_equal(lab_vars_add(store, 80, LAB_TRUST_OWNER, "x", 1), -EBADMSG);
    assert_int_equal(lab_vars_add(store, 4096, LAB_TRUST_OWNER, "x", 1), -EBADMSG); /* cut short */
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_OWNER, large, 65537), -ENOSPC);
    assert_int_equal(lab_vars_add(store, size, LAB_TRUST_OWNER, large, 65536), 0);
    assert_int_equal(lab_vars_enroll("/nonexistent", to, LAB_TRUST_OWNER, OVMF_VARS, &diags), -ENOENT);
    assert_int_equal(lab_vars_enroll(OVMF_VARS, to, LAB_TRUST_OWNER, OVMF_VARS, &diags), -EINVAL);
    assert_non_null(strstr(diags.list.items[1].text, "no certificate in PEM form"));
    assert_int_equal(
        lab_vars_enroll(OVMF_VARS, to, LAB_TRUST_OWNER, "/usr/share/ovmf/PkKek-1-snakeoil.pem", &diags), 0);
    unlink(to);
}

static void names_of_cards_and_accelerators(void **state)
{
    (void)state;
    enum lab_nic nic;
    enum lab_accel accel;
    assert_int_equal(lab_nic_parse("e1000", &nic), 0);
    assert_string_equal(lab_nic_name(nic), "e1000");
    assert_int_equal(lab_nic_parse("rtl8139", &nic), -EINVAL);
    assert_int_equal(lab_accel_parse("auto", &accel), 0);
    assert_int_equal(accel, LAB_ACCEL_AUTO);
    assert_int_equal(lab_accel_parse("xen", &accel), -EINVAL);
    assert_int_equal(lab_accel_resolve(LAB_ACCEL_TCG), LAB_ACCEL_TCG);
}

/* Each row of the table, as far as it can be seen without starting it. */
static void firmware_boots_from_the_network_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LAB_FIRMWARES; i++)
        for (unsigned method = LAB_METHOD_PXE; method <= LAB_METHOD_HTTP; method++) {
            const struct lab_firmware_info *info = lab_firmware_info(i);
            struct lab_node_spec spec = {.name = "n1",
                                         .memory = info->memory,
                                         .cpus = 1,
                                         .accel = LAB_ACCEL_TCG,
                                         .firmware = i,
                                         .method = method};
            char **argv =
                lab_node_arguments(&spec, &(struct lab_node_ends){7, 8, 9, info->variables ? 10 : -1});
            enum lab_firmware parsed;
            assert_int_equal(lab_firmware_parse(info->word, &parsed), 0);
            assert_int_equal(parsed, i);
            assert_string_equal(argv[0], info->program);
            assert_true(has_pair(argv, "-machine", info->machine));
            assert_int_equal(has_pair(argv, "-drive", "if=pflash,unit=1,format=raw,file=/dev/fd/10"),
                             info->variables != NULL);
            const char *device = i == LAB_FIRMWARE_BIOS
                                     ? "virtio-net-pci,netdev=net,bootindex=1,mac=00:00:00:00:00:00"
                                     : "virtio-net-pci,netdev=net,bootindex=1,mac=00:00:00:00:00:00,romfile=";
            assert_true(has_pair(argv, "-device", device));
            bool pxe_off = has_pair(argv, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n");
            assert_int_equal(pxe_off, i != LAB_FIRMWARE_BIOS && method == LAB_METHOD_HTTP);
            names_free(argv);
        }
}

static void only_secure_boot_guards_its_store(void **state)
{
    (void)state;
    struct lab_node_spec spec = {.name = "n1", .cpus = 1, .memory = 1 << 28, .accel = LAB_ACCEL_TCG};
    for (unsigned i = 0; i < LAB_FIRMWARES; i++) {
        spec.firmware = i;
        char **argv = lab_node_arguments(&spec, &(struct lab_node_ends){7, 8, 9, 10});
        bool guarded = has_pair(argv, "-global", "driver=cfi.pflash01,property=secure,value=on");
        assert_int_equal(guarded, i == LAB_FIRMWARE_SECURE);
        assert_int_equal(guarded, strstr(lab_firmware_info(i)->machine, "smm=on") != NULL);
        names_free(argv);
    }
}

static void variable_store_is_a_copy(void **state)
{
    (void)state;
    cleanup_diags struct diags diags = {0};
    char path[] = "/tmp/rambox-vars-XXXXXX";
    int fd = mkstemp(path), copy = 7;
    assert_int_equal(write_all(fd, "store", 5), 0);
    close(fd);
    assert_int_equal(lab_firmware_variables(LAB_FIRMWARE_UEFI, path, &diags, &copy), 0);
    assert_int_equal(pwrite(copy, "S", 1, 0), 1);
    close(copy);
    cleanup_free char *data = NULL;
    size_t size = 0;
    assert_int_equal(file_read(path, 100, &data, &size), 0);
    assert_string_equal(data, "store");
    unlink(path);
    assert_int_equal(lab_firmware_variables(LAB_FIRMWARE_UEFI, path, &diags, &copy), -ENOENT);
    assert_non_null(strstr(diags.list.items[0].text, path));
    assert_int_equal(lab_firmware_variables(LAB_FIRMWARE_BIOS, NULL, &diags, &copy), 0);
    assert_int_equal(copy, -1);
}

/* F1: with an empty PATH every program is missing; whatever is, is said with a package. */
static void missing_firmware_names_its_package(void **state)
{
    (void)state;
    cleanup_free char *path = xstrdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    for (unsigned i = 0; i < LAB_FIRMWARES; i++) {
        cleanup_diags struct diags diags = {0};
        const struct lab_firmware_info *info = lab_firmware_info(i);
        assert_int_equal(lab_firmware_check(i, &diags), -ENOENT);
        assert_non_null(strstr(diags.list.items[0].text, info->program_package));
        VEC_EACH(diag, &diags.list)
            assert_non_null(strstr(diag->text, "install the package "));
        assert_true(!info->code == !info->package && !info->code == !info->variables);
    }
    setenv("PATH", path, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(console_tail_is_plain_text),
        cmocka_unit_test(console_positions_survive_dropping),
        cmocka_unit_test(child_output_and_status),
        cmocka_unit_test(child_that_ignores_sigterm_is_killed),
        cmocka_unit_test(child_dies_with_its_parent),
        cmocka_unit_test(missing_program_is_named),
        cmocka_unit_test(machine_has_a_card_and_no_disk),
        cmocka_unit_test(keys_are_enrolled_once),
        cmocka_unit_test(owned_stores_take_more_trust),
        cmocka_unit_test(stores_that_are_none_are_refused),
        cmocka_unit_test(names_of_cards_and_accelerators),
        cmocka_unit_test(firmware_boots_from_the_network_alone),
        cmocka_unit_test(only_secure_boot_guards_its_store),
        cmocka_unit_test(variable_store_is_a_copy),
        cmocka_unit_test(missing_firmware_names_its_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
