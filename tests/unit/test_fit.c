/* From hardware to drivers to symbols: every form of source, what a list does not tell, which of several
 * drivers, and that no device is lost without a word. The Kconfig side is shown on real trees by
 * tests/boot/kernel-fit. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "fit/fit.h"
#include "fit/known.h"
#include "fit/size.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_text(const char *text, struct hardware *hardware)
{
    cleanup_diags struct diags diags = {0};
    assert_int_equal(hardware_add_text(hardware, "text", text, strlen(text), &diags), 0);
}

/* Row 1: what lspci prints in all its forms becomes the same device. */
static void forms_of_lspci(void **state)
{
    static const struct {
        const char *text, *modalias, *driver;
    } samples[] = {
        {"00:1f.2 SATA controller [0106]: Intel ICH9R [AHCI mode] [8086:2922] (rev 02)\n",
         "pci:v00008086d00002922sv*sd*bc01sc06i01", NULL},
        {"0000:00:1f.2 SATA controller [0106]: Intel [8086:2922] (prog-if 01 [AHCI 1.0])\n"
         "\tSubsystem: Red Hat [1af4:1100]\n\tKernel driver in use: ahci\n\tKernel modules: ahci\n",
         "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", "ahci"},
        {"00:1f.2 0106: 8086:2922 (rev 02)\n", "pci:v00008086d00002922sv*sd*bc01sc06i*", NULL},
        {"00:1f.2 Class 0106: Device 8086:2922\n", "pci:v00008086d00002922sv*sd*bc01sc06i*", NULL},
        {"  00:1f.2 SATA controller [0106]: Intel [8086:2922]\n", "pci:v00008086d00002922sv*sd*bc01sc06i*",
         NULL},
        {"Slot:\t00:1f.2\nClass:\tSATA controller [0106]\nVendor:\tIntel [8086]\nDevice:\tICH9R [2922]\n"
         "SVendor:\tRed Hat [1af4]\nSDevice:\tQEMU [1100]\nProgIf:\t01\nDriver:\tahci\n",
         "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", "ahci"},
        {"Slot:\t00:1f.2\nClass:\t0106\nVendor:\t8086\nDevice:\t2922\n",
         "pci:v00008086d00002922sv*sd*bc01sc06i*", NULL},
        {"Slot:\t00:02.0\nClass:\tPCI bridge [0604]\nVendor:\tIntel Corporation [8086]\n"
         "Device:\t5520/5500/X58 I/O Hub PCI Express Root Port 1 [3408]\n",
         "pci:v00008086d00003408sv*sd*bc06sc04i*", NULL},
        {"00:1f.2 SATA controller: Intel ICH9R\n\tKernel driver in use: ahci\n", NULL, "ahci"},
        {"00:02.0 Bridge [0604]: A [name] with [brackets] [8086:1901]\n",
         "pci:v00008086d00001901sv*sd*bc06sc04i*", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        cleanup_hardware struct hardware hardware = {0};
        read_text(samples[i].text, &hardware);
        assert_int_equal(hardware.devices.n, 1);
        const struct device *d = hardware.devices.items;
        if (samples[i].modalias)
            assert_string_equal(d->modalias, samples[i].modalias);
        else
            assert_null(d->modalias);
        if (samples[i].driver)
            assert_string_equal(d->driver, samples[i].driver);
        assert_true(str_ends(d->where, "00:1f.2") || str_eq(d->where, "00:02.0"));
    }
}

/* Row 1: the other forms, and that a class of machines is the union. */
static void other_forms(void **state)
{
    cleanup_hardware struct hardware hardware = {0};
    read_text("# mine\nacpi:PNP0C0F:\nMODALIAS=virtio:d00000001v00001AF4\n"
              "/sys/devices/x/modalias:acpi:LNXPWRBN:\nacpi:PNP0C0F:\n",
              &hardware);
    assert_int_equal(hardware.devices.n, 3);
    read_text("Module                  Size  Used by\ne1000e                156693  0\nmei 1 2 e1000e\n",
              &hardware);
    assert_int_equal(hardware.devices.n, 5);
    assert_string_equal(hardware.devices.items[3].driver, "e1000e");
    read_text("{\"node\": {\"modaliases\": [\"acpi:PNP0C0F:\", \"acpi:PNP0501:\"]},"
              " \"devices\": [{\"modalias\": \"virtio:d00000001v00001AF4\", \"driver\": \"virtio_net\"}]}",
              &hardware);
    assert_int_equal(hardware.devices.n, 6);
    assert_string_equal(hardware.devices.items[1].driver, "virtio_net"); /* learned from the second source */
    assert_int_equal(hardware.sources.n, 3);
}

/* Row 3: what a node reports, as it was sent and as `rambox hardware show --json` prints it: the same
 * devices. */
static void reports_of_nodes(void **state)
{
#define REPORTED                                                                                             \
    "\"hardware\": {\"arch\": \"x86_64\", \"efi\": false, \"dmi\": {\"vendor\": \"V\"}, \"devices\": ["      \
    "{\"modalias\": \"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00\", \"where\": "                  \
    "\"pci0000:00/0000:00:02.0\", \"driver\": \"e1000e\"}, {\"modalias\": \"acpi:PNP0C0A:\"}], "             \
    "\"missing_firmware\": [\"a.fw\"]}"
    static const char *const forms[] = {
        "{\"boot\":\"0000000000000042\",\"stages\":[{\"stage\":\"ready\",\"us\":1}],\"facts\":{\"modules\":"
        "0," REPORTED "}}",
        "{\n  \"class\": \"0123456789ab\",\n  \"trials\": [],\n  \"machines\": [{\"name\": \"n1\", " REPORTED
        "}, {\"name\": \"n2\", " REPORTED "}]\n}\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        cleanup_hardware struct hardware hardware = {0};
        read_text(forms[i], &hardware);
        assert_int_equal(hardware.devices.n, 2);
        assert_string_equal(hardware.devices.items[0].driver, "e1000e");
        assert_string_equal(hardware.devices.items[0].where, "pci0000:00/0000:00:02.0");
        assert_string_equal(hardware.devices.items[1].modalias, "acpi:PNP0C0A:");
        assert_non_null(strstr(hardware.sources.items[0], "a report"));
    }
}

static void refused_with_a_word(void **state)
{
    static const struct {
        const char *text, *said;
    } samples[] = {
        {"", "has no hardware in it"},
        {"Dear all,\nmy card does not work\n", "has no hardware in it"},
        {"00:02.0 Ethernet controller: Intel Corporation\n", "names no device with its numbers"},
        {"{\"modaliases\": [", "no JSON"},
        {"{\"other\": []}", "names no device"},
        {"\xff\xfe", "is no text"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        cleanup_diags struct diags diags = {0};
        cleanup_hardware struct hardware hardware = {0};
        int r = hardware_add_text(&hardware, "list", samples[i].text, strlen(samples[i].text), &diags);
        assert_true(r < 0);
        assert_non_null(strstr(diags.list.items[0].text, samples[i].said));
    }
}

/* Row 1: a copied /sys, with and without its links. */
static void folder_like_sys(void **state)
{
    char folder[] = "/tmp/test_fit.XXXXXX";
    cleanup_diags struct diags diags = {0};
    cleanup_hardware struct hardware hardware = {0};
    assert_non_null(mkdtemp(folder));
    cleanup_free char *device = xasprintf("%s/sys/devices/pci0000:00/0000:00:02.0", folder);
    cleanup_free char *modalias = xasprintf("%s/modalias", device);
    cleanup_free char *driver = xasprintf("%s/driver", device);
    cleanup_free char *loop = xasprintf("%s/subsystem", device);
    assert_int_equal(dir_make(device), 0);
    assert_int_equal(file_write_atomic(modalias, "pci:v00008086d000010D3\n", 23, 0644), 0);
    assert_int_equal(symlink("../../../bus/pci/drivers/e1000e", driver), 0);
    assert_int_equal(symlink("..", loop), 0);
    assert_int_equal(hardware_add_source(&hardware, folder, &diags), 0);
    assert_int_equal(hardware.devices.n, 1);
    assert_string_equal(hardware.devices.items[0].modalias, "pci:v00008086d000010D3");
    assert_string_equal(hardware.devices.items[0].driver, "e1000e");
    assert_string_equal(hardware.devices.items[0].where, "0000:00:02.0");
    assert_true(hardware_add_source(&hardware, device, &diags) < 0);
    assert_non_null(strstr(diags.list.items[0].text, "is no folder like /sys"));
    assert_int_equal(dir_remove(folder), 0);
}

/* What a list does not tell may be anything, but only a number. */
static void patterns(void **state)
{
    static const struct {
        const char *pattern, *modalias;
        enum alias_match match;
    } samples[] = {
        {"pci:v00008086d000010D3sv*sd*bc*sc*i*", "pci:v00008086d000010D3sv*sd*bc02sc00i*", ALIAS_YES},
        {"pci:v00008086d000010D3sv*sd*bc*sc*i*", "pci:v00008086d000010D4sv*sd*bc02sc00i*", ALIAS_NO},
        {"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv*sd*bc01sc06i*", ALIAS_MAYBE},
        {"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv*sd*bc01sc06i01", ALIAS_YES},
        {"pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d00002922sv*sd*bc02sc06i*", ALIAS_NO},
        {"pci:v00001102d00000005sv00001102sd*bc*sc*i*", "pci:v00001102d00000005sv*sd*bc04sc01i*",
         ALIAS_MAYBE},
        {"usb:v04A5p3003d0[0-1]*dc*", "usb:v04A5p3003d0100dc00", ALIAS_YES},
        {"usb:v04A5p3003d0[0-1]*dc*", "usb:v04A5p3003d0200dc00", ALIAS_NO},
        {"acpi*:LNXPWRBN:*", "acpi:LNXPWRBN:", ALIAS_YES},
        {"*", "", ALIAS_YES},
        {"", "", ALIAS_YES},
        {"a", "", ALIAS_NO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        if (alias_match(samples[i].pattern, samples[i].modalias) != samples[i].match)
            fail_msg("%s and %s", samples[i].pattern, samples[i].modalias);
}

/* ---- drivers ---- */

static const char catalog_text[] = "kernel 6.1.0-test\n"
                                   "module e1000e drivers/net/ethernet/intel/e1000e/e1000e\n"
                                   "alias pci:v00008086d000010D3sv*sd*bc*sc*i*\n"
                                   "module ahci drivers/ata/ahci\n"
                                   "alias pci:v*d*sv*sd*bc01sc06i01*\n"
                                   "module xhci-pci drivers/usb/host/xhci-pci\n"
                                   "alias pci:v*d*sv*sd*bc0Csc03i30*\n"
                                   "module ehci-pci drivers/usb/host/ehci-pci\n"
                                   "alias pci:v*d*sv*sd*bc0Csc03i20*\n"
                                   "module nouveau drivers/gpu/drm/nouveau/nouveau\n"
                                   "alias pci:v000010DEd*sv*sd*bc03sc*i*\n"
                                   "firmware nvidia/gp106/gr/sw_ctx.bin\n"
                                   "module nvidiafb drivers/video/fbdev/nvidia/nvidiafb\n"
                                   "alias pci:v000010DEd*sv*sd*bc03sc00i00*\n"
                                   "module r8169 drivers/net/ethernet/realtek/r8169\n"
                                   "alias pci:v000010ECd00008168sv*sd*bc*sc*i*\n"
                                   "beside realtek\n"
                                   "module realtek drivers/net/phy/realtek\n"
                                   "module sd_mod drivers/scsi/sd_mod\n"
                                   "alias scsi:t-0x00*\n"
                                   "module usbhid drivers/hid/usbhid/usbhid\n"
                                   "module virtio_pci drivers/virtio/virtio_pci\n"
                                   "alias pci:v00001AF4d*sv*sd*bc*sc*i*\n"
                                   "module virtio_net drivers/net/virtio_net\n"
                                   "alias virtio:d00000001v*\n"
                                   "module lost drivers/nowhere/lost\n"
                                   "alias acpi*:LOST0001:*\n";

/* A tree that has these drivers, but for `lost`. */
static void make_tree(const char *tree)
{
    static const struct {
        const char *folder, *text;
    } files[] = {
        {"drivers", "obj-y += net/ ata/ scsi/\nobj-$(CONFIG_USB_SUPPORT) += usb/\nobj-$(CONFIG_HID) += hid/\n"
                    "obj-y += virtio/ gpu/ video/\n"},
        {"drivers/net", "obj-$(CONFIG_ETHERNET) += ethernet/\nobj-$(CONFIG_PHYLIB) += phy/\n"
                        "obj-$(CONFIG_VIRTIO_NET) += virtio_net.o\n"},
        {"drivers/net/phy", "ifdef CONFIG_PHYLIB\nobj-$(CONFIG_REALTEK_PHY) += realtek.o\nendif\n"},
        {"drivers/net/ethernet",
         "obj-$(CONFIG_NET_VENDOR_INTEL) += \\\n\tintel/\nobj-$(CONFIG_NET_VENDOR_REALTEK) += "
         "realtek/\n"},
        {"drivers/net/ethernet/intel", "obj-$(CONFIG_E1000E) += e1000e/ # PCIe\n"},
        {"drivers/net/ethernet/intel/e1000e", "obj-$(CONFIG_E1000E) += e1000e.o\ne1000e-objs := netdev.o\n"},
        {"drivers/net/ethernet/realtek", "obj-$(CONFIG_R8169) += r8169.o\n"},
        {"drivers/ata", "obj-$(CONFIG_SATA_AHCI) += ahci.o libahci.o\n"},
        {"drivers/scsi", "obj-$(CONFIG_BLK_DEV_SD) += sd_mod.o\n"},
        {"drivers/usb", "obj-$(CONFIG_USB_PCI) += host/\nobj-$(CONFIG_USB_EHCI_HCD) += host/\n"},
        {"drivers/usb/host",
         "obj-$(CONFIG_USB_XHCI_PCI) += xhci-pci.o\nobj-$(CONFIG_USB_EHCI_PCI) += ehci-pci.o\n"},
        {"drivers/hid", "obj-$(CONFIG_USB_HID) += usbhid/\n"},
        {"drivers/hid/usbhid", "obj-$(CONFIG_USB_HID) += usbhid.o\n"},
        {"drivers/virtio", "obj-$(CONFIG_VIRTIO_PCI) += virtio_pci.o\n"},
        {"drivers/gpu", "obj-y += drm/\n"},
        {"drivers/gpu/drm", "obj-$(CONFIG_DRM_NOUVEAU) += nouveau/\n"},
        {"drivers/gpu/drm/nouveau", "obj-$(CONFIG_DRM_NOUVEAU) += nouveau.o\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        cleanup_free char *folder = xasprintf("%s/%s", tree, files[i].folder);
        cleanup_free char *path = xasprintf("%s/Makefile", folder);
        assert_int_equal(dir_make(folder), 0);
        assert_int_equal(file_write_atomic(path, files[i].text, strlen(files[i].text), 0644), 0);
    }
}

struct bed {
    char tree[32];
};

static int setup(void **state)
{
    static struct bed bed;
    snprintf(bed.tree, sizeof(bed.tree), "/tmp/test_fit.XXXXXX");
    assert_non_null(mkdtemp(bed.tree));
    make_tree(bed.tree);
    *state = &bed;
    return 0;
}

static int teardown(void **state)
{
    const struct bed *bed = *state;
    return dir_remove(bed->tree);
}

static void match(const struct bed *bed, const char *text, const char *const *without, struct fit *fit)
{
    const struct fit_options options = {.name = "test", .without = without};
    catalog_parse(catalog_text, &fit->catalog);
    read_text(text, &fit->hardware);
    fit_match(fit, bed->tree, &options);
}

static const struct fit_driver *driver_of(const struct fit *fit, const char *name)
{
    VEC_EACH(d, &fit->drivers)
        if (str_eq(d->name, name))
            return d;
    return NULL;
}

/* Row 1: a module's symbol, and those of the folders on the way to it. */
static void symbols_of_drivers(void **state)
{
    const struct bed *bed = *state;
    struct driver_symbols symbols;
    assert_int_equal(driver_symbols_find(bed->tree, "drivers/net/ethernet/intel/e1000e/e1000e", &symbols), 0);
    assert_string_equal(symbols.symbol, "E1000E");
    assert_int_equal(symbols.gates.n, 2);
    assert_string_equal(symbols.gates.items[0], "NET_VENDOR_INTEL");
    assert_string_equal(symbols.gates.items[1], "ETHERNET");
    driver_symbols_free(&symbols);
    assert_int_equal(driver_symbols_find(bed->tree, "drivers/net/phy/realtek", &symbols), 0);
    assert_string_equal(symbols.symbol, "REALTEK_PHY");
    assert_string_equal(symbols.gates.items[0], "PHYLIB");
    driver_symbols_free(&symbols);
    assert_int_equal(driver_symbols_find(bed->tree, "drivers/usb/host/xhci-pci", &symbols), 0);
    assert_string_equal(symbols.gates.items[0], "USB_PCI|USB_EHCI_HCD"); /* one of them is enough */
    driver_symbols_free(&symbols);
    assert_int_equal(driver_symbols_find(bed->tree, "drivers/nowhere/lost", &symbols), -ENOENT);
}

/* Each device has an outcome, and each outcome but the good one a reason. */
static void outcomes(void **state)
{
    cleanup_fit struct fit fit = {0};
    match(*state,
          "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n" /* driven */
          "pci:v00008086d000029C0sv00001AF4sd00001100bc06sc00i00\n" /* needs none */
          "pci:v00009999d00000001sv00000000sd00000000bcFFsc00i00\n" /* no driver */
          "pci:v000010ECd00008168sv00000000sd00000000bc02sc00i00\n" /* driven, with another beside */
          "acpi:LOST0001:\n"                                        /* a driver, but no symbol */
          "acpi:PNP0501:\n",                                        /* built in */
          NULL, &fit);
    static const enum device_outcome wanted[] = {DEVICE_DRIVEN, DEVICE_ALWAYS, DEVICE_NO_DRIVER,
                                                 DEVICE_DRIVEN, DEVICE_DRIVEN, DEVICE_DRIVEN};
    assert_int_equal(fit.devices.n, ARRAY_SIZE(wanted));
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct fit_device *d = &fit.devices.items[i];
        assert_int_equal(d->outcome, wanted[i]);
        assert_int_equal(d->outcome != DEVICE_DRIVEN, d->reason != NULL);
        assert_int_equal(d->outcome == DEVICE_DRIVEN, d->drivers.n > 0);
    }
    assert_non_null(driver_of(&fit, "lost")->failure); /* what makes the device `not driven` later */
    assert_non_null(strstr(driver_of(&fit, "realtek")->why, "r8169 asks for it"));
    assert_string_equal(driver_of(&fit, "8250_pnp")->symbols.symbol, "SERIAL_8250_PNP");
}

/* Several drivers for one device: the one in use, the particular one, the one that draws; else all, and it is
 * said. */
static void which_driver(void **state)
{
    static const struct {
        const char *text, *drivers;
        bool ambiguous;
    } samples[] = {
        {"00:1d.7 0c03: 8086:27cc\n", "ehci_pci xhci_pci", true},
        {"00:1d.7 USB [0c03]: Intel USB2 EHCI Controller [8086:27cc]\n", "ehci_pci", false},
        {"00:1d.7 USB [0c03]: Intel [8086:27cc]\n\tKernel driver in use: ehci-pci\n", "ehci_pci", false},
        {"00:1d.7 USB [0c03]: Intel [8086:27cc]\n\tKernel modules: xhci_pci\n", "xhci_pci", false},
        {"01:00.0 0300: 10de:1c03\n", "nouveau", false},
        {"01:00.0 VGA [0300]: NVIDIA [10de:1c03]\n\tKernel driver in use: nvidia\n"
         "\tKernel modules: nvidiafb, nouveau\n",
         "nouveau", false},
        {"00:1f.2 0106: 8086:2922\n", "ahci", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        cleanup_fit struct fit fit = {0};
        cleanup_str struct str names = {0};
        match(*state, samples[i].text, NULL, &fit);
        VEC_EACH(index, &fit.devices.items[0].drivers)
            str_printf(&names, "%s%s", names.len ? " " : "", fit.drivers.items[*index].name);
        assert_string_equal(str_text(&names), samples[i].drivers);
        assert_int_equal(fit.devices.items[0].ambiguous, samples[i].ambiguous);
    }
}

/* What a list of PCI devices cannot show: virtio's own bus, disks and keyboards behind controllers. */
static void behind_the_bus(void **state)
{
    cleanup_fit struct fit fit = {0};
    match(*state, "00:02.0 0200: 1af4:1000\n00:1f.2 0106: 8086:2922\n00:14.0 USB [0c03]: xHCI [8086:9d2f]\n",
          NULL, &fit);
    assert_non_null(driver_of(&fit, "virtio_pci"));
    assert_non_null(driver_of(&fit, "virtio_net"));
    assert_non_null(strstr(driver_of(&fit, "sd_mod")->why, "cannot show"));
    assert_non_null(driver_of(&fit, "usbhid"));
    cleanup_fit struct fit whole = {0}; /* a whole list that has no disk: none is added */
    match(*state, "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01\nscsi:t-0x05\n", NULL, &whole);
    assert_null(driver_of(&whole, "sd_mod"));
}

static void kinds_left_out(void **state)
{
    static const char *const graphics[] = {"graphics", NULL};
    cleanup_fit struct fit fit = {0};
    match(*state, "01:00.0 0300: 10de:1c03\n00:19.0 0200: 8086:10d3\n", graphics, &fit);
    assert_int_equal(fit.devices.items[0].outcome, DEVICE_LEFT_OUT);
    assert_non_null(strstr(fit.devices.items[0].reason, "of the kind graphics"));
    assert_int_equal(fit.firmware.n, 0);
    static const char *const network[] = {"network", NULL};
    cleanup_fit struct fit bus = {0}; /* a card on a bus whose driver is of no such kind */
    const struct fit_options options = {.name = "test", .only = network};
    const struct bed *bed = *state;
    catalog_parse(catalog_text, &bus.catalog);
    read_text("00:02.0 0200: 1af4:1000\n00:1f.2 0106: 8086:2922\n", &bus.hardware);
    read_text("acpi:PNP0303:\n", &bus.hardware);
    fit_match(&bus, bed->tree, &options);
    assert_non_null(driver_of(&bus, "virtio_pci"));
    assert_non_null(driver_of(&bus, "virtio_net"));
    assert_null(driver_of(&bus, "ahci"));
    assert_null(driver_of(&bus, "atkbd"));
    assert_string_equal(driver_kind("drivers/net/wireless/ath/ath9k/ath9k"), "wireless");
    assert_string_equal(driver_kind("drivers/net/virtio_net"), "network");
}

/* The fragment: every symbol with its reason, the devices, and what has no line. Nothing in it breaks a line.
 */
static void fragment_for_people(void **state)
{
    cleanup_fit struct fit fit = {0};
    cleanup_str struct str text = {0};
    cleanup_fragments struct fragments fragments = {0};
    cleanup_diags struct diags diags = {0};
    const struct fit_options options = {.name = "test"};
    match(*state,
          "00:19.0 Ethernet controller [0200]: Intel [8086:10d3]\n01:00.0 VGA [0300]: x [10de:1c03]\n"
          "00:00.0 0600: 8086:29c0\n02:00.0 ff00: 9999:0001\n",
          NULL, &fit);
    fit.base = xstrdup("base");
    fit.source = xstrdup("linux-source-6.1");
    resolution_parse(
        "noise\n@set\tETHERNET\ty\tE1000E\tE1000E\tdepends\tEthernet driver support\n"
        "@set\tE1000E\ty\tE1000E\tE1000E\twanted\tIntel PCIe\n@set\tSLOW\tn\tE1000E\tE1000E\toff\t\n",
        &fit.resolution);
    fit_write(&fit, &options, &text);
    static const char *const parts[] = {
        "# e1000e\n#   Ethernet controller [0200]: Intel [8086:10d3] (00:19.0)\n"
        "# ETHERNET: E1000E depends on it (Ethernet driver support)\nCONFIG_ETHERNET=y\n"
        "# E1000E: the driver itself (Intel PCIe)\nCONFIG_E1000E=y\n",
        "# SLOW: E1000E cannot be beside it\n# CONFIG_SLOW is not set\n",
        "# No driver is known\n#   ff00: 9999:0001 (02:00.0): 6.1.0-test has no driver for it\n",
        "# In need of no driver of its own\n#   0600: 8086:29c0 (00:00.0): a host bridge",
        "#   - {path: /lib/firmware/nvidia/gp106/gr/sw_ctx.bin, from: ",
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (!strstr(str_text(&text), parts[i]))
            fail_msg("not there: %s\nin:\n%s", parts[i], str_text(&text));
    assert_int_equal(fragments_add_text(&fragments, "test", str_text(&text), &diags), 0);
    assert_int_equal(fragments.list.n, 3);
}

/* A report is of others: what it calls a device is a comment, and asks for nothing. */
static void names_ask_for_nothing(void **state)
{
    cleanup_fit struct fit fit = {0};
    cleanup_str struct str text = {0};
    cleanup_fragments struct fragments fragments = {0};
    cleanup_diags struct diags diags = {0};
    const struct fit_options options = {.name = "test"};
    match(*state,
          "{\"devices\": [{\"modalias\": \"pci:v00008086d000010D3sv*sd*bc02sc00i*\", "
          "\"label\": \"a\\nCONFIG_A=y\", \"where\": \"b\\nCONFIG_B=y\"}, "
          "{\"modalias\": \"pci:v00009999d00000001sv*sd*bcFFsc00i*\", \"driver\": \"c\\rd\\nCONFIG_C=y\"}]}",
          NULL, &fit);
    hardware_add_note(&fit.hardware, xstrdup("a\nCONFIG_D=y"));
    fit_write(&fit, &options, &text);
    assert_non_null(strstr(str_text(&text), "c d CONFIG_C=y, which drives it there, is no module"));
    assert_int_equal(fragments_add_text(&fragments, "test", str_text(&text), &diags), 0);
    assert_int_equal(fragments.list.n, 0);
}

/* What a tree's Kconfig is read with is kept for the next time, and is the user's whole environment. The tree
 * here has no Kconfig: what comes after fails. */
static void environment_is_kept_private(void **state)
{
    const struct bed *bed = *state;
    cleanup_free char *makefile = xasprintf("%s/Makefile", bed->tree), *out = xasprintf("%s/out", bed->tree),
                      *log = xasprintf("%s/log", bed->tree), *kept = xasprintf("%s/kconfig.env", out),
                      *text = NULL;
    static const char rule[] = "allnoconfig:\n\t@cd $(O) && : conf $(KBUILD_KCONFIG)\n";
    const char *share = getenv("RAMBOX_SHARE");
    cleanup_diags struct diags diags = {0};
    cleanup_fragments struct fragments none = {0};
    const struct build_env env = {.share_dir = share ? share : "share", .diags = &diags};
    const struct kbuild b = {.label = "test", .out = out, .tree = {.tree = bed->tree}, .log = log};
    struct resolution resolution;
    struct stat st;
    size_t size;
    assert_int_equal(dir_make(out), 0);
    assert_int_equal(file_write_atomic(kept, "", 0, 0644), 0); /* of an earlier version */
    assert_int_equal(file_write_atomic(makefile, rule, strlen(rule), 0644), 0);
    assert_int_equal(setenv("RAMBOX_TEST_SECRET", "swordfish", 1), 0);
    assert_true(resolve(&b, &env, &none, (const char *const[]){"X", NULL}, &resolution) < 0);
    assert_int_equal(unsetenv("RAMBOX_TEST_SECRET"), 0);
    assert_int_equal(file_read(kept, 1 << 20, &text, &size), 0);
    assert_non_null(memmem(text, size, "RAMBOX_TEST_SECRET=swordfish", 28));
    assert_int_equal(stat(kept, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* `kernel size`: what size prints, by folder. */
static void sizes_by_folder(void **state)
{
    cleanup_kernel_size struct kernel_size size = {0};
    assert_int_equal(
        kernel_size_add_line(&size, "   text\t   data\t    bss\t    dec\t    hex\tfilename", "/b", 2),
        -EINVAL);
    assert_int_equal(
        kernel_size_add_line(&size, "   100\t  20\t   3\t    123\t     7b\t/b/net/ipv4/tcp.o", "/b", 2), 0);
    assert_int_equal(
        kernel_size_add_line(&size, "   1\t  0\t   0\t  1\t  1\t/b/net/ipv4/netfilter/x.o", "/b", 2), 0);
    assert_int_equal(kernel_size_add_line(&size, "   7\t  0\t   0\t  7\t  7\t/b/mm/slab.o", "/b", 2), 0);
    assert_int_equal(size.parts.n, 2);
    assert_string_equal(size.parts.items[0].folder, "net/ipv4");
    assert_int_equal(size.parts.items[0].bytes, 121);
    assert_int_equal(size.parts.items[0].zeroed, 3);
    assert_string_equal(size.parts.items[1].folder, "mm");
    assert_int_equal(size.bytes, 128);
}

/* The objects that a kernel was linked of; one that is cut makes no smaller kernel. */
static void sizes_of_a_folder(void **state)
{
    const struct bed *bed = *state;
    cleanup_free char *folder = xasprintf("%s/built", bed->tree),
                      *image = xasprintf("%s/arch/x86/boot", folder);
    cleanup_free char *command =
        xasprintf("cd %s && mkdir -p net mm && echo '.long 1, 2' >a.s && "
                  "gcc -c a.s -o net/a.o && gcc -c a.s -o mm/b.o && "
                  "ar rcsT vmlinux.a net/a.o mm/b.o && echo kernel >arch/x86/boot/bzImage",
                  folder);
    cleanup_free char *object = xasprintf("%s/mm/b.o", folder);
    cleanup_diags struct diags diags = {0};
    struct kernel_size size;
    assert_int_equal(dir_make(image), 0);
    assert_int_equal(system(command), 0);
    assert_int_equal(kernel_size_read(folder, 1, &diags, &size), 0);
    assert_int_equal(size.parts.n, 2);
    assert_int_equal(size.bytes, 16);
    assert_int_equal(size.image, 7);
    kernel_size_free(&size);
    assert_int_equal(truncate(object, 8), 0);
    assert_int_equal(kernel_size_read(folder, 1, &diags, &size), -EINVAL);
    assert_non_null(strstr(diags.list.items[0].text, "size failed with status"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_lspci),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(reports_of_nodes),
        cmocka_unit_test(refused_with_a_word),
        cmocka_unit_test(folder_like_sys),
        cmocka_unit_test(patterns),
        cmocka_unit_test(symbols_of_drivers),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(which_driver),
        cmocka_unit_test(behind_the_bus),
        cmocka_unit_test(kinds_left_out),
        cmocka_unit_test(fragment_for_people),
        cmocka_unit_test(sizes_by_folder),
        cmocka_unit_test(names_ask_for_nothing),
        cmocka_unit_test(environment_is_kept_private),
        cmocka_unit_test(sizes_of_a_folder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
