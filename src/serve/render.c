/* See serve/render.h. */
#include "serve/render.h"

#include <errno.h>
#include <stdlib.h>

int render_text(int (*write)(FILE *out, const struct boot_description *d), const struct boot_description *d,
                char **ret_text, size_t *ret_size)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    int r = write(out, d);
    if (fclose(out) != 0)
        r = -ENOMEM;
    if (r < 0) {
        free(text);
        return r;
    }
    *ret_text = text;
    *ret_size = size;
    return 0;
}
