/* See cli/firewall.h: nftables, iptables, firewalld. */
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "cli/firewall.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

DEFINE_CLEANUP(json_t *, json_decref);

/* What our rules carry, so that they are found again. */
#define MARK "rambox"

void firewall_plan_clear(struct firewall_plan *plan)
{
    VEC_EACH(step, &plan->steps) {
        names_free(step->argv);
        free(step->input);
    }
    VEC_FREE(&plan->steps);
    VEC_EACH(note, &plan->notes)
        free(*note);
    VEC_FREE(&plan->notes);
}

/* Adds a step; the words end with NULL. */
static struct firewall_step *add_step(struct firewall_plan *plan, const char *const *words)
{
    VEC(char *) argv = {0};
    for (; *words; words++)
        VEC_PUSH(&argv, xstrdup(*words));
    VEC_PUSH(&argv, NULL);
    struct firewall_step *step = VEC_ADD(&plan->steps);
    step->argv = argv.items;
    return step;
}
#define ADD_STEP(plan, ...) add_step(plan, (const char *const[]){__VA_ARGS__, NULL})

static bool succeeds(const char *const *argv)
{
    cleanup_free char *output = NULL;
    return process_output(argv, &output) == 0;
}
#define SUCCEEDS(...) succeeds((const char *const[]){__VA_ARGS__, NULL})

/* nftables. An `accept` in a table of ours would not help: each chain of the input hook decides for itself,
 * and one that drops wins. So our rules go to the head of every chain that filters input, marked by their
 * comment, and what was there of them goes in the same transaction. */

static json_t *nft_ruleset(void)
{
    cleanup_free char *text = NULL;
    const char *const argv[] = {"nft", "-j", "-t", "list", "ruleset", NULL};
    if (process_output(argv, &text) != 0)
        return NULL;
    json_t *root = json_loads(text, 0, NULL);
    json_t *list = json_incref(json_object_get(root, "nftables"));
    json_decref(root);
    return list;
}

/* The chain's place (`inet filter input`) when it filters input for IPv4; NULL otherwise. The caller's. */
static char *nft_input_chain(const json_t *item)
{
    const char *family, *table, *name, *type = "", *hook = "";
    if (json_unpack((json_t *)(uintptr_t)item, "{s:{s:s, s:s, s:s, s?s, s?s}}", "chain", "family", &family,
                    "table", &table, "name", &name, "type", &type, "hook", &hook) < 0)
        return NULL;
    bool filters = str_eq(hook, "input") && str_eq(type, "filter");
    return filters && (str_eq(family, "inet") || str_eq(family, "ip"))
               ? xasprintf("%s %s %s", family, table, name)
               : NULL;
}

static void nft_delete_ours(const json_t *ruleset, struct str *script)
{
    for (size_t i = 0; i < json_array_size(ruleset); i++) {
        const char *family, *table, *chain, *comment = "";
        json_int_t handle;
        if (json_unpack(json_array_get(ruleset, i), "{s:{s:s, s:s, s:s, s:I, s?s}}", "rule", "family",
                        &family, "table", &table, "chain", &chain, "handle", &handle, "comment",
                        &comment) == 0 &&
            str_eq(comment, MARK))
            str_printf(script, "delete rule %s %s %s handle %lld\n", family, table, chain, (long long)handle);
    }
}

static void nft_insert_ours(const char *chain, const struct firewall_ports *ports, struct str *script)
{
    cleanup_str struct str names = {0};
    for (const char *const *name = ports->interfaces; *name; name++)
        str_printf(&names, "%s\"%s\"", names.len ? ", " : "", *name);
    char tcp[32];
    if (ports->https)
        snprintf(tcp, sizeof(tcp), "{ %u, %u }", ports->http, ports->https);
    else
        snprintf(tcp, sizeof(tcp), "%u", ports->http);
    str_printf(script, "insert rule %s iifname { %s } tcp dport %s accept comment \"" MARK "\"\n", chain,
               str_text(&names), tcp);
    str_printf(script, "insert rule %s iifname { %s } udp dport { %u, %u, %u } accept comment \"" MARK "\"\n",
               chain, str_text(&names), ports->dhcp, ports->tftp, ports->pxe);
}

static void nft_add_script(struct firewall_plan *plan, struct str *script)
{
    if (script->len)
        ADD_STEP(plan, "nft", "-f")->input = str_steal(script);
}

static int nft_plan_set(const struct firewall_ports *ports, struct diags *diags, struct firewall_plan *plan)
{
    CLEANUP(json_decref) json_t *ruleset = nft_ruleset();
    cleanup_str struct str script = {0};
    unsigned chains = 0;
    if (!ruleset)
        return diag_error(diags, NULL, "`nft list ruleset` failed: run `rambox firewall` as root");
    nft_delete_ours(ruleset, &script);
    for (size_t i = 0; i < json_array_size(ruleset); i++) {
        cleanup_free char *chain = nft_input_chain(json_array_get(ruleset, i));
        if (!chain)
            continue;
        nft_insert_ours(chain, ports, &script);
        chains++;
    }
    if (!chains)
        VEC_PUSH(&plan->notes,
                 xstrdup("no nftables chain filters input on this machine: the ports are open already"));
    nft_add_script(plan, &script);
    return 0;
}

static int nft_plan_remove(const struct firewall_ports *ports, struct diags *diags,
                           struct firewall_plan *plan)
{
    CLEANUP(json_decref) json_t *ruleset = nft_ruleset();
    cleanup_str struct str script = {0};
    (void)ports;
    if (!ruleset)
        return diag_error(diags, NULL, "`nft list ruleset` failed: run `rambox firewall` as root");
    nft_delete_ours(ruleset, &script);
    nft_add_script(plan, &script);
    return 0;
}

static bool nft_in_charge(void)
{
    cleanup_free char *program = find_program("nft");
    return program;
}

/* iptables. Our rules are in a chain of their own, replaced as a whole (iptables-restore does it in one
 * step), and INPUT begins with a jump to it. */

#define CHAIN "RAMBOX"

static int iptables_plan_set(const struct firewall_ports *ports, struct diags *diags,
                             struct firewall_plan *plan)
{
    cleanup_str struct str rules = {0};
    (void)diags;
    str_add(&rules, "*filter\n:" CHAIN " - [0:0]\n");
    for (const char *const *name = ports->interfaces; *name; name++) {
        str_printf(&rules, "-A " CHAIN " -i %s -p udp -m udp --dport %u -j ACCEPT\n", *name, ports->dhcp);
        str_printf(&rules, "-A " CHAIN " -i %s -p udp -m udp --dport %u -j ACCEPT\n", *name, ports->tftp);
        str_printf(&rules, "-A " CHAIN " -i %s -p udp -m udp --dport %u -j ACCEPT\n", *name, ports->pxe);
        str_printf(&rules, "-A " CHAIN " -i %s -p tcp -m tcp --dport %u -j ACCEPT\n", *name, ports->http);
        if (ports->https)
            str_printf(&rules, "-A " CHAIN " -i %s -p tcp -m tcp --dport %u -j ACCEPT\n", *name,
                       ports->https);
    }
    str_add(&rules, "COMMIT\n");
    ADD_STEP(plan, "iptables-restore", "--wait", "--noflush")->input = str_steal(&rules);
    if (!SUCCEEDS("iptables", "-w", "-C", "INPUT", "-j", CHAIN))
        ADD_STEP(plan, "iptables", "-w", "-I", "INPUT", "1", "-j", CHAIN);
    return 0;
}

static int iptables_plan_remove(const struct firewall_ports *ports, struct diags *diags,
                                struct firewall_plan *plan)
{
    (void)ports;
    (void)diags;
    if (SUCCEEDS("iptables", "-w", "-C", "INPUT", "-j", CHAIN))
        ADD_STEP(plan, "iptables", "-w", "-D", "INPUT", "-j", CHAIN);
    if (SUCCEEDS("iptables", "-w", "-n", "-L", CHAIN)) {
        ADD_STEP(plan, "iptables", "-w", "-F", CHAIN);
        ADD_STEP(plan, "iptables", "-w", "-X", CHAIN);
    }
    return 0;
}

/* When its filter table says more than "accept all". Both of its variants show it. */
static bool iptables_in_charge(void)
{
    const char *const argv[] = {"iptables", "-w", "-S", "INPUT", NULL};
    cleanup_free char *output = NULL;
    return process_output(argv, &output) == 0 && str_starts(output, "-P INPUT ") &&
           !str_eq(output, "-P INPUT ACCEPT\n");
}

/* firewalld. A service of the name rambox, in the zones that the interfaces are in; with the daemon stopped
 * its files are changed by firewall-offline-cmd. */

static bool firewalld_runs(void)
{
    return SUCCEEDS("firewall-cmd", "--state");
}

/* The interface's zone, else the default one. The caller's. NULL: firewalld does not answer. */
static char *firewalld_zone(const char *command, const char *interface)
{
    cleanup_free char *query = xasprintf("--get-zone-of-interface=%s", interface);
    const char *const ask[] = {command, query, NULL};
    const char *const ask_default[] = {command, "--get-default-zone", NULL};
    char *zone = NULL;
    if (process_output(ask, &zone) != 0) {
        free(TAKE_PTR(zone));
        if (process_output(ask_default, &zone) != 0)
            free(TAKE_PTR(zone));
    }
    if (zone)
        zone[strcspn(zone, "\n")] = '\0';
    return zone;
}

/* Starts a command that changes what is kept. */
static struct firewall_step *firewalld_step(struct firewall_plan *plan, bool runs, const char *first,
                                            const char *second)
{
    return runs ? ADD_STEP(plan, "firewall-cmd", "--permanent", first, second)
                : ADD_STEP(plan, "firewall-offline-cmd", first, second);
}

static int firewalld_each_zone(const struct firewall_ports *ports, bool runs, const char *change,
                               struct diags *diags, struct firewall_plan *plan)
{
    const char *command = runs ? "firewall-cmd" : "firewall-offline-cmd";
    for (const char *const *name = ports->interfaces; *name; name++) {
        cleanup_free char *zone = firewalld_zone(command, *name);
        if (!zone)
            return diag_error(diags, NULL,
                              "%s did not say which zone %s is in: run `rambox firewall` as root", command,
                              *name);
        cleanup_free char *option = xasprintf("--zone=%s", zone);
        firewalld_step(plan, runs, option, change)->may_fail = str_starts(change, "--remove");
    }
    return 0;
}

/* An older definition of the service goes first, so that a port that is not in use any more is closed. */
static int firewalld_plan_set(const struct firewall_ports *ports, struct diags *diags,
                              struct firewall_plan *plan)
{
    bool runs = firewalld_runs();
    const struct {
        unsigned port;
        const char *protocol;
    } opened[] = {{ports->dhcp, "udp"},
                  {ports->tftp, "udp"},
                  {ports->pxe, "udp"},
                  {ports->http, "tcp"},
                  {ports->https, "tcp"}};
    firewalld_step(plan, runs, "--delete-service=" MARK, NULL)->may_fail = true;
    firewalld_step(plan, runs, "--new-service=" MARK, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(opened); i++) {
        if (!opened[i].port)
            continue;
        cleanup_free char *add = xasprintf("--add-port=%u/%s", opened[i].port, opened[i].protocol);
        firewalld_step(plan, runs, "--service=" MARK, add);
    }
    int r = firewalld_each_zone(ports, runs, "--add-service=" MARK, diags, plan);
    if (r == 0 && runs)
        ADD_STEP(plan, "firewall-cmd", "--reload");
    return r;
}

static int firewalld_plan_remove(const struct firewall_ports *ports, struct diags *diags,
                                 struct firewall_plan *plan)
{
    bool runs = firewalld_runs();
    int r = firewalld_each_zone(ports, runs, "--remove-service=" MARK, diags, plan);
    firewalld_step(plan, runs, "--delete-service=" MARK, NULL)->may_fail = true;
    if (r == 0 && runs)
        ADD_STEP(plan, "firewall-cmd", "--reload");
    return r;
}

const struct firewall_backend firewall_backends[] = {
    {"firewalld", "firewall-offline-cmd", "firewalld", firewalld_runs, firewalld_plan_set,
     firewalld_plan_remove},
    {"iptables", "iptables", "iptables", iptables_in_charge, iptables_plan_set, iptables_plan_remove},
    {"nftables", "nft", "nftables", nft_in_charge, nft_plan_set, nft_plan_remove},
    {0},
};

const struct firewall_backend *firewall_backend_of(const char *name, struct diags *diags)
{
    const struct firewall_backend *b = firewall_backends;
    while (b->name && (name ? !str_eq(b->name, name) : !b->in_charge()))
        b++;
    if (!b->name && name) {
        diag_error(diags, NULL, "there is no backend %s; expected nftables, iptables or firewalld", name);
        return NULL;
    }
    if (!b->name) {
        diag_error(diags, NULL, "no firewall was found; install the package nftables");
        return NULL;
    }
    cleanup_free char *program = find_program(b->program);
    if (program)
        return b;
    diag_error(diags, NULL, "%s is not there; install the package %s", b->program, b->package);
    return NULL;
}
