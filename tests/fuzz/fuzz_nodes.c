/* Fuzzes the parser of the files of nodes.d, and of the tables made from them. */
#include "config/config.h"
#include "libfyaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = site_new();
    int r = config_parse_nodes("nodes.d/fuzz.yaml", (const char *)data, size, &diags, site);
    if (r < 0 && diags.errors == 0)
        abort(); /* refused without a word */
    if (r == 0 && site_index(site, &diags) == 0)
        VEC_EACH(node, &site->nodes)
            if (site_node_by_name(site, node->name) != node || site_node_by_mac(site, &node->mac) != node)
                abort();
    return 0;
}
