/* Fuzzes the parser of image definitions (images/NAME.yaml). */
#include "config/config.h"
#include "libfyaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    struct image_def image;
    if (config_parse_image("images/fuzz.yaml", (const char *)data, size, &diags, &image) == 0)
        image_def_clear(&image);
    else if (diags.errors == 0)
        abort(); /* refused without a word */
    return 0;
}
