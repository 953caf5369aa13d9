/* Programs for UEFI, as build/pe.h reads them: what is accepted lies within the file. */
#include "base/str.h"
#include "build/pe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pe pe;
    if (pe_parse(data, size, &pe) < 0)
        return 0;
    if (pe.sections_n > PE_SECTIONS_MAX)
        abort();
    for (size_t i = 0; i < pe.sections_n; i++) {
        const struct pe_section *s = &pe.sections[i];
        const struct pe_section *first = pe_section(&pe, s->name);
        if (s->bytes > size || s->offset > size - s->bytes || !first || !str_eq(first->name, s->name) ||
            pe_end(&pe) < (uint64_t)s->address + s->size)
            abort();
    }
    return 0;
}
