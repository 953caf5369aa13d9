/*
 * Lines of /etc/fstab and of /proc/mounts (the same format), and mount options. Pure: text in, values out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fstab_entry {
    char source[256];
    char target[256];
    char type[64];
    char options[512];
};

/* Where a reader is in the text; start with {text, 0}. `line` is the number of the line last read, from 1. */
struct fstab_cursor {
    const char *at;
    unsigned line;
};

/*
 * Reads the next entry, passing over comments and empty lines. Options may be missing ("defaults" then).
 * Returns 1 and *ret, 0 at the end of the text, -EINVAL for a line with fewer than three fields or a target
 * that is no absolute path, -ENAMETOOLONG for a field that is too long; after an error the next call goes on
 * with the next line.
 */
int fstab_next(struct fstab_cursor *cursor, struct fstab_entry *ret);

/* Whether the comma-separated `options` contain `name`, alone or with a value (`name=...`). */
bool fstab_has(const char *options, const char *name);

/*
 * Divides `options` into the flags of mount(2) and the data that the file system reads itself. What only
 * mount(8) knows (defaults, auto, noauto, nofail, user, nouser, _netdev) is dropped. `ret_data` is written on
 * success only. Returns 0 or -ENAMETOOLONG.
 */
int fstab_options(const char *options, unsigned long *ret_flags, char *ret_data, size_t size);
