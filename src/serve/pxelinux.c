/* See serve/pxelinux.h. */
#include "serve/pxelinux.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "proto/pxe.h"
#include "serve/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int answer_node(const struct node *node, const struct boot_client *asker,
                       struct boot_client *ret_client)
{
    bool asks = asker->node == node || (!asker->node && node->ip == 0);
    ret_client->node = node;
    ret_client->mac = node->mac;
    ret_client->ip = node->ip ? node->ip : asks ? asker->ip : 0;
    return 0;
}

/* Who asks, as a node or as a machine that its subnet allows without an entry. */
static int answer_asker(const struct generation *g, const struct boot_client *asker,
                        struct boot_client *ret_client)
{
    const struct node *node = asker->node ? asker->node : site_node_by_ip(g->site, asker->ip);
    const struct subnet *subnet = site_subnet_of(g->site, asker->ip);
    if (node)
        return answer_node(node, asker, ret_client);
    if (!subnet || subnet->unknown == UNKNOWN_DENY)
        return -ENOENT;
    ret_client->node = NULL;
    ret_client->mac = asker->mac;
    ret_client->ip = asker->ip;
    return 0;
}

static int by_uuid(const struct generation *g, const char *name, const struct boot_client *asker,
                   struct boot_client *ret_client)
{
    uint8_t uuid[16];
    if (uuid_parse(name, uuid) < 0)
        return -ENOENT;
    const struct node *node = site_node_by_uuid(g->site, uuid);
    if (!node) { /* some firmware has the first fields in the other order */
        pxe_uuid_swap(uuid);
        node = site_node_by_uuid(g->site, uuid);
    }
    return node ? answer_node(node, asker, ret_client) : -ENOENT;
}

/* `01-` is Ethernet's hardware type. */
static int by_mac(const struct generation *g, const char *name, const struct boot_client *asker,
                  struct boot_client *ret_client)
{
    struct mac mac;
    if (!str_starts(name, "01-") || mac_parse(name + 3, &mac) < 0)
        return -ENOENT;
    const struct node *node = site_node_by_mac(g->site, &mac);
    if (node)
        return answer_node(node, asker, ret_client);
    struct boot_client unknown = *asker;
    unknown.mac = mac;
    return asker->node ? -ENOENT : answer_asker(g, &unknown, ret_client);
}

/* H10: eight digits are an address; fewer are all addresses that begin with them. */
static int by_hex(const struct generation *g, const char *name, const struct boot_client *asker,
                  struct boot_client *ret_client)
{
    size_t n = strlen(name);
    uint32_t value = 0;
    if (n < 1 || n > 8)
        return -ENOENT;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_value(name[i]);
        if (digit < 0)
            return -ENOENT;
        value = value << 4 | (unsigned)digit;
    }
    if (n == 8) {
        const struct node *node = site_node_by_ip(g->site, value);
        if (node)
            return answer_node(node, asker, ret_client);
        return value == asker->ip ? answer_asker(g, asker, ret_client) : -ENOENT;
    }
    const struct ipv4_prefix named = {value << (32 - 4 * n), (uint8_t)(4 * n)};
    const struct subnet *subnet = site_subnet_of(g->site, asker->ip);
    if (!subnet || subnet->prefix.length < named.length || !prefix_contains(&named, subnet->prefix.address))
        return -ENOENT;
    return answer_asker(g, asker, ret_client);
}

static int by_default(const struct generation *g, const char *name, const struct boot_client *asker,
                      struct boot_client *ret_client)
{
    return strcmp(name, "default") == 0 ? answer_asker(g, asker, ret_client) : -ENOENT;
}

int pxelinux_resolve(const struct generation *g, const char *name, const struct boot_client *asker,
                     struct boot_client *ret_client)
{
    static int (*const ways[])(const struct generation *, const char *, const struct boot_client *,
                               struct boot_client *) = {by_uuid, by_mac, by_hex, by_default};
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
        if (ways[i](g, name, asker, ret_client) == 0)
            return 0;
    return -ENOENT;
}

static void write_boot(FILE *out, const struct boot_description *d)
{
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    size_t n = boot_initrds(d, initrds);
    fprintf(out, "  LINUX %s\n", d->kernel);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s%s", i ? "," : "  INITRD ", initrds[i].path, i + 1 == n ? "\n" : "");
    fprintf(out, "  APPEND %s\n", d->cmdline);
}

/* `ttyS0,115200` as SERIAL's port and speed. */
static void write_serial(FILE *out, const char *console)
{
    unsigned port, speed = 9600;
    if (console && sscanf(console, "ttyS%u,%u", &port, &speed) >= 1)
        fprintf(out, "SERIAL %u %u\n", port, speed);
}

/* menu.c32 is PXELINUX's own; without it the labels can be typed. TIMEOUT counts tenths of a second. */
static void write_menu(FILE *out, const struct boot_description *d)
{
    write_serial(out, d->console);
    fprintf(out, "UI menu.c32\nMENU TITLE %s\nTIMEOUT %" PRIu64 "\n", d->name,
            UINT64_C(10) * d->menu->timeout_s);
}

static void write_items(FILE *out, const struct boot_menu *menu)
{
    for (size_t i = 0; i < menu->n; i++) {
        const struct boot_menu_item *item = &menu->items[i];
        fprintf(out, "LABEL %s\n  MENU LABEL %s\n", item->key, item->title);
        if (item->local)
            fputs("  LOCALBOOT 0\n", out);
        else if (item->file)
            fprintf(out, "  KERNEL %s\n", item->file);
        else
            write_boot(out, &item->boot);
    }
}

static int write_file(FILE *out, const struct boot_description *d)
{
    fprintf(out, "# %s, generation %u\nDEFAULT rambox\nPROMPT 0\n", d->name, d->generation);
    if (d->menu)
        write_menu(out, d);
    else
        fputs("TIMEOUT 0\n", out);
    fputs("LABEL rambox\n", out);
    write_boot(out, d);
    if (d->menu)
        write_items(out, d->menu);
    return 0;
}

int pxelinux_render(const struct boot_description *d, char **ret_text, size_t *ret_size)
{
    return render_text(write_file, d, ret_text, ret_size);
}

const char *pxelinux_config_name(const struct mac *mac, char buf[static PXELINUX_NAME_MAX])
{
    const uint8_t *b = mac->b;
    snprintf(buf, PXELINUX_NAME_MAX, "pxelinux.cfg/01-%02x-%02x-%02x-%02x-%02x-%02x", b[0], b[1], b[2], b[3],
             b[4], b[5]);
    return buf;
}
