/* The fragment as a person reads it, see fit/fit.h. Every symbol stands on a line of its own with the reason
 * above it; what has no line is named at the end. */
#include "fit/fit.h"

void fit_device_name(const struct device *device, struct str *out)
{
    const char *text = device->label ? device->label : device->modalias ? device->modalias : device->driver;
    str_add(out, text);
    if (device->where && device->modalias && !str_eq(device->where, device->modalias))
        str_printf(out, " (%s)", device->where);
}

/* Whether a wanted symbol is this driver's own, or one of its gates. */
static bool is_for(const struct fit_driver *driver, const char *root)
{
    const char *symbol = driver->symbols.symbol;
    size_t length = strlen(root);
    for (const char *s = symbol; s && (s = strstr(s, root)); s++)
        if ((s == symbol || s[-1] == '|') && (s[length] == '\0' || s[length] == '|'))
            return true;
    return false;
}

/* The devices of a driver, as comments. */
static void write_devices(const struct fit *fit, size_t driver, struct str *out)
{
    VEC_EACH(d, &fit->devices)
        VEC_EACH(index, &d->drivers) {
            if (*index != driver)
                continue;
            str_add(out, "#   ");
            fit_device_name(d->device, out);
            if (d->ambiguous)
                str_add(out, " [more than one driver is for it]");
            str_add(out, "\n");
        }
}

static bool write_heading(const struct fit *fit, const char *root, struct str *out)
{
    bool any = false;
    for (size_t i = 0; i < fit->drivers.n; i++) {
        const struct fit_driver *driver = &fit->drivers.items[i];
        if (driver->failure || !is_for(driver, root))
            continue;
        str_printf(out, "\n# %s%s%s\n", driver->name, driver->why ? ": " : "",
                   driver->why ? driver->why : "");
        write_devices(fit, i, out);
        any = true;
    }
    return any;
}

/* The clause behind `for ROOT`. */
static void write_reason(const struct resolved *r, struct str *out)
{
    const char *prompt = r->prompt[0] ? r->prompt : NULL;
    str_printf(out, "# %s", r->symbol);
    if (str_eq(r->how, "wanted") && str_eq(r->symbol, r->because))
        str_add(out, ": the driver itself");
    else if (str_eq(r->how, "selects"))
        str_printf(out, ": it turns on %s, which nobody can set", r->because);
    else if (str_eq(r->how, "default"))
        str_printf(out, ": with it, %s is on, which nobody can set", r->because);
    else if (str_eq(r->how, "selected"))
        str_printf(out, ": %s is selected and depends on it", r->because);
    else if (str_eq(r->how, "off"))
        str_printf(out, ": %s cannot be beside it", r->because);
    else
        str_printf(out, ": %s depends on it", r->because);
    if (prompt)
        str_printf(out, " (%s)", prompt);
    str_add(out, "\n");
}

static void write_symbols(const struct fit *fit, struct str *out)
{
    const char *last = NULL;
    VEC_EACH(r, &fit->resolution.list) {
        if (!str_eq(r->root, last) && !write_heading(fit, r->root, out))
            str_printf(out, "\n# for %s\n", r->root);
        last = r->root;
        write_reason(r, out);
        str_printf(out, r->on ? "CONFIG_%s=y\n" : "# CONFIG_%s is not set\n", r->symbol);
    }
}

/* Devices of one outcome, as comments with a heading. */
static void write_outcome(const struct fit *fit, enum device_outcome outcome, const char *heading,
                          struct str *out)
{
    bool any = false;
    VEC_EACH(d, &fit->devices) {
        if (d->outcome != outcome)
            continue;
        if (!any)
            str_printf(out, "\n# %s\n", heading);
        any = true;
        str_add(out, "#   ");
        fit_device_name(d->device, out);
        str_printf(out, ": %s\n", d->reason ? d->reason : "");
    }
}

/* Drivers whose symbols were on before. */
static void write_present(const struct fit *fit, struct str *out)
{
    bool any = false;
    for (size_t i = 0; i < fit->drivers.n; i++) {
        const struct fit_driver *driver = &fit->drivers.items[i];
        bool set = driver->failure != NULL;
        VEC_EACH(r, &fit->resolution.list)
            set = set || is_for(driver, r->root);
        if (set)
            continue;
        if (!any)
            str_add(out, "\n# On already\n");
        any = true;
        str_printf(out, "#   %s%s%s\n", driver->name, driver->symbols.symbol ? ": " : "",
                   driver->symbols.symbol ? driver->symbols.symbol : "");
    }
}

static void write_firmware(const struct fit *fit, struct str *out)
{
    if (!fit->firmware.n)
        return;
    str_add(out, "\n# Firmware that these drivers may load, depending on the device. Where a node misses "
                 "one, its image "
                 "takes it with\n# files:\n");
    VEC_EACH(file, &fit->firmware)
        str_printf(out, "#   - {path: /lib/firmware/%s, from: /lib/firmware/%s}\n", *file, *file);
}

void fit_write(const struct fit *fit, const struct fit_options *options, struct str *out)
{
    str_printf(out, "# %s: drivers for %zu devices, found by `rambox kernel fit`.\n", options->name,
               fit->devices.n);
    VEC_EACH(source, &fit->hardware.sources)
        str_printf(out, "#   %s\n", *source);
    str_printf(out, "# Drivers by the modules of %s, symbols and what they need by %s.\n",
               fit->catalog.kernel, fit->source);
    str_printf(out, "# It goes on top of: %s\n", fit->base);
    write_symbols(fit, out);
    write_present(fit, out);
    write_outcome(fit, DEVICE_NOT_DRIVEN, "Not driven: this kernel cannot have the driver", out);
    write_outcome(fit, DEVICE_LEFT_OUT, "Left out", out);
    write_outcome(fit, DEVICE_NO_DRIVER, "No driver is known", out);
    write_outcome(fit, DEVICE_ALWAYS, "In need of no driver of its own", out);
    write_firmware(fit, out);
}
