/* See serve/bootpath.h. */
#include "serve/bootpath.h"
#include "base/cleanup.h"
#include "serve/ipxe.h"
#include "serve/raspberry.h"

#include <stddef.h>

#define ANY_IPXE (ASKER_IPXE | ASKER_IPXE_HTTP)
#define BIOS                                                                                                 \
    1,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_BIOS                                                                                        \
    }
#define X64                                                                                                  \
    2,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_EFI_BC, PXE_ARCH_EFI_X64                                                                    \
    }
#define X64_HTTP                                                                                             \
    1,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_EFI_X64_HTTP                                                                                \
    }
#define ARM64                                                                                                \
    1,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_EFI_ARM64                                                                                   \
    }
#define ARM_HTTP                                                                                             \
    1,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_EFI_ARM64_HTTP                                                                              \
    }

#define PI                                                                                                   \
    1,                                                                                                       \
    {                                                                                                        \
        PXE_ARCH_RASPBERRY_PI                                                                                \
    }

#define SCRIPT  "its script, kernel and ramdisk by HTTP"
#define CONFIG  "its configuration by TFTP, kernel and ramdisk by HTTP if it has that, else by TFTP"
#define RUNS    "nothing: kernel, ramdisk and command line are in it"
#define BY_TFTP "its configuration, kernel and ramdisk by TFTP"

const struct boot_path boot_paths[] = {
    {"ipxe", ASKER_IPXE_HTTP, 0, {0}, LOADER_IPXE, BOOT_HTTP, PROGRAM_NONE, IPXE_ENTRY, SCRIPT},
    {"ipxe-tftp",
     ASKER_IPXE,
     0,
     {0},
     LOADER_IPXE,
     BOOT_TFTP,
     PROGRAM_NONE,
     IPXE_SCRIPT,
     "kernel and ramdisk by TFTP"},

    {"bios-pxelinux", ASKER_PXE | ANY_IPXE, BIOS, LOADER_PXELINUX, BOOT_TFTP, PROGRAM_PXELINUX, NULL,
     BY_TFTP},
    {"bios-lpxelinux", ASKER_PXE | ANY_IPXE, BIOS, LOADER_LPXELINUX, BOOT_TFTP, PROGRAM_LPXELINUX, NULL,
     "its configuration, kernel and ramdisk by HTTP"},
    {"bios-undionly", ASKER_PXE, BIOS, LOADER_IPXE, BOOT_TFTP, PROGRAM_UNDIONLY, NULL, SCRIPT},

    {"uefi-unified", ASKER_PXE | ANY_IPXE, X64, LOADER_UNIFIED, BOOT_TFTP, PROGRAM_NONE, NULL, RUNS},
    {"uefi-grub", ASKER_PXE | ANY_IPXE, X64, LOADER_GRUB, BOOT_TFTP, PROGRAM_GRUB_X64, NULL, CONFIG},
    {"uefi-ipxe", ASKER_PXE, X64, LOADER_IPXE, BOOT_TFTP, PROGRAM_SNPONLY, NULL, SCRIPT},
    {"uefi-shim", ASKER_PXE | ANY_IPXE, X64, LOADER_SHIM, BOOT_TFTP, PROGRAM_SHIM_X64, NULL,
     "GRUB, its configuration, kernel and ramdisk by TFTP"},

    {"uefi-http-unified", ASKER_HTTP, X64_HTTP, LOADER_UNIFIED, BOOT_HTTP, PROGRAM_NONE, NULL, RUNS},
    {"uefi-http-ipxe", ASKER_HTTP, X64_HTTP, LOADER_IPXE, BOOT_HTTP, PROGRAM_SNPONLY, NULL, SCRIPT},

    {"arm64-unified", ASKER_PXE | ANY_IPXE, ARM64, LOADER_UNIFIED, BOOT_TFTP, PROGRAM_NONE, NULL, RUNS},
    {"arm64-grub", ASKER_PXE | ANY_IPXE, ARM64, LOADER_GRUB, BOOT_TFTP, PROGRAM_GRUB_ARM64, NULL, CONFIG},
    {"arm64-http-unified", ASKER_HTTP, ARM_HTTP, LOADER_UNIFIED, BOOT_HTTP, PROGRAM_NONE, NULL, RUNS},

    /* It asks for its files by names of its own: what it is told is to go on. */
    {"raspberry-pi", ASKER_PXE, PI, LOADER_AUTO, BOOT_TFTP, PROGRAM_NONE, RASPBERRY_CONFIG_NAME,
     "its firmware, device tree, command line, kernel and ramdisk by TFTP"},
    {0},
};

#define IPXE_FEATURE_HTTP 0x13 /* sub-option of 175 (iPXE's features.h) */

unsigned boot_asker_of(const struct pxe_client *client, bool http)
{
    if (client->ipxe && client->class != PXE_HTTP_CLIENT)
        return http && pxe_ipxe_has(client, IPXE_FEATURE_HTTP) ? ASKER_IPXE_HTTP : ASKER_IPXE;
    if (client->class == PXE_HTTP_CLIENT)
        return http ? ASKER_HTTP : 0;
    return client->class == PXE_CLIENT ? ASKER_PXE : 0;
}

const char *boot_asker_name(enum boot_asker asker)
{
    switch (asker) {
    case ASKER_PXE:
        return "PXE";
    case ASKER_HTTP:
        return "HTTP boot";
    case ASKER_IPXE:
        return "iPXE without HTTP";
    case ASKER_IPXE_HTTP:
        return "iPXE";
    }
    return "";
}

static bool is_of(const struct boot_path *path, uint16_t arch)
{
    for (unsigned i = 0; i < path->archs_n; i++)
        if (path->archs[i] == arch)
            return true;
    return path->archs_n == 0;
}

static bool is_there(const struct boot_path *path, const struct boot_path_request *request)
{
    if (path->program != PROGRAM_NONE)
        return request->found >> path->program & 1;
    return path->file || request->unified;
}

/* What is only taken when a profile asks for it: it is of use with Secure Boot alone. */
static bool is_on_request(const struct boot_path *path)
{
    return path->loader == LOADER_SHIM;
}

/* The first row that fits, with this loader (LOADER_AUTO: any). `avoid`: not one with that loader. */
static const struct boot_path *find(const struct boot_path_request *request, unsigned asker, uint16_t arch,
                                    enum loader loader, enum loader avoid,
                                    const struct boot_path **ret_missing)
{
    for (const struct boot_path *path = boot_paths; path->name; path++) {
        bool wanted = loader == LOADER_AUTO ? !is_on_request(path) : path->loader == loader;
        if (!wanted || (avoid != LOADER_AUTO && path->loader == avoid) || !(path->askers & asker) ||
            !is_of(path, arch))
            continue;
        if (is_there(path, request))
            return path;
        /* Nobody asked for a unified image, so none is missing. */
        if (!*ret_missing && (path->program != PROGRAM_NONE || loader == LOADER_UNIFIED))
            *ret_missing = path;
    }
    return NULL;
}

const struct boot_path *boot_path_choose(const struct boot_path_request *request,
                                         const struct boot_path **ret_missing)
{
    static const uint16_t bios = PXE_ARCH_BIOS;
    const uint16_t *archs = request->client->archs_n ? request->client->archs : &bios; /* P12 */
    size_t n = request->client->archs_n ? request->client->archs_n : 1;
    unsigned asker = boot_asker_of(request->client, request->http);
    const struct boot_path *missing = NULL, *path = NULL;
    *ret_missing = NULL;
    if (!asker)
        return NULL;
    if (request->loader != LOADER_AUTO) {
        for (size_t i = 0; i < n && !path; i++)
            path = find(request, asker, archs[i], request->loader, LOADER_AUTO, ret_missing);
        if (path)
            return path;
    }
    for (size_t i = 0; i < n && !path && request->proxy; i++)
        path = find(request, asker, archs[i], LOADER_AUTO, LOADER_GRUB, &missing);
    missing = path ? missing : NULL;
    for (size_t i = 0; i < n && !path; i++)
        path = find(request, asker, archs[i], LOADER_AUTO, LOADER_AUTO, &missing);
    if (!path && !*ret_missing)
        *ret_missing = missing;
    return path;
}

const char *boot_path_file(const struct boot_path *path, const char *unified)
{
    return path->program != PROGRAM_NONE ? boot_programs[path->program].name
           : path->file                  ? path->file
                                         : unified;
}

static bool is_arm64(const struct boot_path *path)
{
    return path->archs_n &&
           (path->archs[0] == PXE_ARCH_EFI_ARM64 || path->archs[0] == PXE_ARCH_EFI_ARM64_HTTP);
}

void boot_paths_check(const struct site *site, unsigned found, struct diags *diags)
{
    VEC_EACH(profile, &site->profiles) {
        for (const struct boot_path *path = boot_paths; path->name; path++) {
            if (path->loader != profile->loader || path->program == PROGRAM_NONE ||
                found >> path->program & 1 || is_arm64(path))
                continue;
            const struct boot_program_row *program = &boot_programs[path->program];
            diag_add(diags, DIAG_WARNING, &profile->pos,
                     "profile %s: loader %s needs %s for the path %s, and no loader folder has it; install "
                     "the package %s "
                     "(and restart a running server), or set server: loaders:",
                     profile->name, loader_name(profile->loader), program->name, path->name,
                     program->package);
        }
    }
}
