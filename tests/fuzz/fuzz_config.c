/* Fuzzes the parser of rambox.yaml. */
#include "config/config.h"
#include "libfyaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = site_new();
    if (config_parse_main("rambox.yaml", (const char *)data, size, &diags, site) < 0 && diags.errors == 0)
        abort(); /* refused without a word */
    return 0;
}
