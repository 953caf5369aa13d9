/* rambox check: is the configuration right, and what would publishing it change? */
#include "base/str.h"
#include "build/sign.h"
#include "cli/artifacts.h"
#include "cli/command.h"
#include "config/config.h"
#include "serve/bootpath.h"

#include <stdio.h>
#include <time.h>

/* The lines of `changes` as an array. */
static json_t *lines_to_json(const char *changes)
{
    json_t *list = json_array();
    while (*changes) {
        size_t n = strcspn(changes, "\n");
        json_array_append_new(list, json_stringn(changes, n));
        changes += n + (changes[n] == '\n');
    }
    return list;
}

static void print_text(const struct context *context, const struct site *site, const char *changes)
{
    printf("%s is valid: subnets %zu, profiles %zu, nodes %zu.\n", context->config_dir, site->subnets.n,
           site->profiles.n, site->nodes.n);
    if (changes[0])
        printf("Publishing would change:\n%s", changes);
    else
        puts("Publishing would change nothing.");
}

static int run(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    cleanup_free char *changes = NULL;
    int n = parse_options(&command_check, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_check, "%s is too much; the folder is said with --config", argv[1]);
    int r = config_load(context->config_dir, context->share_dir, &diags, &site);
    struct artifact_source artifacts = built_artifacts(context);
    if (r == 0)
        boot_paths_check(site, bootfile_found_here(site->server.loader_dir), &diags);
    if (r == 0)
        r = sign_check(&site->secure_boot, (int64_t)time(NULL), &diags);
    if (r == 0)
        r = publish_preview(site, site->server.state_dir, &artifacts, &diags, &changes);
    if (context->json) {
        print_json(json_pack("{s:b, s:o, s:o}", "valid", r == 0, "diagnostics", diags_to_json(&diags),
                             "changes", lines_to_json(changes ? changes : "")));
        return r < 0;
    }
    diags_print(&diags, stderr);
    if (r == 0)
        print_text(context, site, changes);
    return r < 0;
}

const struct command command_check = {
    .name = "check",
    .synopsis = "",
    .summary = "validate the configuration, and say what publishing it would change",
    .help = "Changes nothing. Exit status 1 when there are errors; each is said as file:line:column.\n"
            "\n"
            "Examples:\n"
            "  rambox check\n"
            "  rambox --config ./lab check --json\n",
    .run = run,
};
