/* rambox firewall: prints or sets the rules for exactly the ports in use (H8). */
#include "cli/firewall.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "cli/command.h"
#include "config/config.h"
#include "daemon/iface.h"
#include "proto/pxe.h"

#include <errno.h>
#include <stdio.h>

struct options {
    const char *backend;
    const char *interface;
    bool apply, remove;
};

/* The interfaces that `rambox serve` would serve on, or those it is told to whether they are there yet or
 * not. Ends with NULL; names_free. NULL with `diags`. */
static char **served_names(const struct site *site, const struct options *o, struct diags *diags)
{
    __attribute__((cleanup(ifaces_cleanup))) struct ifaces ifaces = {0};
    VEC(char *) names = {0};
    cleanup_free char *list = xstrdup(o->interface);
    cleanup_free const char **given = split_list(list);
    for (const char **name = given; *name; name++)
        VEC_PUSH(&names, xstrdup(*name));
    for (size_t i = 0; !o->interface && i < site->server.interfaces.n; i++)
        VEC_PUSH(&names, xstrdup(site->server.interfaces.items[i]));
    if (!names.n && ifaces_read(&ifaces) == 0) {
        struct served_ifaces served = {0};
        ifaces_choose(&ifaces, site, NULL, diags, &served);
        VEC_EACH(iface, &served.list)
            VEC_PUSH(&names, xstrdup(iface->name));
        VEC_FREE(&served.list);
    }
    if (names.n) {
        VEC_PUSH(&names, NULL);
        return names.items;
    }
    diag_error(diags, NULL, "there is no interface to open the ports on; name it with --interface");
    return NULL;
}

/* Runs one step; what it reads is put into a file that only we can read. */
static int run_step(const struct firewall_step *step, struct diags *diags)
{
    char path[] = "/tmp/rambox-firewall.XXXXXX";
    VEC(const char *) argv = {0};
    cleanup_free char *output = NULL;
    for (char **word = step->argv; *word; word++)
        VEC_PUSH(&argv, *word);
    int r = 0;
    if (step->input) {
        cleanup_close int fd = mkstemp(path);
        r = fd < 0 ? -errno : write_all(fd, step->input, strlen(step->input));
        VEC_PUSH(&argv, path);
    }
    VEC_PUSH(&argv, NULL);
    if (r == 0)
        r = process_output(argv.items, &output);
    if (step->input)
        unlink(path);
    VEC_FREE(&argv);
    if (r == 0 || (r > 0 && step->may_fail))
        return 0;
    if (r < 0)
        return diag_errno(diags, r, "cannot run %s", step->argv[0]);
    return diag_error(diags, NULL, "%s failed (status %d): %s", step->argv[0], r, output ? output : "");
}

/* A word as a shell takes it. */
static void print_word(FILE *out, const char *word)
{
    if (word[0] &&
        !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:@")]) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        *word == '\'' ? fputs("'\\''", out) : fputc(*word, out);
    fputc('\'', out);
}

/* As a shell script, so that the output can be run as it is. */
static void print_plan(FILE *out, const struct firewall_plan *plan)
{
    VEC_EACH(note, &plan->notes)
        fprintf(out, "# %s\n", *note);
    VEC_EACH(step, &plan->steps) {
        for (char **word = step->argv; *word; word++) {
            fputs(word == step->argv ? "" : " ", out);
            print_word(out, *word);
        }
        fputs(step->input ? " /dev/stdin <<'END'\n" : step->may_fail ? " || true\n" : "\n", out);
        if (step->input)
            fprintf(out, "%sEND\n", step->input);
    }
}

static int show(const struct context *context, const struct firewall_backend *backend,
                const struct firewall_plan *plan, bool applied)
{
    cleanup_free char *script = NULL;
    size_t size;
    FILE *out = context->json ? open_memstream(&script, &size) : stdout;
    if (!out)
        return 1;
    if (!applied || context->json)
        print_plan(out, plan);
    if (!context->json) {
        VEC_EACH(note, &plan->notes)
            if (applied)
                printf("%s\n", *note);
        if (applied && plan->steps.n)
            printf("%s: done\n", backend->name);
        return 0;
    }
    fclose(out);
    return print_json(
        json_pack("{s:s, s:b, s:s}", "backend", backend->name, "applied", applied, "script", script));
}

static int firewall(const struct context *context, const struct options *o, struct diags *diags)
{
    CLEANUP(site_free) struct site *site = NULL;
    cleanup_firewall_plan struct firewall_plan plan = {0};
    int r = config_load(context->config_dir, context->share_dir, diags, &site);
    const struct firewall_backend *backend = r < 0 ? NULL : firewall_backend_of(o->backend, diags);
    if (!backend)
        return r < 0 ? r : -ENOENT;
    char **names = served_names(site, o, diags);
    if (!names)
        return -ENODEV;
    struct firewall_ports ports = {.dhcp = site->server.dhcp_port,
                                   .tftp = site->server.tftp_port,
                                   .http = site->server.http_port,
                                   .https = site->server.https_port,
                                   .pxe = PXE_PORT,
                                   .interfaces = (const char *const *)names};
    r = o->remove ? backend->plan_remove(&ports, diags, &plan) : backend->plan_set(&ports, diags, &plan);
    bool applied = o->apply || o->remove;
    for (size_t i = 0; r == 0 && applied && i < plan.steps.n; i++)
        r = run_step(&plan.steps.items[i], diags);
    names_free(names);
    return r == 0 ? show(context, backend, &plan, applied) : r;
}

static int run(struct context *context, int argc, char **argv)
{
    struct options o = {0};
    const struct option_spec options[] = {{"--backend", NULL, &o.backend},
                                          {"--interface", NULL, &o.interface},
                                          {"--apply", &o.apply, NULL},
                                          {"--remove", &o.remove, NULL},
                                          {0}};
    int n = parse_options(&command_firewall, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_firewall, "%s: it takes options only", argv[1]);
    if (o.apply && o.remove)
        return usage_error(&command_firewall, "--apply or --remove, not both");
    cleanup_diags struct diags diags = {0};
    int r = firewall(context, &o, &diags);
    return report_diags(context, &diags) || r < 0 ? 1 : 0;
}

const struct command command_firewall = {
    .name = "firewall",
    .synopsis = "[--apply | --remove] [--backend nftables|iptables|firewalld] [--interface IF[,IF...]]",
    .summary = "print or set the firewall rules for exactly the ports in use",
    .help =
        "Prints, as a shell script, the rules that let the served interfaces' DHCP, PXE (4011), TFTP (its "
        "transfers use "
        "the same\n"
        "port) and HTTP in. Router solicitations need no rule: they are heard before the firewall.\n"
        "\n"
        "Options:\n"
        "  --apply         set the rules now; again and again gives the same\n"
        "  --remove        take them away\n"
        "  --backend NAME  nftables, iptables or firewalld; otherwise firewalld when it runs, iptables when "
        "it has\n"
        "                  rules, else nftables\n"
        "  --interface IF  open the ports on these interfaces; otherwise where `rambox serve` serves\n"
        "\n"
        "Rules set by nftables and iptables last until the machine restarts, unless your system saves them.\n"
        "\n"
        "Examples:\n"
        "  rambox firewall\n"
        "  rambox firewall --apply\n"
        "  rambox firewall --backend iptables --interface br0 --apply\n",
    .run = run,
};
