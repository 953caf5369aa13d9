/* Kbuild files. Held: every target is an object or a folder, and every symbol is a name. */
#include "fit/makefiles.h"

#include <ctype.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_symbol(const char *symbol)
{
    for (const char *c = symbol; c && *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            abort();
    if (symbol && !*symbol)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = xstrndup((const char *)data, size);
    cleanup_kbuild_rules struct kbuild_rules rules = {0};
    kbuild_rules_parse(text, &rules);
    VEC_EACH(rule, &rules.list) {
        if (!str_ends(rule->target, ".o") && !str_ends(rule->target, "/"))
            abort();
        check_symbol(rule->symbol);
        check_symbol(rule->within);
    }
    return 0;
}
