/* rambox init: the commented starter. */
#include "cli/command.h"
#include "config/config.h"

#include <stdio.h>

static int run(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    int n = parse_options(&command_init, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_init, "name one folder");
    if (config_init(argv[1], context->share_dir, &diags) < 0)
        return report_diags(context, &diags);
    if (context->json)
        return print_json(json_pack("{s:s}", "folder", argv[1]));
    printf("%s is a configuration now. Edit %s/rambox.yaml, then:\n"
           "  rambox --config %s check\n"
           "  rambox --config %s node add n1 --mac 52:54:00:12:34:56 --ip 192.168.7.11\n",
           argv[1], argv[1], argv[1], argv[1]);
    return 0;
}

const struct command command_init = {
    .name = "init",
    .synopsis = "DIR",
    .summary = "write a commented starter configuration into an empty or new folder",
    .help = "Examples:\n"
            "  rambox init /etc/rambox\n",
    .run = run,
};
