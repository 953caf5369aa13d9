/* rambox lease list, release, history: what the store says of addresses. Beside a running server the store is
 * read whole before a line is printed: a walk that waits for a pager would keep the server's log from being
 * begun anew. */
#include "base/file.h"
#include "base/range.h"
#include "base/str.h"
#include "cli/store.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* Which machines and addresses are meant: sorted, each looked up by bisection. Empty: all. */
struct selection {
    VEC(ipv4_t) ips;
    VEC(struct mac) macs;
};

static int compare_ips(const void *a, const void *b)
{
    ipv4_t x = *(const ipv4_t *)a, y = *(const ipv4_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_macs(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct mac));
}

static void selection_clear(struct selection *s)
{
    VEC_FREE(&s->ips);
    VEC_FREE(&s->macs);
}

static bool selects_machine(const struct selection *s, const struct mac *mac)
{
    return s->macs.n && bsearch(mac, s->macs.items, s->macs.n, sizeof(*mac), compare_macs);
}

static bool selects(const struct selection *s, ipv4_t ip, const struct mac *mac)
{
    return (!s->ips.n && !s->macs.n) || selects_machine(s, mac) ||
           (s->ips.n && bsearch(&ip, s->ips.items, s->ips.n, sizeof(ip), compare_ips));
}

static int select_nodes(const struct command *command, const struct site *site, const char *range,
                        struct selection *s)
{
    char **names = NULL;
    int status = 0;
    if (range_expand(range, &names) < 0)
        return usage_error(command,
                           "\"%s\" is no address, MAC address, node or range of nodes; expected a form like "
                           "192.168.7.100, 52:54:00:12:34:56, n1 or n[1-10,12]",
                           range);
    for (char **name = names; *name && site; name++) {
        const struct node *node = site_node_by_name(site, *name);
        if (node)
            VEC_PUSH(&s->macs, node->mac);
        else
            status = 1;
        if (!node)
            fprintf(stderr, "rambox: error: there is no node %s; `rambox node list` shows them\n", *name);
    }
    names_free(names);
    return site ? status : 1;
}

/* Reads the operands. 0; 1 or 2 after saying what is wrong. */
static int select_operands(const struct command *command, const struct site *site, char *const *operands,
                           struct selection *s)
{
    int status = 0;
    for (; *operands && status < 2; operands++) {
        struct mac mac;
        ipv4_t ip;
        int r = 0;
        if (ipv4_parse(*operands, &ip) == 0)
            VEC_PUSH(&s->ips, ip);
        else if (mac_parse(*operands, &mac) == 0)
            VEC_PUSH(&s->macs, mac);
        else
            r = select_nodes(command, site, *operands, s);
        status = r > status ? r : status;
    }
    if (s->ips.n)
        qsort(s->ips.items, s->ips.n, sizeof(ipv4_t), compare_ips);
    if (s->macs.n)
        qsort(s->macs.items, s->macs.n, sizeof(struct mac), compare_macs);
    return status;
}

/* Leases as people see them: one whose time is over is in the store as it was. */
enum shown_state { SHOWN_BOUND, SHOWN_DECLINED, SHOWN_RELEASED, SHOWN_EXPIRED, SHOWN_COUNT };
static const char *const state_names[] = {"bound", "declined", "released", "expired", NULL};
enum { SHOW_HELD = 1 << SHOWN_BOUND | 1 << SHOWN_DECLINED, SHOW_ALL = (1 << SHOWN_COUNT) - 1 };

static enum shown_state state_of(const struct lease *lease, int64_t now)
{
    return lease->state == LEASE_RELEASED   ? SHOWN_RELEASED
           : lease->expires <= now          ? SHOWN_EXPIRED
           : lease->state == LEASE_DECLINED ? SHOWN_DECLINED
                                            : SHOWN_BOUND;
}

/* One line of a table. */
struct row {
    ipv4_t ip;
    struct mac mac;
    char hostname[64];
    enum shown_state state;
    int64_t since, until;
    enum lease_end end; /* of a past lease; 0: it is in the store as a lease */
};

struct rows {
    const struct selection *selection;
    const struct subnet *subnet; /* NULL: all */
    unsigned states;             /* 1 << enum shown_state */
    size_t limit;
    int64_t now;
    VEC(struct row) list;
};

static int add_lease(void *user, const struct lease *l)
{
    struct rows *rows = user;
    enum shown_state state = state_of(l, rows->now);
    if (!(rows->states >> state & 1) || !selects(rows->selection, l->ip, &l->mac) ||
        (rows->subnet && !prefix_contains(&rows->subnet->prefix, l->ip)))
        return 0;
    struct row *row = VEC_ADD(&rows->list);
    *row = (struct row){.ip = l->ip, .mac = l->mac, .state = state, .since = l->since, .until = l->expires};
    memcpy(row->hostname, l->hostname, sizeof(row->hostname));
    return 0;
}

static int add_past(void *user, const struct lease_past *p)
{
    struct rows *rows = user;
    if (rows->list.n >= rows->limit)
        return -ECANCELED;
    if (!selects(rows->selection, p->ip, &p->mac))
        return 0;
    struct row *row = VEC_ADD(&rows->list);
    *row = (struct row){.ip = p->ip, .mac = p->mac, .since = p->since, .until = p->until, .end = p->end};
    memcpy(row->hostname, p->hostname, sizeof(row->hostname));
    return 0;
}

/* 0, or 1 after saying what went wrong. */
static int said_of_walk(int r, const char *state_dir)
{
    if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "rambox: error: cannot read the store in %s: %s\n", state_dir, strerror(-r));
    return r < 0 && r != -ECANCELED;
}

/* Prints the rows as one JSON array, row by row: a hundred thousand of them need not be in memory twice. */
static void print_rows_json(const struct rows *rows, json_t *(*make)(const struct site *, const struct row *),
                            const struct site *site)
{
    putchar('[');
    for (size_t i = 0; i < rows->list.n; i++) {
        json_t *object = make(site, &rows->list.items[i]);
        fputs(i ? ",\n " : "\n ", stdout);
        json_dumpf(object, stdout, 0);
        json_decref(object);
    }
    puts(rows->list.n ? "\n]" : "]");
}

static const char *node_name(const struct site *site, const struct mac *mac)
{
    const struct node *node = site ? site_node_by_mac(site, mac) : NULL;
    return node ? node->name : NULL;
}

/* lease list */

static json_t *lease_to_json(const struct site *site, const struct row *row)
{
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], since[WHEN_TEXT_MAX], until[WHEN_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s}", "ip", ipv4_format(row->ip, ip), "state",
                     state_names[row->state], "mac", mac_format(&row->mac, mac), "node",
                     node_name(site, &row->mac), "hostname", row->hostname, "since",
                     iso_format(row->since, since), "until", iso_format(row->until, until));
}

static void print_leases(const struct site *site, const struct rows *rows)
{
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], since[WHEN_TEXT_MAX], until[WHEN_TEXT_MAX];
    if (rows->list.n)
        printf("%-15s %-8s %-20s %-20s %-12s %s\n", "ADDRESS", "STATE", "NODE", "HOST", "SINCE", "UNTIL");
    VEC_EACH(row, &rows->list)
        printf("%-15s %-8s %-20s %-20s %-12s %s\n", ipv4_format(row->ip, ip), state_names[row->state],
               machine_name(site, &row->mac, mac), row->hostname[0] ? row->hostname : "-",
               when_format(row->since, rows->now, since),
               row->state == SHOWN_RELEASED ? "-" : when_format(row->until, rows->now, until));
}

/* --state. 0, or 2. */
static int read_states(const char *text, unsigned *ret_states)
{
    if (!text || str_eq(text, "all")) {
        *ret_states = text ? SHOW_ALL : SHOW_HELD;
        return 0;
    }
    for (unsigned i = 0; i < SHOWN_COUNT; i++) {
        if (!str_eq(text, state_names[i]))
            continue;
        *ret_states = 1u << i;
        return 0;
    }
    return usage_error(&command_lease_list,
                       "\"%s\" is no state; there are bound, declined, released, expired, all", text);
}

/* --subnet. 0, or 1. */
static int read_subnet(const struct site *site, const char *name, const struct subnet **ret_subnet)
{
    VEC(const char *) names = {0};
    *ret_subnet = NULL;
    if (!name || !site)
        return name != NULL;
    VEC_EACH(subnet, &site->subnets) {
        if (str_eq(subnet->name, name))
            *ret_subnet = subnet;
        VEC_PUSH(&names, subnet->name);
    }
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(name, names.items);
    if (!*ret_subnet)
        fprintf(stderr, "rambox: error: there is no subnet %s%s%s%s\n", name,
                nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    VEC_FREE(&names);
    return !*ret_subnet;
}

static int run_list(struct context *context, int argc, char **argv)
{
    const char *subnet = NULL, *state = NULL;
    const struct option_spec options[] = {
        {.name = "--subnet", .value = &subnet}, {.name = "--state", .value = &state}, {0}};
    struct selection selection = {0};
    struct rows rows = {.selection = &selection, .now = time(NULL)};
    bool none = false;
    if (parse_options(&command_lease_list, options, argc, argv) < 0 || read_states(state, &rows.states) != 0)
        return 2;
    CLEANUP(site_free) struct site *site = load_names(context);
    cleanup_free char *state_dir = find_state_dir(context);
    int status = read_subnet(site, subnet, &rows.subnet);
    if (status == 0)
        status = select_operands(&command_lease_list, site, argv + 1, &selection);
    CLEANUP(store_close) struct store *store = status == 0 ? open_reader(context, state_dir, &none) : NULL;
    if (store)
        status = said_of_walk(store_each_lease(store, add_lease, &rows), state_dir);
    else if (!none)
        status = status ? status : 1;
    if (status == 0 && context->json)
        print_rows_json(&rows, lease_to_json, site);
    else if (status == 0 && rows.list.n)
        print_leases(site, &rows);
    else if (status == 0)
        puts(argv[1] || subnet || state ? "No lease is as you asked." : "Nothing is leased.");
    VEC_FREE(&rows.list);
    selection_clear(&selection);
    return status;
}

/* lease release */

/* Every address that was named must be there; a machine may have none, unless it is all that was meant. */
static int said_what_is_not_leased(const struct selection *s, const struct rows *rows)
{
    char ip[IPV4_TEXT_MAX];
    int status = 0;
    VEC_EACH(wanted, &s->ips) {
        bool found = false;
        VEC_EACH(row, &rows->list)
            found = found || row->ip == *wanted;
        if (!found)
            fprintf(stderr, "rambox: error: %s is not leased; `rambox lease list` shows what is\n",
                    ipv4_format(*wanted, ip));
        status = found ? status : 1;
    }
    if (s->macs.n && rows->list.n == 0)
        fputs("rambox: error: no lease is theirs; the address of a node with `ip:` is its own, and needs "
              "none\n",
              stderr);
    return s->macs.n && rows->list.n == 0 ? 1 : status;
}

static int release_row(struct change *change, const struct lease *lease, int64_t now)
{
    char ip[IPV4_TEXT_MAX];
    struct store_op op = {.kind = STORE_LEASE_PUT, .lease = *lease};
    op.lease.state = LEASE_RELEASED;
    op.lease.expires = now;
    return change_do(change,
                     json_pack("{s:s, s:s}", "call", "lease-release", "ip", ipv4_format(lease->ip, ip)), &op);
}

struct held {
    struct rows rows;
    VEC(struct lease) leases;
};

static int add_held(void *user, const struct lease *lease)
{
    struct held *held = user;
    size_t n = held->rows.list.n;
    add_lease(&held->rows, lease);
    if (held->rows.list.n > n)
        VEC_PUSH(&held->leases, *lease);
    return 0;
}

static int release_all(struct context *context, const struct site *site, struct change *change,
                       const struct held *held)
{
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX];
    json_t *document = context->json ? json_array() : NULL;
    int status = 0;
    VEC_EACH(lease, &held->leases) {
        if (release_row(change, lease, held->rows.now) != 0) {
            status = 1;
            continue;
        }
        ipv4_format(lease->ip, ip);
        if (document)
            json_array_append_new(document, json_string(ip));
        else
            printf("released %s of %s\n", ip, machine_name(site, &lease->mac, mac));
    }
    if (document)
        print_json(document);
    return status;
}

static int run_release(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    struct selection selection = {0};
    struct held held = {.rows = {.selection = &selection, .states = SHOW_HELD, .now = time(NULL)}};
    struct change change = {0};
    bool none = false;
    int n = parse_options(&command_lease_release, options, argc, argv);
    if (n < 0)
        return 2;
    if (n == 0)
        return usage_error(&command_lease_release, "name an address, a machine or a node");
    CLEANUP(site_free) struct site *site = load_names(context);
    cleanup_free char *state_dir = find_state_dir(context);
    int status = select_operands(&command_lease_release, site, argv + 1, &selection);
    CLEANUP(store_close) struct store *reader = status == 0 ? open_reader(context, state_dir, &none) : NULL;
    if (status == 0 && !reader && !none)
        status = 1;
    if (reader) {
        status = change_begin(state_dir, &change);
        if (status == 0) /* not before nobody else can change it */
            status = said_of_walk(store_each_lease(reader, add_held, &held), state_dir);
    }
    if (status == 0)
        status = said_what_is_not_leased(&selection, &held.rows);
    if (status == 0)
        status = release_all(context, site, &change, &held);
    change_end(&change);
    VEC_FREE(&held.leases);
    VEC_FREE(&held.rows.list);
    selection_clear(&selection);
    return status;
}

/* lease history */

static const char *ending_name(const struct row *row)
{
    static const char *const names[] = {[LEASE_END_EXPIRED] = "expired",
                                        [LEASE_END_RELEASED] = "released",
                                        [LEASE_END_DECLINED] = "declined",
                                        [LEASE_END_REPLACED] = "replaced",
                                        [LEASE_END_QUARANTINE] = "quarantine over"};
    if (row->end == 0)
        return row->state == SHOWN_DECLINED ? "quarantined" : state_names[row->state];
    return row->end < ARRAY_SIZE(names) && names[row->end] ? names[row->end] : "?";
}

static json_t *past_to_json(const struct site *site, const struct row *row)
{
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], since[WHEN_TEXT_MAX], until[WHEN_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s}", "ip", ipv4_format(row->ip, ip), "mac",
                     mac_format(&row->mac, mac), "node", node_name(site, &row->mac), "hostname",
                     row->hostname, "since", iso_format(row->since, since), "until",
                     iso_format(row->until, until), "state", ending_name(row));
}

/* The youngest first; what goes on still before what has ended. */
static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->since > y->since ? -1 : x->since < y->since ? 1 : (x->end > y->end) - (x->end < y->end);
}

static int read_history(struct store *store, struct rows *rows, size_t limit)
{
    int r = store_each_lease(store, add_lease, rows);
    rows->limit = limit > SIZE_MAX - rows->list.n ? SIZE_MAX : rows->list.n + limit;
    if (r == 0)
        r = store_each_lease_past(store, add_past, rows);
    if (rows->list.n)
        qsort(rows->list.items, rows->list.n, sizeof(struct row), compare_rows);
    if (rows->list.n > limit)
        rows->list.n = limit;
    return r;
}

static void print_history(const struct site *site, const struct rows *rows)
{
    char ip[IPV4_TEXT_MAX], mac[MAC_TEXT_MAX], since[WHEN_TEXT_MAX], until[WHEN_TEXT_MAX];
    printf("%-15s %-20s %-20s %-19s %-19s %s\n", "ADDRESS", "NODE", "HOST", "SINCE", "UNTIL", "STATE");
    VEC_EACH(row, &rows->list)
        printf("%-15s %-20s %-20s %-19s %-19s %s\n", ipv4_format(row->ip, ip),
               machine_name(site, &row->mac, mac), row->hostname[0] ? row->hostname : "-",
               time_format(row->since, since), time_format(row->until, until), ending_name(row));
}

static int run_history(struct context *context, int argc, char **argv)
{
    const char *limit_text = NULL;
    const struct option_spec options[] = {{.name = "--limit", .value = &limit_text}, {0}};
    struct selection selection = {0};
    struct rows rows = {
        .selection = &selection, .states = SHOW_ALL & ~(1u << SHOWN_RELEASED), .now = time(NULL)};
    uint64_t limit = 100;
    bool none = false;
    if (parse_options(&command_lease_history, options, argc, argv) < 0)
        return 2;
    if (limit_text && parse_u64(limit_text, 1, UINT32_MAX, &limit) < 0)
        return usage_error(&command_lease_history, "\"%s\" is no number of rows", limit_text);
    CLEANUP(site_free) struct site *site = load_names(context);
    cleanup_free char *state_dir = find_state_dir(context);
    int status = select_operands(&command_lease_history, site, argv + 1, &selection);
    CLEANUP(store_close) struct store *store = status == 0 ? open_reader(context, state_dir, &none) : NULL;
    if (store)
        status = said_of_walk(read_history(store, &rows, limit), state_dir);
    else if (!none)
        status = status ? status : 1;
    if (status == 0 && context->json)
        print_rows_json(&rows, past_to_json, site);
    else if (status == 0 && rows.list.n)
        print_history(site, &rows);
    else if (status == 0)
        puts(argv[1] ? "No lease of it is known." : "Nothing was leased yet.");
    VEC_FREE(&rows.list);
    selection_clear(&selection);
    return status;
}

#define WHO_HELP                                                                                             \
    "A machine is named by its address, its MAC address, or the node that it is; nodes also as a range.\n"

const struct command command_lease_history = {
    .name = "lease history",
    .synopsis = "[ADDRESS|MAC|NODE|RANGE]... [--limit N]",
    .summary = "show who had which address, and when",
    .help = "  --limit N  show the N youngest; 100 unless said\n"
            "\n" WHO_HELP "\nExamples:\n"
            "  rambox lease history\n"
            "  rambox lease history 192.168.7.100\n"
            "  rambox lease history 52:54:00:12:34:56 --limit 5\n",
    .run = run_history,
};

const struct command command_lease_list = {
    .name = "lease list",
    .synopsis = "[ADDRESS|MAC|NODE|RANGE]... [--subnet NAME] [--state STATE]",
    .summary = "list the leases",
    .help = "  --subnet NAME  those of this subnet\n"
            "  --state STATE  bound; declined: found in use by a stranger, and left alone for a while; "
            "released;\n"
            "                 expired; or all. Unless said: bound and declined, which are not to be had\n"
            "\n" WHO_HELP "The address of a node with `ip:` is its own: there is no lease of it.\n"
            "\n"
            "Examples:\n"
            "  rambox lease list\n"
            "  rambox lease list 'n[1-4]' --state all\n"
            "  rambox lease list --subnet lab --json\n",
    .run = run_list,
};

const struct command command_lease_release = {
    .name = "lease release",
    .synopsis = "ADDRESS|MAC|NODE|RANGE...",
    .summary = "take leases back, and declined addresses out of quarantine",
    .help =
        "The address is free at once. Its client is not told: power it off or change its entry first, or it\n"
        "goes on using the address until it asks again. Works with the server running, and without.\n"
        "\n" WHO_HELP "\nExamples:\n"
        "  rambox lease release 192.168.7.100\n"
        "  rambox lease release 'n[1-4]'\n",
    .run = run_release,
};
