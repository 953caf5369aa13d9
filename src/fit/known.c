/* See fit/known.h. */
#include "fit/known.h"
#include "base/str.h"
#include "fit/alias.h"

/* The first that matches counts. */
static const struct known_device known[] = {
    /* PCI, by class (PCI Code and ID Assignment Specification) */
    {"pci:v*d*sv*sd*bc06sc00i*", NULL, NULL, "a host bridge, which the PCI core knows", 0},
    {"pci:v*d*sv*sd*bc06sc04i*", "pcieport", "PCIEPORTBUS", "a bridge; its port services are built in", 1},
    {"pci:v*d*sv*sd*bc06sc*i*", NULL, NULL, "a bridge, which the PCI core knows", 0},
    {"pci:v*d*sv*sd*bc05sc*i*", NULL, NULL, "memory, which nothing drives", 0},
    {"pci:v*d*sv*sd*bc08sc00i*", NULL, NULL, "an interrupt controller, which ACPI describes", 0},
    {"pci:v*d*sv*sd*bc08sc06i*", NULL, NULL, "an IOMMU, which ACPI describes", 0},
    {"pci:v*d*sv*sd*bc07sc00i*", "8250_pci", "SERIAL_8250 SERIAL_8250_PCI", "a serial port, built in", 0},
    /* ACPI and PNP: a node has both forms */
    {"acpi*:PNP0A0[38]:*", NULL, NULL, "the root of PCI, which ACPI knows", 0},
    {"acpi*:PNP0A0[56]:*", NULL, NULL, "a container of ACPI", 0},
    {"acpi*:PNP0C0[12]:*", NULL, NULL, "reserved resources of the mainboard", 0},
    {"acpi*:PNP0C0F:*", NULL, NULL, "an interrupt link, which ACPI knows", 0},
    {"acpi*:PNP0C09:*", NULL, NULL, "the embedded controller, which ACPI knows", 0},
    {"acpi*:PNP0C04:*", NULL, NULL, "the coprocessor", 0},
    {"acpi*:PNP0C80:*", NULL, NULL, "memory", 0},
    {"acpi*:PNP0000:*", NULL, NULL, "the interrupt controller", 0},
    {"acpi*:PNP0100:*", NULL, NULL, "the timer", 0},
    {"acpi*:PNP0103:*", NULL, NULL, "the high precision timer, which ACPI's tables describe", 0},
    {"acpi*:PNP0200:*", NULL, NULL, "the DMA controller", 0},
    {"acpi*:PNP0800:*", NULL, NULL, "the speaker", 0},
    {"acpi*:PNP0303:*", "atkbd", "SERIO SERIO_I8042 INPUT_KEYBOARD KEYBOARD_ATKBD", "a keyboard, built in",
     0},
    {"acpi*:PNP030B:*", "atkbd", "SERIO SERIO_I8042 INPUT_KEYBOARD KEYBOARD_ATKBD", "a keyboard, built in",
     0},
    {"acpi*:PNP0F*", "psmouse", "SERIO SERIO_I8042 INPUT_MOUSE MOUSE_PS2", "a mouse", 0},
    {"acpi*:PNP050[01]:*", "8250_pnp", "SERIAL_8250 SERIAL_8250_PNP", "a serial port, built in", 0},
    {"acpi*:PNP0B0[0-2]:*", "rtc_cmos", "RTC_CLASS RTC_DRV_CMOS", "the clock, built in", 0},
    {"acpi*:PNP0700:*", NULL, NULL, "a floppy controller; its driver is loaded by hand only", 0},
    {"acpi*:ACPI0007:*", "processor", "ACPI_PROCESSOR", "a processor's power states, built in", 0},
    {"acpi*:LNXCPU:*", "processor", "ACPI_PROCESSOR", "a processor's power states, built in", 0},
    {"acpi*:ACPI0010:*", NULL, NULL, "a container of processors", 0},
    {"acpi*:LNXSY*", NULL, NULL, "ACPI's own root", 0},
    {"acpi*:LNXPOWER:*", NULL, NULL, "a power resource, which ACPI knows", 0},
    {"acpi*:device:*", NULL, NULL, "a device of ACPI's tables without a name", 0},
    {"pnp:dPNP*", NULL, NULL, "the same device in the form of PNP", 0},
    {"pnp:d*", NULL, NULL, "a device of the mainboard that PNP describes", 0},
    /* what the kernel makes itself */
    {"platform:i8042", "i8042", "SERIO SERIO_I8042", "the keyboard's controller, built in", 0},
    {"platform:rtc_cmos", "rtc_cmos", "RTC_CLASS RTC_DRV_CMOS", "the clock, built in", 0},
    {"platform:serial8250", "8250", "SERIAL_8250", "serial ports, built in", 0},
    {"platform:*", NULL, NULL, "a device that some driver or the kernel itself makes", 0},
    {"serio:ty01*", "psmouse", "INPUT_MOUSE MOUSE_PS2", "a mouse", 0},
    {"serio:ty06*", "atkbd", "INPUT_KEYBOARD KEYBOARD_ATKBD", "a keyboard, built in", 1},
    {"serio:*", NULL, NULL, "a port that the keyboard's controller leaves unused", 0},
    {"usb:v*p*d*dc09*", NULL, NULL, "a hub, which the USB core knows", 1},
    {"usb:v*ic09isc*", NULL, NULL, "a hub, which the USB core knows", 1},
    {"cpu:*", NULL, NULL, "the processor", 0},
    {"dmi:*", NULL, NULL, "the name of the machine", 0},
    {"input:*", NULL, NULL, "an input device, which its driver makes", 0},
    {"hdaudio:*", NULL, NULL, "a part of the sound card", 0},
    {"scsi:*", NULL, NULL, "a SCSI device that no driver is for", 0},
    {"memory:*", NULL, NULL, "memory", 0},
    {"of:*", NULL, NULL, "a device that firmware describes for others", 0},
    {"mdio:*", NULL, NULL, "a network transceiver; the generic driver is built in", 0},
    {"wmi:*", NULL, NULL, "a function of the firmware", 0},
};

const struct known_device pci_workarounds = {
    .driver = "workarounds",
    .symbols = "DMI PCI_QUIRKS",
    .why = "devices on PCI count on what is done there for faults of theirs and of machines",
};

const struct known_device *known_device(const char *modalias, int first)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if ((!first || known[i].first) && alias_match(known[i].pattern, modalias) == ALIAS_YES)
            return &known[i];
    return NULL;
}

/* The first prefix that matches counts. */
static const struct {
    const char *prefix, *kind;
} kinds[] = {
    {"drivers/virtio/", "bus"}, /* no virtio device works without */
    {"sound/", "sound"},
    {"drivers/soundwire/", "sound"},
    {"drivers/gpu/", "graphics"},
    {"drivers/video/", "graphics"},
    {"drivers/net/wireless/", "wireless"},
    {"drivers/bluetooth/", "bluetooth"},
    {"net/bluetooth/", "bluetooth"},
    {"drivers/media/", "media"},
    {"drivers/net/", "network"},
    {"drivers/infiniband/", "network"},
    {"drivers/ata/", "storage"},
    {"drivers/scsi/", "storage"},
    {"drivers/nvme/", "storage"},
    {"drivers/block/", "storage"},
    {"drivers/mmc/", "storage"},
    {"drivers/memstick/", "storage"},
    {"drivers/message/", "storage"},
    {"drivers/cdrom/", "storage"},
    {"drivers/usb/", "usb"},
    {"drivers/input/", "input"},
    {"drivers/hid/", "input"},
    {"drivers/watchdog/", "watchdog"},
    {"drivers/hwmon/", "sensors"},
    {"drivers/i2c/", "sensors"},
    {"drivers/edac/", "errors"},
    {"arch/x86/kvm/", "virtualization"},
    {"arch/x86/crypto/", "crypto"},
    {"crypto/", "crypto"},
    {"drivers/crypto/", "crypto"},
};

const char *const driver_kinds[] = {
    "network",   "wireless", "storage", "usb",    "input",          "graphics", "sound",    "media",
    "bluetooth", "watchdog", "sensors", "errors", "virtualization", "crypto",   "platform", NULL};

const char *driver_kind(const char *object)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_starts(object, kinds[i].prefix))
            return kinds[i].kind;
    return "platform";
}

const struct behind_bus behind_buses[] = {
    {"drivers/ata/", "scsi:", "sd_mod", "disks behind the controller, which the source cannot show"},
    {"drivers/scsi/", "scsi:", "sd_mod", "disks behind the controller, which the source cannot show"},
    {"drivers/message/", "scsi:", "sd_mod", "disks behind the controller, which the source cannot show"},
    {"drivers/usb/host/", "usb:", "usbhid", "keyboards behind the controller, which the source cannot show"},
    {"drivers/usb/host/", "usb:", "hid_generic",
     "keyboards behind the controller, which the source cannot show"},
    {"drivers/mmc/host/", "mmc:", "mmc_block", "cards behind the controller, which the source cannot show"},
    {0},
};
