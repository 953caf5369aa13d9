/* Moving in: what other boot servers know of machines, as hosts, and those of several sources as nodes.
 *
 *     dnsmasq    dhcp-host= lines; the files of dhcp-hostsfile= and dhcp-hostsdir=
 *     ISC dhcpd  host { } blocks, wherever they stand
 *     Kea        reservations of Dhcp4: global, in subnets and in shared networks
 *     PXELINUX   the folder pxelinux.cfg: whose file it is, and the words of APPEND
 *
 * A reader takes over what a node has (name, MAC, address, UUID, command line) and says of the rest, with its
 * place, that it was not taken over and what to do instead. Nothing is executed, resolved or fetched, and no
 * file is read but those named and, for PXELINUX, those that they include beneath the same TFTP root.
 *
 * What it says: errors for what cannot be read (the file is not what it should be), warnings for what is
 * lost, notes for what comes over changed.
 */
#pragma once

#include "base/diag.h"
#include "base/vec.h"
#include "model/site.h"

enum import_format {
    IMPORT_DETECT, /* by the file's name and content */
    IMPORT_DNSMASQ,
    IMPORT_ISC,
    IMPORT_KEA,
    IMPORT_PXELINUX,
    IMPORT_FORMATS
};

/* `dnsmasq`, `isc`, `kea`, `pxelinux`, as --from has them; ends with NULL, the index is format - 1. */
extern const char *const import_format_names[];

/* Files are at most this long. */
#define IMPORT_SIZE_MAX ((size_t)32 << 20)

/* What one source says of one machine. One without a MAC address is of use only beside another that has it.
 */
struct import_host {
    char *name; /* as the source has it, maybe with a domain; NULL: none */
    bool has_mac, has_uuid;
    bool has_cmdline; /* the source says which words it boots with, if any */
    struct mac mac;
    ipv4_t ip; /* 0: none */
    uint8_t uuid[16];
    char *cmdline; /* NULL: no words */
    struct pos pos;
};

struct import {
    VEC(struct import_host) hosts; /* in the order of the sources */
    VEC(char *) files;             /* the names that positions point to */
    unsigned files_read;
};
void import_free(struct import *import);
static inline void import_cleanup(struct import *import)
{
    import_free(import);
}
#define cleanup_import __attribute__((cleanup(import_cleanup)))

/* Reads a file or a folder and adds its hosts. 0, also when there are none or some of it was not taken over
 * (`diags` says what); -errno with errors in `diags` when it, or a part of it, could not be read. */
int import_read(const char *path, enum import_format format, struct import *into, struct diags *diags);

/* The same for the text of one file, which `name` names; with PXELINUX its last part says whose file it is,
 * and what it includes is not followed. */
int import_parse(enum import_format format, const char *name, const char *text, size_t size,
                 struct import *into, struct diags *diags);

/* The format of a file by its name and its text; IMPORT_DETECT when neither or both of several say it. */
enum import_format import_detect(const char *name, const char *text, size_t size);

/* Joins the hosts to nodes: those of the same MAC address are one, and those without one belong to the node
 * of their UUID or address. Every node has a valid name that no other has: the host's, or `node-` and its
 * MAC. `profile` is what they boot; NULL: `default`, if no class says another. Nodes that `site` has already,
 * by MAC, are left out and counted. What is lost or changed is said. The nodes are the caller's, to be freed
 * with import_nodes_free; their positions point into `import`. */
struct import_nodes {
    VEC(struct node) nodes;
    size_t already_there;
};
void import_join(const struct import *import, const struct site *site, const char *profile,
                 struct import_nodes *ret_nodes, struct diags *diags);
void import_nodes_free(struct import_nodes *nodes);
