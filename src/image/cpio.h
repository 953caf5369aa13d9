/* newc: the cpio format that the kernel unpacks its root from (Documentation/driver-api/early-userspace/
 * buffer-format.rst in the kernel's sources).
 *
 * Each entry is a header of 110 bytes (the magic `070701` and 13 numbers of eight hexadecimal digits), the
 * name with its NUL, padding to four bytes, the content, padding to four bytes; the entry TRAILER!!! ends the
 * archive. Of a file with several names all but the last have no content.
 */
#pragma once

#include "image/sink.h"
#include "image/tree.h"

#define CPIO_BLOCK 512 /* an archive is padded with zeros to a multiple of this */

/* Writes the tree as an archive: sorted by name with folders first, inodes numbered from 1 in that order,
 * device 0:0, every time `mtime` (Unix time): the same tree gives the same bytes, wherever and by whomever it
 * is written. A source that is not any more what the tree's digest says is an error (-ESTALE). 0, or -errno
 * of the sink or of a source, with a diagnostic for the latter. */
int cpio_write(struct tree *t, uint32_t mtime, struct sink *out);

/* The size of that archive, bytes, with its padding. Sorts. */
uint64_t cpio_size(struct tree *t);

/* Reads a whole archive into a tree, strictly: what is malformed, what the kernel would skip or write outside
 * of the root, and bytes behind the trailer other than zeros are refused, with the entry's offset and name.
 * Leading `./` is taken off names. 0 or -EBADMSG with a diagnostic in `diags`. */
int cpio_read(const void *data, size_t size, struct diags *diags, struct tree **ret_tree);
