/* What lspci prints, of any version since 2.2: see fit/hardware.h. */
#include "fit/hardware.h"

#include <ctype.h>

/* The numbers of one PCI device; -1: not told. */
struct pci_ids {
    long vendor, device, subvendor, subdevice, class, interface;
};
#define NO_IDS ((struct pci_ids){-1, -1, -1, -1, -1, -1})

/* Exactly `digits` hexadecimal digits that no further one follows; -1. */
static long hex_at(const char *s, unsigned digits)
{
    long value = 0;
    for (unsigned i = 0; i < digits; i++) {
        int digit = hex_value(s[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return hex_value(s[digits]) < 0 ? value : -1;
}

/* `8086:1502` at s. */
static bool pair_at(const char *s, long *ret_first, long *ret_second)
{
    long first = hex_at(s, 4);
    if (first < 0 || s[4] != ':')
        return false;
    long second = hex_at(s + 5, 4);
    if (second < 0)
        return false;
    *ret_first = first;
    *ret_second = second;
    return true;
}

/* The last `[8086:1502]` of a line, which is where -nn puts it; names may have brackets of their own. */
static bool last_pair(const char *line, long *ret_first, long *ret_second)
{
    bool found = false;
    for (const char *s = strchr(line, '['); s; s = strchr(s + 1, '['))
        if (pair_at(s + 1, ret_first, ret_second) && s[10] == ']')
            found = true;
    return found;
}

/* The length of `0000:00:1f.2` or `00:1f.2`, or 0. */
static size_t address_length(const char *line)
{
    size_t n = 0;
    if (hex_at(line, 4) >= 0 && line[4] == ':' && hex_at(line + 5, 2) >= 0 && line[7] == ':')
        n = 5;
    if (hex_at(line + n, 2) < 0 || line[n + 2] != ':' || hex_at(line + n + 3, 2) < 0 || line[n + 5] != '.' ||
        !isdigit((unsigned char)line[n + 6]) || line[n + 7] != ' ')
        return 0;
    return n + 7;
}

bool lspci_looks_like(const char *line)
{
    return address_length(line) > 0;
}

static void put_hex(struct str *out, const char *key, unsigned digits, long value)
{
    str_add(out, key);
    if (value < 0)
        str_add(out, "*");
    else
        str_printf(out, "%0*lX", (int)digits, value);
}

static char *modalias_of(const struct pci_ids *ids)
{
    struct str out = {0};
    str_add(&out, "pci:");
    put_hex(&out, "v", 8, ids->vendor);
    put_hex(&out, "d", 8, ids->device);
    put_hex(&out, "sv", 8, ids->subvendor);
    put_hex(&out, "sd", 8, ids->subdevice);
    put_hex(&out, "bc", 2, ids->class < 0 ? -1 : ids->class >> 8);
    put_hex(&out, "sc", 2, ids->class < 0 ? -1 : ids->class & 0xff);
    put_hex(&out, "i", 2, ids->interface);
    return str_steal(&out);
}

/* Adds the device when enough of it is known; either way, `device` and `ids` are empty afterwards. */
static unsigned finish(struct hardware *h, struct device *device, struct pci_ids *ids)
{
    bool known = ids->vendor >= 0 && ids->device >= 0;
    if (known)
        device->modalias = modalias_of(ids);
    unsigned n = device->modalias || device->driver || device->modules;
    if (n && !device->driver && !device->modalias)
        device->driver = xstrndup(device->modules, strcspn(device->modules, " "));
    if (n)
        hardware_add(h, device);
    free(device->where);
    free(device->label);
    *device = (struct device){0};
    *ids = NO_IDS;
    return n;
}

/* Class names that tell the programming interface where lspci was asked for too little. */
static const struct {
    long class;
    const char *word;
    long interface;
} interfaces[] = {
    {0x0c03, "xHCI", 0x30}, {0x0c03, "EHCI", 0x20}, {0x0c03, "OHCI", 0x10},
    {0x0c03, "UHCI", 0x00}, {0x0106, "AHCI", 0x01}, {0x0108, "NVM", 0x02},
};

static void guess_interface(struct pci_ids *ids, const char *label)
{
    for (size_t i = 0; i < ARRAY_SIZE(interfaces) && ids->interface < 0; i++)
        if (ids->class == interfaces[i].class && strcasestr(label, interfaces[i].word))
            ids->interface = interfaces[i].interface;
}

/* `(prog-if 30 [XHCI])`, with -v. */
static void read_interface(struct pci_ids *ids, const char *line)
{
    const char *interface = strstr(line, "(prog-if ");
    if (interface)
        ids->interface = hex_at(interface + strlen("(prog-if "), 2);
}

/* `00:1f.2 SATA controller [0106]: Intel Corporation ... [8086:2922] (rev 02)`, or with -n
 * `00:1f.2 0106: 8086:2922 (rev 02)`, which was `Class 0106: Device 8086:2922` once. */
static void read_device(const char *line, struct device *device, struct pci_ids *ids)
{
    size_t address = address_length(line);
    const char *text = line + address + 1;
    device->where = xstrndup(line, address);
    device->label = xstrndup(text, strcspn(text, "\r"));
    const char *number = str_starts(text, "Class ") ? text + strlen("Class ") : text;
    const char *colon = strchr(number, ':');
    if (hex_at(number, 4) >= 0 && colon == number + 4) {
        ids->class = hex_at(number, 4);
        const char *pair = colon + 1 + strspn(colon + 1, " ");
        if (str_starts(pair, "Device "))
            pair += strlen("Device ");
        (void)pair_at(pair, &ids->vendor, &ids->device);
    } else {
        const char *class = strstr(text, "]: ");
        if (class && class - text >= 5 && class[-5] == '[')
            ids->class = hex_at(class - 4, 4);
        (void)last_pair(text, &ids->vendor, &ids->device);
    }
    read_interface(ids, text);
    guess_interface(ids, text);
}

static char *words_of(const char *list)
{
    char *words = xstrdup(list + strspn(list, " \t"));
    for (char *c = words; *c; c++)
        if (*c == ',' || *c == '\t' || *c == '\r')
            *c = ' ';
    for (size_t n = strlen(words); n && words[n - 1] == ' ';)
        words[--n] = '\0';
    return words;
}

/* With names and numbers in brackets, or, with -n, numbers alone. */
static void read_subsystem(const char *value, struct pci_ids *ids)
{
    value += strspn(value, " \t");
    if (!last_pair(value, &ids->subvendor, &ids->subdevice))
        (void)pair_at(value, &ids->subvendor, &ids->subdevice);
}

/* An indented line, about the device before it. */
static void read_detail(const char *line, struct device *device, struct pci_ids *ids)
{
    static const char in_use[] = "Kernel driver in use:", modules[] = "Kernel modules:";
    line += strspn(line, " \t");
    if (str_starts(line, in_use) && !device->driver)
        device->driver = words_of(line + strlen(in_use));
    else if (str_starts(line, modules) && !device->modules)
        device->modules = words_of(line + strlen(modules));
    else if (str_starts(line, "Subsystem:"))
        read_subsystem(line + strlen("Subsystem:"), ids);
    if (ids->interface < 0)
        read_interface(ids, line);
}

unsigned lspci_read(struct hardware *h, char *text)
{
    struct device device = {0};
    struct pci_ids ids = NO_IDS;
    unsigned n = 0;
    char *save = NULL;
    size_t margin =
        strspn(text, "\r\n \t"); /* a list that was pasted with an indentation has it everywhere */
    while (margin && text[margin - 1] != '\n')
        text++, margin--;
    margin = strspn(text + strspn(text, "\r\n"), " \t");
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *start = line + (strspn(line, " \t") >= margin ? margin : 0);
        if (address_length(start)) {
            n += finish(h, &device, &ids);
            read_device(start, &device, &ids);
        } else if (device.where && isspace((unsigned char)line[0])) {
            read_detail(line, &device, &ids);
        }
    }
    return n + finish(h, &device, &ids);
}

/* ---- records ---- */

/* `Intel Corporation [8086]` or `8086`, which a name may begin with (`5520 I/O Hub [3408]`); -1. */
static long number_of(const char *value)
{
    size_t length = strlen(value);
    if (length == 4)
        return hex_at(value, 4);
    return length > 6 && value[length - 1] == ']' && value[length - 6] == '[' ? hex_at(value + length - 5, 4)
                                                                              : -1;
}

static void read_field(const char *key, const char *value, struct device *device, struct pci_ids *ids)
{
    const struct {
        const char *key;
        long *number;
    } numbers[] = {{"Class", &ids->class},
                   {"Vendor", &ids->vendor},
                   {"Device", &ids->device},
                   {"SVendor", &ids->subvendor},
                   {"SDevice", &ids->subdevice}};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (str_eq(key, numbers[i].key))
            *numbers[i].number = number_of(value);
    if (str_eq(key, "Slot") && !device->where)
        device->where = xstrdup(value);
    else if (str_eq(key, "ProgIf"))
        ids->interface = hex_at(value, 2);
    else if (str_eq(key, "Driver") && !device->driver)
        device->driver = xstrdup(value);
    else if (str_eq(key, "Device") && !device->label && strlen(value) > 4)
        device->label = xstrdup(value);
    else if (str_eq(key, "Module")) {
        char *joined = device->modules ? xasprintf("%s %s", device->modules, value) : xstrdup(value);
        free(device->modules);
        device->modules = joined;
    }
}

unsigned lspci_read_records(struct hardware *h, char *text)
{
    struct device device = {0};
    struct pci_ids ids = NO_IDS;
    unsigned n = 0;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        line[strcspn(line, "\r")] = '\0';
        char *colon = strchr(line, ':');
        if (str_starts(line, "Slot:"))
            n += finish(h, &device, &ids);
        if (colon) {
            *colon = '\0';
            read_field(line, colon + 1 + strspn(colon + 1, " \t"), &device, &ids);
        }
        line = end ? end + 1 : NULL;
    }
    return n + finish(h, &device, &ids);
}
