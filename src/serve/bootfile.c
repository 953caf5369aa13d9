/* See serve/bootfile.h. */
#include "serve/bootfile.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>

/* One row an architecture (P1). */
static const struct {
    uint16_t arch;
    const char *file;
} programs[] = {
    {PXE_ARCH_BIOS, "pxelinux.0"}, /* H2 */
};

/* Boot programs that are served but not sent as the boot file by themselves. */
static const char *const others[] = {"lpxelinux.0"};

const char *const bootfile_folders[] = {
    "/usr/lib/PXELINUX",              /* Debian, Ubuntu: pxelinux */
    "/usr/lib/syslinux/modules/bios", /* Debian, Ubuntu: syslinux-common (ldlinux.c32) */
    "/usr/share/syslinux",            /* Fedora, openSUSE */
    "/usr/lib/syslinux/bios",         /* Arch */
    NULL,
};

const char *bootfile_for(const struct pxe_client *client, uint16_t *ret_arch)
{
    static const uint16_t bios = PXE_ARCH_BIOS;
    const uint16_t *archs = client->archs_n ? client->archs : &bios; /* P12 */
    size_t n = client->archs_n ? client->archs_n : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < ARRAY_SIZE(programs); j++)
            if (programs[j].arch == archs[i])
                return programs[j].file;
    *ret_arch = archs[0];
    return NULL;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        if (str_eq(programs[i].file, name))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (str_eq(others[i], name))
            return true;
    return false;
}

bool bootfile_is_program(const char *name)
{
    static const char *const endings[] = {".efi", ".0", ".pxe", ".kpxe", ".kkpxe", ".ipxe"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
        if (str_ends(name, endings[i]))
            return true;
    return is_known(name);
}

bool bootfile_is_loader(const char *name)
{
    /* PXELINUX's modules: one name without folders, `ldlinux.c32` */
    return is_known(name) || (name[0] != '.' && !strchr(name, '/') && str_ends(name, ".c32"));
}

bool bootfile_is_named(const struct site *site, const char *name)
{
    VEC_EACH(profile, &site->profiles)
        if (str_eq(profile->boot_file, name))
            return true;
    VEC_EACH(class, &site->classes)
        if (str_eq(class->boot_file, name))
            return true;
    return false;
}

bool bootfile_is_grub_config(const char *name, const char **ret_name)
{
    static const char *const folders[] = {"boot/grub/", "grub/"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (str_starts(name, folders[i])) {
            name += strlen(folders[i]);
            break;
        }
    if (!str_starts(name, "grub.cfg"))
        return false;
    name += strlen("grub.cfg");
    if (name[0] != '\0' && name[0] != '-')
        return false;
    *ret_name = name[0] ? name + 1 : "default";
    return true;
}

bool bootfile_is_config(const char *name)
{
    const char *who;
    return str_starts(name, "pxelinux.cfg/") || str_eq(name, "ipxe") || str_starts(name, "v1/boot/") ||
           bootfile_is_grub_config(name, &who);
}
