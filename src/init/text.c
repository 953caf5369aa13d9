/* Bounded text; the contract is in text.h. No I/O, no allocation. Its own formatting, because libc's alone
 * would be a fifth of init. */
#include "init/text.h"

#include <errno.h>
#include <string.h>

void text_start(struct text *text, char *buffer, size_t size)
{
    *text = (struct text){.at = buffer, .size = size};
    buffer[0] = '\0';
}

void text_char(struct text *text, char c)
{
    if (text->used + 1 >= text->size) {
        text->cut = true;
        return;
    }
    text->at[text->used++] = c;
    text->at[text->used] = '\0';
}

void text_add(struct text *text, const char *string)
{
    for (; *string; string++)
        text_char(text, *string);
}

/* Adds `value` in `base`, with leading zeros up to `width` digits. */
static void add_number(struct text *text, unsigned long value, unsigned base, int width)
{
    char digits[24];
    int count = 0;

    do
        digits[count++] = "0123456789abcdef"[value % base];
    while ((value /= base) > 0);
    for (; width > count; width--)
        text_char(text, '0');
    while (count > 0)
        text_char(text, digits[--count]);
}

static void add_signed(struct text *text, long value)
{
    if (value < 0)
        text_char(text, '-');
    add_number(text, value < 0 ? -(unsigned long)value : (unsigned long)value, 10, 0);
}

void text_addv(struct text *text, const char *format, va_list arguments)
{
    for (; *format; format++) {
        int width = 0, precision = -1;
        bool wide = false;

        if (*format != '%') {
            text_char(text, *format);
            continue;
        }
        for (format++; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (*format - '0');
        if (format[0] == '.' && format[1] == '*') {
            precision = va_arg(arguments, int);
            format += 2;
        }
        for (; *format == 'l' || *format == 'z'; format++)
            wide = true;
        if (*format == 's') {
            const char *string = va_arg(arguments, const char *);
            for (; precision-- != 0 && *string; string++)
                text_char(text, *string);
        } else if (*format == 'd') {
            add_signed(text, wide ? va_arg(arguments, long) : va_arg(arguments, int));
        } else if (*format == '%') {
            text_char(text, '%');
        } else {
            unsigned base = *format == 'x' ? 16 : 10;
            add_number(text, wide ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned), base,
                       width);
        }
    }
}

void text_addf(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_addv(text, format, arguments);
    va_end(arguments);
}

void text_ipv4(struct text *text, uint32_t address)
{
    uint8_t bytes[4];

    memcpy(bytes, &address, sizeof(bytes));
    text_addf(text, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* The length of the well-formed UTF-8 sequence at `s`, or 0 (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        length = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return length;
}

void text_json(struct text *text, const char *string)
{
    const unsigned char *s = (const unsigned char *)string;

    text_char(text, '"');
    while (*s) {
        size_t length = utf8_length(s);

        if (length == 0) {
            text_add(text, "\\ufffd");
            s++;
        } else if (length == 1 && (*s < 0x20 || *s == 0x7f)) {
            text_addf(text, "\\u%04x", *s++);
        } else {
            if (*s == '"' || *s == '\\')
                text_char(text, '\\');
            while (length--)
                text_char(text, (char)*s++);
        }
    }
    text_char(text, '"');
}

int text_copy(char *to, size_t size, const char *from, size_t length)
{
    to[0] = '\0';
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(to, from, length);
    to[length] = '\0';
    return 0;
}

int text_number(const char *string, long min, long max, long *ret)
{
    bool negative = *string == '-';
    long value = 0;

    if (negative)
        string++;
    if (*string < '0' || *string > '9')
        return -EINVAL;
    for (; *string >= '0' && *string <= '9'; string++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *string - '0', &value))
            return -ERANGE;
    if (*string)
        return -EINVAL;
    /* Counted downwards, since the negative numbers reach one further. */
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return -ERANGE;
    if (value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}
