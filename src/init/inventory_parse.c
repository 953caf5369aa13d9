/* The pure part of inventory.h. */
#include <string.h>

#include "init/inventory.h"

#define LONG_MODALIAS 200
#define FIRMWARE_NAME 200
#define NAME_MAX_TOLD 255

void inventory_start(struct inventory *h)
{
    h->arch[0] = '\0';
    h->efi = h->incomplete = false;
    for (int i = 0; i < INVENTORY_NAMES; i++)
        h->names[i][0] = '\0';
    h->device_count = h->firmware_count = 0;
    h->used = 1;
    h->text[0] = '\0';
}

void inventory_clean(char *text)
{
    char *end = text;

    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = *p == '\n' || *p == '\t' ? ' ' : '?';
        if (*p != ' ')
            end = p + 1;
    }
    *end = '\0';
}

/* Keeps `length` bytes of a text. Returns where, or 0 when it is empty or does not fit. */
static uint32_t keep(struct inventory *h, const char *string, size_t length)
{
    uint32_t at = h->used;

    if (length == 0)
        return 0;
    if (length >= sizeof(h->text) - at) {
        h->incomplete = true;
        return 0;
    }
    memcpy(h->text + at, string, length);
    h->text[at + length] = '\0';
    inventory_clean(h->text + at);
    h->used = at + (uint32_t)length + 1;
    return at;
}

/* Keeps a text as far as the server takes it. */
static uint32_t keep_text(struct inventory *h, const char *string, size_t max)
{
    return string ? keep(h, string, strnlen(string, max)) : 0;
}

static bool on_bus(const char *modalias, const char *bus)
{
    size_t length = strlen(bus);

    return strncmp(modalias, bus, length) == 0 && modalias[length] == ':';
}

static struct inventory_device *find(struct inventory *h, const char *modalias)
{
    for (unsigned i = 0; i < h->device_count; i++)
        if (strcmp(h->text + h->devices[i].modalias, modalias) == 0)
            return &h->devices[i];
    return NULL;
}

/* One more device of a modalias that is there. */
static void merge(struct inventory *h, struct inventory_device *device, const char *where, const char *driver)
{
    bool driver_wins = on_bus(h->text + device->modalias, "acpi");
    bool bound = driver && driver[0];

    if (bound == (device->driver != 0) || bound != driver_wins)
        return;
    device->driver = bound ? keep_text(h, driver, NAME_MAX_TOLD) : 0;
    device->where = keep_text(h, where, INVENTORY_PATH);
}

void inventory_add(struct inventory *h, const char *modalias, const char *where, const char *driver)
{
    uint32_t before = h->used;
    const char *colon = strchr(modalias, ':');

    if (!colon || colon == modalias)
        return;
    if (strlen(modalias) >= INVENTORY_MODALIAS) {
        h->incomplete = true;
        return;
    }
    uint32_t kept = keep_text(h, modalias, INVENTORY_MODALIAS);
    struct inventory_device *same = kept ? find(h, h->text + kept) : NULL;
    if (same)
        h->used = before;
    if (same) {
        merge(h, same, where, driver);
        return;
    }
    if (h->device_count == INVENTORY_DEVICES)
        h->incomplete = true;
    if (!kept || h->device_count == INVENTORY_DEVICES) {
        h->used = before;
        return;
    }
    h->devices[h->device_count++] = (struct inventory_device){kept, keep_text(h, where, INVENTORY_PATH),
                                                              keep_text(h, driver, NAME_MAX_TOLD)};
}

/* ---- firmware ---- */

/* What the kernel's firmware loader says, up to the name, and what follows the name when the file was missing
 * (-2 is ENOENT). The second is Debian's. */
static const struct {
    const char *before, *after;
} lines[] = {
    {"Direct firmware load for ", " failed with error -2"},
    {"firmware: failed to load ", " (-2)"},
    {"Falling back to sysfs fallback for: ", ""},
    {"Falling back to user helper for: ", ""},
};

static void add_file(struct inventory *h, const char *name, size_t length)
{
    if (h->firmware_count == INVENTORY_FIRMWARE) {
        h->incomplete = true;
        return;
    }
    for (unsigned i = 0; i < h->firmware_count; i++) {
        const char *known = h->text + h->firmware[i];
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return;
    }
    uint32_t at = keep(h, name, length);
    if (at)
        h->firmware[h->firmware_count++] = at;
}

/* Whether the text begins with `after`, and no digit goes on with its number. */
static bool follows(const char *text, size_t length, const char *after)
{
    size_t size = strlen(after);

    return size <= length && memcmp(text, after, size) == 0 &&
           !(size < length && text[size] >= '0' && text[size] <= '9');
}

/* One line, without its end. */
static void read_line(struct inventory *h, const char *line, size_t length)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *name = memmem(line, length, lines[i].before, strlen(lines[i].before));

        if (!name)
            continue;
        name += strlen(lines[i].before);
        size_t left = (size_t)(line + length - name), size = strcspn(name, " \n");
        if (size > 0 && size < FIRMWARE_NAME && size <= left &&
            follows(name + size, left - size, lines[i].after))
            add_file(h, name, size);
    }
}

void inventory_add_firmware(struct inventory *h, const char *log)
{
    while (*log) {
        size_t length = strcspn(log, "\n");

        read_line(h, log, length);
        log += length + (log[length] == '\n');
    }
}

/* ---- JSON ---- */

static bool is_any(const char *modalias, const char *const *buses)
{
    for (; *buses; buses++)
        if (on_bus(modalias, *buses))
            return true;
    return false;
}

static bool is_said(const char *modalias, int level)
{
    static const char *const needless[] = {"cpu", "dmi", "input", "platform", NULL};
    static const char *const needed[] = {"pci", "usb", "virtio", "of", "acpi", NULL};

    return (level < 1 || !is_any(modalias, needless)) && (level < 2 || strlen(modalias) <= LONG_MODALIAS) &&
           (level < 3 || is_any(modalias, needed));
}

static void add_pair(struct text *text, const char *before, const char *key, const char *value)
{
    text_addf(text, "%s\"%s\":", before, key);
    text_json(text, value);
}

static void add_devices(const struct inventory *h, int level, struct text *text)
{
    const char *before = "{";

    text_add(text, ",\"devices\":[");
    for (unsigned i = 0; i < h->device_count; i++) {
        const struct inventory_device *device = &h->devices[i];

        if (!is_said(h->text + device->modalias, level))
            continue;
        add_pair(text, before, "modalias", h->text + device->modalias);
        if (device->where)
            add_pair(text, ",", "where", h->text + device->where);
        if (device->driver)
            add_pair(text, ",", "driver", h->text + device->driver);
        text_char(text, '}');
        before = ",{";
    }
    text_char(text, ']');
}

void inventory_json(const struct inventory *h, int level, struct text *text)
{
    static const char *const keys[INVENTORY_NAMES] = {"vendor", "product", "version", "board", "bios"};
    const char *before = "";

    add_pair(text, "{", "arch", h->arch);
    text_addf(text, ",\"efi\":%s,\"dmi\":{", h->efi ? "true" : "false");
    for (int i = 0; i < INVENTORY_NAMES; i++) {
        if (!h->names[i][0])
            continue;
        add_pair(text, before, keys[i], h->names[i]);
        before = ",";
    }
    text_char(text, '}');
    add_devices(h, level, text);
    text_add(text, ",\"missing_firmware\":[");
    for (unsigned i = 0; i < h->firmware_count; i++) {
        text_add(text, i ? "," : "");
        text_json(text, h->text + h->firmware[i]);
    }
    text_add(text, h->incomplete || level > 0 ? "],\"incomplete\":true}" : "]}");
}
