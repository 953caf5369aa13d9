/* Names to bytes: what nodes fetch, by any protocol. Loader programs from the loader folders (by an
 * allow-list), generated configuration, artifacts of a generation. Nothing else exists, so nothing else can
 * be reached; what is on disk is opened beneath its folder (openat2).
 *
 * A unified image goes by two names: that of its generation, and `unified/PROFILE.efi`, which is the current
 * one's.
 *
 * Boot configurations are written for whoever asks, in the language of its loader:
 *
 *     pxelinux.cfg/NAME                PXELINUX       (serve/pxelinux.h says which names)
 *     grub.cfg, grub.cfg-NAME          GRUB           (also in grub/ and boot/grub/; the same names)
 *     boot.ipxe                        iPXE: a script that asks for its machine's own by HTTP
 *     ipxe                             iPXE: the machine's own, of whoever asks
 *
 * A file is mapped once and shared by all who read it; who holds a reference reads the bytes it began with,
 * whatever happens to the name (F10). Safe from any thread.
 */
#pragma once

#include "serve/boot.h"
#include "serve/describe.h"

#include <stddef.h>
#include <stdint.h>

enum file_kind { FILE_LOADER, FILE_CONFIG, FILE_KERNEL, FILE_IMAGE, FILE_UNIFIED };

/* An open file. Read-only for its users. */
struct served_file {
    enum file_kind kind;
    const uint8_t *data; /* all of it; valid as long as a reference is held */
    uint64_t size;
    int fd;                    /* the same, for sendfile; -1: generated */
    int64_t modified;          /* Unix time, seconds; 0: generated */
    char tag[DIGEST_TEXT_MAX]; /* another one means other bytes: an artifact's SHA-256; empty: generated */
};
struct served_file *served_file_ref(struct served_file *file);
void served_file_unref(struct served_file *file); /* NULL is allowed */
/* A file of bytes that it then owns (freed with free()). NULL when memory is gone: the bytes stay the
 * caller's. */
struct served_file *served_file_of_bytes(enum file_kind kind, void *data, size_t size);

/* Where generations come from: the one of this number with a reference for the caller, NULL when it is not
 * held. 0: the current one. Called from any thread. */
struct generation_source {
    struct generation *(*get)(void *user, unsigned number);
    void *user;
};

struct files;

struct files_config {
    int artifacts_fd;      /* folder of the artifacts; -1: none */
    const int *loader_fds; /* folders of boot programs, in the order in which they are searched */
    size_t loader_fds_n;
    struct generation_source generations;
    struct boot_table *boots;
    struct fitted *fitted; /* what is known of machines; NULL: nothing */
};

/* Takes over no descriptor: they must stay open. NULL: memory is gone. */
struct files *files_new(const struct files_config *config);
void files_free(struct files *files);

/* Who asks for what. */
struct file_request {
    const char *name; /* as it came over the wire */
    ipv4_t from;      /* address of who asks */
    ipv4_t local;     /* our address that it asked */
    const char *arch; /* what iPXE says of its processor (`buildarch`), for boots of which nothing is known;
                         NULL: nothing */
    bool http;        /* by HTTP: what a script names is then looked for where the script came from */
};

/* What the request turned out to be; strings are copies. */
struct file_answer {
    struct served_file *file; /* a reference for the caller */
    char name[256];           /* normalised */
    char node[64];            /* of who asks; empty: not known */
    struct mac mac;           /* all zero: not known */
    uint64_t boot;            /* 0: none */
    unsigned mtu;             /* of the subnet of who asks, as its definition says; 0: not said */
};

/* Opens it. 0; -ENOENT: no such file (or a name that would have left the root); -EACCES: a name with `..` or
 * a control character; -EXDEV: beyond a symbolic link; other -errno of the disk. On failure *ret_answer holds
 * name, node, mac and boot all the same, and *ret_reason (static text) says why. A configuration that is
 * asked for tells the boot its generation. */
int files_open(struct files *files, const struct moment *now, const struct file_request *request,
               struct file_answer *ret_answer, const char **ret_reason);

/* The boot configurations that only HTTP has. */
enum boot_format {
    BOOT_PXELINUX, /* serve/pxelinux.h */
    BOOT_GRUB,     /* serve/grub.h */
    BOOT_IPXE,     /* serve/ipxe.h */
    BOOT_PIXIECORE /* serve/pixiecore.h */
};
/* Writes one for the machine that goes by `who`, a name like PXELINUX's (`01-` and the MAC, a UUID,
 * `default`); request->name is only told. As files_open otherwise; -EINVAL: its command line cannot be said
 * in this format. */
int files_open_boot(struct files *files, const struct moment *now, const struct file_request *request,
                    enum boot_format format, const char *who, struct file_answer *ret_answer,
                    const char **ret_reason);

/* T10, P3: `/`, `//`, `./` and `\` made one, a leading one and a trailing \xff (option 67 read into END)
 * dropped. 0; -EACCES for `..`, anything but printable ASCII, an empty name or one that does not fit. */
int file_name_normalise(const char *name, char *ret_name, size_t size);
