/* Devices to drivers, see fit/fit.h. */
#include "fit/fit.h"
#include "fit/known.h"

#include <errno.h>

/* ---- which of several ---- */

static bool names_match(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char x = a[i] == '-' ? '_' : a[i], y = b[i] == '-' ? '_' : b[i];
        if (x != y || !x)
            return false;
    }
    return a[length] == '\0';
}

/* Whether a module is among the words. */
static bool is_named(const char *module, const char *words)
{
    while (words && *words) {
        size_t length = strcspn(words, " ");
        if (length && names_match(module, words, length))
            return true;
        words += length + strspn(words + length, " ");
    }
    return false;
}

/* A pattern that is for one vendor's devices, and not for a whole class. */
static bool is_particular(const struct driver_match *m)
{
    return !str_starts(m->alias, "pci:v*") && !str_starts(m->alias, "usb:v*");
}

static bool is_display(const struct driver_match *m)
{
    return str_starts(m->module->path, "drivers/gpu/");
}

static bool is_old_display(const struct driver_match *m)
{
    return str_starts(m->module->path, "drivers/video/fbdev/");
}

enum preference { PREFER_IN_USE, PREFER_NAMED, PREFER_SURE, PREFER_PARTICULAR, PREFER_DISPLAY, PREFERENCES };

static bool prefers(enum preference preference, const struct driver_match *m, const struct device *device)
{
    switch (preference) {
    case PREFER_IN_USE:
        return is_named(m->module->name, device->driver);
    case PREFER_NAMED:
        return is_named(m->module->name, device->modules);
    case PREFER_SURE:
        return m->sure == ALIAS_YES;
    case PREFER_PARTICULAR:
        return is_particular(m);
    default:
        return !is_old_display(m);
    }
}

/* Keeps those that a preference is for, when there are any; what it dropped is named in `dropped`. */
static void keep(struct driver_matches *matches, enum preference preference, const struct device *device,
                 struct str *dropped)
{
    size_t preferred = 0, n = 0;
    bool display = false;
    VEC_EACH(m, &matches->list) {
        preferred += prefers(preference, m, device);
        display = display || is_display(m);
    }
    if (preferred == 0 || preferred == matches->list.n || (preference == PREFER_DISPLAY && !display))
        return;
    VEC_EACH(m, &matches->list) {
        if (prefers(preference, m, device))
            matches->list.items[n++] = *m;
        else
            str_printf(dropped, "%s%s", dropped->len ? ", " : "", m->module->name);
    }
    matches->list.n = n;
}

/* ---- drivers ---- */

static size_t driver_index(struct fit *fit, const char *name)
{
    for (size_t i = 0; i < fit->drivers.n; i++)
        if (str_eq(fit->drivers.items[i].name, name))
            return i;
    struct fit_driver *driver = VEC_ADD(&fit->drivers);
    driver->name = xstrdup(name);
    return fit->drivers.n - 1;
}

/* The module, and those that it wants beside it. */
static size_t add_module(struct fit *fit, const char *tree, const struct catalog_module *module)
{
    size_t index = driver_index(fit, module->name);
    struct fit_driver *driver = &fit->drivers.items[index];
    if (driver->module)
        return index;
    driver->module = module;
    if (!driver->symbols.symbol && driver_symbols_find(tree, module->path, &driver->symbols) < 0)
        driver->failure = xasprintf("no Kbuild file of the tree builds %s.o", module->path);
    VEC_EACH(name, &module->beside) {
        const struct catalog_module *other = catalog_module(&fit->catalog, *name);
        if (!other)
            continue;
        size_t beside = add_module(fit, tree, other);
        if (!fit->drivers.items[beside].why)
            fit->drivers.items[beside].why = xasprintf("%s asks for it beside itself", module->name);
    }
    return index;
}

static size_t add_known(struct fit *fit, const struct known_device *known)
{
    size_t index = driver_index(fit, known->driver);
    struct fit_driver *driver = &fit->drivers.items[index];
    if (driver->symbols.symbol || driver->module)
        return index;
    cleanup_free char *symbols = xstrdup(known->symbols);
    char *save = NULL, *last = NULL;
    for (char *word = strtok_r(symbols, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (last)
            VEC_PUSH(&driver->symbols.gates, xstrdup(last));
        last = word;
    }
    driver->symbols.symbol = xstrdup(last);
    return index;
}

static bool in_list(const char *const *list, const char *word)
{
    for (; list && *list; list++)
        if (str_eq(*list, word))
            return true;
    return false;
}

/* NULL: it is wanted; else the kind, which is not. */
static const char *left_out(const struct fit_options *options, const char *kind)
{
    bool wanted = str_eq(kind, "bus") ||
                  ((!options->only || in_list(options->only, kind)) && !in_list(options->without, kind));
    return wanted ? NULL : kind;
}

static const char *kind_left_out(const struct fit_options *options, const struct catalog_module *module)
{
    return left_out(options, driver_kind(module->path));
}

/* ---- devices ---- */

static void use_known(struct fit *fit, const struct fit_options *options, struct fit_device *d,
                      const struct known_device *known)
{
    const char *kind = known->symbols && strstr(known->symbols, "INPUT_") ? left_out(options, "input") : NULL;
    if (kind) {
        d->outcome = DEVICE_LEFT_OUT;
        d->reason = xasprintf("%s is of the kind %s, which was left out", known->driver, kind);
    } else if (known->symbols) {
        VEC_PUSH(&d->drivers, add_known(fit, known));
        d->outcome = DEVICE_DRIVEN;
    } else {
        d->outcome = DEVICE_ALWAYS;
        d->reason = xstrdup(known->why);
    }
}

/* A processor's features and a machine's name are for many modules at once. */
static bool is_for_many(const char *modalias)
{
    static const char *const many[] = {"cpu:", "dmi:", "input:", "acpi:LNXCPU:", "acpi:ACPI0007:"};
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        if (str_starts(modalias, many[i]))
            return true;
    return false;
}

static void use_matches(struct fit *fit, const char *tree, const struct fit_options *options,
                        struct fit_device *d, struct driver_matches *matches)
{
    cleanup_str struct str dropped = {0};
    const char *kind = NULL;
    for (int p = 0; p < PREFERENCES; p++)
        keep(matches, (enum preference)p, d->device, &dropped);
    d->outcome = DEVICE_DRIVEN;
    VEC_EACH(m, &matches->list) {
        const char *out = kind_left_out(options, m->module);
        if (out)
            kind = out;
        else
            VEC_PUSH(&d->drivers, add_module(fit, tree, m->module));
    }
    if (kind && !d->drivers.n) {
        d->outcome = DEVICE_LEFT_OUT;
        d->reason =
            xasprintf("%s is of the kind %s, which was left out", matches->list.items[0].module->name, kind);
        return;
    }
    d->ambiguous = d->drivers.n > 1 && !is_for_many(d->device->modalias);
    if (dropped.len)
        d->reason = xasprintf("%s would also do", str_text(&dropped));
}

/* The driver that the source names, for devices that no pattern is for. */
static void use_named(struct fit *fit, const char *tree, const struct fit_options *options,
                      struct fit_device *d)
{
    const struct device *device = d->device;
    const struct catalog_module *module =
        device->driver ? catalog_module(&fit->catalog, device->driver) : NULL;
    struct driver_matches matches = {0};
    if (!module && device->modules) {
        cleanup_free char *first = xstrndup(device->modules, strcspn(device->modules, " "));
        module = catalog_module(&fit->catalog, first);
    }
    if (module) {
        VEC_PUSH(&matches.list, ((struct driver_match){.module = module, .alias = "", .sure = ALIAS_YES}));
        if (device->modalias) {
            use_matches(fit, tree, options, d, &matches);
        } else {
            const char *kind = kind_left_out(options, module);
            d->outcome = kind ? DEVICE_LEFT_OUT : DEVICE_DRIVEN;
            if (kind)
                d->reason = xasprintf("it is of the kind %s, which was left out", kind);
            else
                VEC_PUSH(&d->drivers, add_module(fit, tree, module));
        }
        VEC_FREE(&matches.list);
        return;
    }
    d->outcome = DEVICE_NO_DRIVER;
    if (device->driver)
        d->reason =
            xasprintf("%s, which drives it there, is no module of %s", device->driver, fit->catalog.kernel);
    else
        d->reason = xasprintf("%s has no driver for it", fit->catalog.kernel);
}

static void match_device(struct fit *fit, const char *tree, const struct fit_options *options,
                         struct fit_device *d)
{
    const char *modalias = d->device->modalias;
    struct driver_matches matches = {0};
    const struct known_device *known = modalias ? known_device(modalias, 1) : NULL;
    if (!known && modalias) {
        catalog_match(&fit->catalog, modalias, &matches);
        known = matches.list.n ? NULL : known_device(modalias, 0);
    }
    if (known)
        use_known(fit, options, d, known);
    else if (matches.list.n)
        use_matches(fit, tree, options, d, &matches);
    else
        use_named(fit, tree, options, d);
    VEC_FREE(&matches.list);
}

/* ---- what the source cannot see ---- */

/* PCI numbers of virtio devices to the devices on their own bus (Virtual I/O Device, 4.1.2). */
static void add_virtio(struct hardware *h)
{
    static const unsigned old_types[] = {1, 2, 5, 3, 8, 4, 0, 0, 0, 9};
    for (size_t i = 0; i < h->devices.n; i++) {
        unsigned id, type = 0;
        const char *modalias = h->devices.items[i].modalias;
        if (!modalias || sscanf(modalias, "pci:v00001AF4d%8X", &id) != 1)
            continue;
        if (id >= 0x1000 && id < 0x1000 + ARRAY_SIZE(old_types))
            type = old_types[id - 0x1000];
        else if (id >= 0x1040 && id < 0x1080)
            type = id - 0x1040;
        if (!type)
            continue;
        struct device device = {.modalias = xasprintf("virtio:d%08Xv00001AF4", type),
                                .where = xstrdup(h->devices.items[i].where),
                                .label = xstrdup("the virtio device in it")};
        hardware_add(h, &device);
    }
}

static bool has_bus(const struct hardware *h, const char *bus)
{
    VEC_EACH(d, &h->devices)
        if (d->modalias && str_starts(d->modalias, bus))
            return true;
    return false;
}

static void add_behind(struct fit *fit, const char *tree, const struct fit_options *options)
{
    for (const struct behind_bus *b = behind_buses; b->prefix; b++) {
        bool wanted = false;
        VEC_EACH(driver, &fit->drivers)
            wanted = wanted || (driver->module && str_starts(driver->module->path, b->prefix));
        const struct catalog_module *module = catalog_module(&fit->catalog, b->module);
        if (!wanted || !module || has_bus(&fit->hardware, b->bus) || kind_left_out(options, module))
            continue;
        size_t index = add_module(fit, tree, module);
        if (!fit->drivers.items[index].why)
            fit->drivers.items[index].why = xstrdup(b->why);
    }
}

static void add_workarounds(struct fit *fit)
{
    bool wanted = false;
    VEC_EACH(d, &fit->devices) {
        const char *modalias = d->device->modalias;
        wanted = wanted || (d->outcome == DEVICE_DRIVEN && modalias && str_starts(modalias, "pci:") &&
                            !str_starts(modalias, "pci:v00001AF4"));
    }
    if (!wanted)
        return;
    size_t index = add_known(fit, &pci_workarounds);
    if (!fit->drivers.items[index].why)
        fit->drivers.items[index].why = xstrdup(pci_workarounds.why);
}

static void collect_firmware(struct fit *fit)
{
    VEC_EACH(driver, &fit->drivers) {
        if (!driver->module || driver->failure)
            continue;
        VEC_EACH(file, &driver->module->firmware)
            VEC_PUSH(&fit->firmware, *file);
    }
}

void fit_match(struct fit *fit, const char *tree, const struct fit_options *options)
{
    add_virtio(&fit->hardware);
    VEC_EACH(device, &fit->hardware.devices) {
        struct fit_device *d = VEC_ADD(&fit->devices);
        d->device = device;
        match_device(fit, tree, options, d);
    }
    add_behind(fit, tree, options);
    add_workarounds(fit);
    collect_firmware(fit);
}
