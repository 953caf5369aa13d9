/* A kernel definition: what builds to one bzImage, or takes it from a package of the distribution. */
#pragma once

#include "base/diag.h"
#include "base/hash.h"
#include "base/vec.h"

enum source_kind {
    SOURCE_PACKAGE,      /* a Debian binary package that holds a source tarball (linux-source-6.1) */
    SOURCE_TARBALL,      /* a path or URL; a URL has a checksum */
    SOURCE_TREE,         /* an unpacked tree, used where it is and never written to */
    SOURCE_DISTRIBUTION, /* a package with a finished kernel and its modules (linux-image-amd64), which is not
                            installed and nothing of which is compiled; or a .deb: a path or URL */
};

struct source {
    enum source_kind kind;
    char *where; /* package name, path or URL */
    bool has_sha256;
    struct digest sha256;
    struct pos pos;
};

/* One `SYMBOL: value`; value as in a .config: y, n, m, a number, or a string without its quotes. */
struct symbol {
    char *name; /* without CONFIG_ */
    char *value;
    struct pos pos;
};

struct kernel_def {
    char *name;
    struct source source;
    VEC(char *) fragments;      /* names of share/fragments/NAME.config or of kernels/NAME.config, in order */
    VEC(struct symbol) symbols; /* after the fragments; they win */
    VEC(char *)
    modules;           /* SOURCE_DISTRIBUTION: what its nodes may need, by name, alias or group; those
                          and all that they need become an archive that nodes get beside the image */
    char *compression; /* gzip, xz, zstd, lz4: of the bzImage; NULL: as the fragments say. Of a
                          distribution's kernel: of the archive of its modules; NULL: zstd */
    char *initramfs;   /* H18: name of the image to build in; NULL: none */
    VEC(struct symbol) leaves_out; /* name: symbol or group of the how-to's list; value: why it is left out */
    struct pos pos;
};
