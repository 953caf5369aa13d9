/* The boot programs: which there are, where the distribution has them, and by which names nodes ask for them
 * and for what is generated. Which of them a firmware gets is decided in serve/bootpath.h. */
#pragma once

#include "model/site.h"

enum boot_program {
    PROGRAM_PXELINUX,
    PROGRAM_LPXELINUX,
    PROGRAM_LDLINUX, /* the module without which PXELINUX does not run */
    PROGRAM_UNDIONLY,
    PROGRAM_SNPONLY,
    PROGRAM_GRUB_X64,
    PROGRAM_SHIM_X64,
    PROGRAM_GRUB_ARM64,
    PROGRAM_SHIM_ARM64,
    PROGRAMS,
    PROGRAM_NONE = PROGRAMS, /* something that is no program of the loader folders */
};

struct boot_program_row {
    const char *name;    /* by which nodes fetch it */
    const char *file;    /* what the distribution calls it, in one of bootfile_folders */
    const char *package; /* Debian's, that has it */
    bool ipxe; /* it is an iPXE, which asks again when it runs: an iPXE is never told to load it (P9) */
};
extern const struct boot_program_row boot_programs[PROGRAMS];

/* The distribution's places of the loaders, ends with NULL. */
extern const char *const bootfile_folders[];

/* One bit a program (1 << PROGRAM_...) that is in one of the folders (open descriptors). */
unsigned bootfile_found(const int *folder_fds, size_t n);
/* The same of the folders that a server would look into: `own` (`server: loaders:`), or with NULL the
 * distribution's. */
unsigned bootfile_found_here(const char *own);
#define BOOTFILE_ALL ((1u << PROGRAMS) - 1)

/* The names in a loader folder under which `name` may be, in the order in which they are looked for: what the
 * distribution calls it, and what a user may. Returns how many. */
#define BOOTFILE_NAMES_MAX 2
size_t bootfile_names(const char *name, const char *ret_names[static BOOTFILE_NAMES_MAX]);

/* Whether `name` is a boot program or one of its modules: what a node may fetch from the loader folders. */
bool bootfile_is_loader(const char *name);
/* Whether it is an iPXE (P9). */
bool bootfile_is_ipxe(const char *name);
/* Whether a profile, a menu or a class names it: then it may be fetched too. */
bool bootfile_is_named(const struct site *site, const char *name);
/* Whether it is a boot program itself, by its name: fetching it means that the firmware's part is over
 * (STAGE_LOADER). */
bool bootfile_is_program(const char *name);

/* Whether it is a generated boot configuration, by its name (STAGE_CONFIG). */
bool bootfile_is_config(const char *name);

/* Whether it is GRUB's configuration: `grub.cfg` or `grub.cfg-NAME`, in the folder where its network images
 * look (`grub/`, `boot/grub/`) or in none. *ret_name: NAME, or `default` without one. */
bool bootfile_is_grub_config(const char *name, const char **ret_name);
