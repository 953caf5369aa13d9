/*
 * Bounded text: everything init composes (console lines, JSON, HTTP) goes through here, so that no writer has
 * to count.
 *
 * A text that runs full keeps what fits, stays terminated and remembers in `cut` that something is missing;
 * the caller looks once, at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;    /* the caller's buffer, terminated at every moment */
    size_t size; /* of the buffer, at least 1 */
    size_t used; /* without the terminator */
    bool cut;    /* something did not fit */
};

/* Starts an empty text in `buffer`; `size` is at least 1. */
void text_start(struct text *text, char *buffer, size_t size);

void text_add(struct text *text, const char *string);
void text_char(struct text *text, char c);

/* printf's %s %.*s %d %u %x %%, with 0 and a width before x and l or z before the numbers; nothing else. */
__attribute__((format(printf, 2, 3))) void text_addf(struct text *text, const char *format, ...);
__attribute__((format(printf, 2, 0))) void text_addv(struct text *text, const char *format,
                                                     va_list arguments);

/* Adds `string` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void text_json(struct text *text, const char *string);

/* Adds an IPv4 address in network byte order, as a dotted quad. */
void text_ipv4(struct text *text, uint32_t address);

/* Copies `length` bytes of `from` into `to` and terminates. Returns 0, or -ENAMETOOLONG and an empty `to`. */
int text_copy(char *to, size_t size, const char *from, size_t length);

/*
 * Reads all of `string` as a decimal number between `min` and `max`. Returns 0, -EINVAL when it is not a
 * number, or -ERANGE; *ret is written on success only.
 */
int text_number(const char *string, long min, long max, long *ret);
