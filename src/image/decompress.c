/* The reading half of image/compress.h: only what is needed to look into an image again. */
#include "image/compress.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { OUT_SIZE = 65536, LZ4_BLOCK = 8 << 20, ZSTD_WINDOW_LOG_MAX = 27 };
#define XZ_MEMORY_MAX (192ULL << 20) /* a decoder's dictionary, and what belongs to it */

/* The result, bounded. */
struct bounded {
    struct sink *out;
    uint64_t left;
    uint8_t buffer[OUT_SIZE];
};

static int emit(struct bounded *b, const void *data, size_t n)
{
    if (n > b->left)
        return -EFBIG;
    b->left -= n;
    return n ? b->out->write(b->out, data, n) : 0;
}

static int none_decode(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used)
{
    *ret_used = size;
    return emit(b, data, size);
}

static int gzip_decode(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data};
    size_t left = size;
    if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    int r = 0, state = Z_OK;
    while (r == 0 && state != Z_STREAM_END) {
        if (z.avail_in == 0) {
            z.avail_in = left > OUT_SIZE ? OUT_SIZE : (uInt)left;
            left -= z.avail_in;
        }
        z.next_out = b->buffer;
        z.avail_out = OUT_SIZE;
        state = inflate(&z, Z_NO_FLUSH);
        r = state == Z_OK || state == Z_STREAM_END ? emit(b, b->buffer, OUT_SIZE - z.avail_out) : -EBADMSG;
    }
    *ret_used = size - left - z.avail_in;
    inflateEnd(&z);
    return r;
}

static int xz_decode(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used)
{
    lzma_stream xz = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&xz, XZ_MEMORY_MAX, 0) != LZMA_OK)
        return -ENOMEM;
    xz.next_in = data;
    xz.avail_in = size;
    int r = 0;
    lzma_ret state = LZMA_OK;
    while (r == 0 && state != LZMA_STREAM_END) {
        xz.next_out = b->buffer;
        xz.avail_out = OUT_SIZE;
        state = lzma_code(&xz, LZMA_FINISH);
        r = state == LZMA_OK || state == LZMA_STREAM_END ? emit(b, b->buffer, OUT_SIZE - xz.avail_out)
                                                         : -EBADMSG;
    }
    *ret_used = size - xz.avail_in;
    lzma_end(&xz);
    return r;
}

static int zstd_decode(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_inBuffer in = {data, size, 0};
    if (!zstd)
        return -ENOMEM;
    int r = 0;
    size_t state = 1;
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    while (r == 0 && state != 0) {
        ZSTD_outBuffer out = {b->buffer, OUT_SIZE, 0};
        size_t before = in.pos;
        state = ZSTD_decompressStream(zstd, &out, &in);
        if (ZSTD_isError(state) || (state && in.pos == before && out.pos == 0))
            r = -EBADMSG;
        else
            r = emit(b, b->buffer, out.pos);
    }
    *ret_used = in.pos;
    ZSTD_freeDCtx(zstd);
    return r;
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Legacy frames have no end mark: blocks go on to the end of the file, or to padding with zeros. */
static int lz4_decode(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used)
{
    cleanup_free char *block = xmalloc(LZ4_BLOCK);
    size_t at = 4;
    while (size - at >= 4 && le32(data + at)) {
        uint32_t packed = le32(data + at);
        if (packed > size - at - 4 || packed > (uint32_t)LZ4_compressBound(LZ4_BLOCK))
            return -EBADMSG;
        int n = LZ4_decompress_safe((const char *)data + at + 4, block, (int)packed, LZ4_BLOCK);
        int r = n < 0 ? -EBADMSG : emit(b, block, (size_t)n);
        if (r < 0)
            return r;
        at += 4 + (size_t)packed;
    }
    *ret_used = at;
    return 0;
}

static const struct decoder {
    enum compression kind;
    uint8_t magic[6];
    size_t magic_size;
    int (*decode)(struct bounded *b, const uint8_t *data, size_t size, size_t *ret_used);
} decoders[] = {
    {COMPRESSION_GZIP, {0x1f, 0x8b}, 2, gzip_decode},
    {COMPRESSION_XZ, {0xfd, '7', 'z', 'X', 'Z', 0}, 6, xz_decode},
    {COMPRESSION_ZSTD, {0x28, 0xb5, 0x2f, 0xfd}, 4, zstd_decode},
    {COMPRESSION_LZ4, {0x02, 0x21, 0x4c, 0x18}, 4, lz4_decode},
    {COMPRESSION_NONE, {0}, 0, none_decode}, /* last: matches everything */
};

int decompress(const void *data, size_t size, uint64_t limit, struct sink *out, enum compression *ret_kind)
{
    const uint8_t *bytes = data;
    const struct decoder *d = decoders;
    while (d->magic_size && (size < d->magic_size || memcmp(bytes, d->magic, d->magic_size) != 0))
        d++;
    cleanup_free struct bounded *b = malloc(sizeof(*b));
    size_t used = 0;
    if (!b)
        return -ENOMEM;
    b->out = out;
    b->left = limit;
    int r = d->decode(b, bytes, size, &used);
    for (; r == 0 && used < size; used++)
        r = bytes[used] ? -EBADMSG : 0;
    if (r == 0)
        *ret_kind = d->kind;
    return r;
}
