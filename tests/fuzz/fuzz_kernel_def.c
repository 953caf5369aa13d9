/* Fuzzes the parser of kernel definitions (kernels/NAME.yaml). */
#include "config/config.h"
#include "libfyaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    struct kernel_def kernel;
    if (config_parse_kernel("kernels/fuzz.yaml", (const char *)data, size, &diags, &kernel) == 0)
        kernel_def_clear(&kernel);
    else if (diags.errors == 0)
        abort(); /* refused without a word */
    return 0;
}
