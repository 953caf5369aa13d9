/* See base/glob.h. */
#include "base/glob.h"
#include "base/str.h"

#include <errno.h>

enum { GLOB_MAX = 512 };

static int parse_hex(const char *digits, struct glob *g)
{
    while (*digits) {
        if (digits[0] == '*' && !digits[1]) {
            g->items[g->n++] = GLOB_RUN;
            return 0;
        }
        int high = hex_value(digits[0]), low = high < 0 ? -1 : hex_value(digits[1]);
        if (low < 0)
            return -EINVAL;
        g->items[g->n++] = (uint16_t)(high << 4 | low);
        digits += 2;
    }
    return g->n ? 0 : -EINVAL;
}

int glob_parse(const char *text, struct glob *ret_glob)
{
    size_t length = strlen(text);
    int r = 0;
    if (length == 0 || length > GLOB_MAX)
        return -EINVAL;
    struct glob g = {.items = xcalloc(length, sizeof(*g.items))};
    if (str_starts(text, "0x"))
        r = parse_hex(text + 2, &g);
    else
        for (const char *p = text; *p; p++)
            g.items[g.n++] = *p == '*' ? GLOB_RUN : *p == '?' ? GLOB_ANY : (uint8_t)*p;
    if (r == 0)
        *ret_glob = g;
    else
        glob_free(&g);
    return r;
}

void glob_free(struct glob *glob)
{
    free(glob->items);
    *glob = (struct glob){0};
}

/* The last run takes one byte more each time what is behind it does not match; earlier runs need no second
 * look. */
bool glob_match(const struct glob *glob, const void *data, size_t size)
{
    const uint8_t *b = data;
    size_t g = 0, i = 0, run = SIZE_MAX, resume = 0;
    while (i < size) {
        if (g < glob->n && (glob->items[g] == GLOB_ANY || glob->items[g] == b[i])) {
            g++;
            i++;
        } else if (g < glob->n && glob->items[g] == GLOB_RUN) {
            run = g++;
            resume = i;
        } else if (run != SIZE_MAX) {
            g = run + 1;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob->n && glob->items[g] == GLOB_RUN)
        g++;
    return g == glob->n;
}

static bool is_printable(const struct glob *glob)
{
    for (size_t i = 0; i < glob->n; i++) {
        uint16_t item = glob->items[i];
        if (item <= 0xff && (item < 0x20 || item > 0x7e || item == '*' || item == '?'))
            return false;
    }
    /* Text that would be read back as digits. */
    return glob->n < 2 || glob->items[0] != '0' || glob->items[1] != 'x';
}

void glob_format(const struct glob *glob, struct str *out)
{
    bool printable = is_printable(glob);
    str_add(out, printable ? "" : "0x");
    for (size_t i = 0; i < glob->n; i++) {
        uint16_t item = glob->items[i];
        if (item == GLOB_RUN || item == GLOB_ANY)
            str_add(out, item == GLOB_RUN ? "*" : printable ? "?" : "??");
        else
            str_printf(out, printable ? "%c" : "%02x", item);
    }
}
