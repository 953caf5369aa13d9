/* See base/range.h. */
#include "base/range.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>

#define RANGE_MAX    65536
#define BRACKETS_MAX 16 /* each is a level of recursion */

typedef VEC(char *) names_vec;

static int number(const char **s, uint64_t *ret_value, size_t *ret_width)
{
    size_t n = strspn(*s, "0123456789");
    char digits[8];
    if (n == 0 || n >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, *s, n);
    digits[n] = '\0';
    *s += n;
    *ret_width = n;
    return parse_u64(digits, 0, 9999999, ret_value);
}

static int expand(const char *prefix, const char *rest, names_vec *out);

/* One `7` or `1-3` of a bracket, with all that follows the bracket. */
static int expand_span(const char *prefix, uint64_t first, uint64_t last, size_t width, const char *rest,
                       names_vec *out)
{
    for (uint64_t i = first; i <= last; i++) {
        cleanup_free char *longer = xasprintf("%s%0*u", prefix, (int)width, (unsigned)i);
        int r = expand(longer, rest, out);
        if (r < 0)
            return r;
    }
    return 0;
}

static int expand(const char *prefix, const char *rest, names_vec *out)
{
    const char *open = strpbrk(rest, "[]");
    if (!open) {
        if (out->n >= RANGE_MAX)
            return -E2BIG;
        VEC_PUSH(out, xasprintf("%s%s", prefix, rest));
        return 0;
    }
    const char *close = strchr(open, ']');
    if (*open == ']' || !close)
        return -EINVAL;
    cleanup_free char *longer = xasprintf("%s%.*s", prefix, (int)(open - rest), rest);
    const char *s = open + 1;
    do {
        uint64_t first = 0, last;
        size_t width = 0, ignored;
        int r = number(&s, &first, &width);
        last = first;
        if (r == 0 && *s == '-') {
            s++;
            r = number(&s, &last, &ignored);
        }
        if (r < 0 || last < first || (*s != ',' && s != close))
            return -EINVAL;
        r = expand_span(longer, first, last, width, close + 1, out);
        if (r < 0)
            return r;
    } while (*s++ == ',');
    return 0;
}

int range_expand(const char *range, char ***ret_names)
{
    names_vec out = {0};
    unsigned brackets = 0;
    for (const char *c = range; *c; c++)
        brackets += *c == '[';
    int r = brackets > BRACKETS_MAX ? -EINVAL : expand("", range, &out);
    VEC_PUSH(&out, NULL);
    if (r < 0) {
        names_free(out.items);
        return r;
    }
    *ret_names = out.items;
    return 0;
}
