/* See fit/hardware.h. The form of a text is told by its first line that says anything. */
#include "fit/hardware.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>

#define SOURCE_LIMIT (8u << 20)
#define DEVICES_MAX  5000 /* no machine has more; a source that says so is none */
#define MODALIAS_MAX 1024

static void device_clear(struct device *d)
{
    free(d->modalias);
    free(d->where);
    free(d->label);
    free(d->driver);
    free(d->modules);
    *d = (struct device){0};
}

void hardware_free(struct hardware *h)
{
    VEC_EACH(d, &h->devices)
        device_clear(d);
    VEC_EACH(s, &h->sources)
        free(*s);
    VEC_FREE(&h->devices);
    VEC_FREE(&h->sources);
}

static void fill(char **known, char **more)
{
    if (!*known)
        *known = TAKE_PTR(*more);
}

/* Others wrote it, and it goes into comments and onto terminals: a line that ends within it would be read. */
static char *in_one_line(char *text)
{
    for (char *c = text; c && *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    return text;
}

void hardware_add_note(struct hardware *h, char *text)
{
    VEC_PUSH(&h->sources, in_one_line(text));
}

void hardware_add(struct hardware *h, struct device *device)
{
    in_one_line(device->where);
    in_one_line(device->label);
    in_one_line(device->driver);
    in_one_line(device->modules);
    VEC_EACH(d, &h->devices) {
        bool same = device->modalias ? str_eq(d->modalias, device->modalias)
                                     : !d->modalias && str_eq(d->driver, device->driver);
        if (!same)
            continue;
        fill(&d->where, &device->where);
        fill(&d->label, &device->label);
        fill(&d->driver, &device->driver);
        fill(&d->modules, &device->modules);
        device_clear(device);
        return;
    }
    if (h->devices.n < DEVICES_MAX)
        VEC_PUSH(&h->devices, *device);
    else
        device_clear(device);
    *device = (struct device){0};
}

/* ---- modaliases ---- */

/* `pci:v00008086...`: a bus in small letters, a colon, and something. */
bool modalias_looks_like(const char *line)
{
    size_t bus = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    size_t length = strlen(line);
    if (bus == 0 || bus > 20 || line[bus] != ':' || !line[bus + 1] || length > MODALIAS_MAX)
        return false;
    for (const char *c = line + bus; *c; c++)
        if (!isgraph((unsigned char)*c) && *c != ' ')
            return false;
    return line[bus + 1] != ' ';
}

/* A path of /sys before it, as `grep . /sys/.../modalias` prints, is taken off. */
static char *after_path(char *line)
{
    char *colon = line[0] == '/' || line[0] == '.' ? strstr(line, "modalias:") : NULL;
    return colon ? colon + strlen("modalias:") : line;
}

/* Cuts blanks at both ends, and what `MODALIAS=` in an uevent file has in front. */
static char *trimmed(char *line)
{
    size_t n = strlen(line);
    while (n && isspace((unsigned char)line[n - 1]))
        line[--n] = '\0';
    line += strspn(line, " \t");
    if (str_starts(line, "MODALIAS="))
        line += strlen("MODALIAS=");
    return line;
}

static unsigned read_modaliases(struct hardware *h, char *text)
{
    unsigned n = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line = after_path(trimmed(line));
        if (line[0] == '#' || !modalias_looks_like(line))
            continue;
        struct device device = {.modalias = xstrdup(line)};
        hardware_add(h, &device);
        n++;
    }
    return n;
}

/* ---- lsmod ---- */

/* `Module  Size  Used by`, or /proc/modules, which has no heading. */
static bool lsmod_looks_like(const char *line)
{
    char name[65];
    unsigned long size;
    int users;
    if (str_starts(line, "Module ") && strstr(line, "Used by"))
        return true;
    return sscanf(line, "%64[a-z0-9_] %lu %d", name, &size, &users) == 3;
}

static unsigned read_lsmod(struct hardware *h, char *text)
{
    unsigned n = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        if (length == 0 || length > 64 || !isspace((unsigned char)line[length]) ||
            str_starts(line, "Module "))
            continue;
        struct device device = {.driver = xstrndup(line, length), .modules = xstrndup(line, length)};
        hardware_add(h, &device);
        n++;
    }
    return n;
}

/* ---- a report ---- */

static char *text_of(const json_t *object, const char *key)
{
    return xstrdup(json_string_value(json_object_get(object, key)));
}

static void add_reported(struct hardware *h, const json_t *item, unsigned *n)
{
    const char *modalias =
        json_is_string(item) ? json_string_value(item) : json_string_value(json_object_get(item, "modalias"));
    if (!modalias || !modalias_looks_like(modalias))
        return;
    struct device device = {.modalias = xstrdup(modalias),
                            .where = text_of(item, "where"),
                            .label = text_of(item, "label"),
                            .driver = text_of(item, "driver")};
    hardware_add(h, &device);
    (*n)++;
}

/* Every list `modaliases` or `devices`, however deep: what nodes report may stand in a larger document. */
static void read_json(struct hardware *h, const json_t *value, unsigned *n)
{
    const char *key;
    json_t *item, *entry;
    size_t i, j;
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        bool list = str_eq(key, "modaliases") || str_eq(key, "devices") || str_eq(key, "bound") ||
                    str_eq(key, "unbound");
        if (list && json_is_array(item))
            json_array_foreach(item, j, entry) add_reported(h, entry, n);
        else
            read_json(h, item, n);
    }
    json_array_foreach(value, i, item) read_json(h, item, n);
}

/* ---- which form ---- */

enum form { FORM_NONE, FORM_MODALIAS, FORM_LSPCI, FORM_RECORDS, FORM_LSMOD, FORM_JSON };
static const char *const form_names[] = {
    [FORM_MODALIAS] = "modaliases", [FORM_LSPCI] = "lspci",   [FORM_RECORDS] = "lspci -vmm",
    [FORM_LSMOD] = "lsmod",         [FORM_JSON] = "a report",
};

static enum form form_of_line(const char *line)
{
    if (line[0] == '{')
        return FORM_JSON;
    if (str_starts(line, "Slot:") || str_starts(line, "Device:\t"))
        return FORM_RECORDS;
    if (lspci_looks_like(line))
        return FORM_LSPCI;
    cleanup_free char *copy = xstrdup(line);
    if (modalias_looks_like(after_path(trimmed(copy))))
        return FORM_MODALIAS;
    return lsmod_looks_like(line) ? FORM_LSMOD : FORM_NONE;
}

static enum form form_of(const char *text)
{
    enum form form = FORM_NONE;
    for (const char *line = text; *line && form == FORM_NONE;) {
        size_t length = strcspn(line, "\n");
        cleanup_free char *copy = xstrndup(line, length);
        const char *start = copy + strspn(copy, " \t\r");
        if (*start && *start != '#')
            form = form_of_line(start);
        line += length + (line[length] == '\n');
    }
    return form;
}

static unsigned read_form(struct hardware *h, enum form form, const char *name, char *text,
                          struct diags *diags)
{
    json_error_t error;
    json_t *document;
    unsigned n = 0;
    switch (form) {
    case FORM_MODALIAS:
        return read_modaliases(h, text);
    case FORM_LSPCI:
        return lspci_read(h, text);
    case FORM_RECORDS:
        return lspci_read_records(h, text);
    case FORM_LSMOD:
        return read_lsmod(h, text);
    default:
        document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
        if (!document)
            diag_error(
                diags,
                &(struct pos){.file = name, .line = (unsigned)error.line, .column = (unsigned)error.column},
                "no JSON: %s", error.text);
        read_json(h, document, &n);
        json_decref(document);
        return n;
    }
}

int hardware_add_text(struct hardware *h, const char *name, const char *text, size_t size,
                      struct diags *diags)
{
    static const char expected[] = "expected what lspci -nn, lspci -vmmnnk or lsmod prints, modaliases one a "
                                   "line, a node's report, or a folder like /sys";
    unsigned errors = diags->errors;
    if (memchr(text, '\0', size) || (size && utf8_size(text, size) == 0))
        return diag_error(diags, NULL, "%s is no text; %s", name, expected);
    cleanup_free char *copy = xstrndup(text, size);
    enum form form = form_of(copy);
    if (form == FORM_NONE)
        return diag_error(diags, NULL, "%s has no hardware in it that could be read; %s", name, expected);
    unsigned n = read_form(h, form, name, copy, diags);
    if (diags->errors > errors)
        return -EINVAL;
    if (n == 0)
        return diag_error(diags, NULL, "%s looks like %s, but names no device with its numbers; %s", name,
                          form_names[form], expected);
    hardware_add_note(
        h, xasprintf("%s: %s, %u %s", name, form_names[form], n, form == FORM_LSMOD ? "modules" : "devices"));
    return 0;
}

static int read_stream(FILE *in, struct str *out)
{
    char buffer[4096];
    size_t n;
    while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0) {
        if (out->len > SOURCE_LIMIT)
            return -EFBIG;
        str_add_n(out, buffer, n);
    }
    return ferror(in) ? -EIO : 0;
}

int hardware_add_source(struct hardware *h, const char *path, struct diags *diags)
{
    cleanup_str struct str piped = {0};
    cleanup_free char *text = NULL;
    size_t size = 0;
    struct stat st;
    if (str_eq(path, "-")) {
        int r = read_stream(stdin, &piped);
        if (r < 0)
            return diag_errno(diags, r, "cannot read standard input");
        return hardware_add_text(h, "standard input", str_text(&piped), piped.len, diags);
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return hardware_add_sys(h, path, diags);
    int r = file_read(path, SOURCE_LIMIT, &text, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", path);
    return hardware_add_text(h, path, text, size, diags);
}
