/* Which boot program a firmware gets, by its architecture (P1). One table; UEFI's rows come with its loaders.
 */
#pragma once

#include "model/site.h"
#include "proto/pxe.h"

/* The file for the first architecture of the list that has one; without a list (P12) the one for BIOS. NULL
 * when there is none; then *ret_arch is the value that has no row. */
const char *bootfile_for(const struct pxe_client *client, uint16_t *ret_arch);

/* Whether `name` is a boot program or one of its modules: what a TFTP client may fetch from the loader
 * folders. */
bool bootfile_is_loader(const char *name);
/* Whether a profile or a class names it as its boot_file: then it may be fetched too. */
bool bootfile_is_named(const struct site *site, const char *name);
/* Whether it is a boot program itself, by its name: fetching it means that the firmware's part is over
 * (STAGE_LOADER). */
bool bootfile_is_program(const char *name);

/* Whether it is a generated boot configuration, by its name (STAGE_CONFIG). */
bool bootfile_is_config(const char *name);

/* Whether it is GRUB's configuration: `grub.cfg` or `grub.cfg-NAME`, in the folder where its network images
 * look (`grub/`, `boot/grub/`) or in none. *ret_name: NAME, or `default` without one. */
bool bootfile_is_grub_config(const char *name, const char **ret_name);

/* The distribution's places of the loaders, ends with NULL. */
extern const char *const bootfile_folders[];
