/* The kept list of a kernel's drivers. Held: every module is found again by its name. */
#include "fit/catalog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = xstrndup((const char *)data, size);
    cleanup_catalog struct catalog catalog = {0};
    struct driver_matches matches = {0};
    catalog_parse(text, &catalog);
    VEC_EACH(m, &catalog.modules) {
        const struct catalog_module *found = catalog_module(&catalog, m->name);
        if (!found || !str_eq(found->name, m->name) || !m->path[0])
            abort();
    }
    catalog_match(&catalog, "pci:v00008086d000010D3sv*sd*bc02sc00i*", &matches);
    if (matches.list.n > catalog.modules.n)
        abort();
    VEC_FREE(&matches.list);
    return 0;
}
