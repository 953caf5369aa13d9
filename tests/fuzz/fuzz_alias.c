/* Patterns of drivers against devices. Input: a pattern up to the first NUL, then a modalias. Held: a sure
 * match of a modalias without stars is that of fnmatch, which knows none of ours; what is sure is also
 * possible. */
#include "base/str.h"
#include "fit/alias.h"

#include <fnmatch.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where fnmatch means something else: escapes, negated sets and classes, sets that do not end. */
static bool comparable(const char *pattern, const char *modalias)
{
    for (const char *c = pattern; *c; c++) {
        if (*c == '\\' || (unsigned char)*c >= 0x80)
            return false;
        if (*c == '[')
            return false;
    }
    for (const char *c = modalias; *c; c++)
        if (*c == '*' || (unsigned char)*c >= 0x80)
            return false;
    return strlen(pattern) < 200 && strlen(modalias) < 200;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    size_t first = end ? (size_t)(end - data) : size;
    cleanup_free char *pattern = xstrndup((const char *)data, first);
    cleanup_free char *modalias = xstrndup(end ? (const char *)end + 1 : "", end ? size - first - 1 : 0);
    enum alias_match match = alias_match(pattern, modalias);
    if (comparable(pattern, modalias) &&
        (match == ALIAS_YES) != (fnmatch(pattern, modalias, FNM_NOESCAPE) == 0))
        abort();
    if (!strchr(modalias, '*') && match == ALIAS_MAYBE)
        abort();
    return 0;
}
