/* rambox node add, list, show, rm: the files of nodes.d. */
#include "base/file.h"
#include "base/range.h"
#include "base/str.h"
#include "cli/candidate.h"
#include "cli/last_boot.h"
#include "cli/machines.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>

/* Expands the operand; 0, or 2 after saying what is wrong with it. */
static int expand(const struct command *command, const char *range, char ***ret_names)
{
    int r = range_expand(range, ret_names);
    if (r == -E2BIG)
        return usage_error(command, "%s is more than 65536 nodes", range);
    if (r < 0)
        return usage_error(command, "\"%s\" is no node or range; expected a form like n1 or n[1-10,12]",
                           range);
    return 0;
}

/* node add */

struct add_options {
    const char *mac, *from, *ip, *profile, *uuid, *cmdline;
};

/* The address that is `n` behind the first. */
static struct mac mac_plus(const struct mac *first, uint64_t n)
{
    struct mac mac;
    uint64_t value = 0;
    for (int i = 0; i < 6; i++)
        value = value << 8 | first->b[i];
    value += n;
    for (int i = 5; i >= 0; i--, value >>= 8)
        mac.b[i] = (uint8_t)value;
    return mac;
}

/* Reads the options into the first node of the range. 0, or 2. */
static int read_first(const struct add_options *options, bool several, struct node *node)
{
    const struct command *command = &command_node_add;
    if (options->from && (options->mac || options->uuid))
        return usage_error(command, "--from-candidate takes the MAC address and the UUID from the candidate");
    if (!options->mac && !options->from)
        return usage_error(command, "--mac is missing: rambox knows a node by it; or --from-candidate for a "
                                    "machine that was discovered");
    if (options->mac && mac_parse(options->mac, &node->mac) < 0)
        return usage_error(command, "\"%s\" is no MAC address; expected six bytes like 52:54:00:12:34:56",
                           options->mac);
    if (options->ip && ipv4_parse(options->ip, &node->ip) < 0)
        return usage_error(command, "\"%s\" is no IPv4 address; expected four numbers like 192.168.7.11",
                           options->ip);
    if (options->uuid && several)
        return usage_error(command, "--uuid is of one node, not of a range");
    if (options->uuid && uuid_parse(options->uuid, node->uuid) < 0)
        return usage_error(command,
                           "\"%s\" is no UUID; expected 123e4567-e89b-12d3-a456-426614174000 or alike",
                           options->uuid);
    node->has_uuid = options->uuid != NULL;
    node->profile = xstrdup(options->profile ? options->profile : "default");
    node->has_profile = options->profile != NULL;
    node->cmdline = xstrdup(options->cmdline);
    return 0;
}

/* `found`: the machines that the names are for; empty: the first one's MAC address counts up. */
static int add_nodes(struct context *context, char *const *names, const struct node *first,
                     const struct candidates *found)
{
    VEC(struct node) nodes = {0};
    cleanup_diags struct diags diags = {0};
    for (uint64_t i = 0; names[i]; i++) {
        struct node *node = VEC_ADD(&nodes);
        *node = *first; /* borrows the strings */
        node->name = names[i];
        node->mac = found->list.n ? found->list.items[i].mac : mac_plus(&first->mac, i);
        if (found->list.n && found->list.items[i].has_uuid) {
            node->has_uuid = true;
            memcpy(node->uuid, found->list.items[i].uuid, sizeof(node->uuid));
        }
        node->ip = first->ip ? first->ip + (ipv4_t)i : 0;
    }
    int r = config_add_nodes(context->config_dir, context->share_dir, nodes.items, nodes.n, &diags);
    int status = r < 0 ? 1 : 0;
    report_diags(context, &diags);
    json_t *document = r == 0 && context->json ? json_array() : NULL;
    for (size_t i = 0; r == 0 && i < nodes.n; i++) {
        char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
        const struct node *node = &nodes.items[i];
        mac_format(&node->mac, mac);
        if (document)
            json_array_append_new(document, json_string(node->name));
        else
            printf("added %s: %s%s%s\n", node->name, mac, node->ip ? ", " : "",
                   node->ip ? ipv4_format(node->ip, ip) : "");
    }
    if (document)
        print_json(document);
    VEC_FREE(&nodes);
    return status;
}

static int find_candidates(struct context *context, char *const *names, const char *what,
                           struct candidates *ret_found)
{
    size_t n = 0;
    while (names[n])
        n++;
    int status = candidates_read(context, ret_found);
    return status ? status : candidates_choose(&command_node_add, ret_found, what, n);
}

static int run_add(struct context *context, int argc, char **argv)
{
    struct add_options add = {0};
    const struct option_spec options[] = {
        {.name = "--mac", .value = &add.mac},
        {.name = "--ip", .value = &add.ip},
        {.name = "--profile", .value = &add.profile},
        {.name = "--uuid", .value = &add.uuid},
        {.name = "--cmdline", .value = &add.cmdline},
        {.name = "--from-candidate", .value = &add.from},
        {0},
    };
    struct candidates found = {0};
    int n = parse_options(&command_node_add, options, argc, argv);
    char **names = NULL;
    struct node first = {0};
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_node_add, "name one node or one range");
    int status = expand(&command_node_add, argv[1], &names);
    if (status == 0)
        status = read_first(&add, names[1] != NULL, &first);
    if (status == 0 && add.from)
        status = find_candidates(context, names, add.from, &found);
    if (status == 0)
        status = add_nodes(context, names, &first, &found);
    if (status == 0 && add.from)
        candidates_forget(context, &found);
    VEC_FREE(&found.list);
    node_clear(&first);
    names_free(names);
    return status;
}

/* node list, node show */

static json_t *node_to_json(const struct node *node)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], uuid[UUID_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s?, s:s?}", "name", node->name, "mac",
                     mac_format(&node->mac, mac), "ip", node->ip ? ipv4_format(node->ip, ip) : NULL,
                     "profile", node->profile, "uuid", node->has_uuid ? uuid_format(node->uuid, uuid) : NULL,
                     "cmdline", node->cmdline, "file", node->pos.file);
}

static void print_row(const struct node *node)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
    printf("%-20s %-17s %-15s %s\n", node->name, mac_format(&node->mac, mac),
           node->ip ? ipv4_format(node->ip, ip) : "pool", node->profile);
}

/* The node, or NULL after saying that there is none. */
static const struct node *find_node(const struct site *site, const char *name)
{
    const struct node *node = site_node_by_name(site, name);
    if (node)
        return node;
    VEC(const char *) names = {0};
    VEC_EACH(it, &site->nodes)
        VEC_PUSH(&names, it->name);
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(name, names.items);
    fprintf(stderr, "rambox: error: there is no node %s%s%s%s\n", name, nearest ? "; did you mean " : "",
            nearest ? nearest : "", nearest ? "?" : "");
    VEC_FREE(&names);
    return NULL;
}

/* The nodes to list: those of the range, or all, by name. 0, 1 or 2. */
static int choose(const struct command *command, const struct site *site, const char *range,
                  const struct node ***ret_nodes, size_t *ret_n)
{
    VEC(const struct node *) nodes = {0};
    char **names = NULL;
    int status = range ? expand(command, range, &names) : 0;
    if (status != 0)
        return status;
    for (char **name = names; name && *name; name++) {
        const struct node *node = find_node(site, *name);
        if (node)
            VEC_PUSH(&nodes, node);
        else
            status = 1;
    }
    if (!range)
        VEC_EACH(node, &site->nodes)
            VEC_PUSH(&nodes, node);
    names_free(names);
    *ret_nodes = nodes.items;
    *ret_n = nodes.n;
    return status;
}

static int run_list(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_node_list, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 1)
        return usage_error(&command_node_list, "name one range");
    CLEANUP(site_free) struct site *site = load_site(context);
    cleanup_free const struct node **nodes = NULL;
    size_t count = 0;
    if (!site)
        return 1;
    int status = choose(&command_node_list, site, argv[1], &nodes, &count);
    if (status == 2)
        return 2;
    json_t *document = context->json ? json_array() : NULL;
    if (!document && count)
        printf("%-20s %-17s %-15s %s\n", "NAME", "MAC", "IP", "PROFILE");
    for (size_t i = 0; i < count; i++)
        if (document)
            json_array_append_new(document, node_to_json(nodes[i]));
        else
            print_row(nodes[i]);
    if (document)
        print_json(document);
    else if (count == 0 && status == 0)
        puts("There are no nodes yet: `rambox node add NAME --mac MAC`.");
    return status;
}

/* What the node reported of its hardware; NULL: nothing yet. */
static const struct seen_machine *find_machine(const struct seen_machines *machines, const struct node *node)
{
    VEC_EACH(m, &machines->list)
        if (mac_equal(&m->mac, &node->mac))
            return m;
    return NULL;
}

static void print_node(const struct site *site, const struct node *node, const struct seen_machine *machine)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], hex[HXIP_TEXT_MAX], uuid[UUID_TEXT_MAX];
    const struct profile *profile = site_profile(site, node->profile);
    const struct subnet *subnet = node->ip ? site_subnet_of(site, node->ip) : NULL;
    printf("name     %s\nmac      %s\n", node->name, mac_format(&node->mac, mac));
    if (node->ip)
        printf("ip       %s (%s in hexadecimal; subnet %s)\n", ipv4_format(node->ip, ip),
               ipv4_hex(node->ip, hex), subnet ? subnet->name : "none");
    else
        puts("ip       from its subnet's pool");
    if (node->has_uuid)
        printf("uuid     %s\n", uuid_format(node->uuid, uuid));
    printf("profile  %s (kernel %s%s%s, image %s)\n", node->profile,
           profile->fitted ? KERNEL_FITTED : profile->kernel, profile->fitted ? ", or until then " : "",
           profile->fitted ? profile->kernel : "", profile->image ? profile->image : "in the kernel");
    if (profile->cmdline[0] || node->cmdline)
        printf("cmdline  %s%s%s\n", profile->cmdline, profile->cmdline[0] && node->cmdline ? " " : "",
               node->cmdline ? node->cmdline : "");
    if (machine)
        printf("hardware class %s (`rambox hardware show %s`)\n", machine->class, node->name);
    printf("file     %s:%u\n", node->pos.file, node->pos.line);
}

static json_t *shown_to_json(const struct node *node, const struct seen_machine *machine,
                             const struct last_boot *last)
{
    json_t *object = node_to_json(node);
    json_object_set_new(object, "hardware_class", machine ? json_string(machine->class) : json_null());
    json_object_set_new(object, "last_boot", last ? last_boot_to_json(last) : json_null());
    return object;
}

static void print_nodes(const struct context *context, const struct site *site,
                        const struct node *const *nodes, size_t count, bool range)
{
    cleanup_seen_machines struct seen_machines machines = {0};
    json_t *document = context->json && range && count ? json_array() : NULL;
    /* A store that cannot be read was said; the nodes are in the files. */
    (void)seen_machines_read(context, site->server.state_dir, &(struct seen_wanted){0}, &machines);
    CLEANUP(store_close) struct store *store = last_boot_store(site->server.state_dir);
    for (size_t i = 0; i < count; i++) {
        const struct seen_machine *machine = find_machine(&machines, nodes[i]);
        struct last_boot boot;
        const struct last_boot *last = last_boot_read(store, nodes[i]->name, &boot) ? &boot : NULL;
        if (document) {
            json_array_append_new(document, shown_to_json(nodes[i], machine, last));
        } else if (context->json) {
            print_json(shown_to_json(nodes[i], machine, last));
        } else {
            fputs(i ? "\n" : "", stdout);
            print_node(site, nodes[i], machine);
            last_boot_print(last);
        }
    }
    if (document)
        print_json(document);
}

static int run_show(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_node_show, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_node_show, "name one node or one range");
    CLEANUP(site_free) struct site *site = load_site(context);
    cleanup_free const struct node **nodes = NULL;
    size_t count = 0;
    int status = site ? choose(&command_node_show, site, argv[1], &nodes, &count) : 1;
    if (site && status != 2)
        print_nodes(context, site, nodes, count, strchr(argv[1], '[') != NULL);
    return status;
}

/* node rm */

static int run_rm(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    int n = parse_options(&command_node_rm, options, argc, argv);
    char **names = NULL;
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_node_rm, "name one node or one range");
    int status = expand(&command_node_rm, argv[1], &names);
    if (status != 0)
        return status;
    status = config_remove_nodes(context->config_dir, (const char *const *)names, &diags) < 0 ? 1 : 0;
    report_diags(context, &diags);
    json_t *document = status == 0 && context->json ? json_array() : NULL;
    for (char **name = names; status == 0 && *name; name++)
        if (document)
            json_array_append_new(document, json_string(*name));
        else
            printf("removed %s\n", *name);
    if (document)
        print_json(document);
    names_free(names);
    return status;
}

const struct command command_node_add = {
    .name = "node add",
    .synopsis = "NAME|RANGE --mac MAC|--from-candidate WHICH [--ip IP] [--profile PROFILE] [--uuid UUID] "
                "[--cmdline WORDS]",
    .summary = "add a node, or a range of them, each as a file of nodes.d",
    .help =
        "  --mac MAC          its MAC address; of a range the first one's, the others count up\n"
        "  --from-candidate WHICH\n"
        "                     a machine that was discovered (`rambox node candidates`): its MAC address or "
        "its\n"
        "                     address; `last`: the one seen first last; `all`, for a range of as many nodes, "
        "in\n"
        "                     the order in which they were first seen. Its UUID is taken too\n"
        "  --ip IP            its fixed address; of a range the first one's; without it: one of the pool\n"
        "  --profile PROFILE  what it boots; `default` unless said\n"
        "  --uuid UUID        its SMBIOS UUID\n"
        "  --cmdline WORDS    more words for its kernel\n"
        "\n"
        "The whole configuration is checked with the new nodes first; when one is wrong, none is added.\n"
        "\n"
        "Examples:\n"
        "  rambox node add n1 --mac 52:54:00:12:34:56 --ip 192.168.7.11\n"
        "  rambox node add 'n[01-16]' --mac 52:54:00:00:00:01 --ip 192.168.7.11\n"
        "  rambox node add n1 --from-candidate last --ip 192.168.7.11\n",
    .run = run_add,
};

const struct command command_node_list = {
    .name = "node list",
    .synopsis = "[RANGE]",
    .summary = "list the nodes",
    .help = "Examples:\n"
            "  rambox node list\n"
            "  rambox node list 'n[1-4]' --json\n",
    .run = run_list,
};

const struct command command_node_rm = {
    .name = "node rm",
    .synopsis = "NAME|RANGE",
    .summary = "remove nodes",
    .help = "Removes their files from nodes.d; when one of them is not there, none is removed.\n"
            "\n"
            "Examples:\n"
            "  rambox node rm n1\n"
            "  rambox node rm 'n[1-4]'\n",
    .run = run_rm,
};

const struct command command_node_show = {
    .name = "node show",
    .synopsis = "NAME|RANGE",
    .summary = "show a node, with what its profile makes of it, and its last boot",
    .help = "What it booted last is told by the store of the server: when, which kernel, whether that was "
            "the first\n"
            "boot of a kernel fitted to its hardware, and how far it came.\n"
            "With --json one object; of a range, a list of them.\n"
            "\n"
            "Examples:\n"
            "  rambox node show n1\n"
            "  rambox node show 'n[1-4]'\n",
    .run = run_show,
};
