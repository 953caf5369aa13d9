/* Machines: what a node says of its hardware, and which machines are the same. */
#include "test.h"

#include "base/file.h"
#include "fit/hardware.h"
#include "model/machine.h"

#include <errno.h>
#include <glob.h>

static struct machine machine_of(const char *text)
{
    char error[MACHINE_ERROR_MAX];
    struct machine m = {0};
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    int r = machine_parse(object, &m, error, sizeof(error));
    json_decref(object);
    if (r < 0)
        fail_msg("%s: %s", text, error);
    return m;
}

static void add(struct machine *m, const char *modalias, const char *where, const char *driver)
{
    VEC_PUSH(&m->devices, ((struct machine_device){xstrdup(modalias), xstrdup(where), xstrdup(driver)}));
}

#define NIC  "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00"
#define HOST "pci:v00008086d000029C0sv00001AF4sd00001100bc06sc00i00"
#define DISK "pci:v00008086d0000A0A1sv00008086sd00001100bc01sc08i02"

/* All there is to say comes back as it was. */
static void json_round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "{\"arch\":\"arm64\",\"efi\":true,\"dmi\":{\"vendor\":\"V\",\"product\":\"P\",\"version\":\"1\","
        "\"board\":\"B\",\"bios\":\"2.0\"},\"devices\":[{\"modalias\":\"" NIC
        "\",\"where\":\"pci0000:00/0000:00:03.0\",\"driver\":\"e1000e\"},{\"modalias\":\"" HOST
        "\"}],\"missing_firmware\":[\"a/b.fw\",\"\\u00fc\"],\"incomplete\":true}";
    cleanup_machine struct machine m = machine_of(text),
                                   least = machine_of("{\"arch\":\"amd64\",\"new\":1,"
                                                      "\"devices\":[{\"modalias\":\"a:\"}]}");
    json_t *object = machine_to_json(&m), *small = machine_to_json(&least);
    cleanup_free char *back = json_dumps(object, JSON_COMPACT);
    cleanup_free char *least_back = json_dumps(small, JSON_COMPACT);
    assert_string_equal(
        back, "{\"arch\":\"arm64\",\"efi\":true,\"dmi\":{\"vendor\":\"V\",\"product\":\"P\","
              "\"version\":\"1\",\"board\":\"B\",\"bios\":\"2.0\"},\"devices\":[{\"modalias\":\"" NIC
              "\",\"where\":\"pci0000:00/0000:00:03.0\",\"driver\":\"e1000e\"},{\"modalias\":\"" HOST
              "\"}],\"missing_firmware\":[\"a/b.fw\",\"\xc3\xbc\"],\"incomplete\":true}");
    assert_string_equal(least_back,
                        "{\"arch\":\"x86_64\",\"efi\":false,\"devices\":[{\"modalias\":\"a:\"}]}");
    assert_null(m.devices.items[1].driver);
    json_decref(object);
    json_decref(small);
}

#define DEVICES "\"devices\":[{\"modalias\":\"a:b\"}]"

/* Hostile: what a machine can say wrongly is refused with the field. */
static void wrong_machines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"[]", "expected an object"},
        {"{" DEVICES "}", "arch: expected x86_64 or arm64"},
        {"{\"arch\":\"vax\"," DEVICES "}", "arch: expected x86_64 or arm64"},
        {"{\"arch\":1," DEVICES "}", "arch: expected x86_64 or arm64"},
        {"{\"arch\":\"arm64\",\"efi\":1," DEVICES "}", "efi: expected true or false"},
        {"{\"arch\":\"arm64\",\"incomplete\":null," DEVICES "}", "incomplete: expected true or false"},
        {"{\"arch\":\"arm64\",\"dmi\":[]," DEVICES "}", "dmi: expected an object"},
        {"{\"arch\":\"arm64\",\"dmi\":{\"bios\":\"\\n\"}," DEVICES "}", "dmi.bios: expected up to 255 bytes"},
        {"{\"arch\":\"arm64\",\"dmi\":{\"bios\":{}}," DEVICES "}", "dmi.bios: expected up to 255 bytes"},
        {"{\"arch\":\"arm64\"}", "devices: expected at least one"},
        {"{\"arch\":\"arm64\",\"devices\":[]}", "devices: expected at least one"},
        {"{\"arch\":\"arm64\",\"devices\":{}}", "devices: expected a list of at most 2048 entries"},
        {"{\"arch\":\"arm64\",\"devices\":[1]}", "devices[0]: expected an object"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a:\"},{}]}",
         "devices[1].modalias: expected BUS:IDENT"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a\"}]}",
         "devices[0].modalias: expected BUS:IDENT"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\":a\"}]}",
         "devices[0].modalias: expected BUS:IDENT"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":7}]}", "devices[0].modalias: expected up to 4095"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a:\\u007f\"}]}",
         "devices[0].modalias: expected up to"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a:\",\"where\":\"\\u009b\"}]}",
         "devices[0].where: expected up to 4095 bytes of text without control characters"},
        {"{\"arch\":\"arm64\",\"devices\":[{\"modalias\":\"a:\",\"driver\":[]}]}",
         "devices[0].driver: expected"},
        {"{\"arch\":\"arm64\"," DEVICES ",\"missing_firmware\":7}",
         "missing_firmware: expected a list of at most"},
        {"{\"arch\":\"arm64\"," DEVICES ",\"missing_firmware\":[\"a\",\"\"]}",
         "missing_firmware[1]: expected the name of a file"},
        {"{\"arch\":\"arm64\"," DEVICES ",\"missing_firmware\":[{}]}",
         "missing_firmware[0]: expected up to 255"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char error[MACHINE_ERROR_MAX];
        struct machine m;
        json_t *object = json_loads(rows[i].text, 0, NULL);
        assert_non_null(object);
        int r = machine_parse(object, &m, error, sizeof(error));
        json_decref(object);
        if (r != -EINVAL || !str_starts(error, rows[i].error))
            fail_msg("%s: %d, %s", rows[i].text, r, error);
    }
}

/* Hostile: lists and texts of more than their limit. */
static void limits(void **state)
{
    (void)state;
    static const struct {
        size_t devices, firmware, modalias, driver;
        int result;
    } rows[] = {
        {MACHINE_DEVICES_MAX, MACHINE_FIRMWARE_MAX, MACHINE_TEXT_MAX, MACHINE_NAME_MAX, 0},
        {MACHINE_DEVICES_MAX + 1, 0, 8, 8, -EINVAL},
        {1, MACHINE_FIRMWARE_MAX + 1, 8, 8, -EINVAL},
        {1, 0, MACHINE_TEXT_MAX + 1, 8, -EINVAL},
        {1, 0, 8, MACHINE_NAME_MAX + 1, -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char error[MACHINE_ERROR_MAX], class[MACHINE_CLASS_SIZE];
        cleanup_machine struct machine m = {0}, back = {0};
        for (size_t n = 0; n < rows[i].devices; n++)
            add(&m, "pci:a", NULL, NULL);
        for (size_t n = 0; n < rows[i].firmware; n++)
            VEC_PUSH(&m.missing_firmware, xstrdup("f"));
        struct machine_device *d = m.devices.items;
        free(d->modalias);
        d->modalias = xcalloc(1, rows[i].modalias + 1);
        memset(memcpy(d->modalias, "pci:", 4) + 4, 'x', rows[i].modalias - 4);
        d->driver = xcalloc(1, rows[i].driver + 1);
        memset(d->driver, 'd', rows[i].driver);
        json_t *object = machine_to_json(&m);
        assert_int_equal(machine_parse(object, &back, error, sizeof(error)), rows[i].result);
        if (rows[i].result == 0) {
            machine_class(&back, class);
            assert_true(is_machine_class(class));
        }
        json_decref(object);
    }
}

static void assert_class(const struct machine *m, const struct machine *other, bool same)
{
    char a[MACHINE_CLASS_SIZE], b[MACHINE_CLASS_SIZE];
    machine_class(m, a);
    machine_class(other, b);
    assert_true(is_machine_class(a) && is_machine_class(b));
    assert_int_equal(str_eq(a, b), same);
}

/* A class is of what is on the PCI bus, whatever the kernel drives, DMI says or somebody plugs in. */
static void class_is_of_the_hardware(void **state)
{
    (void)state;
    cleanup_machine struct machine bare = {0}, full = {0}, other = {0}, arm = {0};
    add(&bare, HOST, NULL, NULL);
    add(&bare, NIC, NULL, NULL);
    full.vendor = xstrdup("V");
    full.efi = true;
    VEC_PUSH(&full.missing_firmware, xstrdup("f"));
    add(&full, "cpu:type:x86,ven0000fam0006mod003A:feature:,0000", "system/cpu/cpu0", NULL);
    add(&full, NIC, "pci0000:00/0000:00:03.0", "e1000e");
    add(&full, NIC, "pci0000:00/0000:00:04.0", NULL);
    add(&full, HOST, "pci0000:00/0000:00:00.0", NULL);
    add(&full, "usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00", "pci0000:00/usb1", "usbhid");
    add(&full, "acpi:PNP0C0A:", NULL, NULL);
    add(&full, "virtio:d00000001v00001AF4", "pci0000:00/0000:00:05.0/virtio0", "virtio_net");
    add(&full, DISK, "pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0", "nvme");
    assert_class(&bare, &full, true);
    add(&other, HOST, NULL, NULL);
    assert_class(&bare, &other, false);
    add(&other, DISK, "pci0000:00/0000:00:06.0", NULL);
    assert_class(&bare, &other, false);
    arm.arch = ARCH_ARM64;
    add(&arm, HOST, NULL, NULL);
    add(&arm, NIC, NULL, NULL);
    assert_class(&bare, &arm, false);
}

/* Without PCI: what the tables of the firmware say; without those, all that does not come and go. */
static void class_without_pci(void **state)
{
    (void)state;
    cleanup_machine struct machine tree = {0}, driven = {0}, board = {0}, nothing = {0}, little = {0},
                                   none = {0};
    add(&tree, "of:NethernetT(null)Cvendor,mac", "platform/mac", NULL);
    add(&driven, "platform:something", NULL, "something");
    add(&driven, "of:NethernetT(null)Cvendor,mac", "platform/mac", "mac");
    add(&driven, "virtio:d00000001v554D4551", NULL, "virtio_net");
    assert_class(&tree, &driven, true);
    add(&board, "of:NethernetT(null)Cvendor,mac2", "platform/mac", NULL);
    assert_class(&tree, &board, false);
    add(&little, "virtio:d00000001v554D4551", NULL, NULL);
    add(&little, "usb:v1", NULL, NULL);
    add(&none, "input:b0019", NULL, NULL);
    assert_class(&none, &nothing, true);
    assert_class(&none, &little, false);
}

static void classes(void **state)
{
    (void)state;
    assert_true(is_machine_class("0123456789ab"));
    assert_false(is_machine_class("0123456789a"));
    assert_false(is_machine_class("0123456789abc"));
    assert_false(is_machine_class("0123456789aB"));
    assert_false(is_machine_class(""));
    cleanup_machine struct machine m = {0};
    char class[MACHINE_CLASS_SIZE];
    add(&m, NIC, NULL, NULL);
    machine_class(&m, class);
    assert_string_equal(class, "43e698d7170e"); /* it names files of people: it never changes */
}

static struct machine listed(const char *path)
{
    cleanup_diags struct diags diags = {0};
    cleanup_hardware struct hardware h = {0};
    struct machine m = {0};
    assert_int_equal(hardware_add_source(&h, path, &diags), 0);
    VEC_EACH(device, &h.devices)
        if (device->modalias)
            add(&m, device->modalias, NULL, NULL);
    return m;
}

/* Real machines: each is a class of its own, in whatever order its devices come. */
static void real_machines(void **state)
{
    (void)state;
    cleanup_free char *pattern = xasprintf("%s/../tests/data/hardware/*.lspci*", getenv("RAMBOX_SHARE"));
    char seen[64][MACHINE_CLASS_SIZE];
    size_t n = 0;
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_in_range(found.gl_pathc, 20, 64);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        cleanup_machine struct machine m = listed(found.gl_pathv[i]), reversed = {0};
        if (m.devices.n == 0) /* a list without numbers */
            continue;
        machine_class(&m, seen[n]);
        for (size_t j = m.devices.n; j-- > 0;)
            add(&reversed, m.devices.items[j].modalias, NULL, "driven");
        assert_class(&m, &reversed, true);
        for (size_t j = 0; j < n; j++)
            if (str_eq(seen[n], seen[j]))
                fail_msg("%s is like another", found.gl_pathv[i]);
        n++;
    }
    assert_in_range(n, 15, 64);
    globfree(&found);
}

/* What people call it, with what vendors leave in DMI. */
static void labels(void **state)
{
    (void)state;
    static const struct {
        const char *vendor, *product, *version, *board, *label;
    } rows[] = {
        {"Dell Inc.", "PowerEdge R640", "Not Specified", "0W23H8", "Dell Inc. PowerEdge R640"},
        {"QEMU", "Standard PC (Q35 + ICH9, 2009)", "pc-q35-7.2", NULL, "QEMU Standard PC (Q35 + ICH9, 2009)"},
        {"LENOVO", "20N2S00000", "ThinkPad T490", "20N2S00000", "LENOVO ThinkPad T490"},
        {"LENOVO", "20N2S00000", " ", NULL, "LENOVO 20N2S00000"},
        {"HP", "HP EliteDesk 800 G4", NULL, NULL, "HP EliteDesk 800 G4"},
        {"Supermicro", "Super Server", "0123456789", "X11SSH-F", "Supermicro Super Server"},
        {"To Be Filled By O.E.M.", "To Be Filled By O.E.M.", NULL, "B450M Pro4", "B450M Pro4"},
        {"ASUS", "System Product Name", "System Version", "PRIME B450", "ASUS PRIME B450"},
        {"Default string", "Default string", NULL, "Default string", "no name"},
        {"Intel", NULL, NULL, NULL, "Intel"},
        {NULL, "x", NULL, NULL, "no name"},
        {NULL, NULL, NULL, NULL, "no name"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cleanup_machine struct machine m = {.vendor = xstrdup(rows[i].vendor),
                                            .product = xstrdup(rows[i].product),
                                            .version = xstrdup(rows[i].version),
                                            .board = xstrdup(rows[i].board)};
        cleanup_str struct str label = {0};
        machine_label(&m, &label);
        assert_string_equal(str_text(&label), rows[i].label);
    }
    char cut[5];
    cleanup_machine struct machine m = {.vendor = xstrdup("abc\xc3\xbc")};
    assert_string_equal(machine_label_cut(&m, cut, sizeof(cut)), "abc");
}

/* What counts as a device without a driver. */
static void driven(void **state)
{
    (void)state;
    static const struct {
        const char *modalias;
        enum machine_driven driven;
        bool counts;
    } rows[] = {
        {NIC, MACHINE_UNDRIVEN, true},
        {HOST, MACHINE_NEEDS_NONE, true},
        {"pci:v1d1sv1sd1bc08sc80i00", MACHINE_UNDRIVEN, true},
        {"pci:v1d1sv1sd1bc08sc00i20", MACHINE_NEEDS_NONE, true},
        {"pci:v1d1sv1sd1bc08sc0", MACHINE_UNDRIVEN, true},
        {"pci:v1d1sv1sd1bc08sc05i01", MACHINE_UNDRIVEN, true},
        {"pci:v1d1sv1sd1bc0Bsc40i00", MACHINE_NEEDS_NONE, true},
        {"pci:", MACHINE_UNDRIVEN, true},
        {"pci:bc", MACHINE_UNDRIVEN, true},
        {"pcix:v", MACHINE_NEEDS_NONE, false},
        {"usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00", MACHINE_UNDRIVEN, true},
        {"virtio:d00000001v00001AF4", MACHINE_UNDRIVEN, true},
        {"acpi:PNP0C0A:", MACHINE_NEEDS_NONE, false},
        {"cpu:type:x86", MACHINE_NEEDS_NONE, false},
    };
    cleanup_machine struct machine m = {0};
    unsigned devices = 0, undriven = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        add(&m, rows[i].modalias, NULL, NULL);
        struct machine_device *d = &m.devices.items[i];
        if (machine_device_driven(d) != rows[i].driven || machine_device_counts(d) != rows[i].counts)
            fail_msg("%s", rows[i].modalias);
        devices += rows[i].counts;
        undriven += rows[i].driven == MACHINE_UNDRIVEN;
    }
    add(&m, NIC, NULL, "e1000e");
    struct machine_counts counts = machine_count(&m);
    assert_int_equal(counts.devices, devices + 1);
    assert_int_equal(counts.undriven, undriven);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(wrong_machines),
        cmocka_unit_test(limits),
        cmocka_unit_test(class_is_of_the_hardware),
        cmocka_unit_test(class_without_pci),
        cmocka_unit_test(classes),
        cmocka_unit_test(real_machines),
        cmocka_unit_test(labels),
        cmocka_unit_test(driven),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
