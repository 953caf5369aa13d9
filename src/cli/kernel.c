/* rambox kernel build|config|list|modules: H26 and H28. */
#include "kernel/kernel.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/build_session.h"
#include "model/class_kernel.h"
#include "modules/archive.h"

#include <stdio.h>
#include <unistd.h>

/* ---- build ---- */

/* NAME -> kernel/NAME, so that no image of that name is built; without names, every kernel that a profile
 * uses, and those of hardware classes where one is fitted.
 */
static void names_of_kernels(const struct site *site, char **given, arch_set archs, char ***ret_names)
{
    VEC(char *) names = {0};
    for (; *given; given++)
        VEC_PUSH(&names, str_starts(*given, "kernel/") ? xstrdup(*given) : xasprintf("kernel/%s", *given));
    bool all = names.n == 0;
    if (all)
        VEC_EACH(profile, &site->profiles)
            if (profile->kernel && (!archs || (profile_archs(profile) & archs)))
                VEC_PUSH(&names, xasprintf("kernel/%s", profile->kernel));
    if (all && site_is_fitted(site) && (!archs || arch_in(archs, ARCH_X86_64)))
        VEC_EACH(kernel, &site->kernels)
            if (is_class_kernel(kernel->name))
                VEC_PUSH(&names, xasprintf("kernel/%s", kernel->name));
    VEC_PUSH(&names, NULL);
    *ret_names = names.items;
}

static json_t *item_to_json(const struct build_item *item)
{
    char hex[DIGEST_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    artifact_name_format(item->name, item->arch, name);
    if (item->outcome < 0)
        return json_pack("{s:s, s:s, s:s, s:s}", "kind", artifact_kind_name(item->kind), "name", name, "arch",
                         arch_name(item->arch), "outcome", "failed");
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:s*}", "kind", artifact_kind_name(item->kind), "name", name,
        "arch", arch_name(item->arch), "outcome", item->outcome ? "unchanged" : "built", "sha256",
        digest_format(&item->built.artifact, hex), "size", (json_int_t)item->built.size, "seconds",
        (int)item->built.seconds, "because", item->built.because[0] ? item->built.because : NULL);
}

static void print_item(const struct build_item *item)
{
    char hex[DIGEST_TEXT_MAX], size[SIZE_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    if (item->outcome < 0)
        return; /* the diagnostics say it */
    printf("%s %s: %s, %s, %.12s\n", artifact_kind_name(item->kind),
           artifact_name_format(item->name, item->arch, name), item->outcome ? "unchanged" : "built",
           format_size(item->built.size, size), digest_format(&item->built.artifact, hex));
    if (item->outcome == 0 && item->built.because[0])
        printf("  built again: %s\n", item->built.because);
}

static int build_kernels(struct build_session *s, char **given, struct build_list *list)
{
    char **names = NULL;
    names_of_kernels(s->site, given, list->archs, &names);
    int r = builder_select(s->site, names, &s->diags, list);
    names_free(names);
    return r < 0 ? r : builder_build(s->builder, s->site, list);
}

static int run_build(struct context *context, int argc, char **argv)
{
    const char *jobs = NULL, *arch = NULL;
    bool refresh = false;
    const struct option_spec options[] = {
        {"--jobs", NULL, &jobs}, {"--refresh", &refresh, NULL}, {"--arch", NULL, &arch}, {0}};
    int n = parse_options(&command_kernel_build, options, argc, argv);
    uint64_t number = 0;
    if (n < 0)
        return 2;
    if (jobs && parse_u64(jobs, 1, 1024, &number) < 0)
        return usage_error(&command_kernel_build, "--jobs %s: expected a number from 1 to 1024", jobs);
    cleanup_build_session struct build_session s = {0};
    cleanup_build_list struct build_list list = {0};
    if (parse_archs(&command_kernel_build, arch, &list.archs) != 0)
        return 2;
    int r = build_session_begin(&s, context);
    if (r == 0) {
        builder_set_jobs(s.builder, (unsigned)number, refresh);
        r = build_kernels(&s, argv + 1, &list);
    }
    int failed = report_diags(context, &s.diags);
    json_t *document = context->json && !failed ? json_array() : NULL;
    VEC_EACH(item, &list.items) {
        if (document)
            json_array_append_new(document, item_to_json(item));
        else if (!context->json)
            print_item(item);
    }
    if (document)
        print_json(document);
    return failed || r < 0 ? 1 : 0;
}

const struct command command_kernel_build = {
    .name = "kernel build",
    .synopsis = "[--arch ARCH] [--jobs N] [--refresh] [NAME...]",
    .summary = "build kernels, those that changed",
    .help = "Builds the named kernels, or all that profiles use. A kernel whose source, fragments, symbols "
            "and compiler\n"
            "are the same as before is not built again. Every symbol that was asked for is looked up in the "
            "finished\n"
            "configuration; one that is missing is named with what it depends on, and nothing is built.\n"
            "\n"
            "Options:\n"
            "  --arch ARCH  for x86_64 or arm64 alone; without it, for those of the profiles that use it\n"
            "  --jobs N     compile N files at once; without it, one for each processor\n"
            "  --refresh    fetch the sources again\n"
            "\n"
            "Examples:\n"
            "  rambox kernel build\n"
            "  rambox kernel build smallest\n"
            "  rambox kernel build --arch arm64 smallest\n",
    .run = run_build,
};

/* ---- config ---- */

static int run_config(struct context *context, int argc, char **argv)
{
    const char *with = "menuconfig", *arch = NULL;
    arch_set archs = 0;
    const struct option_spec options[] = {{"--with", NULL, &with}, {"--arch", NULL, &arch}, {0}};
    int n = parse_options(&command_kernel_config, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_kernel_config, n ? "one kernel at a time" : "which kernel?");
    if (!str_ends(with, "config"))
        return usage_error(&command_kernel_config,
                           "--with %s: expected menuconfig, nconfig, config or xconfig", with);
    if (parse_archs(&command_kernel_config, arch, &archs) != 0)
        return 2;
    if (str_eq(with, "menuconfig") && !isatty(STDIN_FILENO))
        return usage_error(&command_kernel_config, "menuconfig needs a terminal");
    cleanup_build_session struct build_session s = {0};
    cleanup_free char *path = NULL;
    int r = build_session_begin(&s, context);
    const struct kernel_def *def = r < 0 ? NULL : site_kernel(s.site, argv[1]);
    if (r == 0 && !def)
        r = diag_error(&s.diags, NULL, "there is no kernel \"%s\"; `rambox kernel list` shows them", argv[1]);
    s.env.arch = arch_first(archs);
    if (r == 0)
        r = kernel_edit(def, &s.env, with, &path);
    int failed = report_diags(context, &s.diags);
    if (failed || r < 0 || !def)
        return 1;
    if (context->json)
        return print_json(
            json_pack("{s:s, s:o}", "kernel", def->name, "file", path ? json_string(path) : json_null()));
    if (path)
        printf("%s: saved what changed in %s; `rambox build` builds it\n", def->name, path);
    else
        printf("%s: nothing changed\n", def->name);
    return 0;
}

const struct command command_kernel_config = {
    .name = "kernel config",
    .synopsis = "[--arch ARCH] [--with menuconfig] NAME",
    .summary = "change a kernel's options by hand",
    .help =
        "Configures the kernel as its definition says and opens the kernel's own menu. What you change there "
        "is kept\n"
        "as lines of kernels/NAME.config in the configuration folder, which from then on count after "
        "everything in\n"
        "the definition. Delete the file to undo it.\n"
        "\n"
        "Options:\n"
        "  --arch ARCH     configure it for arm64; what you change is then kept in "
        "kernels/NAME.arm64.config\n"
        "  --with PROGRAM  menuconfig (which needs the package libncurses-dev), nconfig, config, xconfig\n"
        "\n"
        "Examples:\n"
        "  rambox kernel config smallest\n",
    .run = run_config,
};

/* ---- list ---- */

static const char *source_text(const struct source *source)
{
    static const char *const kinds[] = {[SOURCE_PACKAGE] = "package",
                                        [SOURCE_TARBALL] = "tarball",
                                        [SOURCE_TREE] = "tree",
                                        [SOURCE_DISTRIBUTION] = "distribution"};
    return kinds[source->kind];
}

static json_t *kernel_to_json(const struct kernel_def *def)
{
    json_t *fragments = json_array(), *left_out = json_object(), *modules = json_array();
    VEC_EACH(name, &def->fragments)
        json_array_append_new(fragments, json_string(*name));
    VEC_EACH(name, &def->modules)
        json_array_append_new(modules, json_string(*name));
    VEC_EACH(symbol, &def->leaves_out)
        json_object_set_new(left_out, symbol->name, json_string(symbol->value));
    return json_pack("{s:s, s:{s:s}, s:o, s:o, s:o}", "name", def->name, "source", source_text(&def->source),
                     def->source.where, "fragments", fragments, "modules", modules, "leaves_out", left_out);
}

static void print_kernel(const struct kernel_def *def)
{
    printf("%s: %s %s", def->name, source_text(&def->source), def->source.where);
    VEC_EACH(name, &def->fragments)
        printf("%s %s", name == def->fragments.items ? ":" : "", *name);
    VEC_EACH(name, &def->modules)
        printf("%s %s", name == def->modules.items ? ": modules" : "", *name);
    putchar('\n');
}

static int run_list(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_kernel_list, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_kernel_list, "%s: it takes no operands", argv[1]);
    CLEANUP(site_free) struct site *site = load_site(context);
    if (!site)
        return 1;
    json_t *document = context->json ? json_array() : NULL;
    VEC_EACH(def, &site->kernels) {
        if (document)
            json_array_append_new(document, kernel_to_json(def));
        else
            print_kernel(def);
    }
    return document ? print_json(document) : 0;
}

const struct command command_kernel_list = {
    .name = "kernel list",
    .synopsis = "",
    .summary = "list the kernel definitions, the user's and the built-in ones",
    .help = "Each line is a definition: its name, its source, and its fragments in order; of a kernel of the "
            "distribution\n"
            "the modules that its nodes may need.\n"
            "\n"
            "Examples:\n"
            "  rambox kernel list\n",
    .run = run_list,
};

/* ---- modules ---- */

/* The files that modules may ask for, each once, with the package that has it. */
struct firmware {
    const char *file, *package; /* package NULL: not known */
};
struct firmware_list {
    VEC(struct firmware) items;
};

static int compare_firmware(const void *a, const void *b)
{
    return strcmp(((const struct firmware *)a)->file, ((const struct firmware *)b)->file);
}

static void list_firmware(const struct closure *closure, struct firmware_list *list)
{
    size_t n = 0;
    VEC_EACH(m, &closure->list)
        VEC_EACH(file, &m->firmware)
            VEC_PUSH(&list->items, ((struct firmware){*file, firmware_package(*file)}));
    if (list->items.n)
        qsort(list->items.items, list->items.n, sizeof(*list->items.items), compare_firmware);
    for (size_t i = 0; i < list->items.n; i++)
        if (n == 0 || !str_eq(list->items.items[n - 1].file, list->items.items[i].file))
            list->items.items[n++] = list->items.items[i];
    list->items.n = n;
}

static json_t *modules_to_json(const char *version, const struct closure *closure,
                               const struct firmware_list *firmware)
{
    json_t *modules = json_array(), *files = json_array();
    VEC_EACH(m, &closure->list) {
        json_t *needs = json_array(), *wants = json_array();
        for (size_t i = 0; i < m->needs.n; i++)
            json_array_append_new(needs, json_string(closure->list.items[m->needs.items[i]].name));
        VEC_EACH(file, &m->firmware)
            json_array_append_new(wants, json_string(*file));
        json_array_append_new(modules, json_pack("{s:s, s:s, s:i, s:b, s:o, s:o}", "name", m->name, "path",
                                                 m->path, "aliases", (int)m->aliases.n, "at_once",
                                                 (int)m->at_once, "needs", needs, "firmware", wants));
    }
    VEC_EACH(it, &firmware->items)
        json_array_append_new(files, json_pack("{s:s, s:s?}", "file", it->file, "package", it->package));
    return json_pack("{s:s, s:o, s:o}", "version", version, "modules", modules, "firmware", files);
}

static void print_modules(const char *version, const struct closure *closure,
                          const struct firmware_list *firmware)
{
    printf("Linux %s, %zu modules:\n", version, closure->list.n);
    VEC_EACH(m, &closure->list)
        printf("  %-24s %s%s\n", m->name, m->path, m->at_once ? " (loaded at once)" : "");
    if (firmware->items.n)
        printf("Some of them may want firmware, which images have in /lib/firmware:\n");
    VEC_EACH(it, &firmware->items)
        printf("  %-40s %s\n", it->file, it->package ? it->package : "(package not known)");
}

static int find_modules(struct build_session *s, const char *name, struct closure *closure, char **version)
{
    const struct kernel_def *def = site_kernel(s->site, name);
    if (!def)
        return diag_error(&s->diags, NULL, "there is no kernel \"%s\"; `rambox kernel list` shows them",
                          name);
    if (def->source.kind != SOURCE_DISTRIBUTION)
        return diag_error(
            &s->diags, NULL,
            "kernel %s is built, with its drivers inside; only a kernel of the distribution has "
            "modules",
            name);
    return modules_find(&s->env, def, closure, version);
}

static int run_modules(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_kernel_modules, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_kernel_modules, n ? "one kernel at a time" : "which kernel?");
    cleanup_build_session struct build_session s = {0};
    cleanup_closure struct closure closure = {0};
    cleanup_free char *version = NULL;
    struct firmware_list firmware = {0};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = find_modules(&s, argv[1], &closure, &version);
    if (report_diags(context, &s.diags) || r < 0)
        return 1;
    list_firmware(&closure, &firmware);
    r = 0;
    if (context->json)
        r = print_json(modules_to_json(version, &closure, &firmware));
    else
        print_modules(version, &closure, &firmware);
    VEC_FREE(&firmware.items);
    return r;
}

const struct command command_kernel_modules = {
    .name = "kernel modules",
    .synopsis = "NAME",
    .summary = "show which modules a kernel of the distribution brings, and their firmware",
    .help =
        "What the definition's `modules:` come to: the modules that the node gets beside its image, those "
        "that are\n"
        "loaded whatever devices it has, and the firmware files that drivers may ask for, with the Debian "
        "package that\n"
        "has them. rambox puts no firmware into images by itself. The package is fetched when it is not "
        "there.\n"
        "\n"
        "Examples:\n"
        "  rambox kernel modules distribution\n",
    .run = run_modules,
};
