/* See import/import.h: hosts to nodes. */
#include "import/import.h"
#include "import/input.h"

#include <ctype.h>
#include <search.h>

/* A host with what others add to it. Strings are borrowed from the import. */
struct joined {
    struct import_host host;
    struct pos cmdline_at;
    bool by_uuid;  /* its words come from the file that is looked for first */
    size_t number; /* in the order of the sources */
};

struct joining {
    struct joined *list; /* those with a MAC address, each once; in the order of the sources */
    size_t n;
    struct joined **by_ip, **by_uuid; /* those that have one, sorted */
    size_t ip_count, uuid_count;
    const struct site *site;
    void *names; /* of tsearch: the names that are taken */
    struct diags *diags;
};

/* Hosts of one MAC address. */

static int compare_mac(const void *a, const void *b)
{
    const struct joined *x = a, *y = b;
    int order = memcmp(x->host.mac.b, y->host.mac.b, sizeof(x->host.mac.b));
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_number(const void *a, const void *b)
{
    const struct joined *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int compare_ip(const void *a, const void *b)
{
    const struct joined *x = *(struct joined *const *)a, *y = *(struct joined *const *)b;
    return (x->host.ip > y->host.ip) - (x->host.ip < y->host.ip);
}

static int compare_uuid(const void *a, const void *b)
{
    const struct joined *x = *(struct joined *const *)a, *y = *(struct joined *const *)b;
    return memcmp(x->host.uuid, y->host.uuid, sizeof(x->host.uuid));
}

/* What is the first's stays; where the later one says something else, that is said. */
static void merge(struct joining *j, struct joined *first, const struct import_host *later)
{
    struct import_host *host = &first->host;
    char ip[IPV4_TEXT_MAX], shown[SHOWN_MAX];
    if (later->ip && host->ip && later->ip != host->ip)
        diag_warning(j->diags, &later->pos,
                     "this machine has the address %s here and another one in %s:%u, which counts",
                     ipv4_format(later->ip, ip), host->pos.file, host->pos.line);
    if (later->name && host->name && !str_eq(later->name, host->name))
        diag_warning(j->diags, &later->pos,
                     "this machine is named %s here and otherwise in %s:%u, which counts",
                     show_text(later->name, shown), host->pos.file, host->pos.line);
    if (later->has_cmdline && host->has_cmdline && !str_eq(later->cmdline, host->cmdline))
        diag_warning(j->diags, &later->pos,
                     "the command line of this machine is not taken over: that of %s:%u counts",
                     first->cmdline_at.file, first->cmdline_at.line);
    if (!host->ip)
        host->ip = later->ip;
    if (!host->name)
        host->name = later->name;
    if (later->has_cmdline && !host->has_cmdline) {
        host->cmdline = later->cmdline;
        host->has_cmdline = true;
        first->cmdline_at = later->pos;
    }
    if (later->has_uuid && !host->has_uuid)
        memcpy(host->uuid, later->uuid, sizeof(host->uuid));
    host->has_uuid |= later->has_uuid;
}

static void join_by_mac(struct joining *j, const struct import *import)
{
    size_t n = 0;
    j->list = xcalloc(import->hosts.n, sizeof(*j->list));
    VEC_EACH(host, &import->hosts)
        if (host->has_mac)
            j->list[n++] = (struct joined){
                .host = *host, .cmdline_at = host->pos, .number = (size_t)(host - import->hosts.items)};
    if (n)
        qsort(j->list, n, sizeof(*j->list), compare_mac);
    for (size_t i = 0; i < n; i++)
        if (j->n && mac_equal(&j->list[j->n - 1].host.mac, &j->list[i].host.mac))
            merge(j, &j->list[j->n - 1], &j->list[i].host);
        else
            j->list[j->n++] = j->list[i];
    if (j->n)
        qsort(j->list, j->n, sizeof(*j->list), compare_number);
}

/* Hosts without one. */

static void sort_by_ip_and_uuid(struct joining *j)
{
    j->by_ip = xcalloc(j->n, sizeof(*j->by_ip));
    j->by_uuid = xcalloc(j->n, sizeof(*j->by_uuid));
    for (struct joined *it = j->list; it < j->list + j->n; it++) {
        if (it->host.ip)
            j->by_ip[j->ip_count++] = it;
        if (it->host.has_uuid)
            j->by_uuid[j->uuid_count++] = it;
    }
    if (j->ip_count)
        qsort(j->by_ip, j->ip_count, sizeof(*j->by_ip), compare_ip);
    if (j->uuid_count)
        qsort(j->by_uuid, j->uuid_count, sizeof(*j->by_uuid), compare_uuid);
}

static struct joined *find_owner(const struct joining *j, const struct import_host *host)
{
    struct joined key = {.host = *host}, *p = &key;
    struct joined **found = NULL;
    if (host->has_uuid && j->uuid_count)
        found = bsearch(&p, j->by_uuid, j->uuid_count, sizeof(*j->by_uuid), compare_uuid);
    else if (host->ip && j->ip_count)
        found = bsearch(&p, j->by_ip, j->ip_count, sizeof(*j->by_ip), compare_ip);
    return found ? *found : NULL;
}

/* A node of the site that the host is about; it stays as it is. */
static bool say_existing(const struct joining *j, const struct import_host *host)
{
    const struct node *node = host->has_uuid ? site_node_by_uuid(j->site, host->uuid)
                              : host->ip     ? site_node_by_ip(j->site, host->ip)
                                             : NULL;
    if (!node)
        return false;
    if (host->cmdline && !str_eq(host->cmdline, node->cmdline))
        diag_warning(j->diags, &host->pos,
                     "node %s is there already and stays as it is; for these words write `cmdline:` into %s",
                     node->name, node->pos.file);
    return true;
}

/* PXELINUX looks for its file by UUID, then by MAC, then by address, and takes the first. */
static void join_without_mac(struct joining *j, const struct import_host *host)
{
    char text[UUID_TEXT_MAX];
    struct joined *owner = find_owner(j, host);
    if (owner) {
        if (host->has_uuid && !owner->by_uuid) { /* that of the MAC address was never read */
            owner->by_uuid = true;
            owner->host.has_cmdline = false;
            owner->host.cmdline = NULL;
        }
        merge(j, owner, host);
        return;
    }
    if (say_existing(j, host))
        return;
    if (host->has_uuid)
        diag_warning(
            j->diags, &host->pos,
            "no source says which MAC address the machine of this UUID has, by which rambox knows a node: "
            "`rambox node add NAME --mac MAC --uuid %s`",
            uuid_format(host->uuid, text));
    else
        diag_warning(
            j->diags, &host->pos,
            "no source says which machine has the address %s, and rambox knows a node by its MAC address: "
            "`rambox node add NAME --mac MAC --ip %s`",
            ipv4_format(host->ip, text), text);
}

/* Names. */

static int compare_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Makes a label of a host's name: without its domain, with `-` for what cannot be in it. Empty when nothing
 * can be made of it. */
static void make_label(const char *name, char label[static 64])
{
    size_t n = 0;
    for (; name && *name && *name != '.' && n < 63; name++)
        if (n || isalnum((unsigned char)*name))
            label[n++] = isalnum((unsigned char)*name) ? *name : '-';
    while (n && label[n - 1] == '-')
        n--;
    label[n] = '\0';
}

/* Names that the site has are not taken here: a node that has one of them is a conflict, and is said. */
static bool is_taken(const struct joining *j, const char *name, bool made_up)
{
    return tfind(name, (void *const *)&j->names, compare_text) != NULL ||
           (made_up && site_node_by_name(j->site, name));
}

/* Says what is changed about the name, which began as `stem`. */
static void say_renamed(struct joining *j, const struct import_host *host, const char *stem, const char *name)
{
    char shown[SHOWN_MAX];
    show_text(host->name, shown);
    if (!str_eq(stem, name))
        diag_note(j->diags, &host->pos, "\"%s\" becomes %s, since another node has that name", shown, name);
    else if (str_starts(host->name, name) && host->name[strlen(name)] == '.')
        diag_note(j->diags, &host->pos,
                  "\"%s\" becomes %s; the domain is `domain` of a subnet in rambox.yaml", shown, name);
    else if (!str_eq(host->name, name))
        diag_note(j->diags, &host->pos,
                  "\"%s\" becomes %s, since a name is one label of at most 63 letters, digits and hyphens",
                  shown, name);
}

/* The name of the node; the caller's. A name that many have is not counted on for ever. */
static char *choose_name(struct joining *j, const struct import_host *host)
{
    enum { NAMESAKES_MAX = 99 };
    char stem[64];
    const uint8_t *b = host->mac.b;
    make_label(host->name, stem);
    bool made_up = stem[0] == '\0';
    cleanup_free char *made_up_name =
        xasprintf("node-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    char *name = xstrdup(made_up ? made_up_name : stem);
    for (unsigned n = 2; is_taken(j, name, made_up || n > 2); n++) {
        const char *begin = made_up || n > NAMESAKES_MAX ? made_up_name : stem;
        free(name);
        name = n == NAMESAKES_MAX + 1 ? xstrdup(made_up_name) : xasprintf("%.56s-%u", begin, n);
    }
    tsearch(xstrdup(name), &j->names, compare_text);
    if (host->name)
        say_renamed(j, host, made_up ? name : stem, name);
    return name;
}

/* Nodes. */

/* A node of the site with this MAC address stays as it is; says where the source differs. */
static void compare_existing(const struct joining *j, const struct node *node, const struct import_host *host)
{
    char ip[IPV4_TEXT_MAX], theirs[IPV4_TEXT_MAX] = "one of the pool";
    if (host->ip && host->ip != node->ip)
        diag_warning(
            j->diags, &host->pos,
            "node %s is there already and stays as it is: its address is %s, not %s; edit %s to change "
            "that",
            node->name, node->ip ? ipv4_format(node->ip, theirs) : theirs, ipv4_format(host->ip, ip),
            node->pos.file);
    if (host->cmdline && !str_eq(host->cmdline, node->cmdline))
        diag_warning(j->diags, &host->pos,
                     "node %s is there already and stays as it is; for these words write `cmdline:` into %s",
                     node->name, node->pos.file);
}

static void make_node(struct joining *j, const struct import_host *host, const char *profile,
                      struct import_nodes *nodes)
{
    const struct node *existing = site_node_by_mac(j->site, &host->mac);
    if (existing) {
        compare_existing(j, existing, host);
        nodes->already_there++;
        return;
    }
    struct node *node = VEC_ADD(&nodes->nodes);
    node->name = choose_name(j, host);
    node->mac = host->mac;
    node->ip = host->ip;
    node->has_uuid = host->has_uuid;
    memcpy(node->uuid, host->uuid, sizeof(node->uuid));
    node->profile = xstrdup(profile ? profile : "default");
    node->has_profile = profile != NULL;
    node->cmdline = xstrdup(host->cmdline);
    node->pos = host->pos;
}

void import_join(const struct import *import, const struct site *site, const char *profile,
                 struct import_nodes *ret_nodes, struct diags *diags)
{
    struct joining j = {.site = site, .diags = diags};
    struct import_nodes nodes = {0};
    join_by_mac(&j, import);
    sort_by_ip_and_uuid(&j);
    VEC_EACH(host, &import->hosts)
        if (!host->has_mac)
            join_without_mac(&j, host);
    for (size_t i = 0; i < j.n; i++)
        make_node(&j, &j.list[i].host, profile, &nodes);
    tdestroy(j.names, free);
    free(j.by_ip);
    free(j.by_uuid);
    free(j.list);
    *ret_nodes = nodes;
}

void import_nodes_free(struct import_nodes *nodes)
{
    VEC_EACH(node, &nodes->nodes)
        node_clear(node);
    VEC_FREE(&nodes->nodes);
}
