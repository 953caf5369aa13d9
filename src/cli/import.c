/* rambox import: nodes from the configuration of another boot server. */
#include "import/import.h"
#include "base/str.h"
#include "cli/command.h"
#include "config/config.h"

#include <stdio.h>

/* What there is to say at the end. */
struct outcome {
    const struct import_nodes *nodes;
    const struct diags *diags; /* no errors */
    bool dry_run;
};

/* --from; 0, or 2 after saying what is wrong with it. */
static int read_format(const char *from, enum import_format *ret_format)
{
    for (size_t i = 0; from && import_format_names[i]; i++)
        if (str_eq(from, import_format_names[i])) {
            *ret_format = (enum import_format)(i + 1);
            return 0;
        }
    if (!from)
        return 0;
    const char *nearest = nearest_word(from, import_format_names);
    return usage_error(&command_import, "\"%s\" is no format; expected dnsmasq, isc, kea or pxelinux%s%s%s",
                       from, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* What was said, in text. */

struct remark {
    const struct diag *diag;
    size_t number;
};

static int compare_remarks(const void *a, const void *b)
{
    const struct remark *x = a, *y = b;
    int order = strcmp(x->diag->text, y->diag->text);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_groups(const void *a, const void *b)
{
    const struct remark *x = *(const struct remark *const *)a, *y = *(const struct remark *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static void print_place(const struct diag *diag)
{
    if (diag->file)
        fputs(diag->file, stdout);
    else
        fputs("rambox", stdout);
    if (diag->file && diag->line)
        printf(":%u:%u", diag->line, diag->column);
}

/* The same remark about thousands of machines is printed once, with the places of the first few. */
static void print_group(const struct remark *first, size_t n)
{
    enum { PLACES_MAX = 4 };
    print_place(first->diag);
    printf(": %s: %s\n", severity_name(first->diag->severity), first->diag->text);
    if (n > 1)
        fputs("    also ", stdout);
    for (size_t i = 1; i < n && i < PLACES_MAX; i++) {
        fputs(i > 1 ? ", " : "", stdout);
        print_place(first[i].diag);
    }
    if (n > PLACES_MAX)
        printf(" and %zu more", n - PLACES_MAX);
    if (n > 1)
        putchar('\n');
}

static void print_remarks(const struct diags *diags)
{
    size_t n = diags->list.n, groups_n = 0;
    cleanup_free struct remark *remarks = xcalloc(n + 1, sizeof(*remarks));
    cleanup_free const struct remark **groups = xcalloc(n + 1, sizeof(*groups));
    for (size_t i = 0; i < n; i++)
        remarks[i] = (struct remark){&diags->list.items[i], i};
    qsort(remarks, n, sizeof(*remarks), compare_remarks);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(remarks[i].diag->text, remarks[i - 1].diag->text))
            groups[groups_n++] = &remarks[i];
    qsort(groups, groups_n, sizeof(struct remark *), compare_groups);
    if (n)
        puts("\nNot taken over as it was:");
    for (size_t i = 0; i < groups_n; i++) {
        size_t size = 1;
        while (groups[i] + size < remarks + n && str_eq(groups[i][size].diag->text, groups[i]->diag->text))
            size++;
        print_group(groups[i], size);
    }
}

/* What was added. */

static void print_nodes(const struct import_nodes *nodes)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
    if (nodes->nodes.n)
        printf("%-20s %-17s %-15s %-12s %s\n", "NAME", "MAC", "IP", "PROFILE", "FROM");
    VEC_EACH(node, &nodes->nodes) {
        printf("%-20s %-17s %-15s %-12s %s", node->name, mac_format(&node->mac, mac),
               node->ip ? ipv4_format(node->ip, ip) : "pool", node->profile, node->pos.file);
        if (node->pos.line)
            printf(":%u", node->pos.line);
        putchar('\n');
    }
}

static void print_text(const struct outcome *o)
{
    size_t n = o->nodes->nodes.n, there = o->nodes->already_there;
    print_nodes(o->nodes);
    printf("%s%zu node%s %s", n ? "\n" : "", n, n == 1 ? "" : "s", o->dry_run ? "would be added" : "added");
    if (there)
        printf(", %zu already there", there);
    puts(o->dry_run ? "; nothing was written." : ".");
    print_remarks(o->diags);
}

static json_t *node_to_json(const struct node *node)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], uuid[UUID_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s?, s:s, s:i}", "name", node->name, "mac",
                     mac_format(&node->mac, mac), "ip", node->ip ? ipv4_format(node->ip, ip) : NULL,
                     "profile", node->profile, "uuid", node->has_uuid ? uuid_format(node->uuid, uuid) : NULL,
                     "cmdline", node->cmdline, "from", node->pos.file, "line", (int)node->pos.line);
}

static void print_document(const struct outcome *o)
{
    json_t *nodes = json_array();
    VEC_EACH(node, &o->nodes->nodes)
        json_array_append_new(nodes, node_to_json(node));
    print_json(json_pack("{s:b, s:o, s:I, s:o}", "dry_run", o->dry_run, "nodes", nodes, "already_there",
                         (json_int_t)o->nodes->already_there, "diagnostics", diags_to_json(o->diags)));
}

/* Reads the operands. 0, or -errno with errors in `diags`. */
static int read_all(char *const *paths, enum import_format format, struct import *import, struct diags *diags)
{
    int r = 0;
    for (; *paths; paths++) {
        int failed = import_read(*paths, format, import, diags);
        r = r < 0 ? r : failed;
    }
    /* Not a word about anything in it: it is hardly what was meant. */
    if (r == 0 && import->hosts.n == 0 && diags->list.n == 0)
        r = diag_error(diags, NULL,
                       "there is no machine in what was named; a configuration's included files are to "
                       "be named too");
    return r;
}

/* Reads, joins, checks, and adds unless it is a dry run. The exit status. */
static int import_into_site(struct context *context, char *const *paths, enum import_format format,
                            const char *profile, bool dry_run)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0};
    struct import_nodes nodes = {0};
    CLEANUP(site_free) struct site *site = NULL;
    int r = read_all(paths, format, &import, &diags);
    if (r == 0)
        r = config_load(context->config_dir, context->share_dir, &diags, &site);
    if (r == 0) {
        import_join(&import, site, profile, &nodes, &diags);
        r = (dry_run ? config_try_nodes : config_add_nodes)(context->config_dir, context->share_dir,
                                                            nodes.nodes.items, nodes.nodes.n, &diags);
    }
    const struct outcome outcome = {&nodes, &diags, dry_run};
    if (r < 0)
        report_diags(context, &diags);
    else if (context->json)
        print_document(&outcome);
    else
        print_text(&outcome);
    if (r < 0 && !context->json)
        fputs("rambox: nothing was added.\n", stderr);
    import_nodes_free(&nodes);
    return r < 0;
}

static int run(struct context *context, int argc, char **argv)
{
    const char *from = NULL, *profile = NULL;
    bool dry_run = false;
    const struct option_spec options[] = {{.name = "--from", .value = &from},
                                          {.name = "--dry-run", .flag = &dry_run},
                                          {.name = "--profile", .value = &profile},
                                          {0}};
    enum import_format format = IMPORT_DETECT;
    int n = parse_options(&command_import, options, argc, argv);
    if (n < 0)
        return 2;
    if (n == 0)
        return usage_error(&command_import, "name the files and folders to take over");
    if (read_format(from, &format) != 0)
        return 2;
    if (profile && !is_host_label(profile))
        return usage_error(&command_import, "\"%s\" is no name of a profile", profile);
    return import_into_site(context, argv + 1, format, profile, dry_run);
}

const struct command command_import = {
    .name = "import",
    .synopsis = "[--from FORMAT] [--dry-run] [--profile PROFILE] FILE|FOLDER...",
    .summary = "add the nodes that another boot server's configuration names",
    .help = "  --from FORMAT      what is read: dnsmasq, isc (dhcpd), kea or pxelinux (the folder "
            "pxelinux.cfg); unless\n"
            "                     said, names and contents tell\n"
            "  --dry-run          only say what would be added, after the same checks\n"
            "  --profile PROFILE  what these nodes boot; unless said, what a class says, or `default`\n"
            "\n"
            "A machine is known by its MAC address: what several files say of one becomes one node, each a "
            "file of\n"
            "nodes.d. Nodes that are there already stay as they are. The whole configuration is checked with "
            "the new\n"
            "ones first; when one is wrong, none is added. What could not be taken over is said with its "
            "place and\n"
            "what to do instead. Nothing is executed, looked up or fetched.\n"
            "\n"
            "Examples:\n"
            "  rambox import --dry-run /etc/dnsmasq.conf /srv/tftp/pxelinux.cfg\n"
            "  rambox import --from isc --profile compute /etc/dhcp/dhcpd.conf\n"
            "  rambox import /etc/kea/kea-dhcp4.conf --json\n",
    .run = run,
};
