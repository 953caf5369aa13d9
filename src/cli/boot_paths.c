/* rambox boot paths: the table of serve/bootpath, and what of it is possible here. */
#include "base/str.h"
#include "cli/command.h"
#include "config/config.h"
#include "serve/bootpath.h"

#include <stdio.h>

static bool is_there(const struct boot_path *path, unsigned found)
{
    return path->program == PROGRAM_NONE || found >> path->program & 1;
}

/* The architectures as text, `7, 9 (UEFI x64)`. */
static void format_archs(const struct boot_path *path, struct str *text)
{
    if (!path->archs_n)
        str_add(text, "any");
    for (unsigned i = 0; i < path->archs_n; i++)
        str_printf(text, "%s%u", i ? ", " : "", path->archs[i]);
    if (path->archs_n)
        str_printf(text, " (%s)", pxe_arch_name(path->archs[path->archs_n - 1]));
}

static void format_askers(const struct boot_path *path, struct str *text)
{
    for (unsigned bit = 1; bit <= ASKER_IPXE_HTTP; bit *= 2)
        if (path->askers & bit)
            str_printf(text, "%s%s", text->len ? ", " : "", boot_asker_name((enum boot_asker)bit));
}

static const char *first_file(const struct boot_path *path)
{
    return boot_path_file(path, "the profile's unified image");
}

static json_t *path_to_json(const struct boot_path *path, unsigned found)
{
    const struct boot_program_row *program =
        path->program == PROGRAM_NONE ? NULL : &boot_programs[path->program];
    json_t *archs = json_array(), *askers = json_array();
    for (unsigned i = 0; i < path->archs_n; i++)
        json_array_append_new(archs, json_integer(path->archs[i]));
    for (unsigned bit = 1; bit <= ASKER_IPXE_HTTP; bit *= 2)
        if (path->askers & bit)
            json_array_append_new(askers, json_string(boot_asker_name((enum boot_asker)bit)));
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s?, s:b}", "name", path->name, "askers", askers,
                     "architectures", archs, "loader", loader_name(path->loader), "file", first_file(path),
                     "protocol", path->protocol == BOOT_HTTP ? "http" : "tftp", "then", path->then, "package",
                     program ? program->package : NULL, "there", is_there(path, found));
}

static void print_path(const struct boot_path *path, unsigned found)
{
    cleanup_str struct str archs = {0}, askers = {0};
    format_archs(path, &archs);
    format_askers(path, &askers);
    bool there = is_there(path, found);
    const char *loader = path->loader == LOADER_AUTO ? "firmware" : loader_name(path->loader);
    printf("%-19s %-20s %-11s %-28s %-4s %s%s%s\n", path->name, str_text(&archs), loader, first_file(path),
           path->protocol == BOOT_HTTP ? "HTTP" : "TFTP", there ? "yes" : "no: package ",
           there ? "" : boot_programs[path->program].package, "");
    printf("%-19s asked by %s; then %s\n", "", str_text(&askers), path->then);
}

static int run(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    int n = parse_options(&command_boot_paths, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_boot_paths, "it takes no operand");
    /* The table stands without a configuration; what is wrong in one is `rambox check`'s to say. */
    (void)config_load(context->config_dir, context->share_dir, &diags, &site);
    unsigned found = bootfile_found_here(site ? site->server.loader_dir : NULL);
    if (context->json) {
        json_t *list = json_array();
        for (const struct boot_path *path = boot_paths; path->name; path++)
            json_array_append_new(list, path_to_json(path, found));
        return print_json(list);
    }
    printf("%-19s %-20s %-11s %-28s %-4s %s\n", "PATH", "ARCHITECTURE", "LOADER", "FIRST FILE", "BY", "HERE");
    for (const struct boot_path *path = boot_paths; path->name; path++)
        print_path(path, found);
    return 0;
}

const struct command command_boot_paths = {
    .name = "boot paths",
    .synopsis = "",
    .summary = "show what each firmware is told to load, and by which protocol",
    .help = "For each client the first path that fits is taken; the loader that its profile names "
            "(`loader:`) comes\n"
            "before that order. ARCHITECTURE is DHCP's option 93; HERE says whether the program is there, or "
            "which\n"
            "package has it. Shim's paths are taken only when a profile asks for them.\n"
            "\n"
            "Examples:\n"
            "  rambox boot paths\n"
            "  rambox boot paths --json\n",
    .run = run,
};
