/* src/init: what a node finds out of its hardware, from folders made up as /sys is, and that the server takes
 * it.
 */
#include "test.h"

#include "base/file.h"
#include "init/inventory.h"
#include "model/machine.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static char sys[] = "/tmp/rambox-test-inventory.XXXXXX";
static struct inventory inventory;
static char json[196608];

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(sys) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(sys);
}

static int empty_folder(void **state)
{
    (void)state;
    inventory_start(&inventory);
    snprintf(inventory.arch, sizeof(inventory.arch), "x86_64");
    return dir_remove(sys) < 0 ? -1 : dir_make(sys);
}

/* A file of the made-up /sys, with the folders above. */
static void put(const char *path, const char *text)
{
    cleanup_free char *whole = xasprintf("%s/%s", sys, path);
    cleanup_free char *folder = xstrdup(whole);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(dir_make(folder), 0);
    assert_int_equal(file_write_atomic(whole, text, strlen(text), 0644), 0);
}

static void device(const char *where, const char *modalias, const char *driver)
{
    cleanup_free char *file = xasprintf("devices/%s/modalias", where);
    put(file, modalias);
    if (driver) {
        cleanup_free char *link = xasprintf("%s/devices/%s/driver", sys, where);
        cleanup_free char *target = xasprintf("../../../bus/pci/drivers/%s", driver);
        assert_int_equal(symlink(target, link), 0);
    }
}

/* What is told at that level, as the server reads it. */
static struct machine told(int level)
{
    char error[MACHINE_ERROR_MAX];
    struct machine m = {0};
    struct text text;
    text_start(&text, json, sizeof(json));
    inventory_json(&inventory, level, &text);
    assert_false(text.cut);
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    int r = machine_parse(object, &m, error, sizeof(error));
    json_decref(object);
    if (r < 0)
        fail_msg("%s: %s", error, json);
    return m;
}

static const struct machine_device *find(const struct machine *m, const char *modalias)
{
    VEC_EACH(d, &m->devices)
        if (str_eq(d->modalias, modalias))
            return d;
    fail_msg("no %s", modalias);
    return NULL;
}

#define NIC "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"

/* Every bus, what firmware says, and the two devices of the large trees. */
static void whole_machine(void **state)
{
    (void)state;
    put("class/dmi/id/sys_vendor", "Maker \t \n");
    put("class/dmi/id/product_name", "Box\x01\xff 9\n");
    put("class/dmi/id/bios_version", "\n");
    put("firmware/efi/fw_platform_size", "64\n");
    device("pci0000:00/0000:00:02.0", NIC "\n", "e1000e");
    device("pci0000:00/0000:00:02.0/virtio0", "virtio:d00000001v00001AF4\n", NULL);
    device("pci0000:00/0000:00:02.0/power", "pci:not-a-device\n", NULL);
    device("pci0000:00/0000:00:03.0", "\n", NULL);
    device("pci0000:00/0000:00:04.0", "nonsense\n", NULL);
    device("system/cpu", "cpu:type:x86,ven0000fam0006mod003A:feature:,0000,0001\n", NULL);
    device("system/cpu/cpu0", "cpu:never-looked-at\n", NULL);
    device("virtual/dmi/id", "dmi:bvnMaker:\n", NULL);
    device("virtual/tty/tty0", "tty:never\n", NULL);
    inventory_read_sys(&inventory, sys);
    cleanup_machine struct machine m = told(0);
    assert_true(m.efi && !m.incomplete);
    assert_string_equal(m.vendor, "Maker");
    assert_string_equal(m.product, "Box?? 9");
    assert_null(m.bios);
    assert_null(m.board);
    assert_int_equal(m.devices.n, 4);
    assert_string_equal(find(&m, NIC)->driver, "e1000e");
    assert_string_equal(find(&m, NIC)->where, "pci0000:00/0000:00:02.0");
    assert_null(find(&m, "virtio:d00000001v00001AF4")->driver);
    assert_string_equal(find(&m, "dmi:bvnMaker:")->where, "virtual/dmi/id");
}

/* No /sys, or an empty one: nothing, and no failure. */
static void nothing_there(void **state)
{
    (void)state;
    inventory_read_sys(&inventory, "/nowhere/at/all");
    assert_int_equal(inventory.device_count, 0);
    assert_false(inventory.efi || inventory.incomplete);
    put("devices/pci0000:00/x", "");
    inventory_read_sys(&inventory, sys);
    assert_int_equal(inventory.device_count, 0);
}

/* One modalias is one device: without a driver when any has none, but a device that firmware's tables
 * describe too is bound where it is. */
static void twins(void **state)
{
    (void)state;
    static const struct {
        const char *modalias, *first, *second, *driver;
    } rows[] = {
        {"pci:v1", "a", "b", "a"},     {"pci:v2", NULL, "b", NULL}, {"pci:v3", "a", NULL, NULL},
        {"pci:v4", NULL, NULL, NULL},  {"acpi:A:", "a", NULL, "a"}, {"acpi:B:", NULL, "b", "b"},
        {"acpi:C:", NULL, NULL, NULL}, {"acpi:D:", "", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        inventory_add(&inventory, rows[i].modalias, "first", rows[i].first);
        inventory_add(&inventory, rows[i].modalias, "second", rows[i].second);
    }
    cleanup_machine struct machine m = told(0);
    assert_int_equal(m.devices.n, ARRAY_SIZE(rows));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (!str_eq(m.devices.items[i].driver, rows[i].driver))
            fail_msg("%s: %s", rows[i].modalias, m.devices.items[i].driver);
    assert_string_equal(find(&m, "pci:v3")->where, "second");
    assert_string_equal(find(&m, "acpi:B:")->where, "second");
}

/* What a driver makes of one card (virtual functions) is not what the machine is made of. */
static void virtual_functions(void **state)
{
    (void)state;
    cleanup_free char *link = xasprintf("%s/devices/pci0000:00/0000:00:02.1/physfn", sys);
    device("pci0000:00/0000:00:02.0", NIC, "igb");
    device("pci0000:00/0000:00:02.1", "pci:vf", NULL);
    assert_int_equal(symlink("../0000:00:02.0", link), 0);
    inventory_read_sys(&inventory, sys);
    cleanup_machine struct machine m = told(0);
    assert_int_equal(m.devices.n, 1);
}

/* Hostile: links that lead in circles are not followed, folders below folders only so far, and a file that is
 * none is passed over. */
static void odd_trees(void **state)
{
    (void)state;
    cleanup_str struct str path = {0};
    cleanup_free char *link = xasprintf("%s/devices/a/again", sys);
    cleanup_free char *folder = xasprintf("%s/devices/b/modalias", sys);
    device("a", "pci:a", NULL);
    assert_int_equal(symlink("..", link), 0);
    assert_int_equal(dir_make(folder), 0);
    inventory_read_sys(&inventory, sys);
    assert_int_equal(inventory.device_count, 1);
    assert_false(inventory.incomplete);
    for (int i = 0; i < 40; i++)
        str_add(&path, i ? "/d" : "d");
    device(str_text(&path), "pci:deep", NULL);
    inventory_read_sys(&inventory, sys);
    assert_int_equal(inventory.device_count, 1);
    assert_true(inventory.incomplete);
    cleanup_machine struct machine m = told(0);
    assert_true(m.incomplete);
}

/* More than there is room for: said, and what there is stays whole. */
static void too_many(void **state)
{
    (void)state;
    char modalias[64];
    for (int i = 0; i < INVENTORY_DEVICES + 10; i++) {
        snprintf(modalias, sizeof(modalias), "pci:v%08X", i);
        inventory_add(&inventory, modalias, NULL, NULL);
    }
    assert_int_equal(inventory.device_count, INVENTORY_DEVICES);
    assert_true(inventory.incomplete);
    cleanup_machine struct machine m = told(0);
    assert_int_equal(m.devices.n, INVENTORY_DEVICES);

    inventory_start(&inventory);
    snprintf(inventory.arch, sizeof(inventory.arch), "x86_64");
    char long_modalias[INVENTORY_MODALIAS] = "cpu:";
    memset(long_modalias + 4, 'x', sizeof(long_modalias) - 5);
    for (int i = 0; i < 40; i++) {
        long_modalias[10] = (char)('0' + i);
        inventory_add(&inventory, long_modalias, "system/cpu", NULL);
    }
    inventory_add(&inventory, "pci:v1", NULL, NULL);
    assert_in_range(inventory.device_count, 28, 33);
    assert_true(inventory.incomplete);
    cleanup_machine struct machine full = told(0);
    assert_true(full.incomplete);
}

/* A modalias that is longer than a page of /sys is none; a place and a driver are cut to what is taken. */
static void too_long(void **state)
{
    (void)state;
    char text[6000] = "pci:";
    memset(text + 4, 'x', sizeof(text) - 5);
    inventory_add(&inventory, text, NULL, NULL);
    assert_int_equal(inventory.device_count, 0);
    assert_true(inventory.incomplete);
    inventory_add(&inventory, "pci:v1", text, text);
    cleanup_machine struct machine m = told(0);
    assert_int_equal(strlen(m.devices.items[0].driver), MACHINE_NAME_MAX);
    assert_int_equal(strlen(m.devices.items[0].where), INVENTORY_PATH);
}

/* When a report would be too long, what no driver is chosen by goes first. */
static void levels(void **state)
{
    (void)state;
    static const unsigned expected[INVENTORY_LEVELS] = {6, 4, 3, 2};
    char long_modalias[300] = "of:N";
    memset(long_modalias + 4, 'x', sizeof(long_modalias) - 5);
    inventory_add(&inventory, "cpu:type:x86", NULL, NULL);
    inventory_add(&inventory, "dmi:bvn", NULL, NULL);
    inventory_add(&inventory, NIC, NULL, NULL);
    inventory_add(&inventory, long_modalias, NULL, NULL);
    inventory_add(&inventory, "wmi:abc", NULL, NULL);
    inventory_add(&inventory, "acpi:PNP0C0A:", NULL, NULL);
    snprintf(inventory.arch, sizeof(inventory.arch), "aarch64");
    for (int level = 0; level < INVENTORY_LEVELS; level++) {
        cleanup_machine struct machine m = told(level);
        assert_int_equal(m.devices.n, expected[level]);
        assert_int_equal(m.incomplete, level > 0);
        assert_int_equal(m.arch, ARCH_ARM64);
        find(&m, NIC);
    }
}

/* What the kernel's loader says of files that are missing; not of those it could not use, and not of others.
 */
static void firmware(void **state)
{
    (void)state;
    inventory_add(&inventory, NIC, NULL, NULL);
    inventory_add_firmware(&inventory,
                           "<4>[    1.0] r8169 0000:02:00.0: Direct firmware load for rtl_nic/rtl8168h-2.fw "
                           "failed with error -2\n"
                           "<4>[    1.1] r8169 0000:02:00.0: Direct firmware load for rtl_nic/rtl8168h-2.fw "
                           "failed with error -2\n"
                           "<3>[    1.2] tg3 0000:03:00.0: firmware: failed to load tigon/tg3.bin (-2)\n"
                           "<6>[    1.3] x: Direct firmware load for bad.fw failed with error -22\n"
                           "<6>[    1.4] y: Falling back to sysfs fallback for: e100/d101m_ucode.bin\n"
                           "<6>[    1.5] z: Direct firmware load for \n"
                           "failed with error -2\n"
                           "<6>[    1.6] Direct firmware load for no-end");
    cleanup_machine struct machine m = told(0);
    assert_int_equal(m.missing_firmware.n, 3);
    assert_string_equal(m.missing_firmware.items[0], "rtl_nic/rtl8168h-2.fw");
    assert_string_equal(m.missing_firmware.items[1], "tigon/tg3.bin");
    assert_string_equal(m.missing_firmware.items[2], "e100/d101m_ucode.bin");
    for (int i = 0; i < 100; i++) {
        char line[100];
        snprintf(line, sizeof(line), "Direct firmware load for f%d failed with error -2", i);
        inventory_add_firmware(&inventory, line);
    }
    assert_int_equal(inventory.firmware_count, INVENTORY_FIRMWARE);
    assert_true(inventory.incomplete);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_machine), TEST(nothing_there), TEST(twins),  TEST(virtual_functions), TEST(odd_trees),
        TEST(too_many),      TEST(too_long),      TEST(levels), TEST(firmware),
    };
    return cmocka_run_group_tests_name("init_inventory", tests, make_folder, remove_folder);
}
