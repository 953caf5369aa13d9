/* See serve/report.h. */
#include "serve/report.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define STAGES_MAX     64
#define INTERFACES_MAX 64
#define MOUNTS_MAX     512
#define DEPTH_MAX      16
#define FIRMWARE_SAID  4 /* files that a line of the log names */

DEFINE_CLEANUP(json_t *, json_decref);

/* Where the parser is, and what it has to say. */
struct place {
    const char *list;   /* name of the list the object is in; NULL: none */
    const char *object; /* otherwise the object's name and a dot; NULL: the report itself */
    size_t index;
    char *error; /* REPORT_ERROR_MAX */
};

static int wrong(const struct place *at, const char *field, const char *expected)
{
    if (at->list)
        snprintf(at->error, REPORT_ERROR_MAX, "%s[%zu].%s: expected %s", at->list, at->index, field,
                 expected);
    else
        snprintf(at->error, REPORT_ERROR_MAX, "%s%s: expected %s", at->object ? at->object : "", field,
                 expected);
    return -EINVAL;
}

enum type {
    TYPE_TEXT,     /* char[size], cut */
    TYPE_OWN_TEXT, /* char *, allocated */
    TYPE_U64,
    TYPE_UNSIGNED,
    TYPE_I64, /* 0 or above */
    TYPE_BOOL,
    TYPE_MAC,     /* "" is none */
    TYPE_ADDRESS, /* "" is none */
    TYPE_BOOT,    /* "" is none */
};

struct field {
    const char *name;
    size_t offset, size;
    enum type type;
    bool required;
};

#define FIELD(name, type, of, member, required)                                                              \
    {                                                                                                        \
        name, offsetof(of, member), sizeof(((of *)0)->member), type, required                                \
    }

/* Text for people and for the kernel's tools: control characters would break logs and terminals, and half a
 * UTF-8 sequence, as cutting leaves it, the JSON it is told on in. `from` is valid UTF-8. */
static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    if (n >= size)
        for (n = size - 1; n && ((unsigned char)from[n] & 0xc0) == 0x80; n--)
            ;
    snprintf(to, size, "%.*s", (int)n, from);
    for (char *p = to; *p; p++) {
        bool c1 = (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0; /* U+0080..U+009F */
        if ((unsigned char)*p < ' ' || *p == 0x7f || c1)
            *p = ' ';
        if (c1)
            *++p = ' ';
    }
}

static int take_number(const struct place *at, const struct field *f, const json_t *value, void *to)
{
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < 0 || (f->type == TYPE_UNSIGNED && n > UINT32_MAX))
        return wrong(at, f->name, "a number of 0 or above");
    if (f->type == TYPE_UNSIGNED)
        *(unsigned *)to = (unsigned)n;
    else if (f->type == TYPE_U64)
        *(uint64_t *)to = (uint64_t)n;
    else
        *(int64_t *)to = n;
    return 0;
}

static int take_text(const struct place *at, const struct field *f, const json_t *value, void *to)
{
    const char *text = json_string_value(value);
    if (!text)
        return wrong(at, f->name, "a string");
    if (f->type == TYPE_TEXT) {
        copy_text(to, f->size, text);
        return 0;
    }
    if (f->type == TYPE_OWN_TEXT) {
        char **own = to;
        *own = strdup(text);
        if (!*own)
            return -ENOMEM;
        copy_text(*own, strlen(text) + 1, text);
        return 0;
    }
    if (*text == '\0')
        return 0;
    if (f->type == TYPE_MAC)
        return mac_parse(text, to) < 0 ? wrong(at, f->name, "a MAC address") : 0;
    if (f->type == TYPE_ADDRESS)
        return ipv4_parse(text, to) < 0 ? wrong(at, f->name, "an IPv4 address") : 0;
    return boot_id_parse(text, to) < 0 ? wrong(at, f->name, "16 hexadecimal digits") : 0;
}

static int take_field(const struct place *at, const struct field *f, const json_t *value, void *to)
{
    switch (f->type) {
    case TYPE_U64:
    case TYPE_UNSIGNED:
    case TYPE_I64:
        return take_number(at, f, value, to);
    case TYPE_BOOL:
        if (!json_is_boolean(value))
            return wrong(at, f->name, "true or false");
        *(bool *)to = json_is_true(value);
        return 0;
    default:
        return take_text(at, f, value, to);
    }
}

static int take_fields(const struct place *at, const struct field *fields, size_t n, const json_t *object,
                       void *to)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        if (!value || json_is_null(value)) {
            if (fields[i].required)
                return wrong(at, fields[i].name, "it to be there");
            continue;
        }
        int r = take_field(at, &fields[i], value, (char *)to + fields[i].offset);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct field report_fields[] = {
    FIELD("boot", TYPE_BOOT, struct report, boot, false),
    FIELD("node", TYPE_TEXT, struct report, node, false),
    FIELD("mac", TYPE_MAC, struct report, mac, false),
};

static const struct field stage_fields[] = {
    FIELD("stage", TYPE_TEXT, struct report_stage, name, true),
    FIELD("us", TYPE_I64, struct report_stage, us, true),
    FIELD("detail", TYPE_TEXT, struct report_stage, detail, false),
};

static const struct field facts_fields[] = {
    FIELD("mem_total_kb", TYPE_U64, struct report_facts, mem_total_kb, true),
    FIELD("mem_free_kb", TYPE_U64, struct report_facts, mem_free_kb, true),
    FIELD("mem_available_kb", TYPE_U64, struct report_facts, mem_available_kb, true),
    FIELD("mem_used_kb", TYPE_U64, struct report_facts, mem_used_kb, true),
    FIELD("root_kb", TYPE_U64, struct report_facts, root_kb, true),
    FIELD("modules", TYPE_UNSIGNED, struct report_facts, modules, true),
    FIELD("device_nodes", TYPE_UNSIGNED, struct report_facts, device_nodes, true),
    FIELD("kernel", TYPE_OWN_TEXT, struct report_facts, kernel, false),
    FIELD("cmdline", TYPE_OWN_TEXT, struct report_facts, cmdline, false),
};

static const struct field interface_fields[] = {
    FIELD("name", TYPE_TEXT, struct report_interface, name, true),
    FIELD("up", TYPE_BOOL, struct report_interface, up, true),
    FIELD("mac", TYPE_MAC, struct report_interface, mac, false),
    FIELD("address", TYPE_ADDRESS, struct report_interface, address, false),
    FIELD("prefix", TYPE_UNSIGNED, struct report_interface, prefix, false),
};

static const struct field mount_fields[] = {
    FIELD("source", TYPE_OWN_TEXT, struct report_mount, source, true),
    FIELD("target", TYPE_OWN_TEXT, struct report_mount, target, true),
    FIELD("type", TYPE_OWN_TEXT, struct report_mount, type, true),
    FIELD("options", TYPE_OWN_TEXT, struct report_mount, options, true),
};

/* A list of objects of one kind. */
struct list {
    const char *key;  /* in its object */
    const char *name; /* for people */
    size_t max;
    const struct field *fields;
    size_t fields_n;
    size_t item_size;
};

/* Parses the list into `items`, an array that grows here with malloc: a request may fail, the program may
 * not. `ret_n` counts the items as they come, so that what was taken can be freed after a failure. */
static int take_list(char *error, const struct list *l, const json_t *object, void **ret_items, size_t *ret_n)
{
    const json_t *array = json_object_get(object, l->key);
    struct place at = {.error = error};
    size_t n = json_array_size(array);
    if (!array)
        return 0;
    if (!json_is_array(array))
        return wrong(&at, l->name, "a list");
    if (n > l->max) {
        snprintf(error, REPORT_ERROR_MAX, "%s: expected at most %zu entries, not %zu", l->name, l->max, n);
        return -EINVAL;
    }
    if (n == 0)
        return 0;
    char *items = calloc(n, l->item_size);
    if (!items)
        return -ENOMEM;
    *ret_items = items;
    at.list = l->name;
    for (; at.index < n; at.index++) {
        const json_t *item = json_array_get(array, at.index);
        if (!json_is_object(item)) {
            snprintf(error, REPORT_ERROR_MAX, "%s[%zu]: expected an object", l->name, at.index);
            return -EINVAL;
        }
        *ret_n = at.index + 1;
        int r = take_fields(&at, l->fields, l->fields_n, item, items + at.index * l->item_size);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct list stages_list = {
    "stages", "stages", STAGES_MAX, stage_fields, ARRAY_SIZE(stage_fields), sizeof(struct report_stage)};
static const struct list interfaces_list = {
    "interfaces",     "facts.interfaces",           INTERFACES_MAX,
    interface_fields, ARRAY_SIZE(interface_fields), sizeof(struct report_interface)};
static const struct list mounts_list = {"mounts",     "facts.mounts",           MOUNTS_MAX,
                                        mount_fields, ARRAY_SIZE(mount_fields), sizeof(struct report_mount)};

static int take_facts(char *error, const json_t *facts, struct report_facts *ret)
{
    struct place at = {.object = "facts.", .error = error};
    int r = take_fields(&at, facts_fields, ARRAY_SIZE(facts_fields), facts, ret);
    void *items = NULL;
    if (r == 0) {
        r = take_list(error, &interfaces_list, facts, &items, &ret->interfaces.n);
        ret->interfaces.items = items;
        ret->interfaces.cap = ret->interfaces.n;
    }
    if (r == 0) {
        items = NULL;
        r = take_list(error, &mounts_list, facts, &items, &ret->mounts.n);
        ret->mounts.items = items;
        ret->mounts.cap = ret->mounts.n;
    }
    return r;
}

/* jansson's own limit is far above; a report is shallow. Brackets within strings count too, which only makes
 * it stricter for texts nobody sends. */
static bool is_shallow(const char *text, size_t size)
{
    size_t depth = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '{' || text[i] == '[')
            depth++;
        else if ((text[i] == '}' || text[i] == ']') && depth)
            depth--;
        if (depth > DEPTH_MAX)
            return false;
    }
    return true;
}

static int read_json(const void *body, size_t size, char *error, json_t **ret_root)
{
    json_error_t why;
    if (size > REPORT_MAX) {
        snprintf(error, REPORT_ERROR_MAX, "the report is longer than %d bytes", REPORT_MAX);
        return -EMSGSIZE;
    }
    if (size == 0 || !is_shallow(body, size)) {
        snprintf(error, REPORT_ERROR_MAX, size ? "the report is nested too deeply" : "the report is empty");
        return -EINVAL;
    }
    json_t *root = json_loadb(body, size, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        snprintf(error, REPORT_ERROR_MAX, "line %d, column %d: %.100s", why.line, why.column, why.text);
        for (char *p = error; *p; p++) /* it quotes what it could not read */
            if (*p < ' ' || *p == 0x7f)
                *p = '?';
        return -EINVAL;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        snprintf(error, REPORT_ERROR_MAX, "expected an object");
        return -EINVAL;
    }
    *ret_root = root;
    return 0;
}

static int take_hardware(const json_t *hardware, struct report *report, char *error)
{
    char why[MACHINE_ERROR_MAX];
    int r = machine_parse(hardware, &report->hardware, why, sizeof(why));
    if (r < 0) {
        snprintf(error, REPORT_ERROR_MAX, "facts.hardware: %s", why);
        return r;
    }
    CLEANUP(json_decref) json_t *clean = machine_to_json(&report->hardware);
    report->hardware_json = clean ? json_dumps(clean, JSON_COMPACT) : NULL;
    report->has_hardware = report->hardware_json;
    return report->has_hardware ? 0 : -ENOMEM;
}

/* What is kept of each boot: without the hardware, which is kept of each machine. */
static int write_facts(json_t *facts, char **ret_text, char *error)
{
    (void)json_object_del(facts, "hardware");
    char *text = json_dumps(facts, JSON_COMPACT);
    if (text && strlen(text) > REPORT_FACTS_MAX) {
        free(text);
        snprintf(error, REPORT_ERROR_MAX, "facts: expected at most %d bytes but hardware", REPORT_FACTS_MAX);
        return -EINVAL;
    }
    *ret_text = text;
    return text ? 0 : -ENOMEM;
}

static int take_report(const json_t *root, struct report *report, char **facts_text, char *error)
{
    struct place at = {.error = error};
    void *items = NULL;
    int r = take_fields(&at, report_fields, ARRAY_SIZE(report_fields), root, report);
    if (r == 0) {
        r = take_list(error, &stages_list, root, &items, &report->stages.n);
        report->stages.items = items;
        report->stages.cap = report->stages.n;
    }
    json_t *facts = json_object_get(root, "facts");
    if (r < 0 || !facts || json_is_null(facts))
        return r;
    if (!json_is_object(facts))
        return wrong(&at, "facts", "an object");
    const json_t *hardware = json_object_get(facts, "hardware");
    if (hardware && !json_is_null(hardware))
        r = take_hardware(hardware, report, error);
    if (r < 0 || (report->has_hardware && json_object_size(facts) == 1))
        return r;
    report->has_facts = true;
    r = take_facts(error, facts, &report->facts);
    return r < 0 || !facts_text ? r : write_facts(facts, facts_text, error);
}

int report_parse(const void *body, size_t size, struct report *ret_report, char **ret_facts,
                 char error[static REPORT_ERROR_MAX])
{
    CLEANUP(json_decref) json_t *root = NULL;
    struct report report = {0};
    char *facts = NULL;
    snprintf(error, REPORT_ERROR_MAX, "no memory left"); /* unless another reason is found */
    int r = read_json(body, size, error, &root);
    if (r < 0)
        return r;
    r = take_report(root, &report, ret_facts ? &facts : NULL, error);
    if (r < 0) {
        report_clear(&report);
        free(facts);
        return r;
    }
    *ret_report = report;
    if (ret_facts)
        *ret_facts = facts;
    return 0;
}

static void emit_stage(struct event_sink *sink, struct event *event, const struct report_stage *stage)
{
    char detail[sizeof(stage->name) + sizeof(stage->detail) + 3];
    snprintf(detail, sizeof(detail), stage->detail[0] ? "%s: %s" : "%s%s", stage->name, stage->detail);
    event->kind = EVENT_STAGE;
    event->detail = detail;
    event->node_us = (uint64_t)stage->us;
    sink->emit(sink, event);
    event->detail = NULL;
    event->node_us = 0;
}

/* `LABEL, 14 devices, 1 without a driver, firmware missing: a, b`. */
static void describe_hardware(const struct machine *m, const char *label, char *text, size_t size)
{
    const struct machine_counts counts = machine_count(m);
    size_t used = (size_t)snprintf(text, size, "%.100s, %u device%s, %u without a driver%s", label,
                                   counts.devices, counts.devices == 1 ? "" : "s", counts.undriven,
                                   m->incomplete ? ", not all of it" : "");
    unsigned said = 0;
    VEC_EACH(file, &m->missing_firmware)
        if (used < size && said++ < FIRMWARE_SAID)
            used += (size_t)snprintf(text + used, size - used, "%s%s",
                                     said == 1 ? ", firmware missing: " : ", ", *file);
    if (used < size && m->missing_firmware.n > FIRMWARE_SAID)
        snprintf(text + used, size - used, " and %zu more", m->missing_firmware.n - FIRMWARE_SAID);
    utf8_cut(text);
}

static void emit_hardware(struct event_sink *sink, struct event *event, const struct report *report)
{
    char class[MACHINE_CLASS_SIZE], label[2 * MACHINE_NAME_MAX + 2], detail[512];
    machine_class(&report->hardware, class);
    machine_label_cut(&report->hardware, label, sizeof(label));
    describe_hardware(&report->hardware, label, detail, sizeof(detail));
    event->kind = EVENT_HARDWARE;
    event->class = class;
    event->label = label;
    event->detail = detail;
    event->json = report->hardware_json;
    sink->emit(sink, event);
    event->class = event->label = event->detail = event->json = NULL;
}

int report_apply(struct boot_table *boots, struct event_sink *sink, const struct moment *now,
                 const struct report *report, ipv4_t from, const char *facts)
{
    struct boot boot = {0};
    struct event event = {.at = *now,
                          .mac = report->mac,
                          .node = report->node[0] ? report->node : NULL,
                          .hearsay = !report->boot};
    if (report->boot && !boot_table_get(boots, report->boot, &boot, NULL))
        return -ENOENT;
    bool unnamed = !report->boot && !report->node[0];
    if (report->boot || (unnamed && boot_table_unnamed(boots, &report->mac, from, &boot))) {
        event.boot = boot.id;
        event.mac = boot.mac;
        event.ip = boot.ip;
        event.node = boot.node[0] ? boot.node : NULL;
    }
    int64_t newest = -1;
    VEC_EACH(stage, &report->stages)
        newest = stage->us > newest ? stage->us : newest;
    int64_t told = boot_table_told(boots, event.boot, newest);
    VEC_EACH(stage, &report->stages)
        if (stage->us > told)
            emit_stage(sink, &event, stage);
    if (facts) {
        event.kind = EVENT_FACTS;
        event.json = facts;
        sink->emit(sink, &event);
        event.json = NULL;
    }
    if (report->has_hardware)
        emit_hardware(sink, &event, report);
    return 0;
}
