/* See model/machine.h. The server parses reports with this: memory that is gone is an error here, not the
 * end.
 */
#include "model/machine.h"
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>

/* A class is of one version of the rule; another rule must not make the same classes by chance. */
#define CLASS_RULE "rambox hardware class 1"

void machine_clear(struct machine *m)
{
    VEC_EACH(device, &m->devices) {
        free(device->modalias);
        free(device->where);
        free(device->driver);
    }
    VEC_EACH(file, &m->missing_firmware)
        free(*file);
    VEC_FREE(&m->devices);
    VEC_FREE(&m->missing_firmware);
    free(TAKE_PTR(m->vendor));
    free(TAKE_PTR(m->product));
    free(TAKE_PTR(m->version));
    free(TAKE_PTR(m->board));
    free(TAKE_PTR(m->bios));
}

/* ---- the class ---- */

static bool on_bus(const struct machine_device *device, const char *const *buses)
{
    for (; *buses; buses++) {
        size_t n = strlen(*buses);
        if (strncmp(device->modalias, *buses, n) == 0 && device->modalias[n] == ':')
            return true;
    }
    return false;
}

/* The PCI domains from 0x10000 on are made up by drivers: a kernel without vmd does not see what is in them.
 */
static bool is_behind_driver(const struct machine_device *device)
{
    const char *root = device->where ? strstr(device->where, "/pci") : NULL;
    return root && strspn(root + strlen("/pci"), "0123456789abcdef") > 4;
}

static const char *const pci[] = {"pci", NULL};
/* What the tables of the firmware say, without PCI: the same for every kernel that can read them. */
static const char *const tables[] = {"of", "acpi", NULL};
/* Of a machine that says neither: what is left without that which comes and goes. */
static const char *const fleeting[] = {"usb",  "cpu", "input",    "hid", "serio",
                                       "scsi", "dmi", "platform", NULL};

/* By which devices this machine is told from others. */
static bool is_telling(const struct machine_device *device, const char *const *buses)
{
    if (!buses)
        return !on_bus(device, fleeting);
    return on_bus(device, buses) && !is_behind_driver(device);
}

static bool any_telling(const struct machine *m, const char *const *buses)
{
    VEC_EACH(device, &m->devices)
        if (is_telling(device, buses))
            return true;
    return false;
}

static int compare(const void *a, const void *b, void *user)
{
    const struct machine *m = user;
    return strcmp(m->devices.items[*(const uint16_t *)a].modalias,
                  m->devices.items[*(const uint16_t *)b].modalias);
}

void machine_class(const struct machine *m, char ret[static MACHINE_CLASS_SIZE])
{
    const char *const *buses = any_telling(m, pci) ? pci : any_telling(m, tables) ? tables : NULL;
    uint16_t order[MACHINE_DEVICES_MAX];
    char text[DIGEST_TEXT_MAX];
    struct digest digest;
    struct hash hash;
    size_t n = 0;
    for (size_t i = 0; i < m->devices.n && i < MACHINE_DEVICES_MAX; i++)
        if (is_telling(&m->devices.items[i], buses))
            order[n++] = (uint16_t)i;
    qsort_r(order, n, sizeof(order[0]), compare, (void *)(uintptr_t)m);
    hash_init(&hash);
    hash_field(&hash, CLASS_RULE);
    hash_field(&hash, arch_name(m->arch));
    for (size_t i = 0; i < n; i++)
        if (i == 0 || compare(&order[i - 1], &order[i], (void *)(uintptr_t)m) != 0)
            hash_field(&hash, m->devices.items[order[i]].modalias);
    hash_end(&hash, &digest);
    snprintf(ret, MACHINE_CLASS_SIZE, "%.*s", MACHINE_CLASS_SIZE - 1, digest_format(&digest, text));
}

bool is_machine_class(const char *text)
{
    return strspn(text, "0123456789abcdef") == MACHINE_CLASS_SIZE - 1 && text[MACHINE_CLASS_SIZE - 1] == '\0';
}

/* ---- the label ---- */

/* What vendors leave in DMI that they were meant to fill in. */
static bool says_nothing(const char *text)
{
    static const char *const fillers[] = {"to be filled by o.e.m.",
                                          "default string",
                                          "system manufacturer",
                                          "system product name",
                                          "system version",
                                          "not applicable",
                                          "not specified",
                                          "none",
                                          "oem",
                                          "o.e.m.",
                                          "unknown",
                                          "invalid",
                                          "empty",
                                          "base board product name"};
    if (!text || strspn(text, " .-_0123456789xX") == strlen(text))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
        if (strcasecmp(text, fillers[i]) == 0)
            return true;
    return false;
}

const char *machine_label_cut(const struct machine *m, char *buf, size_t size)
{
    /* Lenovo's product is a number of its catalogue; what is printed on the machine is in the version. */
    bool swapped = m->vendor && strcasecmp(m->vendor, "LENOVO") == 0 && !says_nothing(m->version);
    const char *vendor = says_nothing(m->vendor) ? NULL : m->vendor;
    const char *name = swapped ? m->version : m->product;
    if (says_nothing(name))
        name = says_nothing(m->board) ? NULL : m->board;
    if (vendor && name && strncasecmp(name, vendor, strlen(vendor)) == 0)
        vendor = NULL;
    if (!vendor && !name)
        snprintf(buf, size, "no name");
    else
        snprintf(buf, size, "%s%s%s", vendor ? vendor : "", vendor && name ? " " : "", name ? name : "");
    utf8_cut(buf); /* half a character would break the JSON it is told in */
    return buf;
}

void machine_label(const struct machine *m, struct str *out)
{
    char buf[2 * MACHINE_NAME_MAX + 2];
    str_add(out, machine_label_cut(m, buf, sizeof(buf)));
}

/* ---- what is driven ---- */

bool machine_device_counts(const struct machine_device *device)
{
    static const char *const buses[] = {"pci", "usb", "virtio", "vmbus", "xen", "sdio", NULL};
    return on_bus(device, buses);
}

/* PCI by class (PCI Code and ID Assignment Specification): memory, bridges, processors, and the system's own
 * interrupt and DMA controllers, timers, clocks, hot-plug controllers and IOMMUs. */
static bool pci_needs_none(const char *modalias)
{
    const char *class = strstr(modalias, "bc");
    if (!class || strlen(class) < 6)
        return false;
    return strncmp(class, "bc05", 4) == 0 || strncmp(class, "bc06", 4) == 0 ||
           strncmp(class, "bc0B", 4) == 0 ||
           (strncmp(class, "bc08sc0", 7) == 0 && class[7] != '\0' && strchr("012346", class[7]));
}

enum machine_driven machine_device_driven(const struct machine_device *device)
{
    if (device->driver)
        return MACHINE_DRIVEN;
    if (!machine_device_counts(device) || (on_bus(device, pci) && pci_needs_none(device->modalias)))
        return MACHINE_NEEDS_NONE;
    return MACHINE_UNDRIVEN;
}

struct machine_counts machine_count(const struct machine *m)
{
    struct machine_counts counts = {0};
    VEC_EACH(device, &m->devices) {
        counts.devices += machine_device_counts(device);
        counts.undriven += machine_device_driven(device) == MACHINE_UNDRIVEN;
    }
    return counts;
}

/* ---- JSON ---- */

/* Where the parser is, and what it has to say. */
struct place {
    char *error;
    size_t error_size;
    const char *list; /* NULL: none */
    size_t index;
};

static int wrong(const struct place *at, const char *field, const char *expected)
{
    if (at->list)
        snprintf(at->error, at->error_size, "%s[%zu]%s%s: expected %s", at->list, at->index,
                 field[0] ? "." : "", field, expected);
    else
        snprintf(at->error, at->error_size, "%s: expected %s", field, expected);
    return -EINVAL;
}

/* jansson gives valid UTF-8. C1 controls are two bytes, of which the first is 0xc2. */
static bool is_clean(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0))
            return false;
    return true;
}

/* One text of the object; NULL when it is not there, null or empty. */
static int take_text(const struct place *at, const json_t *value, const char *field, size_t max, char **ret)
{
    char expected[64];
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return 0;
    if (!text || strlen(text) > max || !is_clean(text)) {
        snprintf(expected, sizeof(expected), "up to %zu bytes of text without control characters", max);
        return wrong(at, field, expected);
    }
    if (!text[0])
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int take_bool(const struct place *at, const json_t *object, const char *field, bool *ret)
{
    const json_t *value = json_object_get(object, field);
    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return wrong(at, field, "true or false");
    *ret = json_is_true(value);
    return 0;
}

static const struct dmi_field {
    const char *key;  /* in `dmi` */
    const char *name; /* for people */
    size_t offset;
} dmi_fields[] = {
    {"vendor", "dmi.vendor", offsetof(struct machine, vendor)},
    {"product", "dmi.product", offsetof(struct machine, product)},
    {"version", "dmi.version", offsetof(struct machine, version)},
    {"board", "dmi.board", offsetof(struct machine, board)},
    {"bios", "dmi.bios", offsetof(struct machine, bios)},
};

static char **dmi_text(const struct machine *m, const struct dmi_field *f)
{
    return (char **)((uintptr_t)m + f->offset);
}

static int take_dmi(const struct place *at, const json_t *dmi, struct machine *m)
{
    int r = 0;
    if (dmi && !json_is_object(dmi))
        return wrong(at, "dmi", "an object");
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dmi_fields); i++)
        r = take_text(at, json_object_get(dmi, dmi_fields[i].key), dmi_fields[i].name, MACHINE_NAME_MAX,
                      dmi_text(m, &dmi_fields[i]));
    return r;
}

/* A list of at most `max`, for whose items there is room in *ret_items then. */
static int take_list(struct place *at, const json_t *object, const char *key, size_t max, size_t item_size,
                     const json_t **ret_array, void **ret_items)
{
    const json_t *array = json_object_get(object, key);
    char expected[48];
    *ret_array = array;
    if (array && (!json_is_array(array) || json_array_size(array) > max)) {
        snprintf(expected, sizeof(expected), "a list of at most %zu entries", max);
        return wrong(at, key, expected);
    }
    at->list = key;
    at->index = 0;
    *ret_items = json_array_size(array) ? calloc(json_array_size(array), item_size) : NULL;
    return json_array_size(array) && !*ret_items ? -ENOMEM : 0;
}

static int take_device(const struct place *at, const json_t *item, struct machine_device *d)
{
    if (!json_is_object(item))
        return wrong(at, "", "an object");
    int r = take_text(at, json_object_get(item, "modalias"), "modalias", MACHINE_TEXT_MAX, &d->modalias);
    if (r == 0 && (!d->modalias || d->modalias[0] == ':' || !strchr(d->modalias, ':')))
        r = wrong(at, "modalias", "BUS:IDENTITY");
    if (r == 0)
        r = take_text(at, json_object_get(item, "where"), "where", MACHINE_TEXT_MAX, &d->where);
    if (r == 0)
        r = take_text(at, json_object_get(item, "driver"), "driver", MACHINE_NAME_MAX, &d->driver);
    return r;
}

static int take_devices(struct place at, const json_t *object, struct machine *m)
{
    const json_t *array;
    void *items = NULL;
    int r =
        take_list(&at, object, "devices", MACHINE_DEVICES_MAX, sizeof(struct machine_device), &array, &items);
    m->devices.items = items;
    m->devices.cap = items ? json_array_size(array) : 0;
    if (r == 0 && !items) {
        at.list = NULL;
        return wrong(&at, "devices", "at least one");
    }
    for (; r == 0 && at.index < json_array_size(array); at.index++) {
        m->devices.n++; /* before it is whole: what it has is freed with the others */
        r = take_device(&at, json_array_get(array, at.index), &m->devices.items[at.index]);
    }
    return r;
}

static int take_firmware(struct place at, const json_t *object, struct machine *m)
{
    const json_t *array;
    void *items = NULL;
    int r = take_list(&at, object, "missing_firmware", MACHINE_FIRMWARE_MAX, sizeof(char *), &array, &items);
    m->missing_firmware.items = items;
    m->missing_firmware.cap = items ? json_array_size(array) : 0;
    for (; r == 0 && items && at.index < m->missing_firmware.cap; at.index++) {
        char **file = &m->missing_firmware.items[m->missing_firmware.n];
        r = take_text(&at, json_array_get(array, at.index), "", MACHINE_NAME_MAX, file);
        if (r == 0 && !*file)
            r = wrong(&at, "", "the name of a file");
        m->missing_firmware.n += r == 0;
    }
    return r;
}

static int take_machine(const json_t *object, struct machine *m, char *error, size_t error_size)
{
    struct place at = {.error = error, .error_size = error_size};
    const char *arch = json_string_value(json_object_get(object, "arch"));
    if (!json_is_object(object)) {
        snprintf(error, error_size, "expected an object");
        return -EINVAL;
    }
    if (!arch || arch_parse(arch, &m->arch) < 0)
        return wrong(&at, "arch", "x86_64 or arm64");
    int r = take_bool(&at, object, "efi", &m->efi);
    if (r == 0)
        r = take_bool(&at, object, "incomplete", &m->incomplete);
    if (r == 0)
        r = take_dmi(&at, json_object_get(object, "dmi"), m);
    if (r == 0)
        r = take_devices(at, object, m);
    if (r == 0)
        r = take_firmware(at, object, m);
    return r;
}

int machine_parse(const json_t *object, struct machine *ret, char *error, size_t error_size)
{
    struct machine m = {0};
    snprintf(error, error_size, "no memory left"); /* unless another reason is found */
    int r = take_machine(object, &m, error, error_size);
    if (r < 0) {
        machine_clear(&m);
        return r;
    }
    *ret = m;
    return 0;
}

/* Sets `key` to a text; nothing for NULL. */
static int set_text(json_t *object, const char *key, const char *text)
{
    return text ? json_object_set_new(object, key, json_string(text)) : 0;
}

static json_t *device_to_json(const struct machine_device *d)
{
    json_t *object = json_object();
    if (set_text(object, "modalias", d->modalias) < 0 || set_text(object, "where", d->where) < 0 ||
        set_text(object, "driver", d->driver) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int set_dmi(json_t *object, const struct machine *m)
{
    json_t *dmi = json_object();
    int r = dmi ? 0 : -1;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dmi_fields); i++)
        r = set_text(dmi, dmi_fields[i].key, *dmi_text(m, &dmi_fields[i]));
    if (r == 0 && json_object_size(dmi))
        r = json_object_set(object, "dmi", dmi);
    json_decref(dmi);
    return r;
}

static int set_lists(json_t *object, const struct machine *m)
{
    json_t *devices = json_array(), *firmware = json_array();
    int r = json_object_set_new(object, "devices", devices); /* fails for NULL too */
    VEC_EACH(device, &m->devices)
        r = r == 0 ? json_array_append_new(devices, device_to_json(device)) : r;
    if (m->missing_firmware.n == 0) {
        json_decref(firmware);
        return r;
    }
    if (json_object_set_new(object, "missing_firmware", firmware) < 0)
        return -1;
    VEC_EACH(file, &m->missing_firmware)
        r = r == 0 ? json_array_append_new(firmware, json_string(*file)) : r;
    return r;
}

json_t *machine_to_json(const struct machine *m)
{
    json_t *object = json_object();
    int r = set_text(object, "arch", arch_name(m->arch));
    if (r == 0)
        r = json_object_set_new(object, "efi", json_boolean(m->efi));
    if (r == 0)
        r = set_dmi(object, m);
    if (r == 0)
        r = set_lists(object, m);
    if (r == 0 && m->incomplete)
        r = json_object_set_new(object, "incomplete", json_true());
    if (r == 0)
        return object;
    json_decref(object);
    return NULL;
}
