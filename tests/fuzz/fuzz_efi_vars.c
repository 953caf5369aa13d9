/* Stores of UEFI variables, as lab/efi_vars.h reads and writes them: a store that takes keys has a platform
 * key then, and is not written beyond its end. */
#include "lab/efi_vars.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *store = malloc(size ? size : 1);
    if (!store)
        abort();
    if (size)
        memcpy(store, data, size);
    int first = lab_vars_add(store, size, LAB_TRUST_OWNER, "certificate", 11);
    int second = lab_vars_add(store, size, LAB_TRUST_OWNER, "certificate", 11);
    if (first == 0 && second != -EBADMSG)
        abort();
    free(store);
    return 0;
}
