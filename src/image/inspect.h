/* Looking into a built image. */
#pragma once

#include "image/compress.h"
#include "image/tree.h"

/* What was found in a file. */
struct inspected {
    uint64_t size;    /* of the file, bytes */
    uint64_t archive; /* unpacked, bytes */
    enum compression compression;
    struct tree *tree; /* owned, sorted, with content */
};
void inspected_clear(struct inspected *inspected);
static inline void inspected_cleanup(struct inspected *inspected)
{
    inspected_clear(inspected);
}
#define cleanup_inspected __attribute__((cleanup(inspected_cleanup)))

/* Reads a whole image, compressed in any way the kernel knows, of at most INSPECT_MAX bytes unpacked. 0, or
 * -errno with a diagnostic (-EBADMSG: damaged, or no image). */
#define INSPECT_MAX ((uint64_t)2 << 30)
int inspect(const char *path, struct diags *diags, struct inspected *ret_inspected);

/* `drwxr-xr-x`, as ls shows it. */
#define MODE_TEXT_MAX 11
const char *mode_format(mode_t mode, char buf[static MODE_TEXT_MAX]);

/* What differs between two entries of one name, as words: `mode 0755 -> 0555, content 12 B -> 14 B`. Empty:
 * nothing. */
void entry_diff(const struct tree_entry *a, const struct tree_entry *b, struct str *text);
