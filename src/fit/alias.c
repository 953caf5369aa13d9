/* See fit/alias.h. Two patterns are walked along each other, one row a character of the first; the rows say
 * which beginnings of the second can stand for the same text. So it takes time by the product of their
 * lengths, whatever they hold. */
#include "fit/alias.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ALIAS_MAX 1023

/* Characters of `[0-9]` at s, with its brackets; 1 for anything else. */
static size_t token_length(const char *s)
{
    if (*s != '[')
        return 1;
    const char *end = strchr(s + 1, ']');
    return end ? (size_t)(end - s) + 1 : 1;
}

static bool in_set(const char *set, size_t length, char c)
{
    for (size_t i = 1; i + 1 < length; i++) {
        bool range = i + 3 < length && set[i + 1] == '-';
        char low = set[i], high = range ? set[i + 2] : set[i];
        if (c >= low && c <= high)
            return true;
        i += range ? 2 : 0;
    }
    return false;
}

/* A token that is no star, and a character of the modalias. */
static bool same(const char *token, size_t length, char c)
{
    return *token == '?' || (length > 1 ? in_set(token, length, c) : *token == c);
}

/* The star of a modalias stands for a number, whose digits are capitals; so it does not swallow what names
 * the next one (`sv*sd*bc06`). */
static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || c == '?' || c == '[';
}

/* `open`: a star of the modalias may stand for any number; else only a star of the pattern covers it. */
static bool meet(const char *pattern, const char *modalias, bool open)
{
    bool row[ALIAS_MAX + 1] = {true}, next[ALIAS_MAX + 1];
    size_t n = strlen(modalias);
    for (;;) {
        bool any = false;
        size_t length = token_length(pattern);
        memset(next, 0, sizeof(next));
        for (size_t j = 0; j <= n; j++) {
            if (!row[j])
                continue;
            any = true;
            bool star = open && modalias[j] == '*';
            if (star)
                row[j + 1] = true; /* it stands for nothing more */
            if (*pattern == '*') {
                next[j] = true;
                if (j < n)
                    row[j + 1] = true;
            } else if (*pattern && star && is_digit(*pattern)) {
                next[j] = true;
            } else if (*pattern && j < n && same(pattern, length, modalias[j])) {
                next[j + 1] = true;
            }
        }
        if (!*pattern)
            return row[n];
        if (!any)
            return false;
        memcpy(row, next, sizeof(row));
        pattern += length;
    }
}

/* Most pairs differ within their first characters. */
static bool differ_early(const char *a, const char *b)
{
    static const char special[] = "*?[";
    while (*a && *b && *a == *b && !strchr(special, *a))
        a++, b++;
    if (!*a || !*b)
        return *a != *b && *a != '*' && *b != '*';
    return *a != *b && !strchr(special, *a) && *b != '*';
}

enum alias_match alias_match(const char *pattern, const char *modalias)
{
    if (differ_early(pattern, modalias))
        return ALIAS_NO;
    if (strlen(pattern) > ALIAS_MAX || strlen(modalias) > ALIAS_MAX)
        return ALIAS_NO;
    if (meet(pattern, modalias, false))
        return ALIAS_YES;
    return strchr(modalias, '*') && meet(pattern, modalias, true) ? ALIAS_MAYBE : ALIAS_NO;
}
