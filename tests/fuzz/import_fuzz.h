/* What the fuzzers of the readers of src/import share. Each defines FORMAT and NAME, which names the file,
 * and includes this. */
#include "base/str.h"
#include "import/import.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every node can be written down: a name and a MAC address that no other has, and words of one line. */
static void check_nodes(struct site *site)
{
    cleanup_diags struct diags unused = {0};
    site_index(site, &unused); /* addresses may be there twice: that is for the site's check to say */
    VEC_EACH(node, &site->nodes) {
        if (site_node_by_name(site, node->name) != node || site_node_by_mac(site, &node->mac) != node)
            abort();
        if (!is_host_label(node->name) || !mac_is_unicast(&node->mac) || !node->pos.file)
            abort();
        for (const char *p = node->cmdline; p && *p; p++)
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_diags struct diags diags = {0};
    cleanup_import struct import import = {0};
    CLEANUP(site_free) struct site *site = site_new();
    struct import_nodes nodes = {0};
    site_index(site, &diags);
    import_detect("hosts", (const char *)data, size);
    int r = import_parse(FORMAT, NAME, (const char *)data, size, &import, &diags);
    if ((r < 0) != (diags.errors > 0))
        abort(); /* refused without a word, or the other way round */
    import_join(&import, site, NULL, &nodes, &diags);
    VEC_EACH(node, &nodes.nodes)
        *VEC_ADD(&site->nodes) = *node;
    VEC_FREE(&nodes.nodes);
    check_nodes(site);
    VEC_EACH(diag, &diags.list) {
        json_t *text = json_string(diag->text);
        if (!text)
            abort(); /* no UTF-8: lost in --json */
        json_decref(text);
    }
    return 0;
}
