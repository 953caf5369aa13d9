/* JSON of a report; the contract is in report.h. */
#include "init/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "init/fstab.h"

/* Adds `"key":"value"` with the comma that `first` does not need. */
static void add_pair(struct text *body, bool first, const char *key, const char *value)
{
    text_addf(body, "%s\"%s\":", first ? "" : ",", key);
    text_json(body, value);
}

static void add_stages(const struct stages *stages, struct text *body)
{
    text_add(body, ",\"stages\":[");
    for (unsigned i = 0; i < stages->count; i++) {
        const struct stage *stage = &stages->at[i];

        text_addf(body, "%s{\"stage\":\"%s\",\"us\":%" PRIu64, i ? "," : "", stage->name, stage->us);
        if (stage->detail[0])
            add_pair(body, false, "detail", stage->detail);
        text_char(body, '}');
    }
    text_char(body, ']');
}

static void add_interfaces(const struct facts *facts, struct text *body)
{
    text_add(body, ",\"interfaces\":[");
    for (unsigned i = 0; i < facts->interface_count; i++) {
        const struct facts_interface *interface = &facts->interfaces[i];

        text_add(body, i ? ",{" : "{");
        add_pair(body, true, "name", interface->name);
        text_addf(body, ",\"up\":%s", interface->up ? "true" : "false");
        add_pair(body, false, "mac", interface->mac);
        add_pair(body, false, "address", interface->address);
        text_addf(body, ",\"prefix\":%d}", interface->prefix);
    }
    text_char(body, ']');
}

static void add_mounts(const struct facts *facts, struct text *body)
{
    struct fstab_cursor cursor = {facts->mounts, 0};
    struct fstab_entry entry;
    bool first = true;
    int r;

    text_add(body, ",\"mounts\":[");
    while ((r = fstab_next(&cursor, &entry)) != 0) {
        if (r < 0)
            continue;
        text_add(body, first ? "{" : ",{");
        first = false;
        add_pair(body, true, "source", entry.source);
        add_pair(body, false, "target", entry.target);
        add_pair(body, false, "type", entry.type);
        add_pair(body, false, "options", entry.options);
        text_char(body, '}');
    }
    text_char(body, ']');
}

static void add_facts(const struct facts *facts, struct text *body)
{
    const struct facts_memory *m = &facts->memory;

    text_addf(body,
              "\"mem_total_kb\":%" PRIu64 ",\"mem_free_kb\":%" PRIu64 ",\"mem_available_kb\":%" PRIu64
              ",\"mem_used_kb\":%" PRIu64 ",\"root_kb\":%" PRIu64 ",\"modules\":%u,\"device_nodes\":%u",
              m->total_kb, m->free_kb, m->available_kb, m->used_kb, facts->root_kb, facts->modules,
              facts->device_nodes);
    add_interfaces(facts, body);
    add_mounts(facts, body);
    add_pair(body, false, "kernel", facts->kernel);
    add_pair(body, false, "cmdline", facts->cmdline);
}

void report_body(const struct report *report, struct text *body)
{
    text_char(body, '{');
    add_pair(body, true, "boot", report->boot);
    add_pair(body, false, "node", report->node);
    add_pair(body, false, "mac", report->mac);
    add_stages(report->stages, body);
    if (report->facts || report->inventory)
        text_add(body, ",\"facts\":{");
    if (report->facts)
        add_facts(report->facts, body);
    if (report->inventory) {
        text_add(body, report->facts ? ",\"hardware\":" : "\"hardware\":");
        inventory_json(report->inventory, report->level, body);
    }
    text_add(body, report->facts || report->inventory ? "}}" : "}");
}

int report_server(const char *text, struct sockaddr_in *ret)
{
    const char *colon = strchr(text, ':');
    struct sockaddr_in server = {.sin_family = AF_INET};
    char address[16];
    long port;

    if (!colon || text_copy(address, sizeof(address), text, (size_t)(colon - text)) < 0 ||
        inet_pton(AF_INET, address, &server.sin_addr) != 1 || text_number(colon + 1, 1, 65535, &port) < 0)
        return -EINVAL;
    server.sin_port = htons((uint16_t)port);
    *ret = server;
    return 0;
}
