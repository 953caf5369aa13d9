/* Lists of hardware of every form: what lspci, lsmod and people print. Held: what was found can be matched,
 * and a text is refused with a word or gives devices. */
#include "fit/hardware.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    cleanup_hardware struct hardware hardware = {0};
    int r = hardware_add_text(&hardware, "input", (const char *)data, size, &diags);
    if ((r < 0) != (diags.errors > 0))
        abort(); /* refused without a word, or the other way round */
    if (r == 0 && (hardware.devices.n == 0 || hardware.sources.n != 1))
        abort();
    VEC_EACH(d, &hardware.devices) {
        if (!d->modalias && !d->driver)
            abort(); /* nothing to go by */
        if (d->modalias && !modalias_looks_like(d->modalias))
            abort();
        VEC_EACH(other, &hardware.devices)
            if (other != d && d->modalias && str_eq(d->modalias, other->modalias))
                abort(); /* twice */
    }
    return 0;
}
