/* Fuzzes the parser of rambox.yaml. Held: it refuses nothing without a word; DHCP options that it lets
 * through fit a message, are there once, and none is one that nobody may set; classes match something. */
#include "config/config.h"
#include "libfyaml.h"
#include "proto/dhcp_options.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void check_options(const struct option_values *options)
{
    VEC_EACH(option, &options->list) {
        MUST(option->size <= DHCP_OPTION_DATA_MAX && option->data && option->pos.line);
        MUST(option_values_find(options, option->code) == option);
        MUST(!dhcp_option_by_code(option->code).instead);
    }
}

static void check_site_options(const struct site *site)
{
    check_options(&site->options);
    MUST(site->classes.n <= CLASSES_MAX);
    VEC_EACH(class, &site->classes) {
        size_t n = class->archs.n;
        for (size_t field = 0; field < CLASS_FIELDS; field++)
            n += class->match[field].n;
        MUST(n > 0);
        check_options(&class->options);
    }
    VEC_EACH(profile, &site->profiles)
        check_options(&profile->options);
    VEC_EACH(subnet, &site->subnets)
        check_options(&subnet->options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = site_new();
    int r = config_parse_main("rambox.yaml", (const char *)data, size, &diags, site);
    MUST(r == 0 || diags.errors);
    if (r == 0)
        check_site_options(site);
    return 0;
}
