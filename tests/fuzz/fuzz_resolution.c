/* What share/kconfig/resolve.c prints, among whatever else a tree's Kconfig prints. */
#include "fit/resolve.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = xstrndup((const char *)data, size);
    cleanup_resolution struct resolution resolution = {0};
    resolution_parse(text, &resolution);
    VEC_EACH(r, &resolution.list)
        if (!r->symbol || !r->root || !r->because || !r->how || !r->prompt)
            abort();
    VEC_EACH(f, &resolution.failures)
        if (!f->symbol || !f->why)
            abort();
    return 0;
}
