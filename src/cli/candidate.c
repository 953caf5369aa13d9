/* rambox node candidates, and the choice among them for `node add --from-candidate`. */
#include "cli/candidate.h"
#include "base/str.h"
#include "cli/store.h"
#include "proto/pxe.h"

#include <stdio.h>
#include <time.h>

struct reading {
    const struct site *site;
    struct candidates *candidates;
};

static int add_candidate(void *user, const struct candidate *candidate)
{
    struct reading *reading = user;
    if (!reading->site || !site_node_by_mac(reading->site, &candidate->mac))
        VEC_PUSH(&reading->candidates->list, *candidate);
    return 0;
}

int candidates_read(const struct context *context, struct candidates *ret_candidates)
{
    CLEANUP(site_free) struct site *site = load_names(context);
    cleanup_free char *state_dir = find_state_dir(context);
    bool none = false;
    CLEANUP(store_close) struct store *store = open_reader(context, state_dir, &none);
    if (!store)
        return !none;
    int r = store_each_candidate(store, add_candidate, &(struct reading){site, ret_candidates});
    if (r < 0)
        fprintf(stderr, "rambox: error: cannot read the store in %s: %s\n", state_dir, strerror(-r));
    return r < 0;
}

static int choose_all(const struct candidates *candidates, size_t n)
{
    if (candidates->list.n == n)
        return 0;
    fprintf(stderr,
            "rambox: error: %zu %s named, and there %s %zu candidate%s; name as many, or choose one with "
            "--from-candidate MAC (`rambox node candidates` shows them)\n",
            n, n == 1 ? "node is" : "nodes are", candidates->list.n == 1 ? "is" : "are", candidates->list.n,
            candidates->list.n == 1 ? "" : "s");
    return 1;
}

int candidates_choose(const struct command *command, struct candidates *candidates, const char *what,
                      size_t n)
{
    struct mac mac;
    ipv4_t ip = 0;
    bool last = str_eq(what, "last"), by_mac = mac_parse(what, &mac) == 0;
    if (str_eq(what, "all"))
        return choose_all(candidates, n);
    if (!last && !by_mac && ipv4_parse(what, &ip) < 0)
        return usage_error(
            command, "\"%s\" is no candidate; expected its MAC address, its address, `last` or `all`", what);
    if (n > 1)
        return usage_error(command, "%s is one candidate; for several nodes say --from-candidate all", what);
    VEC_EACH(c, &candidates->list) {
        bool is_last = c + 1 == candidates->list.items + candidates->list.n;
        if (last ? !is_last : by_mac ? !mac_equal(&c->mac, &mac) : c->ip != ip)
            continue;
        candidates->list.items[0] = *c;
        candidates->list.n = 1;
        return 0;
    }
    if (last)
        fputs("rambox: error: there is no candidate; a subnet with `unknown: discover` finds them\n", stderr);
    else
        fprintf(stderr, "rambox: error: there is no candidate %s; `rambox node candidates` shows them\n",
                what);
    return 1;
}

void candidates_forget(const struct context *context, const struct candidates *candidates)
{
    cleanup_free char *state_dir = find_state_dir(context);
    struct change change;
    int status = change_begin(state_dir, &change);
    VEC_EACH(c, &candidates->list) {
        char mac[MAC_TEXT_MAX];
        struct store_op op = {.kind = STORE_CANDIDATE_DELETE, .candidate = *c};
        if (status != 0)
            break;
        status = change_do(
            &change, json_pack("{s:s, s:s}", "call", "candidate-forget", "mac", mac_format(&c->mac, mac)),
            &op);
    }
    change_end(&change);
}

/* node candidates */

/* What a machine says it is: its firmware; else the DHCP client that it runs. */
static const char *kind_of(const struct candidate *c, char buf[static 32])
{
    bool firmware = str_starts(c->vendor_class, "PXEClient") || str_starts(c->vendor_class, "HTTPClient");
    const char *name = c->has_arch ? pxe_arch_name(c->arch) : NULL;
    if (c->has_arch && !name)
        snprintf(buf, 32, "architecture %u", c->arch);
    else
        snprintf(buf, 32, "%.31s",
                 name                 ? name
                 : firmware           ? "BIOS"
                 : c->vendor_class[0] ? c->vendor_class
                                      : "-");
    return buf;
}

static json_t *candidate_to_json(const struct candidate *c)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], uuid[UUID_TEXT_MAX], first[WHEN_TEXT_MAX], last[WHEN_TEXT_MAX];
    json_t *object =
        json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s?, s:s, s:s, s:s}", "mac", mac_format(&c->mac, mac), "ip",
                  c->ip ? ipv4_format(c->ip, ip) : NULL, "subnet", c->subnet, "hostname", c->hostname,
                  "vendor_class", c->vendor_class, "uuid", c->has_uuid ? uuid_format(c->uuid, uuid) : NULL,
                  "circuit_id", c->circuit_id, "first_seen", iso_format(c->first_us / 1000000, first),
                  "last_seen", iso_format(c->last_us / 1000000, last));
    json_object_set_new(object, "architecture", c->has_arch ? json_integer(c->arch) : json_null());
    return object;
}

static void print_candidates(const struct candidates *candidates)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], kind[32], seen[WHEN_TEXT_MAX];
    int64_t now = time(NULL);
    printf("%-17s %-15s %-24s %-20s %-20s %s\n", "MAC", "ADDRESS", "WHAT", "HOST", "PORT", "SEEN");
    VEC_EACH(c, &candidates->list)
        printf("%-17s %-15s %-24s %-20s %-20s %s\n", mac_format(&c->mac, mac),
               c->ip ? ipv4_format(c->ip, ip) : "-", kind_of(c, kind), c->hostname[0] ? c->hostname : "-",
               c->circuit_id[0] ? c->circuit_id : "-", when_format(c->last_us / 1000000, now, seen));
}

static int run(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    struct candidates candidates = {0};
    int n = parse_options(&command_node_candidates, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 0)
        return usage_error(&command_node_candidates, "it takes no operand");
    int status = candidates_read(context, &candidates);
    json_t *document = status == 0 && context->json ? json_array() : NULL;
    if (document) {
        VEC_EACH(c, &candidates.list)
            json_array_append_new(document, candidate_to_json(c));
        print_json(document);
    } else if (status == 0 && candidates.list.n) {
        print_candidates(&candidates);
    } else if (status == 0) {
        puts("There are no candidates; a subnet with `unknown: discover` finds them.");
    }
    VEC_FREE(&candidates.list);
    return status;
}

const struct command command_node_candidates = {
    .name = "node candidates",
    .synopsis = "",
    .summary = "list machines that were discovered and are no nodes yet",
    .help = "In the order in which they were first seen. WHAT is the firmware, or the DHCP client; PORT is "
            "where\n"
            "the machine is plugged in, when a relay or a switch says so (circuit-id).\n"
            "\n"
            "Examples:\n"
            "  rambox node candidates\n"
            "  rambox node add n1 --from-candidate last\n",
    .run = run,
};
