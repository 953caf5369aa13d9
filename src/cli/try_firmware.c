/* The boot paths of `rambox try --firmware`: which virtual firmware each begins with, and which loader the
 * node's profile asks for so that the server takes it (serve/bootpath.h). */
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "cli/try.h"
#include "lab/efi_vars.h"
#include "serve/bootpath.h"

#include <errno.h>

/* The targets are what the same path takes here when dnsmasq, tftpd-hpa and nginx serve it (bench/boot). */
static const struct try_firmware firmwares[] = {
    {"bios", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, NULL, NULL, 4.5, false, 0}, /* the server's choice */
    {"bios-pxelinux", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "pxelinux", NULL, 4.5, false, 0},
    {"bios-lpxelinux", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "lpxelinux", NULL, 4.6, false, 0},
    {"bios-ipxe", NULL, LAB_FIRMWARE_BIOS, LAB_METHOD_PXE, "ipxe", NULL, 4.1, false, 0},
    {"uefi-ipxe", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "ipxe", "efi", 12.1, false, 0},
    {"uefi-grub", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "grub", "efi", 10.2, false, 0},
    {"uefi-unified", "uefi-uki", LAB_FIRMWARE_UEFI, LAB_METHOD_PXE, "unified", "efi", 10.4, false, 0},
    {"uefi-http", "uefi-http-unified", LAB_FIRMWARE_UEFI, LAB_METHOD_HTTP, "unified", "efi", 10.3, false, 0},
    {"uefi-http-ipxe", NULL, LAB_FIRMWARE_UEFI, LAB_METHOD_HTTP, "ipxe", "efi", 0, false, 0},
    {"secureboot", "uefi-shim", LAB_FIRMWARE_SECURE, LAB_METHOD_PXE, "shim", "cloud", 0, false, 512},
    {"secureboot-own", NULL, LAB_FIRMWARE_SECURE, LAB_METHOD_HTTP, "unified", "efi", 0, true, 0},
    {"arm64-pxe", "arm64-unified", LAB_FIRMWARE_ARM64, LAB_METHOD_PXE, "unified", NULL, 0, false, 0},
    {"arm64-http", "arm64", LAB_FIRMWARE_ARM64, LAB_METHOD_HTTP, "unified", NULL, 0, false, 0},
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

static bool names_path(const struct try_firmware *f, const struct boot_path *path)
{
    return str_eq(path->name, f->name) || str_eq(path->name, f->alias);
}

int try_firmware_check(struct try *t, const struct site *site)
{
    const struct try_firmware *f = t->options.firmware;
    unsigned found = bootfile_found_here(site->server.loader_dir);
    int r = 0;
    for (const struct boot_path *path = boot_paths; path->name; path++)
        if (names_path(f, path) && path->program != PROGRAM_NONE && !(found >> path->program & 1)) {
            const struct boot_program_row *program = &boot_programs[path->program];
            diag_error(&t->diags, NULL, "%s is missing, which %s boots by: install the package %s",
                       program->file, f->name, program->package);
            r = -ENOENT;
        }
    return r;
}

/* A key and a certificate of our own, for a site that has none. They are kept, since what they signed is. */
static int make_key(struct try *t, const char *key, const char *certificate)
{
    const char *const argv[] = {"openssl", "req",   "-x509", "-newkey",   "rsa:2048",
                                "-nodes",  "-days", "36500", "-subj",     "/CN=rambox try",
                                "-keyout", key,     "-out",  certificate, NULL};
    cleanup_free char *output = NULL;
    if (file_exists(key) && file_exists(certificate))
        return 0;
    int r = process_output(argv, &output);
    if (r == 0)
        return 0;
    if (r == -ENOENT)
        diag_error(&t->diags, NULL,
                   "there is no program openssl, which makes the key: install the package openssl");
    else
        diag_error(&t->diags, NULL, "openssl made no key for Secure Boot: %s",
                   output ? output : strerror(-r));
    return -EIO;
}

/* Shim takes what a site signs beside what the distribution did, as a machine owner's key. */
static int enroll_with_shim(struct try *t, const struct site *site)
{
    const struct lab_firmware_info *info = lab_firmware_info(t->options.firmware->firmware);
    if (t->options.firmware->firmware != LAB_FIRMWARE_SECURE || !site->secure_boot.certificate)
        return 0;
    t->variables = xasprintf("%s/variables.fd", t->folder);
    return lab_vars_enroll(info->variables, t->variables, LAB_TRUST_SHIM, site->secure_boot.certificate,
                           &t->diags);
}

int try_firmware_keys(struct try *t, const struct site *site, char **ret_secure_boot)
{
    if (!t->options.firmware->own_key)
        return enroll_with_shim(t, site);
    cleanup_free char *key = xasprintf("%s/try/secure-boot.key", site->server.cache_dir);
    cleanup_free char *certificate = t->options.own_config
                                         ? xstrdup(site->secure_boot.certificate)
                                         : xasprintf("%s/try/secure-boot.crt", site->server.cache_dir);
    if (!certificate) {
        diag_error(&t->diags, NULL, "%s needs `secure_boot:` in rambox.yaml, a key and its certificate",
                   t->options.firmware->name);
        return -EINVAL;
    }
    int r = t->options.own_config ? 0 : make_key(t, key, certificate);
    /* The store that Microsoft's keys are in has an owner already; OVMF's own is as new. */
    t->variables = xasprintf("%s/variables.fd", t->folder);
    if (r == 0)
        r = lab_vars_enroll(lab_firmware_info(LAB_FIRMWARE_UEFI)->variables, t->variables, LAB_TRUST_OWNER,
                            certificate, &t->diags);
    if (r == 0 && !t->options.own_config)
        *ret_secure_boot = xasprintf("{key: \"%s\", certificate: \"%s\"}", key, certificate);
    return r;
}
