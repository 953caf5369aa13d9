/* Strings: a growable one, strict numbers, and the comparison that finds the nearest right word. */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* malloc family that ends the program with a message when memory is gone; never returns NULL. See base/vec.h
 * for where these may be used. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

/* A growable, always NUL-terminated string. {0} is the empty one; `s` is NULL until something was added. */
struct str {
    char *s;
    size_t len, cap;
};
void str_free(struct str *s);
void str_add(struct str *s, const char *text);
void str_add_n(struct str *s, const void *data, size_t n);
void str_printf(struct str *s, const char *fmt, ...) PRINTF(2, 3);
void str_vprintf(struct str *s, const char *fmt, va_list args);
/* The text, never NULL; owned by s. */
const char *str_text(const struct str *s);
/* Hands the buffer to the caller (never NULL) and leaves s empty. */
char *str_steal(struct str *s);

static inline void str_cleanup(struct str *s)
{
    str_free(s);
}
#define cleanup_str __attribute__((cleanup(str_cleanup)))

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
/* Whether a text that can be a path or a URL is a URL (http or https); NULL is none. */
bool is_url(const char *text);
bool str_ends(const char *s, const char *suffix);

/* The value of a hexadecimal digit, of either case; -1 for anything else. */
int hex_value(char c);

/* Decimal digits only: no sign, no blanks, no overflow, the value within min..max.
 * Returns 0, -EINVAL when it is no number, -ERANGE when it is out of range. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value);

/* A size such as `512`, `64K`, `1.5M`, `24MiB` (powers of 1024; the unit in either case), in bytes. -EINVAL,
 * -ERANGE. */
int parse_size(const char *s, uint64_t *ret_bytes);

/* A span of time such as `90`, `90s`, `5m`, `12h`, `1d`, in seconds. -EINVAL, -ERANGE. */
int parse_seconds(const char *s, uint32_t *ret_seconds);

/* Writes a size for people into buf: `512 B`, `1.4 MB` (powers of 1000, as network and disk people count). */
#define SIZE_TEXT_MAX 24
const char *format_size(uint64_t bytes, char buf[static SIZE_TEXT_MAX]);

/* The word of `words` (NULL-terminated) nearest to `word`, for "did you mean"; NULL when none is near. */
const char *nearest_word(const char *word, const char *const *words);

/* True for a label of RFC 1123 §2.1: 1..63 letters, digits and inner hyphens. Node and profile names are such
 * labels. */
bool is_host_label(const char *s);

/* Bytes of the UTF-8 character (RFC 3629) at the beginning of `left` > 0 bytes of text, or 0 when it is none.
 */
size_t utf8_size(const void *text, size_t left);
/* Ends a text before its first byte that is no UTF-8, such as half a character that cutting left. */
void utf8_cut(char *text);
