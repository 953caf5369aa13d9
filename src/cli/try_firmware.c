/* The boot paths of `rambox try --firmware`: which virtual firmware each begins with, and which loader the
 * node's profile asks for so that the server takes it (serve/bootpath.h). */
#include "base/str.h"
#include "cli/try.h"

#include <errno.h>

/* The targets are what the same path takes here when dnsmasq, tftpd-hpa and nginx serve it (bench/boot). */
static const struct try_firmware firmwares[] = {
    {"bios", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, NULL, NULL, 4.5,
     "SeaBIOS, its card's iPXE ROM, and what the server finds best for it"},
    {"bios-pxelinux", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "pxelinux", NULL, 4.5,
     "the same, and PXELINUX by TFTP"},
    {"bios-lpxelinux", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "lpxelinux", NULL, 4.6,
     "the same, and PXELINUX that goes on by HTTP"},
    {"bios-ipxe", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "ipxe", NULL, 4.1,
     "the same, and a script for iPXE by HTTP"},
    {"uefi-ipxe", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "ipxe", "efi", 12.1,
     "OVMF, and iPXE by TFTP, which goes on by HTTP"},
    {"uefi-grub", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "grub", "efi", 10.2,
     "OVMF, and GRUB by TFTP, which goes on by HTTP"},
    {"uefi-unified", "uefi-uki", LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "unified", "efi", 10.4,
     "OVMF, and the unified kernel image by TFTP"},
    {"uefi-http", "uefi-http-unified", LAB_FIRMWARE_UEFI, LAB_METHOD_HTTP, "unified", "efi", 10.3,
     "OVMF, and the unified kernel image by HTTP boot"},
    {"uefi-http-ipxe", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_HTTP, "ipxe", "efi", 0,
     "OVMF, and iPXE by HTTP boot"},
    {"arm64-pxe", "arm64-unified", LAB_FIRMWARE_ARM64, LAB_METHOD_PXE, "unified", NULL, 0,
     "AAVMF on an arm64 machine, and the unified kernel image by TFTP"},
    {"arm64-http", "arm64", LAB_FIRMWARE_ARM64, LAB_METHOD_HTTP, "unified", NULL, 0,
     "AAVMF on an arm64 machine, and the unified kernel image by HTTP boot"},
    {0},
};

const struct try_firmware *try_firmware_default(void)
{
    return &firmwares[0];
}

const struct try_firmware *try_firmware_named(const char *name)
{
    for (const struct try_firmware *f = firmwares; f->name; f++)
        if (str_eq(name, f->name) || str_eq(name, f->alias))
            return f;
    return NULL;
}

char *try_firmware_names(void)
{
    struct str names = {0};
    for (const struct try_firmware *f = firmwares; f->name; f++)
        str_printf(&names, "%s%s", f == firmwares ? "" : f[1].name ? ", " : " or ", f->name);
    return str_steal(&names);
}
