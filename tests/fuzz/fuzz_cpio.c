/* Archives as `rambox image show` reads them: decompress, read; what is accepted must survive being written
 * and read again unchanged. */
#include "image/compress.h"
#include "image/cpio.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 20 };

static void rewrite(struct tree *t)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(tree_free) struct tree *back = NULL;
    cleanup_str struct str before = {0}, after = {0};
    struct memory_sink out = memory_sink_of((size_t)4 * LIMIT);
    if (cpio_write(t, 0, &out.sink) < 0 || out.bytes.len != cpio_size(t))
        abort();
    if (cpio_read(out.bytes.s, out.bytes.len, &diags, &back) < 0)
        abort();
    tree_manifest(t, &before);
    tree_manifest(back, &after);
    if (!str_eq(str_text(&before), str_text(&after)))
        abort();
    str_free(&out.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(tree_free) struct tree *t = NULL;
    struct memory_sink archive = memory_sink_of(LIMIT);
    enum compression kind;
    if (decompress(data, size, LIMIT, &archive.sink, &kind) == 0 &&
        cpio_read(str_text(&archive.bytes), archive.bytes.len, &diags, &t) == 0)
        rewrite(t);
    else if (t)
        abort();
    str_free(&archive.bytes);
    return 0;
}
