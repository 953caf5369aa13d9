/* An image definition: what builds to one initramfs. */
#pragma once

#include "base/diag.h"
#include "base/hash.h"
#include "base/vec.h"

#include <sys/types.h>

enum busybox_kind {
    BUSYBOX_DISTRIBUTION, /* the static binary of the distribution's package */
    BUSYBOX_SMALLEST,     /* built from the source package with musl and a trimmed configuration */
    BUSYBOX_FILE,         /* a binary the user names */
    BUSYBOX_NONE,
};

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_ZSTD, COMPRESSION_LZ4 };

enum entry_kind {
    ENTRY_FILE_INLINE, /* `content` */
    ENTRY_FILE_COPY,   /* `from`: a path beside the definition, or an absolute one */
    ENTRY_FILE_URL,    /* `from`: a URL, with its checksum */
    ENTRY_DIRECTORY,
    ENTRY_SYMLINK,  /* `from`: the target, as it will be read on the node */
    ENTRY_HARDLINK, /* `from`: the path in the image of the file it is another name of */
    ENTRY_DEVICE,   /* `device`, `major`, `minor` */
    ENTRY_TREE,     /* `from`: a folder whose content is put at `path` */
};

struct image_entry {
    enum entry_kind kind;
    char *path; /* in the image, absolute, normalised, without `..` */
    char *from;
    char *content;
    bool has_mode;
    mode_t mode; /* permission bits; 0644, or the source's own, when not said */
    uid_t uid;
    gid_t gid;
    char device; /* 'c' or 'b' */
    unsigned major, minor;
    struct digest sha256; /* ENTRY_FILE_URL */
    struct pos pos;
};

struct image_def {
    char *name;
    bool base; /* H12..H17: the how-to's folders, files and scripts; true unless said */
    enum busybox_kind busybox;
    char *busybox_path; /* BUSYBOX_FILE */
    char *init;         /* program to be /init; NULL: rambox's own */
    char *hostname;     /* H15; `rambox` unless said */
    char *timezone;     /* H15; such as Europe/Berlin; `UTC` unless said */
    char *devices;      /* H20: devtmpfs (unless said), mdev or hotplug */
    enum compression compression;
    int level;                       /* of the compression; 0: its highest sensible */
    uint64_t memory;                 /* RAM budget of its nodes in bytes; 0: not said */
    VEC(struct image_entry) entries; /* on top of the base, in order; a later one replaces an earlier one */
    struct pos pos;
};
