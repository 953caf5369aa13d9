/* Where a stream of bytes goes: a file, a compressor, memory. Header-only. */
#pragma once

#include "base/str.h"

#include <errno.h>
#include <stddef.h>

struct sink {
    /* Takes all `n` bytes. 0 or -errno, which ends the stream. */
    int (*write)(struct sink *sink, const void *data, size_t n);
};

/* Memory, up to `limit` bytes: -EFBIG then. */
struct memory_sink {
    struct sink sink;
    struct str bytes; /* freed by its owner */
    size_t limit;
};

static inline int memory_sink_write(struct sink *sink, const void *data, size_t n)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    if (n > memory->limit - memory->bytes.len)
        return -EFBIG;
    str_add_n(&memory->bytes, data, n);
    return 0;
}

static inline struct memory_sink memory_sink_of(size_t limit)
{
    return (struct memory_sink){.sink.write = memory_sink_write, .limit = limit};
}
