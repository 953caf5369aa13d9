/* rambox kernel fit: from hardware to a fragment. */
#include "cli/kernel_fit.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/build_session.h"
#include "cli/kernel_class.h"
#include "fit/known.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What a kernel begins with when no definition is named: a root in memory, the network, a serial console. */
static const char *const base_fragments[] = {"base", "smp", "inet", "console-serial", "initrd-zstd"};
#define DEFAULT_SOURCE  "linux-source-6.1"
#define DEFAULT_MODULES "linux-image-amd64"
#define DEFAULT_NAME    "fit"

struct given {
    const char *kernel, *source, *name, *modules, *output, *only, *without, *class, *nice;
    bool here, define, follow;
};

/* ---- what it goes on top of ---- */

static void def_free(struct kernel_def *def)
{
    VEC_EACH(name, &def->fragments)
        free(*name);
    VEC_FREE(&def->fragments);
    free(def->name);
    free(def->source.where);
    free(def->compression);
}

/* What --source names: a package, or with a slash in it the path of a tarball or of a tree. 0; -errno with a
 * diagnostic. */
static int source_of(const char *text, struct source *ret_source, struct diags *diags)
{
    struct stat st;
    if (is_url(text))
        return diag_error(diags, NULL,
                          "--source %s: a URL comes with its sha256, in a definition that --kernel names",
                          text);
    if (!strchr(text, '/')) {
        *ret_source = (struct source){.kind = SOURCE_PACKAGE, .where = xstrdup(text)};
        return 0;
    }
    char *path = realpath(text, NULL);
    if (!path || stat(path, &st) < 0) {
        int r = -errno;
        free(path);
        return diag_errno(diags, r, "--source %s: expected the folder of a tree, or a tarball", text);
    }
    *ret_source = (struct source){.kind = S_ISDIR(st.st_mode) ? SOURCE_TREE : SOURCE_TARBALL, .where = path};
    return 0;
}

static int default_def(const struct given *given, struct diags *diags, struct kernel_def *ret_def)
{
    struct source source;
    int r = source_of(given->source ? given->source : DEFAULT_SOURCE, &source, diags);
    if (r < 0)
        return r;
    struct kernel_def def = {
        .name = xstrdup(given->name ? given->name : DEFAULT_NAME),
        .source = source,
        .compression = xstrdup("zstd"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(base_fragments); i++)
        VEC_PUSH(&def.fragments, xstrdup(base_fragments[i]));
    *ret_def = def;
    return 0;
}

static int check_kinds(const char *option, const char **kinds)
{
    for (const char **kind = kinds; *kind; kind++) {
        const char *const *known = driver_kinds;
        while (*known && !str_eq(*known, *kind))
            known++;
        if (*known)
            continue;
        cleanup_str struct str all = {0};
        for (known = driver_kinds; *known; known++)
            str_printf(&all, "%s%s", all.len ? ", " : "", *known);
        return usage_error(&command_kernel_fit, "%s %s: no such kind; expected %s", option, *kind,
                           str_text(&all));
    }
    return 0;
}

/* ---- sources ---- */

static int read_sources(struct fit *fit, const struct given *given, char **paths, struct diags *diags)
{
    int result = given->here ? hardware_add_sys(&fit->hardware, "/sys", diags) : 0;
    for (; *paths; paths++) {
        int r = hardware_add_source(&fit->hardware, *paths, diags);
        result = r < 0 ? r : result;
    }
    return result;
}

/* ---- the file ---- */

static char *definition_path(const struct context *context, const struct kernel_def *def)
{
    return xasprintf("%s/kernels/%s.yaml", context->config_dir, def->name);
}

/* What is in the way of the definition is said before anything is looked for. */
static int check_definition(const struct context *context, const struct kernel_def *def, struct diags *diags)
{
    cleanup_free char *path = definition_path(context, def);
    if (strpbrk(def->source.where, "\"\\\n"))
        return diag_error(diags, NULL, "%s: a path with quotes or backslashes cannot be written there",
                          def->source.where);
    if (file_exists(path))
        return diag_error(diags, NULL, "%s is there already; leave out --define, or choose another --name",
                          path);
    return 0;
}

static int write_definition(const struct context *context, const struct kernel_def *def, struct diags *diags)
{
    static const char *const source_kinds[] = {
        [SOURCE_PACKAGE] = "package", [SOURCE_TARBALL] = "tarball", [SOURCE_TREE] = "tree"};
    const char *quote = def->source.kind == SOURCE_PACKAGE ? "" : "\""; /* a path may have blanks */
    cleanup_str struct str text = {0};
    cleanup_free char *path = definition_path(context, def);
    str_printf(&text, "# What the drivers in %s.config go on top of. By %s.\n", def->name, FIT_MADE_BY);
    str_printf(&text, "source:\n  %s: %s%s%s\nfragments:\n", source_kinds[def->source.kind], quote,
               def->source.where, quote);
    VEC_EACH(fragment, &def->fragments)
        str_printf(&text, "  - %s\n", *fragment);
    str_printf(&text, "compression: %s\n", def->compression);
    int r = file_write_atomic(path, str_text(&text), text.len, 0644);
    return r < 0 ? diag_errno(diags, r, "cannot write %s", path) : 0;
}

int fit_check_target(const char *path, struct diags *diags)
{
    cleanup_free char *text = NULL;
    int r = file_read(path, 4 << 20, &text, NULL);
    if (r == -ENOENT || (r == 0 && strstr(text, FIT_MADE_BY)))
        return 0;
    if (r < 0)
        return diag_errno(diags, r, "%s is there, and cannot be read; choose another --name or --output",
                          path);
    return diag_error(diags, NULL, "%s is there, and not from %s; choose another --name or --output", path,
                      FIT_MADE_BY);
}

/* Where the fragment goes; the caller's. NULL: standard output. */
static char *target_of(const struct context *context, const struct given *given, const char *name)
{
    if (given->output)
        return str_eq(given->output, "-") ? NULL : xstrdup(given->output);
    return xasprintf("%s/kernels/%s.config", context->config_dir, name);
}

static int write_result(const struct context *context, const struct given *given,
                        const struct kernel_def *def, const char *path, const struct str *text,
                        struct diags *diags)
{
    if (!path) {
        if (!context->json)
            fwrite(text->s, 1, text->len, stdout);
        return 0;
    }
    cleanup_free char *folder = xasprintf("%s/kernels", context->config_dir);
    int r = given->output ? 0 : dir_make(folder);
    if (r < 0)
        return diag_errno(diags, r, "cannot make %s", folder);
    r = file_write_atomic(path, str_text(text), text->len, 0644);
    if (r < 0)
        return diag_errno(diags, r, "cannot write %s", path);
    /* Last, since without its drivers it would be a kernel all the same. */
    return given->define ? write_definition(context, def, diags) : 0;
}

/* ---- saying it ---- */

static void count_outcomes(const struct fit *fit, size_t counts[static DEVICE_NOT_DRIVEN + 1])
{
    VEC_EACH(d, &fit->devices)
        counts[d->outcome]++;
}

static void print_device(const struct fit *fit, const struct fit_device *d)
{
    cleanup_str struct str line = {0};
    fit_device_name(d->device, &line);
    printf("  %-10s  %s", device_outcome_name(d->outcome), str_text(&line));
    VEC_EACH(index, &d->drivers)
        printf("%s%s", index == d->drivers.items ? ": " : ", ", fit->drivers.items[*index].name);
    if (d->ambiguous)
        printf(" (nothing says which; all are asked for)");
    printf("%s%s\n", d->reason ? "; " : "", d->reason ? d->reason : "");
}

void fit_print(const struct fit *fit, const char *name, const char *path)
{
    size_t counts[DEVICE_NOT_DRIVEN + 1] = {0};
    count_outcomes(fit, counts);
    printf("%s: %zu devices", name, fit->devices.n);
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        if (counts[i])
            printf(", %zu %s", counts[i], device_outcome_name((enum device_outcome)i));
    putchar('\n');
    VEC_EACH(d, &fit->devices)
        print_device(fit, d);
    if (fit->firmware.n)
        printf(
            "  firmware that these drivers may load: %zu files, named in the fragment; an image takes them "
            "with `files:`\n",
            fit->firmware.n);
    printf("%zu symbols of %s in %s\n", fit->resolution.list.n, fit->source, path);
}

static json_t *device_to_json(const struct fit *fit, const struct fit_device *d)
{
    json_t *drivers = json_array();
    VEC_EACH(index, &d->drivers)
        json_array_append_new(drivers, json_string(fit->drivers.items[*index].name));
    return json_pack("{s:s?, s:s?, s:s?, s:s, s:o, s:b, s:s?}", "modalias", d->device->modalias, "where",
                     d->device->where, "label", d->device->label, "outcome", device_outcome_name(d->outcome),
                     "drivers", drivers, "ambiguous", d->ambiguous, "reason", d->reason);
}

static json_t *driver_to_json(const struct fit_driver *driver)
{
    json_t *firmware = json_array();
    if (driver->module)
        VEC_EACH(file, &driver->module->firmware)
            json_array_append_new(firmware, json_string(*file));
    return json_pack("{s:s, s:s?, s:s?, s:s?, s:o}", "name", driver->name, "symbol", driver->symbols.symbol,
                     "failure", driver->failure, "why", driver->why, "firmware", firmware);
}

json_t *fit_to_json(const struct fit *fit, const char *name, const char *path, const struct str *text)
{
    json_t *devices = json_array(), *drivers = json_array(), *symbols = json_array();
    VEC_EACH(d, &fit->devices)
        json_array_append_new(devices, device_to_json(fit, d));
    VEC_EACH(d, &fit->drivers)
        json_array_append_new(drivers, driver_to_json(d));
    VEC_EACH(r, &fit->resolution.list)
        json_array_append_new(symbols, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", r->symbol, "value",
                                                 r->on ? "y" : "n", "for", r->root, "because", r->because,
                                                 "how", r->how));
    return json_pack("{s:s, s:s?, s:s, s:s, s:o, s:o, s:o, s:s}", "name", name, "file", path, "modules",
                     fit->catalog.kernel, "source", fit->source, "devices", devices, "drivers", drivers,
                     "symbols", symbols, "fragment", str_text(text));
}

/* ---- the command ---- */

static int fit_and_write(struct context *context, const struct given *given, char **paths,
                         const struct fit_options *options, const struct build_env *env)
{
    cleanup_fit struct fit fit = {0};
    cleanup_str struct str text = {0};
    cleanup_free char *path = target_of(context, given, options->name);
    int r = read_sources(&fit, given, paths, env->diags);
    if (r == 0 && path)
        r = fit_check_target(path, env->diags);
    if (r == 0 && given->define)
        r = check_definition(context, options->def, env->diags);
    if (r == 0)
        r = fit_find(&fit, options, env);
    if (r == 0) {
        fit_write(&fit, options, &text);
        r = write_result(context, given, options->def, path, &text, env->diags);
    }
    if (report_diags(context, env->diags) || r < 0)
        return 1;
    if (context->json)
        return print_json(fit_to_json(&fit, options->name, path, &text));
    if (path)
        fit_print(&fit, options->name, path);
    if (path && !given->output)
        printf("`rambox kernel build %s` builds it%s\n", options->name,
               given->define || given->kernel ? ""
                                              : ", once kernels/ has a definition of that name (--define)");
    return 0;
}

static int run_session(struct context *context, const struct given *given, char **paths, const char **only,
                       const char **without)
{
    cleanup_build_session struct build_session s = {0};
    struct kernel_def own = {0};
    const struct kernel_def *def = &own;
    int r = build_session_begin(&s, context);
    if (r == 0 && given->kernel && !(def = site_kernel(s.site, given->kernel)))
        r = diag_error(&s.diags, NULL, "there is no kernel \"%s\"; `rambox kernel list` shows them",
                       given->kernel);
    if (r == 0 && !given->kernel)
        r = default_def(given, &s.diags, &own);
    if (r != 0)
        return report_diags(context, &s.diags), 1;
    const struct fit_options options = {
        .name = given->name     ? given->name
                : given->kernel ? given->kernel
                                : DEFAULT_NAME,
        .def = def,
        .modules = given->modules ? given->modules : DEFAULT_MODULES,
        .only = only[0] ? only : NULL,
        .without = without[0] ? without : NULL,
    };
    r = fit_and_write(context, given, paths, &options, &s.env);
    def_free(&own);
    return r;
}

/* A class has its hardware, and its names. */
static int check_class(const struct given *given, int operands)
{
    const struct command *command = &command_kernel_fit;
    if (operands > 0 || given->here)
        return usage_error(command, "--class is what nodes have reported; it takes no other source");
    if (given->kernel || given->source || given->name || given->define || given->output)
        return usage_error(command,
                           "--class has its own name, definition and file; kernels/class.yaml says what "
                           "they go on top of");
    if (!given->class[0])
        return usage_error(command, "--class: expected a class (`rambox hardware list` shows them), or all");
    return 0;
}

static int run_class(struct context *context, const struct given *given, const char **only,
                     const char **without)
{
    uint64_t nice = 19;
    if (given->nice && parse_u64(given->nice, 0, 19, &nice) < 0)
        return usage_error(&command_kernel_fit, "--nice %s: expected a number from 0 to 19", given->nice);
    return fit_classes(context, &(struct class_request){
                                    .class = given->class,
                                    .follow = given->follow,
                                    .nice = (int)nice,
                                    .modules = given->modules ? given->modules : DEFAULT_MODULES,
                                    .only = only[0] ? only : NULL,
                                    .without = without[0] ? without : NULL,
                                });
}

static int check_given(const struct given *given, int operands)
{
    const struct command *command = &command_kernel_fit;
    if (given->follow && !str_eq(given->class, "all"))
        return usage_error(command, "--follow goes with --class all");
    if (given->nice && !given->class)
        return usage_error(command, "--nice goes with --class");
    if (given->class)
        return check_class(given, operands);
    if (operands == 0 && !given->here)
        return usage_error(command, "which hardware? Name a file, a folder, - or --here");
    if (given->kernel && (given->source || given->define))
        return usage_error(command, "--kernel has a definition already; leave out --source and --define");
    if (given->name && !is_host_label(given->name))
        return usage_error(command, "--name %s: expected letters, digits and hyphens", given->name);
    if (given->define && given->output)
        return usage_error(command, "--define is for kernels/NAME.config; leave out --output");
    return 0;
}

static int run_fit(struct context *context, int argc, char **argv)
{
    struct given given = {0};
    const struct option_spec options[] = {{"--kernel", NULL, &given.kernel},
                                          {"--source", NULL, &given.source},
                                          {"--name", NULL, &given.name},
                                          {"--modules", NULL, &given.modules},
                                          {"--output", NULL, &given.output},
                                          {"--only", NULL, &given.only},
                                          {"--without", NULL, &given.without},
                                          {"--here", &given.here, NULL},
                                          {"--define", &given.define, NULL},
                                          {"--class", NULL, &given.class},
                                          {"--nice", NULL, &given.nice},
                                          {"--follow", &given.follow, NULL},
                                          {0}};
    int n = parse_options(&command_kernel_fit, options, argc, argv);
    if (n < 0)
        return 2;
    int r = check_given(&given, n);
    if (r)
        return r;
    cleanup_free char *only_text = xstrdup(given.only), *without_text = xstrdup(given.without);
    cleanup_free const char **only = split_list(only_text), **without = split_list(without_text);
    r = check_kinds("--only", only);
    if (r == 0)
        r = check_kinds("--without", without);
    if (r)
        return r;
    return given.class ? run_class(context, &given, only, without)
                       : run_session(context, &given, argv + 1, only, without);
}

const struct command command_kernel_fit = {
    .name = "kernel fit",
    .synopsis =
        "[--kernel NAME | --source SOURCE] [--name NAME] [--define] [--modules PACKAGE] [--only KINDS] "
        "[--without KINDS] [--output FILE] [--here] [--class CLASS [--follow] [--nice N]] [SOURCE...]",
    .summary = "find the drivers that machines need, and everything these need",
    .help =
        "Each SOURCE says what some machine is made of: what `lspci -nn`, `lspci -nnk`, `lspci -vmmnnk` or "
        "`lsmod`\n"
        "prints, a list of modaliases, a node's report, or a folder like /sys (a copied tree, too). Which it "
        "is, its\n"
        "content tells; - is standard input. Several are one class of machines: all that any of them needs.\n"
        "\n"
        "Every device goes to the driver that a distribution's kernel has for it (its package is read,\n"
        "not installed), the driver to the symbol that builds it, and the symbol to all it depends on,\n"
        "which the kernel's own Kconfig resolves. The result is kernels/NAME.config, with a reason above\n"
        "each line; a kernel definition of that name uses it from then on. What has no line is said: a\n"
        "device without a driver, one that needs none, several drivers for one device, a driver that\n"
        "wants firmware.\n"
        "\n"
        "Options:\n"
        "  --here             this machine is a source, too\n"
        "  --kernel NAME      the kernel definition that it goes on top of; its name is the default of "
        "--name\n"
        "  --source SOURCE    without --kernel: the kernel's sources (linux-source-6.1): a package, or a "
        "path with "
        "a slash\n"
        "                     in it, of a tarball or of an unpacked tree\n"
        "  --name NAME        name of the fragment (fit)\n"
        "  --define           write kernels/NAME.yaml as well: a small kernel with these drivers\n"
        "  --modules PACKAGE  the kernel package (a name, or the path of a .deb), or a folder like\n"
        "                     /lib/modules/RELEASE, whose drivers are known (linux-image-amd64)\n"
        "  --only KINDS       only drivers of these kinds: network, storage, usb, input, graphics, sound, "
        "...\n"
        "  --without KINDS    no drivers of these kinds; what is left out is named\n"
        "  --output FILE      write the fragment there; - is standard output\n"
        "  --class CLASS      the hardware that nodes of this class have reported (`rambox hardware list`); "
        "`all`: of "
        "each\n"
        "                     class without a kernel. Its kernel is built, too, at the lowest priority, and "
        "defined "
        "as\n"
        "                     kernels/class-CLASS.yaml on top of kernels/class.yaml; profiles with `kernel: "
        "fitted` "
        "boot it\n"
        "  --follow           with --class all: go on, for each class of which a node with `kernel: fitted` "
        "reports\n"
        "  --nice N           the priority of --class (19, the lowest; 0 is everybody's)\n"
        "\n"
        "Examples:\n"
        "  rambox kernel fit --here --name this --define\n"
        "  lspci -nn | rambox kernel fit --name office --without sound,graphics --output - -\n"
        "  rambox kernel fit --class all\n",
    .run = run_fit,
};
