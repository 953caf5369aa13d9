/* Compression of the finished archive, in the formats and within the limits of the kernel's decoders (lib/
 * decompress_*.c): no window or dictionary above 8 MiB, since the node pays for it with RAM while it unpacks.
 *
 *   gzip   RFC 1952, no name and no time; levels 1..9
 *   xz     one LZMA2 stream with CRC32 checks: the kernel knows no other; levels 1..9
 *   zstd   RFC 8878, window limited, content size and checksum in the frame; levels 1..22
 *   lz4    the legacy frame format with blocks of 8 MiB, the only one the kernel knows; levels 1..12
 *
 * The same bytes give the same result with the same library version; compression_identity says which.
 */
#pragma once

#include "base/diag.h"
#include "image/sink.h"
#include "model/image.h"

#include <stdint.h>

/* `gzip`, `xz`, ... and `none`. */
const char *compression_name(enum compression kind);
/* The highest level; 0 for none. The lowest is 1. */
int compression_max_level(enum compression kind);
/* Everything that decides what a compressor makes of given bytes, as one line; the caller's. */
char *compression_identity(enum compression kind, int level);

/* A stream that compresses into another one. */
struct compressor;

/* `size` is the number of bytes that will come. level 0: the highest. 0; -ERANGE for a level that is not
 * there; -ENOMEM. */
int compressor_new(enum compression kind, int level, uint64_t size, struct sink *out,
                   struct compressor **ret_compressor);
/* Where the bytes go in; owned by the compressor. */
struct sink *compressor_sink(struct compressor *c);
/* Writes what is left. 0, -errno of the sink, or -EMSGSIZE when other than `size` bytes came. */
int compressor_finish(struct compressor *c);
void compressor_free(struct compressor *c);
DEFINE_CLEANUP(struct compressor *, compressor_free);

/* Recognises the format by its first bytes (none when it is no known one) and hands the content to `out`, at
 * most `limit` bytes. Only one stream; bytes behind it are refused, but for zeros. 0; -EFBIG beyond the
 * limit; -EBADMSG for damaged data; -errno of the sink. */
int decompress(const void *data, size_t size, uint64_t limit, struct sink *out, enum compression *ret_kind);
