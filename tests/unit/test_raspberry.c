/* The Raspberry Pi's own firmware: who is one, what DHCP tells it (P1, P4, P7), which files it asks for and
 * what is in those that are generated. */
#include "dhcp_bed.h"

#include "serve/bootfile.h"
#include "serve/raspberry.h"

#include <errno.h>

static const struct mac pi_mac = {{0xdc, 0xa6, 0x32, 1, 2, 3}};

/* Option 97 of the bootloader: `RPi4`, the board's revision, the MAC address's end, the serial number. */
#define UUID_RPI4 0, 'R', 'P', 'i', '4', 0xb0, 0x31, 0x11, 3, 3, 2, 1, 0x32, 0x12, 0x34, 0x56, 0x78
/* Of older ones: the serial number four times. */
#define UUID_SERIAL                                                                                          \
    0, 0xeb, 0xaa, 0x2f, 0xb2, 0xeb, 0xaa, 0x2f, 0xb2, 0xeb, 0xaa, 0x2f, 0xb2, 0xeb, 0xaa, 0x2f, 0xb2

static const char menu[] = "\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";

static void pi_message(enum dhcp_type type, const struct mac *mac, const uint8_t uuid[static 17])
{
    message(type, mac);
    put_pxe(); /* it says that it is a BIOS */
    PUT(DHCP_CLIENT_UUID, 17);
    put(uuid, 17);
}

static void test_offer(void **state) /* P1, P4 */
{
    static const uint8_t rpi4[] = {UUID_RPI4};
    pi_message(DHCP_DISCOVER, &pi_mac, rpi4);
    assert_int_equal(handle(), DHCP_SEND);
    assert_option(DHCP_VENDOR_SPECIFIC, menu, sizeof(menu) - 1);
    assert_option(DHCP_VENDOR_CLASS, "PXEClient", 9);
    assert_option(DHCP_TFTP_SERVER_NAME, "10.7.0.1", 8);
    assert_option(DHCP_CLIENT_UUID, rpi4, sizeof(rpi4));
    assert_int_equal(bed.reply.siaddr, SERVER);
    assert_string_equal(bed.reply.file, ""); /* a PC's boot program would send it away */
    assert_false(dhcp_has(&bed.reply, DHCP_BOOT_FILE));
    assert_false(dhcp_has(&bed.reply, DHCP_PXELINUX_CONFIG));
    assert_string_equal(bed.outcome.note, "");
    message(DHCP_REQUEST, &pi_mac); /* and that does not say any more who asks */
    put_address(DHCP_SERVER_ID, SERVER);
    put_address(DHCP_REQUESTED_IP, bed.reply.yiaddr);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_int_equal(bed.reply.siaddr, SERVER);
}

static void test_arch_of_its_boot(void **state) /* so that it gets its profile's arm64 build */
{
    struct boot boot;
    pi_message(DHCP_DISCOVER, &pi_mac, (uint8_t[]){UUID_SERIAL});
    assert_int_equal(handle(), DHCP_SEND);
    assert_true(boot_table_by_mac(bed.boots, &pi_mac, &boot, NULL));
    assert_int_equal(boot.arch, ARCH_ARM64);
}

static void test_proxy(void **state) /* P7 */
{
    bed.generation->site->subnets.items[0].mode = DHCP_PROXY;
    pi_message(DHCP_DISCOVER, &pi_mac, (uint8_t[]){UUID_RPI4});
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(bed.outcome.reply, DHCP_OFFER);
    assert_int_equal(bed.reply.yiaddr, 0);
    assert_int_equal(bed.reply.siaddr, SERVER);
    assert_option(DHCP_VENDOR_SPECIFIC, menu, sizeof(menu) - 1);
}

static void test_who_is_one(void **state)
{
    static const struct mac vendors[] = {{{0xb8, 0x27, 0xeb}}, {{0xdc, 0xa6, 0x32}}, {{0xe4, 0x5f, 0x01}},
                                         {{0x28, 0xcd, 0xc1}}, {{0x2c, 0xcf, 0x67}}, {{0xd8, 0x3a, 0xdd}}};
    static const uint8_t rpi5[] = {0, 'R', 'P', 'i', '5', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct subnet *lab = &bed.generation->site->subnets.items[0];
    lab->mode = DHCP_PROXY; /* the pool is small */
    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++) {
        message(DHCP_DISCOVER, &vendors[i]);
        put_pxe();
        assert_int_equal(handle(), DHCP_SEND);
        assert_option(DHCP_VENDOR_SPECIFIC, menu, sizeof(menu) - 1);
    }
    lab->mode = DHCP_FULL;
    pi_message(DHCP_DISCOVER, &other_mac, rpi5); /* whatever its MAC address */
    assert_int_equal(handle(), DHCP_SEND);
    assert_option(DHCP_VENDOR_SPECIFIC, menu, sizeof(menu) - 1);
    pi_message(DHCP_DISCOVER, &other_mac, (uint8_t[]){UUID_SERIAL}); /* a PC */
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "pxelinux.0");
    message(DHCP_DISCOVER, &pi_mac); /* UEFI on one */
    put("\x3c\x20PXEClient:Arch:00011:UNDI:003000", 34);
    PUT(DHCP_CLIENT_ARCH, 2, 0, 11);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "grubaa64.efi");
    message(DHCP_DISCOVER, &pi_mac); /* iPXE on one */
    put_pxe();
    put("\x4d\x04iPXE", 6);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "ipxe");
    message(DHCP_DISCOVER, &pi_mac); /* its operating system */
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_VENDOR_SPECIFIC));
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *stripped;
        enum raspberry_file file;
    } rows[] = {
        {"1234abcd/start4.elf", "start4.elf", RASPBERRY_FIRMWARE},
        {"start.elf", "start.elf", RASPBERRY_FIRMWARE},
        {"fixup4x.dat", "fixup4x.dat", RASPBERRY_FIRMWARE},
        {"bootcode.bin", "bootcode.bin", RASPBERRY_FIRMWARE},
        {"dc-a6-32-01-02-03/config.txt", "config.txt", RASPBERRY_CONFIG},
        {"1234ABCD/cmdline.txt", "cmdline.txt", RASPBERRY_CMDLINE},
        {"1234abcd/bcm2711-rpi-4-b.dtb", "bcm2711-rpi-4-b.dtb", RASPBERRY_TREE},
        {"1234abcd/overlays/overlay_map.dtb", "overlays/overlay_map.dtb", RASPBERRY_TREE},
        {"overlays/disable-bt.dtbo", "overlays/disable-bt.dtbo", RASPBERRY_TREE},
        {"1234abcd/recovery.elf", "recovery.elf", RASPBERRY_OPTIONAL},
        {"pieeprom.upd", "pieeprom.upd", RASPBERRY_OPTIONAL},
        {"1234abcd/g12/kernel/pi.arm64", "g12/kernel/pi.arm64", RASPBERRY_NONE},
        {"1234abcd/g12/image/pi.arm64", "g12/image/pi.arm64", RASPBERRY_NONE},
        {"1234abcd/secret.txt", "1234abcd/secret.txt", RASPBERRY_NONE},
        {"1234abcd/pxelinux.0", "1234abcd/pxelinux.0", RASPBERRY_NONE},
        {"1234abcg/config.txt", "1234abcg/config.txt", RASPBERRY_NONE},
        {"1234abc/config.txt", "1234abc/config.txt", RASPBERRY_NONE},
        {"dc-a6-32-01-02:03/config.txt", "dc-a6-32-01-02:03/config.txt", RASPBERRY_NONE},
        {"1234abcd/1234abcd/config.txt", "1234abcd/1234abcd/config.txt", RASPBERRY_NONE},
        {"start/x.elf", "start/x.elf", RASPBERRY_NONE},
        {"overlays/a/b.dtbo", "overlays/a/b.dtbo", RASPBERRY_NONE},
        {"config.txt.bak", "config.txt.bak", RASPBERRY_NONE},
        {"", "", RASPBERRY_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(raspberry_strip(rows[i].name), rows[i].stripped);
        assert_int_equal(raspberry_file_of(raspberry_strip(rows[i].name)), rows[i].file);
    }
    assert_true(bootfile_is_program("start4.elf") && bootfile_is_config("config.txt"));
    assert_non_null(strstr(raspberry_missing(RASPBERRY_FIRMWARE), "raspi-firmware"));
    assert_non_null(strstr(raspberry_missing(RASPBERRY_TREE), "make dtbs"));
    assert_non_null(strstr(raspberry_missing(RASPBERRY_OPTIONAL), "does without"));
}

static void test_config(void **state)
{
    struct boot_description d = {.generation = 12,
                                 .name = "pi1",
                                 .kernel = "g12/kernel/pi.arm64",
                                 .image = "g12/image/pi.arm64",
                                 .console = "ttyS0,115200",
                                 .cmdline = "rw ip=dhcp rambox.node=pi1"};
    char *text;
    size_t size;
    assert_int_equal(raspberry_render_config(&d, &text, &size), 0);
    assert_string_equal(text, "# pi1, generation 12\n"
                              "arm_64bit=1\n"
                              "enable_uart=1\n"
                              "kernel=g12/kernel/pi.arm64\n"
                              "initramfs g12/image/pi.arm64 followkernel\n");
    assert_int_equal(size, strlen(text));
    free(text);
    assert_int_equal(raspberry_render_cmdline(&d, &text, &size), 0);
    assert_string_equal(text, "rw ip=dhcp rambox.node=pi1\n");
    free(text);
    snprintf(d.modules, sizeof(d.modules), "g12/modules/pi.arm64");
    d.console = NULL;
    assert_int_equal(raspberry_render_config(&d, &text, &size), 0);
    assert_non_null(strstr(text, "initramfs g12/image/pi.arm64,g12/modules/pi.arm64 followkernel\n"));
    assert_null(strstr(text, "uart"));
    free(text);
    d.image[0] = d.modules[0] = '\0';
    assert_int_equal(raspberry_render_config(&d, &text, &size), 0);
    assert_null(strstr(text, "initramfs"));
    free(text);
    memset(d.image, 'x', sizeof(d.image) - 1); /* the firmware would cut the line */
    memset(d.modules, 'x', sizeof(d.modules) - 1);
    assert_int_equal(raspberry_render_config(&d, &text, &size), -ENAMETOOLONG);
}

int main(void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(offer, setup_allow),      TEST(arch_of_its_boot, setup_allow), TEST(proxy, setup_allow),
        TEST(who_is_one, setup_allow), cmocka_unit_test(test_names),        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
