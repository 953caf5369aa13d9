/* See base/str.h. */
#include "base/str.h"
#include "base/vec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

static void *or_die(void *p)
{
    if (!p) {
        fputs("rambox: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return or_die(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
    return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return or_die(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return s ? or_die(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return or_die(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
    struct str s = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&s, fmt, args);
    va_end(args);
    return str_steal(&s);
}

void *vec_grow(void *items, size_t *n, size_t *cap, size_t size)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        items = or_die(reallocarray(items, *cap, size));
    }
    memset((char *)items + *n * size, 0, size);
    (*n)++;
    return items;
}

void str_free(struct str *s)
{
    free(s->s);
    *s = (struct str){0};
}

static void str_room(struct str *s, size_t n)
{
    if (n < s->cap - s->len)
        return;
    size_t cap = s->cap ? s->cap : 64;
    while (cap - s->len <= n)
        cap *= 2;
    s->s = xrealloc(s->s, cap);
    s->cap = cap;
}

void str_add_n(struct str *s, const void *data, size_t n)
{
    str_room(s, n);
    if (n)
        memcpy(s->s + s->len, data, n);
    s->len += n;
    s->s[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_add_n(s, text, strlen(text));
}

void str_vprintf(struct str *s, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0) {
        str_room(s, (size_t)n);
        vsnprintf(s->s + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void str_printf(struct str *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_vprintf(s, fmt, args);
    va_end(args);
}

const char *str_text(const struct str *s)
{
    return s->s ? s->s : "";
}

char *str_steal(struct str *s)
{
    char *text = s->s ? s->s : xstrdup("");
    *s = (struct str){0};
    return text;
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool is_url(const char *text)
{
    return text && (str_starts(text, "https://") || str_starts(text, "http://"));
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (!*s)
        return -EINVAL;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *s - '0', &value))
            return -ERANGE;
    }
    if (value < min || value > max)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

/* Splits `12.5M` into whole and thousandths and what follows them. */
static int parse_decimal(const char *s, uint64_t *ret_thousandths, const char **ret_rest)
{
    uint64_t value = 0;
    int decimals = -1;
    bool digits = false;
    for (; *s; s++) {
        if (*s == '.' && decimals < 0 && digits) {
            decimals = 0;
        } else if (*s >= '0' && *s <= '9' && decimals < 3) {
            if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *s - '0', &value))
                return -ERANGE;
            digits = true;
            decimals += decimals >= 0;
        } else {
            break;
        }
    }
    if (!digits || decimals == 0)
        return -EINVAL;
    for (int i = decimals < 0 ? 0 : decimals; i < 3; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return -ERANGE;
    *ret_thousandths = value;
    *ret_rest = s;
    return 0;
}

int parse_size(const char *s, uint64_t *ret_bytes)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"", 0},    {"b", 0},    {"k", 10}, {"kb", 10}, {"kib", 10}, {"m", 20},
                 {"mb", 20}, {"mib", 20}, {"g", 30}, {"gb", 30}, {"gib", 30}};
    uint64_t thousandths;
    const char *rest;
    int r = parse_decimal(s, &thousandths, &rest);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcasecmp(rest, units[i].unit) != 0)
            continue;
        if (thousandths > UINT64_MAX >> units[i].shift)
            return -ERANGE;
        *ret_bytes = (thousandths << units[i].shift) / 1000;
        return 0;
    }
    return -EINVAL;
}

int parse_seconds(const char *s, uint32_t *ret_seconds)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    size_t n = strlen(s);
    uint32_t scale = 1;
    for (size_t i = 0; n && i < ARRAY_SIZE(units); i++)
        if (s[n - 1] == units[i].unit)
            scale = units[i].seconds;
    char digits[16];
    size_t keep = n && isalpha((unsigned char)s[n - 1]) ? n - 1 : n;
    if (keep >= sizeof(digits))
        return -ERANGE;
    if (keep != n && scale == 1 && s[n - 1] != 's')
        return -EINVAL;
    memcpy(digits, s, keep);
    digits[keep] = '\0';
    uint64_t value;
    int r = parse_u64(digits, 0, UINT32_MAX / scale, &value);
    if (r < 0)
        return r;
    *ret_seconds = (uint32_t)value * scale;
    return 0;
}

const char *format_size(uint64_t bytes, char buf[static SIZE_TEXT_MAX])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        snprintf(buf, SIZE_TEXT_MAX, "%u B", (unsigned)bytes);
        return buf;
    }
    double value = (double)bytes / 1000;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(buf, SIZE_TEXT_MAX, value < 9.995 ? "%.2f %s" : "%.1f %s", value, units[unit]);
    return buf;
}

/* Levenshtein distance, bounded: words longer than 32 characters count as far. */
static unsigned edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t n = strlen(a), m = strlen(b);
    unsigned row[MAX + 1];
    if (n > MAX || m > MAX)
        return MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[m];
}

const char *nearest_word(const char *word, const char *const *words)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)strlen(word) / 3 + 2;
    for (; *words; words++) {
        unsigned d = edit_distance(word, *words);
        if (d < best_distance) {
            best_distance = d;
            best = *words;
        }
    }
    return best;
}

bool is_host_label(const char *s)
{
    size_t n = strlen(s);
    if (n < 1 || n > 63 || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-')
            return false;
    return true;
}

size_t utf8_size(const void *text, size_t left)
{
    const unsigned char *p = text;
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

void utf8_cut(char *text)
{
    for (size_t left = strlen(text), n; left; text += n, left -= n) {
        n = utf8_size(text, left);
        if (n == 0) {
            *text = '\0';
            return;
        }
    }
}
