/* The file tree of an image, in memory: what will be in the node's root, with the owners, modes and device
 * numbers it will have there, whoever builds it.
 *
 * Names are absolute and normalised (`/etc/profile`; the root itself is `/`). Parents that nobody named are
 * made as root:root 0755. A later name replaces an earlier one. What the kernel would skip without a word
 * when it unpacks the archive is refused here instead, with the reason and the place in the definition:
 *   - names that are empty, relative, hold `..` or a NUL, are longer than PATH_MAX or have a part longer than
 *     NAME_MAX; the name that ends a cpio archive;
 *   - names and hard links that lead through a symbolic link (where it points is decided on the node);
 *   - a file in the place of a folder that is not empty; files of 4 GiB and more; link targets of PATH_MAX;
 *     device numbers that do not fit dev_t.
 * Content is either held, or stays in the host's file, whose digest is taken at once: the digest of the tree
 * is the digest of everything that will be in the image.
 */
#pragma once

#include "base/diag.h"
#include "base/hash.h"
#include "base/str.h"

#include <sys/types.h>

#define TREE_FILE_MAX UINT32_MAX /* bytes: a newc header has eight hexadecimal digits for it */

/* What a name stands for. Hard links are several entries with one inode. */
struct tree_inode {
    unsigned links;  /* entries that have it */
    unsigned number; /* from 1, in the order of names; set by tree_sort */
    mode_t mode;     /* type and permissions, as in struct stat */
    uid_t uid;
    gid_t gid;
    unsigned major, minor; /* devices */
    char *target;          /* symbolic links */
    uint64_t size;         /* regular files, bytes */
    struct digest digest;  /* regular files */
    char *data;            /* regular files: the content, or NULL: it is in `source` */
    char *source;          /* host path */
};

struct tree_entry {
    char *path;
    struct tree_inode *inode;
    bool implied;      /* a folder that nobody named */
    unsigned children; /* folders: entries directly in it */
};

struct tree {
    VEC(struct tree_entry *) entries; /* sorted by path, parents first, after tree_sort */
    void *index;
    struct diags *diags; /* where refusals go; not owned */
    bool partial;        /* archives leave out the folders that nobody named, which another archive has: these
                            would replace a link that has their name there */
};

/* Permissions (with setuid, setgid and sticky) and owner. */
struct tree_attr {
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

/* An empty tree: it holds `/`, root:root 0755. */
struct tree *tree_new(struct diags *diags);
void tree_free(struct tree *t);
DEFINE_CLEANUP(struct tree *, tree_free);

/* Normalises `n` bytes of a name: `//` and `/./` go, a final `/` goes. 0, the result is the caller's;
 * or -EINVAL and the reason in words, static. */
int tree_path(const char *path, size_t n, char **ret_path, const char **ret_why);

/* Each adds one name. 0, or -EINVAL (or the -errno of reading the source) with a diagnostic at `pos`, which
 * may be NULL. Nothing is added then, except parents. */
int tree_dir(struct tree *t, const char *path, const struct tree_attr *attr, const struct pos *pos);
int tree_data(struct tree *t, const char *path, const void *data, size_t size, const struct tree_attr *attr,
              const struct pos *pos);
/* A copy of a regular file of the host; the symbolic link `source` may be is followed. */
int tree_file(struct tree *t, const char *path, const char *source, const struct tree_attr *attr,
              const struct pos *pos);
/* Symbolic links have no permissions of their own: attr's mode is not used. */
int tree_symlink(struct tree *t, const char *path, const char *target, const struct tree_attr *attr,
                 const struct pos *pos);
/* Another name of the regular file `target`, which is there already. */
int tree_hardlink(struct tree *t, const char *path, const char *target, const struct pos *pos);
/* type is S_IFCHR, S_IFBLK or S_IFIFO; major (below 4096) and minor (below 1048576) are 0 for the last. */
int tree_node(struct tree *t, const char *path, mode_t type, unsigned major, unsigned minor,
              const struct tree_attr *attr, const struct pos *pos);

/* The entry of a normalised name, or NULL. */
const struct tree_entry *tree_find(const struct tree *t, const char *path);

/* Sorts the entries by path, byte by byte, which puts parents before what is in them, and numbers the inodes.
 */
void tree_sort(struct tree *t);

/* Adds every property of every entry to a hash: two trees with one digest make the same archive. Sorts. */
void tree_hash(struct tree *t, struct hash *hash);

/* Bytes that the unpacked tree takes in a RAM file system: files in whole pages of 4 KiB, and 1 KiB for what
 * the kernel remembers of each name. Sorts. */
uint64_t tree_ram_size(struct tree *t);

/* Adds one line of text an entry, for people and tests: path, type, octal mode, uid, gid, links, and size and
 * digest, or target, or device number. Sorts. Names are written with \ooo for blanks, backslashes, control
 * characters and bytes that are not ASCII. */
void tree_manifest(struct tree *t, struct str *text);
void tree_manifest_name(struct str *text, const char *name);
