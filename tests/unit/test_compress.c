/* image/compress.h: every format is what the real tools and the kernel read, always the same bytes, and
 * within the kernel's limits. */
#include "test.h"

#include "base/file.h"
#include "base/process.h"
#include "image/compress.h"

#include <errno.h>

static const enum compression kinds[] = {COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_ZSTD,
                                         COMPRESSION_LZ4};

/* Bytes that compress a little: words of a fixed generator. */
static char *make_content(size_t size)
{
    char *content = xmalloc(size);
    uint32_t x = 12345;
    for (size_t i = 0; i < size; i++) {
        if (i % 7 == 0)
            x = x * 1103515245 + 12345;
        content[i] = (char)(x >> 16 >> i % 3);
    }
    return content;
}

static struct str compress(enum compression kind, int level, const char *content, size_t size, size_t piece)
{
    struct memory_sink out = memory_sink_of(64 << 20);
    CLEANUP(compressor_free) struct compressor *c = NULL;
    assert_int_equal(compressor_new(kind, level, size, &out.sink, &c), 0);
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        assert_int_equal(compressor_sink(c)->write(compressor_sink(c), content + at, n), 0);
    }
    assert_int_equal(compressor_finish(c), 0);
    return out.bytes;
}

static const size_t sizes[] = {0, 1, 511, 100000, (9 << 20) + 3}; /* the last: more than one block of lz4 */

static void content_comes_back(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
            cleanup_free char *content = make_content(sizes[s]);
            int level = sizes[s] > 1 << 20 && kinds[k] != COMPRESSION_NONE ? 1 : 0;
            cleanup_str struct str packed = compress(kinds[k], level, content, sizes[s], 65536);
            struct memory_sink back = memory_sink_of(sizes[s]);
            enum compression kind;
            assert_int_equal(decompress(str_text(&packed), packed.len, sizes[s], &back.sink, &kind), 0);
            assert_int_equal(kind, kinds[k]);
            assert_int_equal(back.bytes.len, sizes[s]);
            assert_memory_equal(str_text(&back.bytes), content, sizes[s]);
            str_free(&back.bytes);
        }
}

/* The real programs, on the same sizes. */
static void the_tools_agree(void **state)
{
    static const char *const programs[] = {[COMPRESSION_GZIP] = "gzip",
                                           [COMPRESSION_XZ] = "xz",
                                           [COMPRESSION_ZSTD] = "zstd",
                                           [COMPRESSION_LZ4] = "lz4"};
    char dir[] = "/tmp/rambox-compress-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(dir));
    cleanup_free char *packed_path = xasprintf("%s/packed", dir), *plain_path = xasprintf("%s/plain", dir);
    for (size_t k = 1; k < ARRAY_SIZE(kinds); k++)
        for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
            cleanup_free char *content = make_content(sizes[s]), *back = NULL;
            cleanup_str struct str packed =
                compress(kinds[k], sizes[s] > 1 << 20 ? 1 : 0, content, sizes[s], 4096);
            size_t size;
            cleanup_free char *command =
                xasprintf("exec %s -dc <%s >%s", programs[kinds[k]], packed_path, plain_path);
            assert_int_equal(file_write_atomic(packed_path, str_text(&packed), packed.len, 0644), 0);
            assert_int_equal(
                process_run(&(struct process_spec){.argv = (const char *const[]){"sh", "-c", command, NULL}}),
                0);
            assert_int_equal(file_read(plain_path, 64 << 20, &back, &size), 0);
            assert_int_equal(size, sizes[s]);
            assert_memory_equal(back, content, size);
        }
    assert_int_equal(dir_remove(dir), 0);
}

/* H18: reproducible, whatever pieces the content comes in. */
static void the_same_content_gives_the_same_bytes(void **state)
{
    enum { SIZE = 1 << 20 };
    cleanup_free char *content = make_content(SIZE);
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        int level = kinds[k] == COMPRESSION_NONE ? 0 : 5;
        cleanup_str struct str a = compress(kinds[k], level, content, SIZE, SIZE);
        cleanup_str struct str b = compress(kinds[k], level, content, SIZE, 1001);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.s, b.s, a.len);
    }
}

static void the_kernel_can_read_it(void **state)
{
    enum { SIZE = 9 << 20 }; /* above the limit of windows */
    cleanup_free char *content = xcalloc(1, SIZE);
    (void)state;
    cleanup_str struct str xz = compress(COMPRESSION_XZ, 1, content, SIZE, SIZE);
    assert_int_equal(xz.s[7], 1); /* stream flags: the check is CRC32 */
    /* Block header: LZMA2 (0x21), one byte of properties, the dictionary: 26 is 32 MiB, 22 is 8 MiB. */
    assert_int_equal(xz.s[14], 0x21);
    assert_int_equal(xz.s[16], 22);
    cleanup_str struct str zstd = compress(COMPRESSION_ZSTD, 0, content, SIZE, SIZE);
    unsigned char descriptor = (unsigned char)zstd.s[4], window = (unsigned char)zstd.s[5];
    assert_int_equal(descriptor & 0x20, 0); /* RFC 8878 §3.1.1.1: a window descriptor follows */
    assert_true(10 + (window >> 3) + ((window & 7) != 0) <= 23); /* §3.1.1.1.2: 8 MiB */
    assert_int_equal(descriptor & 0x04, 0x04);                   /* with a checksum */
    cleanup_str struct str gzip = compress(COMPRESSION_GZIP, 0, content, SIZE, SIZE);
    assert_memory_equal(gzip.s, "\x1f\x8b\x08\0\0\0\0\0", 8); /* no name, no time */
    cleanup_str struct str lz4 = compress(COMPRESSION_LZ4, 1, content, SIZE, SIZE);
    assert_memory_equal(lz4.s, "\x02\x21\x4c\x18", 4); /* the legacy magic */
}

static void levels_are_checked(void **state)
{
    struct memory_sink out = memory_sink_of(1 << 20);
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct compressor *c = NULL;
        int above = compression_max_level(kinds[k]) + 1;
        assert_int_equal(compressor_new(kinds[k], above, 0, &out.sink, &c), -ERANGE);
        assert_int_equal(compressor_new(kinds[k], -1, 0, &out.sink, &c), -ERANGE);
        assert_null(c);
        cleanup_free char *one = compression_identity(kinds[k], 0);
        cleanup_free char *other = compression_identity(kinds[k], 1);
        assert_int_equal(strcmp(one, other) == 0, compression_max_level(kinds[k]) == 1);
    }
    str_free(&out.bytes);
}

static void sizes_are_kept_to(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct memory_sink out = memory_sink_of(1 << 20);
        CLEANUP(compressor_free) struct compressor *c = NULL;
        assert_int_equal(compressor_new(kinds[k], 0, 3, &out.sink, &c), 0);
        assert_int_equal(compressor_sink(c)->write(compressor_sink(c), "ab", 2), 0);
        assert_int_equal(compressor_finish(c), -EMSGSIZE);
        assert_int_equal(compressor_sink(c)->write(compressor_sink(c), "cd", 2), -EMSGSIZE);
        str_free(&out.bytes);
    }
}

static void a_full_disk_is_reported(void **state)
{
    enum { SIZE = 300000 };
    cleanup_free char *content = make_content(SIZE);
    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct memory_sink out = memory_sink_of(1000);
        CLEANUP(compressor_free) struct compressor *c = NULL;
        assert_int_equal(compressor_new(kinds[k], 0, SIZE, &out.sink, &c), 0);
        int r = compressor_sink(c)->write(compressor_sink(c), content, SIZE);
        assert_int_equal(r < 0 ? r : compressor_finish(c), -EFBIG);
        str_free(&out.bytes);
    }
}

/* Decompression bombs end at the limit; damage is found or gives other bytes, and never more than the limit.
 */
static void hostile_streams_do_no_harm(void **state)
{
    enum { SIZE = 9 << 20, SMALL = 5000 };
    cleanup_free char *bomb = xcalloc(1, SIZE);
    cleanup_free char *content = make_content(SMALL);
    enum compression kind;
    (void)state;
    for (size_t k = 1; k < ARRAY_SIZE(kinds); k++) {
        cleanup_str struct str packed = compress(kinds[k], 1, bomb, SIZE, SIZE);
        struct memory_sink out = memory_sink_of(SIZE);
        assert_int_equal(decompress(packed.s, packed.len, 1 << 20, &out.sink, &kind), -EFBIG);
        assert_true(out.bytes.len <= 1 << 20);
        str_free(&out.bytes);

        cleanup_str struct str small = compress(kinds[k], 0, content, SMALL, SMALL);
        for (size_t n = 8; n < small.len; n += 41) {
            struct memory_sink part = memory_sink_of(SMALL);
            cleanup_free char *cut = xmalloc(n);
            memcpy(cut, small.s, n);
            assert_int_equal(decompress(cut, n, SMALL, &part.sink, &kind), -EBADMSG);
            str_free(&part.bytes);
        }
        for (size_t i = 0; i < small.len; i += 11) {
            struct memory_sink part = memory_sink_of(SMALL);
            small.s[i] ^= 0x40;
            int r = decompress(small.s, small.len, SMALL, &part.sink, &kind);
            assert_true(r == 0 || r == -EBADMSG || r == -EFBIG);
            small.s[i] ^= 0x40;
            str_free(&part.bytes);
        }
        str_add_n(&small, "\0\0\0\0\0\0\0", 7); /* padding is no damage, anything else is */
        struct memory_sink whole = memory_sink_of(SMALL);
        assert_int_equal(decompress(small.s, small.len, SMALL, &whole.sink, &kind), 0);
        str_free(&whole.bytes);
        str_add(&small, "more");
        assert_int_equal(decompress(small.s, small.len, SMALL, &whole.sink, &kind), -EBADMSG);
        str_free(&whole.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_back),
        cmocka_unit_test(the_tools_agree),
        cmocka_unit_test(the_same_content_gives_the_same_bytes),
        cmocka_unit_test(the_kernel_can_read_it),
        cmocka_unit_test(levels_are_checked),
        cmocka_unit_test(sizes_are_kept_to),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test(hostile_streams_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
