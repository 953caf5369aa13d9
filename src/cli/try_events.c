/* The server's events (daemon/event_stream.h, one JSON object a line) to the timelines of the nodes. */
#include "base/str.h"
#include "cli/try.h"
#include "model/generation.h"
#include "serve/bootfile.h"

struct told {
    struct try *t;
    struct try_node *node;
    int64_t at_us;
    const char *file, *detail;
    const char *path;     /* that DHCP told the firmware; empty: none */
    const char *protocol; /* by which a file comes: `TFTP`, `HTTP` */
    uint64_t bytes, total, took_us, node_us;
    ipv4_t ip;
    json_t *object;
};

struct try_row *try_add_row(struct try_node *node, int64_t at_us, const char *what, const char *fmt, ...)
{
    struct str detail = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&detail, fmt, args);
    va_end(args);
    struct try_row *row = VEC_ADD(&node->rows);
    row->at_us = at_us;
    row->detail = str_steal(&detail);
    snprintf(row->what, sizeof(row->what), "%s", what);
    return row;
}

double try_row_seconds(const struct try_node *node, const struct try_row *row)
{
    /* What the node did before it could tell is placed by its own clock; `ready` counts when the server knew.
     */
    int64_t at = row->node_us && node->kernel_us && !str_eq(row->what, "ready")
                     ? node->kernel_us + (int64_t)row->node_us
                     : row->at_us;
    return (double)(at - node->power_on_us) / 1e6;
}

static void take_dhcp_in(struct told *e)
{
    if (!e->node->packet_us)
        e->node->packet_us = e->at_us;
    try_add_row(e->node, e->at_us, e->detail, "%s", "");
}

static void take_dhcp_out(struct told *e)
{
    char ip[IPV4_TEXT_MAX];
    try_add_row(e->node, e->at_us, e->detail, "%s%s%s", e->ip ? ipv4_format(e->ip, ip) : "",
                e->path[0] ? ", path " : "", e->path);
    if (e->ip && str_eq(e->detail, "ACK"))
        e->node->ip = e->ip;
}

static void take_ignored(struct told *e)
{
    try_add_row(e->node, e->at_us, "ignored", "%s", e->detail);
}

/* The part of a boot that a file belongs to: of artifacts their kind, `kernel`, `image`, ... */
static const char *part_of(const char *file)
{
    enum artifact_kind kind;
    unsigned generation;
    char name[ARTIFACT_NAME_MAX];
    if (artifact_path_parse(file, &generation, &kind, name) == 0)
        return artifact_kind_name(kind);
    return bootfile_is_config(file) ? "config" : "loader";
}

static bool holds_kernel(const char *part)
{
    return str_eq(part, "kernel") || str_eq(part, "unified");
}

static void take_start(struct told *e)
{
    struct try_transfer *transfer = &e->node->transfer;
    free(transfer->file);
    *transfer = (struct try_transfer){
        .file = xstrdup(e->file), .bytes = e->bytes, .total = e->total, .started_us = e->at_us};
    if (!e->node->loader_us)
        e->node->loader_us = e->at_us;
    if (holds_kernel(part_of(e->file)))
        e->node->fetch_us = e->at_us;
}

static void take_progress(struct told *e)
{
    if (!e->node->transfer.file || !str_eq(e->node->transfer.file, e->file))
        take_start(e);
    e->node->transfer.bytes = e->bytes;
    e->node->transfer.total = e->total;
}

static void drop_transfer(struct try_node *node)
{
    free(node->transfer.file);
    node->transfer = (struct try_transfer){0};
}

static void take_end(struct told *e)
{
    char size[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX];
    const char *part = part_of(e->file);
    uint64_t took = e->took_us ? e->took_us : 1;
    try_add_row(e->node, e->at_us, part, "%s, %s in %.3f s, %s/s by %s", e->file, format_size(e->bytes, size),
                (double)e->took_us / 1e6, format_size(e->bytes * 1000000 / took, rate), e->protocol);
    if (holds_kernel(part) || str_eq(part, "image")) {
        e->node->transferred += e->bytes;
        e->node->loaded_us = e->at_us;
    }
    drop_transfer(e->node);
}

static void take_refused(struct told *e)
{
    try_add_row(e->node, e->at_us, "not served", "%s: %s", e->file, e->detail);
}

/* A block that was sent, but whose acknowledgment never came, is all that may be missing of a file that
 * arrived. */
#define BLOCK_MAX 65464

static void take_aborted(struct told *e)
{
    /* Firmware asks for a file's size and ends the transfer when it has it (T5); PXELINUX ends one when it
     * has the last byte and not the empty block that follows (T8): neither is a failure. */
    if (e->total && e->bytes && e->total - e->bytes <= BLOCK_MAX) {
        e->bytes = e->total;
        take_end(e);
        return;
    }
    if (e->bytes)
        try_add_row(e->node, e->at_us, "broke off", "%s: %s", e->file, e->detail);
    drop_transfer(e->node);
}

/* A report that comes again, since its answer was lost, tells nothing new. */
static bool is_told(const struct try_node *node, const char *name, uint64_t node_us)
{
    VEC_EACH(row, &node->rows)
        if (node_us && row->node_us == node_us && str_eq(row->what, name))
            return true;
    return false;
}

static void take_stage(struct told *e)
{
    cleanup_free char *name = xstrdup(e->detail);
    char *colon = strchr(name, ':');
    const char *rest = colon ? colon + 1 + strspn(colon + 1, " ") : "";
    if (colon)
        *colon = '\0';
    if (is_told(e->node, name, e->node_us))
        return;
    if (e->node_us) {
        /* The server knows of a stage some time after it was reached, so the earliest start is the right one.
         */
        int64_t start = e->at_us - (int64_t)e->node_us;
        if (!e->node->kernel_us)
            try_add_row(e->node, start, "start", "the kernel runs")->node_us = 1;
        if (!e->node->kernel_us || start < e->node->kernel_us)
            e->node->kernel_us = start;
    }
    try_add_row(e->node, e->at_us, name, "%s", rest)->node_us = e->node_us;
    if (str_eq(name, "init") && !e->node->init_us)
        e->node->init_us = e->node_us;
    if (str_eq(name, "ready") && !e->node->ready_us) {
        e->node->ready_us = e->at_us;
        e->node->ready_node_us = e->node_us;
    }
    if (str_eq(name, "failed") && !e->node->failure)
        e->node->failure = xasprintf("its init gave up: %s", rest);
    if (str_eq(name, "shell") && !e->node->failure && !e->node->ready_us)
        e->node->failure = xasprintf("its init started a shell instead%s%s", rest[0] ? ": " : "", rest);
}

static void take_unstarted(struct told *e)
{
    try_add_row(e->node, e->at_us, "unstarted", "%s: %s", e->file, e->detail);
    if (!e->node->failure && !e->node->kernel_us)
        e->node->failure = xasprintf("%s was not started: %s", e->file, e->detail);
}

static void take_facts(struct told *e)
{
    json_decref(e->node->facts);
    e->node->facts = json_incref(json_object_get(e->object, "json"));
}

static const struct {
    const char *kind;
    void (*take)(struct told *e);
} kinds[] = {
    {"dhcp-in", take_dhcp_in},
    {"dhcp-out", take_dhcp_out},
    {"dhcp-ignored", take_ignored},
    {"tftp-start", take_start},
    {"tftp-progress", take_progress},
    {"tftp-end", take_end},
    {"tftp-refused", take_refused},
    {"tftp-aborted", take_aborted},
    {"http-start", take_start},
    {"http-progress", take_progress},
    {"http-end", take_end},
    {"http-refused", take_refused},
    {"http-aborted", take_aborted},
    {"stage", take_stage},
    {"facts", take_facts},
    {"unstarted", take_unstarted},
};

static struct try_node *node_of(struct try *t, json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "node"));
    const char *mac_text = json_string_value(json_object_get(object, "mac"));
    const char *ip_text = json_string_value(json_object_get(object, "ip"));
    struct mac mac;
    ipv4_t ip;
    bool has_mac = mac_text && mac_parse(mac_text, &mac) == 0;
    bool has_ip = ip_text && ipv4_parse(ip_text, &ip) == 0;
    VEC_EACH(node, &t->nodes)
        if ((has_mac && mac_equal(&mac, &node->mac)) || (name && str_eq(name, node->name)) ||
            (has_ip && ip == node->ip))
            return node;
    return NULL;
}

static uint64_t number_of(json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void try_take_event(struct try *t, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    struct told e = {.t = t, .object = object, .node = object ? node_of(t, object) : NULL};
    const char *kind = text_of(object, "event");
    e.at_us = (int64_t)number_of(object, "mono_us");
    e.file = text_of(object, "file");
    e.detail = text_of(object, "detail");
    e.path = text_of(object, "path");
    e.bytes = number_of(object, "bytes");
    e.total = number_of(object, "bytes_total");
    e.took_us = number_of(object, "took_us");
    e.node_us = number_of(object, "node_us");
    if (ipv4_parse(text_of(object, "ip"), &e.ip) < 0)
        e.ip = 0;
    e.protocol = str_starts(kind, "http") ? "HTTP" : "TFTP";
    if (str_eq(kind, "serving"))
        t->serving = (unsigned)number_of(object, "generation");
    for (size_t i = 0; e.node && i < ARRAY_SIZE(kinds); i++)
        if (str_eq(kind, kinds[i].kind))
            kinds[i].take(&e);
    json_decref(object);
}
