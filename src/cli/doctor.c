/* rambox doctor: gathers what there is to look at, and shows what src/doctor found. */
#include "doctor/doctor.h"
#include "base/str.h"
#include "cli/artifacts.h"
#include "cli/command.h"
#include "config/config.h"
#include "daemon/iface.h"
#include "daemon/port_owner.h"
#include "serve/bootfile.h"

#include <stdio.h>

enum { SECONDS = 10, SECONDS_MAX = 3600 };

/* What a run needs, and who owns it. */
struct gathered {
    struct diags site_errors, generation_errors;
    struct site *site;
    struct generation *generation;
    char *state_dir;
    struct ifaces ifaces;
    VEC(struct doctor_iface) served, all;
    VEC(const char *) loaders;
    char dhcp_owner[64];
};

static void gathered_clear(struct gathered *g)
{
    diags_free(&g->site_errors);
    diags_free(&g->generation_errors);
    site_free(g->site);
    generation_unref(g->generation);
    free(g->state_dir);
    ifaces_clear(&g->ifaces);
    VEC_FREE(&g->served);
    VEC_FREE(&g->all);
    VEC_FREE(&g->loaders);
}

static struct doctor_iface iface_of(const char *name, int index, unsigned mtu, const struct mac *mac,
                                    ipv4_t address, const struct ipv4_prefix *prefix)
{
    struct doctor_iface iface = {
        .index = index, .mtu = mtu, .mac = *mac, .address = address, .prefix = *prefix};
    snprintf(iface.name, sizeof(iface.name), "%s", name);
    return iface;
}

/* The interfaces that `rambox serve` serves, or those named; warnings go to `diags`. 0 or -errno. */
static int gather_ifaces(struct gathered *g, const struct site *site, const char *interfaces,
                         struct diags *diags)
{
    cleanup_free char *list = xstrdup(interfaces);
    cleanup_free const char **names = split_list(list);
    struct served_ifaces served = {0};
    int r = ifaces_read(&g->ifaces);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the interfaces");
    ifaces_choose(&g->ifaces, site, names, diags, &served);
    VEC_EACH(s, &served.list)
        VEC_PUSH(&g->served, iface_of(s->name, s->index, s->mtu, &s->mac, s->address, &s->prefix));
    VEC_FREE(&served.list);
    VEC_EACH(iface, &g->ifaces.list)
        VEC_EACH(a, &iface->addresses)
            VEC_PUSH(&g->all,
                     iface_of(iface->name, iface->index, iface->mtu, &iface->mac, a->address, &a->prefix));
    return 0;
}

/* The boot programs that the paths of profiles begin with, and the module without which PXELINUX does not
 * run. */
static void gather_loaders(struct gathered *g)
{
    VEC_PUSH(&g->loaders, boot_programs[PROGRAM_PXELINUX].name);
    VEC_PUSH(&g->loaders, boot_programs[PROGRAM_LDLINUX].name);
    VEC_PUSH(&g->loaders, NULL);
}

/* Who holds the DHCP port: rambox when it is among those that do, each for its interfaces. */
static void gather_owner(struct gathered *g, uint16_t port)
{
    char owner[sizeof(g->dhcp_owner)];
    for (size_t i = 0; port_owner_at(false, 0, port, i, owner, sizeof(owner)); i++) {
        bool ours = str_starts(owner, "rambox ");
        if (ours || !g->dhcp_owner[0])
            memcpy(g->dhcp_owner, owner, sizeof(owner));
        if (ours)
            return;
    }
}

static int gather(struct context *context, const char *interfaces, struct gathered *g, struct diags *diags)
{
    CLEANUP(site_free) struct site *nothing = site_new();
    config_load(context->config_dir, context->share_dir, &g->site_errors, &g->site);
    g->state_dir = find_state_dir(context);
    generation_load(g->state_dir, 0, &g->generation_errors, &g->generation);
    const struct site *site = g->generation ? g->generation->site : g->site ? g->site : nothing;
    gather_owner(g, site->server.dhcp_port);
    gather_loaders(g);
    return gather_ifaces(g, site, interfaces, diags);
}

static json_t *findings_to_json(const struct findings *findings)
{
    json_t *list = json_array();
    VEC_EACH(f, &findings->list)
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s, s:s, s:s?}", "check", f->check, "interface",
                                              f->interface[0] ? f->interface : NULL, "result",
                                              result_name(f->result), "found", f->text, "advice", f->advice));
    return json_pack("{s:o, s:i, s:i}", "findings", list, "problems",
                     (int)findings_count(findings, RESULT_PROBLEM), "warnings",
                     (int)findings_count(findings, RESULT_WARNING));
}

static void print_findings(const struct findings *findings)
{
    size_t problems = findings_count(findings, RESULT_PROBLEM);
    size_t warnings = findings_count(findings, RESULT_WARNING);
    VEC_EACH(f, &findings->list)
        printf("%-8s %-14s %s%s%s%s%s\n", result_name(f->result), f->check, f->interface,
               f->interface[0] ? ": " : "", f->text, f->advice ? "; do: " : "", f->advice ? f->advice : "");
    printf("%zu problem%s, %zu warning%s\n", problems, problems == 1 ? "" : "s", warnings,
           warnings == 1 ? "" : "s");
}

static int examine(struct context *context, const char *interfaces, unsigned seconds)
{
    cleanup_diags struct diags diags = {0};
    cleanup_findings struct findings findings = {0};
    struct gathered g = {0};
    struct artifact_source artifacts = built_artifacts(context);
    int r = gather(context, interfaces, &g, &diags);
    if (r == 0)
        r = doctor_run(&(struct doctor_request){.seconds = seconds,
                                                .served = g.served.items,
                                                .served_n = g.served.n,
                                                .all = g.all.items,
                                                .all_n = g.all.n,
                                                .site = g.site,
                                                .site_errors = &g.site_errors,
                                                .state_dir = g.state_dir,
                                                .generation = g.generation,
                                                .generation_errors = &g.generation_errors,
                                                .artifacts = &artifacts,
                                                .loader_folders = bootfile_folders,
                                                .loaders = g.loaders.items,
                                                .dhcp_owner = g.dhcp_owner,
                                                .progress = context->progress},
                       &diags, &findings);
    gathered_clear(&g);
    if (report_diags(context, &diags) || r < 0)
        return 1;
    if (context->json)
        print_json(findings_to_json(&findings));
    else
        print_findings(&findings);
    return findings_count(&findings, RESULT_PROBLEM) > 0;
}

static int run(struct context *context, int argc, char **argv)
{
    const char *interfaces = NULL, *text = NULL;
    uint64_t seconds = SECONDS;
    const struct option_spec options[] = {
        {"--interface", NULL, &interfaces}, {"--seconds", NULL, &text}, {0}};
    int n = parse_options(&command_doctor, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_doctor, "%s: it takes options only", argv[1]);
    if (text && parse_u64(text, 1, SECONDS_MAX, &seconds) < 0)
        return usage_error(&command_doctor, "--seconds %s is no number of seconds from 1 to %d", text,
                           SECONDS_MAX);
    return examine(context, interfaces, (unsigned)seconds);
}

const struct command command_doctor = {
    .name = "doctor",
    .synopsis = "[--interface IF[,IF...]] [--seconds N]",
    .summary = "watch the network for a while, and say what is wrong and what to do",
    .help = "Run it as root on the server's machine, beside the running server. It asks as the nodes and as "
            "machines "
            "that\n"
            "nobody knows (DISCOVER alone, so no address is taken), listens to all that answer, fetches the "
            "boot file, and\n"
            "looks at what is published and at what the kernel dropped. It changes nothing.\n"
            "\n"
            "Prints one line a finding: ok, warning or problem, what was found, and what to do. Exit status "
            "0 when there "
            "is no\n"
            "problem, 1 when there is one.\n"
            "\n"
            "Options:\n"
            "  --interface IF  look at these interfaces; unless said, those that are served\n"
            "  --seconds N     how long to listen; 10 unless said\n"
            "\n"
            "Examples:\n"
            "  rambox doctor\n"
            "  rambox doctor --interface eth1 --seconds 60\n"
            "  rambox doctor --json\n",
    .run = run,
};
