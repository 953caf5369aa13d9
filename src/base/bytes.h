/* One bounds-checked cursor to read bytes and one to write them; every wire format goes through these.
 *
 * A reader never moves past its end: a read that does not fit fails, and the reader stays failed, so a parser
 * may read a group of fields and check once. A writer behaves the same way. Multi-byte integers are
 * big-endian (network order) unless their name says `le`. Header-only, so that the node's init can use it
 * without the rest of the library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
    const uint8_t *p; /* next byte */
    size_t left;      /* bytes from p to the end */
    bool failed;      /* a read did not fit; p and left stay where they were */
};

static inline struct reader reader_of(const void *data, size_t size)
{
    return (struct reader){.p = data, .left = size};
}

/* Takes n bytes. Returns their start, or NULL when fewer are left. n = 0 always succeeds. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (r->failed || n > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    r->left -= n;
    return p;
}

/* A reader over the next n bytes, which this reader then has behind it. Failed when fewer are left. */
static inline struct reader reader_sub(struct reader *r, size_t n)
{
    const uint8_t *p = reader_take(r, n);
    return p ? reader_of(p, n) : (struct reader){.failed = true};
}

/* The integers: 0 when the bytes are not there; look at `failed`. */
static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* The same, the lowest byte first: what firmware's own formats are written in. */
static inline uint16_t reader_le16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? (uint16_t)(p[1] << 8 | p[0]) : 0;
}

static inline uint32_t reader_le32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0] : 0;
}

static inline uint64_t reader_le64(struct reader *r)
{
    uint64_t low = reader_le32(r);
    return low | (uint64_t)reader_le32(r) << 32;
}

/* A NUL-terminated string; the cursor moves behind the NUL. NULL when no NUL is left. */
static inline const char *reader_cstr(struct reader *r)
{
    const uint8_t *nul = r->failed || r->left == 0 ? NULL : memchr(r->p, 0, r->left);
    if (!nul) {
        r->failed = true;
        return NULL;
    }
    return (const char *)reader_take(r, (size_t)(nul - r->p) + 1);
}

struct writer {
    uint8_t *base;
    size_t size; /* capacity */
    size_t used;
    bool failed; /* a write did not fit; nothing of it was written */
};

static inline struct writer writer_of(void *data, size_t size)
{
    return (struct writer){.base = data, .size = size};
}

static inline size_t writer_left(const struct writer *w)
{
    return w->size - w->used;
}

/* Reserves n bytes to be filled by the caller. NULL when they do not fit. */
static inline uint8_t *writer_reserve(struct writer *w, size_t n)
{
    if (w->failed || n > w->size - w->used) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->base + w->used;
    w->used += n;
    return p;
}

static inline void writer_put(struct writer *w, const void *data, size_t n)
{
    uint8_t *p = writer_reserve(w, n);
    if (p && n)
        memcpy(p, data, n);
}

static inline void writer_fill(struct writer *w, uint8_t value, size_t n)
{
    uint8_t *p = writer_reserve(w, n);
    if (p && n)
        memset(p, value, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    writer_put(w, &v, 1);
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
    writer_put(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
    writer_put(w, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

static inline void writer_le16(struct writer *w, uint16_t v)
{
    writer_put(w, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2);
}

static inline void writer_le32(struct writer *w, uint32_t v)
{
    writer_put(w, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}, 4);
}

/* A string and its NUL. */
static inline void writer_cstr(struct writer *w, const char *s)
{
    writer_put(w, s, strlen(s) + 1);
}
