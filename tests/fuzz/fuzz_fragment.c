/* Fuzzes the parser of kernel fragments: their lines, and what they say of themselves. */
#include "base/str.h"
#include "build/fragment.h"
#include "kernel/fragment_info.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = xstrndup((const char *)data, size);
    cleanup_diags struct diags diags = {0};
    cleanup_fragments struct fragments fragments = {0};
    struct fragment_info info;
    if (fragments_add_text(&fragments, "fuzz.config", text, &diags) < 0 && diags.errors == 0)
        abort(); /* refused without a word */
    fragment_info_parse(text, &info);
    VEC_EACH(need, &info.needs)
        if (!**need)
            abort();
    if (info.purpose && !info.purpose[0])
        abort();
    fragment_info_clear(&info);
    return 0;
}
