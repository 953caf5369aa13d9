/* Patterns. Input: a pattern up to the first NUL, then what it is matched with. Held: the answer is that of
 * the plain definition of `*` and `?`; a pattern whose text can be read back is the same again. */
#include "base/glob.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

enum { SIDE = 65 };

/* reach[i]: the items so far match the first i bytes. */
static bool matches(const struct glob *glob, const uint8_t *b, size_t n)
{
    bool reach[SIDE] = {true};
    for (size_t g = 0; g < glob->n; g++) {
        bool next[SIDE] = {false};
        for (size_t i = 0; i <= n; i++) {
            if (glob->items[g] == GLOB_RUN)
                next[i] = reach[i] || (i && next[i - 1]);
            else if (i)
                next[i] = reach[i - 1] && (glob->items[g] == GLOB_ANY || glob->items[g] == b[i - 1]);
        }
        memcpy(reach, next, sizeof(reach));
    }
    return reach[n];
}

static void read_back(const struct glob *glob)
{
    cleanup_str struct str text = {0};
    struct glob again;
    glob_format(glob, &text);
    MUST(str_text(&text)[0]);
    if (glob_parse(str_text(&text), &again) < 0)
        return; /* bytes with `??` among them, or longer than a pattern can be: for people only */
    MUST(again.n == glob->n && memcmp(again.items, glob->items, glob->n * sizeof(*glob->items)) == 0);
    glob_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct glob glob;
    size_t n = strnlen((const char *)data, size);
    cleanup_free char *pattern = xstrndup((const char *)data, n);
    const uint8_t *rest = data + n + (n < size);
    size_t left = size - n - (n < size);
    if (glob_parse(pattern, &glob) < 0)
        return 0;
    left = left < SIDE ? left : SIDE - 1;
    MUST(glob_match(&glob, rest, left) == matches(&glob, rest, left));
    read_back(&glob);
    glob_free(&glob);
    return 0;
}
