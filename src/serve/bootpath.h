/* Boot paths: what a firmware is told to load first, and by which protocol. One decision in one table, which
 * `rambox boot paths` prints and docs/boot-paths.md explains.
 *
 *     (who asks, architecture)  x  (what its profile wants, what is there)  ->  one row
 *
 * Rows stand in the order of preference: the first that fits is taken. A profile's `loader:` comes before
 * that order; where a firmware cannot use it, the order decides. What is not there (a package that is not
 * installed, a profile without a unified image) is passed over. */
#pragma once

#include "model/site.h"
#include "proto/pxe.h"
#include "serve/bootfile.h"

/* Who asks, by what it can: one bit each. */
enum boot_asker {
    ASKER_PXE = 1,       /* a PXE ROM or UEFI's PXE: TFTP */
    ASKER_HTTP = 2,      /* UEFI HTTP boot (P2) */
    ASKER_IPXE = 4,      /* iPXE that does not say that it has HTTP (P9): TFTP */
    ASKER_IPXE_HTTP = 8, /* iPXE with HTTP */
};

enum boot_protocol { BOOT_TFTP, BOOT_HTTP };

enum { BOOT_PATH_ARCHS = 3 };

struct boot_path {
    const char *name;
    unsigned askers;  /* enum boot_asker */
    unsigned archs_n; /* 0: any */
    uint16_t archs[BOOT_PATH_ARCHS];
    enum loader loader;
    enum boot_protocol protocol; /* of the first file */
    enum boot_program program;   /* PROGRAM_NONE: `file`, or the profile's unified image */
    const char *file;            /* of PROGRAM_NONE: its name; NULL: the unified image */
    const char *then;            /* for people: what follows, and by what */
};
extern const struct boot_path boot_paths[]; /* ends with name NULL */

struct boot_path_request {
    const struct pxe_client *client;
    enum loader loader;  /* of its profile */
    unsigned found;      /* programs that are there: bootfile_found */
    const char *unified; /* name under which its profile's unified image is fetched; NULL: it has none */
    bool http;           /* we serve HTTP */
    bool proxy; /* P7: another server gives the address. GRUB (2.06, and shim with it) then looks for its
                   configuration there, so unless a profile asks for it, it comes last */
};

/* Who asks, or 0 for an operating system's DHCP client. */
unsigned boot_asker_of(const struct pxe_client *client, bool http);
/* For people: `PXE`, `HTTP boot`, `iPXE`, `iPXE without HTTP`. */
const char *boot_asker_name(enum boot_asker asker);

/* The row for this client. NULL when there is none; then *ret_missing is the row it would have if its program
 * were there, NULL when no row knows this firmware. *ret_missing may also be set beside a row: its profile's
 * `loader:` fits the firmware, and is missing. */
const struct boot_path *boot_path_choose(const struct boot_path_request *request,
                                         const struct boot_path **ret_missing);

/* Warns of each profile whose `loader:` needs a program that is not there, with its package. */
void boot_paths_check(const struct site *site, unsigned found, struct diags *diags);

/* The name of its first file. */
const char *boot_path_file(const struct boot_path *path, const char *unified);
