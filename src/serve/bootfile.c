/* See serve/bootfile.h. */
#include "serve/bootfile.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/raspberry.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

const struct boot_program_row boot_programs[PROGRAMS] = {
    [PROGRAM_PXELINUX] = {"pxelinux.0", "pxelinux.0", "pxelinux", false},
    [PROGRAM_LPXELINUX] = {"lpxelinux.0", "lpxelinux.0", "pxelinux", false},
    [PROGRAM_LDLINUX] = {"ldlinux.c32", "ldlinux.c32", "syslinux-common", false},
    [PROGRAM_UNDIONLY] = {"undionly.kpxe", "undionly.kpxe", "ipxe", true},
    [PROGRAM_SNPONLY] = {"snponly.efi", "snponly.efi", "ipxe", true},
    [PROGRAM_GRUB_X64] = {"grubx64.efi", "grubnetx64.efi.signed", "grub-efi-amd64-signed", false},
    [PROGRAM_SHIM_X64] = {"shimx64.efi", "shimx64.efi.signed", "shim-signed", false},
    [PROGRAM_GRUB_ARM64] = {"grubaa64.efi", "grubnetaa64.efi.signed", "grub-efi-arm64-signed", false},
    [PROGRAM_SHIM_ARM64] = {"shimaa64.efi", "shimaa64.efi.signed", "shim-signed:arm64", false},
};

/* Served by name as the user or the distribution has them, though no path begins with them. */
static const struct {
    const char *name;
    bool ipxe;
} others[] = {{"ipxe.efi", true}, {"ipxe.pxe", true}, {"undionly.kkpxe", true}, {"mmx64.efi", false}};

const char *const bootfile_folders[] = {
    "/usr/lib/PXELINUX",               /* Debian, Ubuntu: pxelinux */
    "/usr/lib/syslinux/modules/bios",  /* Debian, Ubuntu: syslinux-common (ldlinux.c32) */
    "/usr/lib/ipxe",                   /* Debian, Ubuntu: ipxe */
    "/usr/lib/grub/x86_64-efi-signed", /* Debian, Ubuntu: grub-efi-amd64-signed */
    "/usr/lib/grub/arm64-efi-signed",  /* the same for arm64 */
    "/usr/lib/shim",                   /* Debian, Ubuntu: shim-signed */
    "/usr/lib/raspi-firmware",         /* Debian: raspi-firmware */
    "/usr/share/syslinux",             /* Fedora, openSUSE */
    "/usr/lib/syslinux/bios",          /* Arch */
    "/usr/share/ipxe",                 /* Fedora; Arch has x86_64 beneath */
    NULL,
};

static enum boot_program program_of(const char *name)
{
    for (size_t i = 0; i < PROGRAMS; i++)
        if (str_eq(boot_programs[i].name, name))
            return (enum boot_program)i;
    return PROGRAM_NONE;
}

size_t bootfile_names(const char *name, const char *ret_names[static BOOTFILE_NAMES_MAX])
{
    enum boot_program program = program_of(name);
    size_t n = 0;
    /* First, since Debian has an unsigned shim beside it, by the other name. */
    if (program != PROGRAM_NONE && !str_eq(boot_programs[program].file, name))
        ret_names[n++] = boot_programs[program].file;
    ret_names[n++] = name;
    return n;
}

static bool is_in(int folder_fd, const char *name)
{
    const char *names[BOOTFILE_NAMES_MAX];
    size_t n = bootfile_names(name, names);
    struct stat st;
    for (size_t i = 0; i < n; i++)
        if (fstatat(folder_fd, names[i], &st, 0) == 0 && S_ISREG(st.st_mode))
            return true;
    return false;
}

unsigned bootfile_found(const int *folder_fds, size_t n)
{
    unsigned found = 0;
    for (size_t program = 0; program < PROGRAMS; program++)
        for (size_t i = 0; i < n; i++)
            if (is_in(folder_fds[i], boot_programs[program].name))
                found |= 1u << program;
    return found;
}

unsigned bootfile_found_here(const char *own)
{
    const char *const only[] = {own, NULL};
    unsigned found = 0;
    for (const char *const *folder = own ? only : bootfile_folders; *folder; folder++) {
        cleanup_close int fd = open(*folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            found |= bootfile_found(&fd, 1);
    }
    return found;
}

static bool is_other(const char *name, bool ipxe_only)
{
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (str_eq(others[i].name, name))
            return others[i].ipxe || !ipxe_only;
    return false;
}

static bool is_known(const char *name)
{
    return program_of(name) != PROGRAM_NONE || is_other(name, false);
}

bool bootfile_is_ipxe(const char *name)
{
    enum boot_program program = program_of(name);
    return program != PROGRAM_NONE ? boot_programs[program].ipxe : is_other(name, true);
}

bool bootfile_is_program(const char *name)
{
    static const char *const endings[] = {".efi", ".0", ".pxe", ".kpxe", ".kkpxe", ".ipxe"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
        if (str_ends(name, endings[i]))
            return true;
    return raspberry_file_of(name) == RASPBERRY_FIRMWARE;
}

bool bootfile_is_loader(const char *name)
{
    /* PXELINUX's modules: one name without folders, `ldlinux.c32` */
    return is_known(name) || (name[0] != '.' && !strchr(name, '/') && str_ends(name, ".c32"));
}

bool bootfile_is_named(const struct site *site, const char *name)
{
    VEC_EACH(profile, &site->profiles) {
        if (str_eq(profile->boot_file, name))
            return true;
        VEC_EACH(entry, &profile->menu.entries)
            if (str_eq(entry->file, name))
                return true;
    }
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
    enum raspberry_file pi = raspberry_file_of(name);
    return pi == RASPBERRY_CONFIG || pi == RASPBERRY_CMDLINE || str_starts(name, "pxelinux.cfg/") ||
           str_eq(name, "ipxe") || str_starts(name, "v1/boot/") || bootfile_is_grub_config(name, &who);
}
