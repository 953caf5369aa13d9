/* See serve/http_request.h. */
#include "serve/http_request.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

/* ---- the target ---- */

/* The byte that begins at *at, which is moved behind it; -EINVAL. */
static int decode(const char **at)
{
    const char *p = *at;
    int byte = (unsigned char)*p;
    if (*p == '%') {
        int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
        if (low < 0)
            return -EINVAL;
        byte = high << 4 | low;
        p += 2;
    }
    *at = p + 1;
    return byte == 0 ? -EINVAL : byte;
}

/* In place: decoding only makes it shorter. */
static int decode_path(char *path)
{
    char *out = path;
    for (const char *p = path; *p;) {
        int byte = decode(&p);
        if (byte < 0)
            return byte;
        *out++ = (char)byte;
    }
    *out = '\0';
    return 0;
}

int http_target_parse(char *target, struct http_target *ret_target)
{
    static const char *const schemes[] = {"http://", "https://"};
    if (strnlen(target, HTTP_TARGET_MAX + 1) > HTTP_TARGET_MAX)
        return -ENAMETOOLONG;
    for (const char *p = target; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return -EINVAL;
    if (str_eq(target, "*")) {
        *ret_target = (struct http_target){target, ""};
        return 0;
    }
    char *path = target;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0) {
            path = target + strlen(schemes[i]);
            path += strcspn(path, "/?");
            if (*path != '/') /* `http://host`, which means `/`: the place of its last byte is free for it */
                *--path = '/';
        }
    if (*path != '/')
        return -EINVAL;
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    int r = decode_path(path);
    if (r == 0)
        *ret_target = (struct http_target){path, query ? query : ""};
    return r;
}

int http_query_value(const char *query, const char *key, char *ret_value, size_t size)
{
    size_t n = strlen(key), used = 0;
    const char *p = query;
    while (strncmp(p, key, n) != 0 || p[n] != '=') {
        p += strcspn(p, "&");
        if (!*p++)
            return -ENOENT;
    }
    for (p += n + 1; *p && *p != '&';) {
        int byte = *p == '+' ? ' ' : 0;
        if (byte)
            p++;
        else
            byte = decode(&p);
        if (byte < 0 || used + 1 >= size)
            return -EINVAL;
        ret_value[used++] = (char)byte;
    }
    ret_value[used] = '\0';
    return used ? 0 : -ENOENT;
}

/* ---- Range ---- */

/* Digits at *at, which is moved behind them. 0; -EINVAL: none; a number too large for any file is UINT64_MAX.
 */
static int number(const char **at, uint64_t *ret_value)
{
    const char *p = *at;
    uint64_t value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    if (p == *at)
        return -EINVAL;
    *at = p;
    *ret_value = value;
    return 0;
}

/* `-500`: the last bytes. */
static int last_bytes(const char *p, uint64_t total, struct http_range *ret_range)
{
    uint64_t n;
    if (number(&p, &n) < 0 || *p)
        return 0;
    if (n == 0 || total == 0)
        return -ERANGE;
    if (n > total)
        n = total;
    *ret_range = (struct http_range){total - n, n};
    return 1;
}

int http_range_parse(const char *value, uint64_t total, struct http_range *ret_range)
{
    uint64_t first, last = UINT64_MAX;
    const char *p = value;
    if (strncasecmp(p, "bytes=", 6) != 0)
        return 0;
    p += 6;
    p += strspn(p, " \t");
    if (*p == '-')
        return last_bytes(p + 1, total, ret_range);
    if (number(&p, &first) < 0 || *p++ != '-')
        return 0;
    if (*p && (number(&p, &last) < 0 || *p || last < first))
        return 0;
    if (first >= total)
        return -ERANGE;
    if (last > total - 1)
        last = total - 1;
    *ret_range = (struct http_range){first, last - first + 1};
    return 1;
}

/* ---- conditions ---- */

bool http_tag_matches(const char *list, const char *tag, bool weak)
{
    size_t n = strlen(tag);
    const char *p = list + strspn(list, " \t");
    if (str_eq(p, "*"))
        return true;
    while (*p) {
        bool is_weak = str_starts(p, "W/");
        const char *open = is_weak ? p + 2 : p;
        const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;
        if (!close)
            return false;
        if ((weak || !is_weak) && (size_t)(close - open - 1) == n && memcmp(open + 1, tag, n) == 0)
            return true;
        p = close + 1;
        p += strspn(p, " \t,");
    }
    return false;
}

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* `n` digits as a number within min..max; -1. */
static int digits(const char *p, size_t n, int min, int max)
{
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        value = value * 10 + (p[i] - '0');
    }
    return value < min || value > max ? -1 : value;
}

int http_date_parse(const char *text, int64_t *ret_seconds)
{
    /* `Sun, 06 Nov 1994 08:49:37 GMT`: what stands where, with `#` for what is read below */
    static const char form[] = "???, ## ??? #### ##:##:## GMT";
    if (strlen(text) != sizeof(form) - 1)
        return -EINVAL;
    for (size_t i = 0; form[i]; i++)
        if (form[i] != '#' && form[i] != '?' && form[i] != text[i])
            return -EINVAL;
    struct tm tm = {.tm_mday = digits(text + 5, 2, 1, 31),
                    .tm_mon = -1,
                    .tm_year = digits(text + 12, 4, 1970, 9999) - 1900,
                    .tm_hour = digits(text + 17, 2, 0, 23),
                    .tm_min = digits(text + 20, 2, 0, 59),
                    .tm_sec = digits(text + 23, 2, 0, 60)};
    for (int i = 0; i < 12; i++)
        if (memcmp(text + 8, months[i], 3) == 0)
            tm.tm_mon = i;
    if (tm.tm_mday < 0 || tm.tm_mon < 0 || tm.tm_year < 70 || tm.tm_hour < 0 || tm.tm_min < 0 ||
        tm.tm_sec < 0)
        return -EINVAL;
    *ret_seconds = timegm(&tm);
    return 0;
}

const char *http_date_format(int64_t seconds, char buf[static HTTP_DATE_MAX])
{
    struct tm tm = {.tm_mday = 1, .tm_year = 70};
    time_t t = (time_t)seconds;
    (void)gmtime_r(&t, &tm);
    int year = tm.tm_year < 0 ? 0 : tm.tm_year > 8099 ? 9999 : tm.tm_year + 1900;
    snprintf(buf, HTTP_DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
             (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)year % 10000,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    return buf;
}
