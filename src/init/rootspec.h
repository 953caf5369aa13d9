/*
 * What `root=` asks for. Pure: text in, value out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum root_kind {
    ROOT_DEVICE, /* name: path below /dev */
    ROOT_UUID,   /* name: of an ext2, ext3 or ext4 file system, as blkid prints it */
    ROOT_LABEL,  /* name: label of an ext2, ext3 or ext4 file system */
    ROOT_NFS,    /* server: IPv4 address, empty: the server that booted the node; name: the exported path */
};

struct rootspec {
    enum root_kind kind;
    char name[256];
    char server[16];
    char options[256]; /* of NFS, from behind the path */
};

/*
 * Reads root= and, for root=/dev/nfs, nfsroot=. Returns 0 and *ret, or < 0 and *ret_why (static text for a
 * person): -ENOENT when root= is empty, -ENAMETOOLONG, -EINVAL for what is none of the forms in cmdline.h.
 */
int rootspec_parse(const char *root, const char *nfsroot, struct rootspec *ret, const char **ret_why);

/*
 * Composes the data of mount(2) for an NFS root: version 3 without locks unless the options say otherwise.
 * `address` is the server's. Returns 0 or -ENAMETOOLONG.
 */
int rootspec_nfs_data(const char *options, const char *address, char *ret, size_t size);

#define EXT_SUPERBLOCK_AT   1024
#define EXT_SUPERBLOCK_SIZE 1024

/* Whether these EXT_SUPERBLOCK_SIZE bytes are an ext superblock with the UUID or label that `spec` asks for.
 */
bool rootspec_matches_ext(const struct rootspec *spec, const uint8_t *superblock);

/*
 * Finds the server that the kernel noted in /proc/net/pnp while it ran DHCP (its `bootserver` line). Returns
 * 0 and its address, or -ENOENT.
 */
int rootspec_bootserver(const char *pnp, char ret[static 16]);
