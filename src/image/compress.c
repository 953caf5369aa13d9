/* The compressing half of image/compress.h: one struct of functions a format, in a table. */
#include "image/compress.h"

#include <errno.h>
#include <lz4.h>
#include <lz4hc.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum { OUT_SIZE = 65536, ZSTD_WINDOW_LOG = 23, LZ4_BLOCK = 8 << 20 };
#define XZ_DICTIONARY_MAX (8U << 20)
#define LZ4_LEGACY_MAGIC  0x184C2102U

struct compressor {
    struct sink sink; /* first: the sink is the compressor */
    const struct format *format;
    struct sink *out;
    uint64_t left; /* bytes that are still to come */
    union {
        z_stream gzip;
        lzma_stream xz;
        ZSTD_CCtx *zstd;
        struct {
            char *block, *packed;
            size_t used;
            int level;
        } lz4;
    };
    uint8_t buffer[OUT_SIZE];
};

struct format {
    const char *name;
    int max_level;
    const char *(*version)(void);
    int (*begin)(struct compressor *c, int level, uint64_t size);
    /* Takes the bytes; with `end`, there are none and all is written out. */
    int (*feed)(struct compressor *c, const void *data, size_t n, bool end);
    void (*destroy)(struct compressor *c);
};

static int emit(struct compressor *c, const void *data, size_t n)
{
    return n ? c->out->write(c->out, data, n) : 0;
}

static const char *none_version(void)
{
    return "";
}

static int none_begin(struct compressor *c, int level, uint64_t size)
{
    (void)c;
    (void)level;
    (void)size;
    return 0;
}

static int none_feed(struct compressor *c, const void *data, size_t n, bool end)
{
    (void)end;
    return emit(c, data, n);
}

static void none_destroy(struct compressor *c)
{
    (void)c;
}

static int gzip_begin(struct compressor *c, int level, uint64_t size)
{
    enum { GZIP_WINDOW = 15 + 16, MEMORY = 9 };
    (void)size;
    int r = deflateInit2(&c->gzip, level, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY);
    return r == Z_OK ? 0 : -ENOMEM;
}

static int gzip_feed(struct compressor *c, const void *data, size_t n, bool end)
{
    z_stream *z = &c->gzip;
    const uint8_t *p = data;
    do {
        uInt piece = n > OUT_SIZE ? OUT_SIZE : (uInt)n;
        z->next_in = (Bytef *)(uintptr_t)p;
        z->avail_in = piece;
        do {
            z->next_out = c->buffer;
            z->avail_out = OUT_SIZE;
            if (deflate(z, end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
                return -EIO;
            int r = emit(c, c->buffer, OUT_SIZE - z->avail_out);
            if (r < 0)
                return r;
        } while (z->avail_out == 0);
        p += piece;
        n -= piece;
    } while (n);
    return 0;
}

static void gzip_destroy(struct compressor *c)
{
    deflateEnd(&c->gzip);
}

static int xz_begin(struct compressor *c, int level, uint64_t size)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    if (lzma_lzma_preset(&options, (uint32_t)level | LZMA_PRESET_EXTREME))
        return -ERANGE;
    /* No larger than the content needs: the kernel allocates it. */
    uint64_t dictionary = LZMA_DICT_SIZE_MIN;
    while (dictionary < size && dictionary < XZ_DICTIONARY_MAX)
        dictionary *= 2;
    options.dict_size = (uint32_t)dictionary;
    c->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_encoder(&c->xz, filters, LZMA_CHECK_CRC32) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_feed(struct compressor *c, const void *data, size_t n, bool end)
{
    c->xz.next_in = data;
    c->xz.avail_in = n;
    lzma_ret ret;
    do {
        c->xz.next_out = c->buffer;
        c->xz.avail_out = OUT_SIZE;
        ret = lzma_code(&c->xz, end ? LZMA_FINISH : LZMA_RUN);
        if (ret != LZMA_OK && ret != LZMA_STREAM_END)
            return ret == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
        int r = emit(c, c->buffer, OUT_SIZE - c->xz.avail_out);
        if (r < 0)
            return r;
    } while (end ? ret != LZMA_STREAM_END : c->xz.avail_in > 0);
    return 0;
}

static void xz_destroy(struct compressor *c)
{
    lzma_end(&c->xz);
}

static int zstd_begin(struct compressor *c, int level, uint64_t size)
{
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {{ZSTD_c_compressionLevel, level}, {ZSTD_c_checksumFlag, 1}, {ZSTD_c_contentSizeFlag, 1}};
    c->zstd = ZSTD_createCCtx();
    if (!c->zstd)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, settings[i].parameter, settings[i].value)))
            return -ERANGE;
    /* A window below the limit is the library's own choice, from the level and the size. */
    if (size > 1U << ZSTD_WINDOW_LOG &&
        ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG)))
        return -ERANGE;
    return ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c->zstd, size)) ? -EINVAL : 0;
}

static int zstd_feed(struct compressor *c, const void *data, size_t n, bool end)
{
    ZSTD_inBuffer in = {data, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {c->buffer, OUT_SIZE, 0};
        left = ZSTD_compressStream2(c->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return -EIO;
        int r = emit(c, c->buffer, out.pos);
        if (r < 0)
            return r;
    } while (end ? left > 0 : in.pos < in.size);
    return 0;
}

static void zstd_destroy(struct compressor *c)
{
    ZSTD_freeCCtx(c->zstd);
}

static void put_le32(uint8_t to[static 4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static int lz4_begin(struct compressor *c, int level, uint64_t size)
{
    uint8_t magic[4];
    (void)size;
    put_le32(magic, LZ4_LEGACY_MAGIC);
    c->lz4.level = level;
    c->lz4.block = malloc(LZ4_BLOCK);
    c->lz4.packed = malloc((size_t)LZ4_compressBound(LZ4_BLOCK));
    return c->lz4.block && c->lz4.packed ? emit(c, magic, sizeof(magic)) : -ENOMEM;
}

static int lz4_block(struct compressor *c)
{
    uint8_t head[4];
    int n = LZ4_compress_HC(c->lz4.block, c->lz4.packed, (int)c->lz4.used, LZ4_compressBound(LZ4_BLOCK),
                            c->lz4.level);
    if (n <= 0)
        return -EIO;
    c->lz4.used = 0;
    put_le32(head, (uint32_t)n);
    int r = emit(c, head, sizeof(head));
    return r < 0 ? r : emit(c, c->lz4.packed, (size_t)n);
}

static int lz4_feed(struct compressor *c, const void *data, size_t n, bool end)
{
    const char *p = data;
    while (n) {
        size_t room = LZ4_BLOCK - c->lz4.used;
        size_t piece = n < room ? n : room;
        memcpy(c->lz4.block + c->lz4.used, p, piece);
        c->lz4.used += piece;
        p += piece;
        n -= piece;
        int r = c->lz4.used == LZ4_BLOCK ? lz4_block(c) : 0;
        if (r < 0)
            return r;
    }
    return end && c->lz4.used ? lz4_block(c) : 0;
}

static void lz4_destroy(struct compressor *c)
{
    free(c->lz4.block);
    free(c->lz4.packed);
}

static const struct format formats[] = {
    [COMPRESSION_NONE] = {"none", 0, none_version, none_begin, none_feed, none_destroy},
    [COMPRESSION_GZIP] = {"gzip", 9, zlibVersion, gzip_begin, gzip_feed, gzip_destroy},
    [COMPRESSION_XZ] = {"xz", 9, lzma_version_string, xz_begin, xz_feed, xz_destroy},
    [COMPRESSION_ZSTD] = {"zstd", 22, ZSTD_versionString, zstd_begin, zstd_feed, zstd_destroy},
    [COMPRESSION_LZ4] = {"lz4", LZ4HC_CLEVEL_MAX, LZ4_versionString, lz4_begin, lz4_feed, lz4_destroy},
};

const char *compression_name(enum compression kind)
{
    return formats[kind].name;
}

int compression_max_level(enum compression kind)
{
    return formats[kind].max_level;
}

char *compression_identity(enum compression kind, int level)
{
    const struct format *f = &formats[kind];
    return xasprintf("%s %s level %d", f->name, f->version(), level ? level : f->max_level);
}

static int compressor_write(struct sink *sink, const void *data, size_t n)
{
    struct compressor *c = (struct compressor *)sink;
    if (n > c->left)
        return -EMSGSIZE;
    c->left -= n;
    return n ? c->format->feed(c, data, n, false) : 0;
}

int compressor_new(enum compression kind, int level, uint64_t size, struct sink *out,
                   struct compressor **ret_compressor)
{
    const struct format *f = &formats[kind];
    if (level < 0 || level > f->max_level)
        return -ERANGE;
    struct compressor *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->sink.write = compressor_write;
    c->format = f;
    c->out = out;
    c->left = size;
    int r = f->begin(c, level ? level : f->max_level, size);
    if (r < 0) {
        compressor_free(c);
        return r;
    }
    *ret_compressor = c;
    return 0;
}

struct sink *compressor_sink(struct compressor *c)
{
    return &c->sink;
}

int compressor_finish(struct compressor *c)
{
    return c->left ? -EMSGSIZE : c->format->feed(c, NULL, 0, true);
}

void compressor_free(struct compressor *c)
{
    if (!c)
        return;
    c->format->destroy(c);
    free(c);
}
