/* See lab/firmware.h. */
#include "lab/firmware.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define STORE_MAX (64u << 20) /* bytes; the largest store here is 64 MiB (AAVMF) */

/* The variable store is protected by the processor's system management mode, or Secure Boot means nothing. */
static const char *const secure_words[] = {"-global", "driver=cfi.pflash01,property=secure,value=on", NULL};

static const struct lab_firmware_info firmwares[LAB_FIRMWARES] = {
    [LAB_FIRMWARE_BIOS] = {.word = "bios",
                           .name = "SeaBIOS",
                           .program = "qemu-system-x86_64",
                           .program_package = "qemu-system-x86",
                           /* graphics=off makes SeaBIOS and what it runs write on the serial port too, so
                              that the console shows the boot from its first line. */
                           .machine = "pc,graphics=off",
                           .console = "ttyS0",
                           .memory = 64u << 20},
    [LAB_FIRMWARE_UEFI] = {.word = "uefi",
                           .name = "OVMF",
                           .program = "qemu-system-x86_64",
                           .program_package = "qemu-system-x86",
                           .machine = "pc",
                           .code = "/usr/share/OVMF/OVMF_CODE_4M.fd",
                           .variables = "/usr/share/OVMF/OVMF_VARS_4M.fd",
                           .package = "ovmf",
                           .console = "ttyS0",
                           .memory = 160u << 20},
    [LAB_FIRMWARE_SECURE] = {.word = "secure",
                             .name = "OVMF with Secure Boot",
                             .program = "qemu-system-x86_64",
                             .program_package = "qemu-system-x86",
                             .machine = "q35,smm=on",
                             .code = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
                             .variables = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
                             .package = "ovmf",
                             .extra = secure_words,
                             .console = "ttyS0",
                             .memory = 256u << 20},
    [LAB_FIRMWARE_ARM64] = {.word = "arm64",
                            .name = "AAVMF",
                            .program = "qemu-system-aarch64",
                            .program_package = "qemu-system-arm",
                            .machine = "virt",
                            .cpu = "cortex-a57",
                            .code = "/usr/share/AAVMF/AAVMF_CODE.fd",
                            .variables = "/usr/share/AAVMF/AAVMF_VARS.fd",
                            .package = "qemu-efi-aarch64",
                            .console = "ttyAMA0",
                            .memory = 256u << 20},
};

const struct lab_firmware_info *lab_firmware_info(enum lab_firmware firmware)
{
    return &firmwares[firmware];
}

int lab_firmware_parse(const char *word, enum lab_firmware *ret_firmware)
{
    for (unsigned i = 0; i < LAB_FIRMWARES; i++)
        if (str_eq(word, firmwares[i].word)) {
            *ret_firmware = (enum lab_firmware)i;
            return 0;
        }
    return -EINVAL;
}

static int check_file(const struct lab_firmware_info *info, const char *path, struct diags *diags)
{
    if (!path || file_exists(path))
        return 0;
    diag_error(diags, NULL, "%s is missing, a part of the firmware %s: install the package %s", path,
               info->name, info->package);
    return -ENOENT;
}

int lab_firmware_check(enum lab_firmware firmware, struct diags *diags)
{
    const struct lab_firmware_info *info = &firmwares[firmware];
    cleanup_free char *program = find_program(info->program);
    int r = 0;
    if (!program) {
        diag_error(diags, NULL, "there is no program %s: install the package %s", info->program,
                   info->program_package);
        r = -ENOENT;
    }
    if (check_file(info, info->code, diags) < 0 || check_file(info, info->variables, diags) < 0)
        r = -ENOENT;
    return r;
}

enum lab_accel lab_firmware_accel(enum lab_firmware firmware, enum lab_accel accel)
{
    if (firmware == LAB_FIRMWARE_ARM64 && accel == LAB_ACCEL_AUTO)
        return LAB_ACCEL_TCG;
    return lab_accel_resolve(accel);
}

int lab_firmware_variables(enum lab_firmware firmware, const char *store, struct diags *diags, int *ret_fd)
{
    cleanup_free char *data = NULL;
    size_t size = 0;
    const char *path = store ? store : firmwares[firmware].variables;
    if (!path) {
        *ret_fd = -1;
        return 0;
    }
    int r = file_read(path, STORE_MAX, &data, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the variable store %s", path);
    cleanup_close int fd = memfd_create("variables", MFD_CLOEXEC);
    r = fd < 0 ? -errno : write_all(fd, data, size);
    if (r < 0)
        return diag_errno(diags, r, "cannot make a variable store");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* EDK2 has four ways to boot from a card, in this order: PXE and HTTP, by IPv4 and IPv6 each. PXE's can be
 * switched off from outside; HTTP by IPv4 is next then. */
#define FW_CFG(name, value) "-fw_cfg", "name=opt/org.tianocore/" name ",string=" value
static const char *const no_words[] = {NULL};
static const char *const pxe_words[] = {FW_CFG("IPv6PXESupport", "n"), NULL};
static const char *const http_words[] = {FW_CFG("IPv4PXESupport", "n"), FW_CFG("IPv6PXESupport", "n"), NULL};

int lab_method_parse(const char *word, enum lab_method *ret_method)
{
    if (!str_eq(word, "pxe") && !str_eq(word, "http"))
        return -EINVAL;
    *ret_method = str_eq(word, "pxe") ? LAB_METHOD_PXE : LAB_METHOD_HTTP;
    return 0;
}

const char *const *lab_method_words(enum lab_firmware firmware, enum lab_method method)
{
    if (firmware == LAB_FIRMWARE_BIOS)
        return no_words;
    return method == LAB_METHOD_HTTP ? http_words : pxe_words;
}
