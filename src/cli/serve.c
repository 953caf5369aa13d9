/* rambox serve: the server. The process itself is src/daemon. */
#include "base/log.h"
#include "base/str.h"
#include "cli/artifacts.h"
#include "daemon/daemon.h"

static int run(struct context *context, int argc, char **argv)
{
    const char *events = NULL, *interfaces = NULL;
    bool verbose = false, unconfined = false;
    const struct option_spec options[] = {{"--events", NULL, &events},
                                          {"--interface", NULL, &interfaces},
                                          {"--verbose", &verbose, NULL},
                                          {"--unconfined", &unconfined, NULL},
                                          {0}};
    int n = parse_options(&command_serve, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_serve, "%s: it takes options only", argv[1]);
    cleanup_diags struct diags diags = {0};
    cleanup_free char *list = xstrdup(interfaces);
    cleanup_free const char **names = split_list(list);
    struct artifact_source artifacts = recorded_artifacts(context);
    if (verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    int r = daemon_run(&(struct daemon_options){.config_dir = context->config_dir,
                                                .share_dir = context->share_dir,
                                                .events = events,
                                                .interfaces = names,
                                                .artifacts = &artifacts,
                                                .unconfined = unconfined},
                       &diags);
    return report_diags(context, &diags) || r < 0 ? 1 : 0;
}

const struct command command_serve = {
    .name = "serve",
    .synopsis = "[--interface IF[,IF...]] [--events PATH] [--verbose] [--unconfined]",
    .summary = "serve DHCP, TFTP and HTTP to the nodes",
    .help = "Serves the current generation until SIGTERM or SIGINT. It watches the configuration: a valid "
            "edit whose\n"
            "artifacts are built is published by itself; with an invalid one it says what is wrong and "
            "where, and goes on\n"
            "with what it has. SIGHUP makes it look at once.\n"
            "\n"
            "Options:\n"
            "  --interface IF  serve on these interfaces only, whatever the configuration says\n"
            "  --events PATH   write what happens as JSON, an object a line: a file, a FIFO, `-` or `fd:N`\n"
            "  --verbose       log each message, not each exchange\n"
            "  --unconfined    keep all privileges, to find a fault: see below\n"
            "\n"
            "Ports (server: in rambox.yaml changes them): UDP 67 DHCP, UDP 69 TFTP, TCP 8069 HTTP. It needs "
            "root, or\n"
            "CAP_NET_BIND_SERVICE and CAP_NET_RAW.\n"
            "\n"
            "Before it reads a packet it becomes the user `rambox` (or server: user:) and gives up what "
            "serving does not\n"
            "take: privileges, files, system calls. docs/security.md has the whole of it; the log says what "
            "is in "
            "force.\n"
            "\n"
            "Examples:\n"
            "  rambox serve\n"
            "  rambox serve --interface br0 --events -\n",
    .run = run,
};
