/* See model/site.h. */
#include "model/site.h"
#include "base/str.h"

#include <errno.h>

/* Each table holds the nodes sorted by one key; nodes without that key are left out. */
struct table {
    const struct node **items;
    size_t n;
};

enum key { BY_NAME, BY_MAC, BY_IP, BY_UUID, KEYS };

struct relay {
    ipv4_t address;
    const struct subnet *subnet;
};

struct site_index {
    struct table by[KEYS];
    const struct subnet **subnets; /* by prefix; they do not overlap */
    size_t subnets_n;
    struct relay *relays; /* of all subnets, by address */
    size_t relays_n;
};

struct site *site_new(void)
{
    struct site *site = xcalloc(1, sizeof(*site));
    site->server = (struct server_settings){
        .dhcp_port = 67,
        .tftp_port = 69,
        .http_port = 8069,
        .http = {.connections = 4096, .per_source = 64, .downloads = 2048, .downloads_per_source = 32},
        .tftp_per_source = 11,
        .tftp_pause_s = 2,
        .tftp_max_blksize = 1468,
        .tftp_max_window = 64,
        .router_advert = true,
        .state_dir = xstrdup("/var/lib/rambox"),
        .cache_dir = xstrdup("/var/cache/rambox"),
    };
    return site;
}

void option_values_clear(struct option_values *values)
{
    VEC_EACH(value, &values->list)
        free(value->data);
    VEC_FREE(&values->list);
}

const struct option_value *option_values_find(const struct option_values *values, uint8_t code)
{
    VEC_EACH(value, &values->list)
        if (value->code == code)
            return value;
    return NULL;
}

void client_class_clear(struct client_class *class)
{
    free(class->name);
    for (size_t field = 0; field < CLASS_FIELDS; field++) {
        VEC_EACH(glob, &class->match[field])
            glob_free(glob);
        VEC_FREE(&class->match[field]);
    }
    VEC_FREE(&class->archs);
    option_values_clear(&class->options);
    free(class->profile);
    free(class->boot_file);
}

void node_clear(struct node *node)
{
    option_values_clear(&node->options);
    free(node->name);
    free(node->profile);
    free(node->cmdline);
}

struct subnet subnet_new(char *name)
{
    return (struct subnet){
        .name = name,
        .lease_s = 86400,
        .min_lease_s = 60,
        .max_lease_s = 86400,
        .renew = {.thousandths = 500},
        .rebind = {.thousandths = 875},
        .probe = true,
        .discovery_lease_s = 600,
    };
}

void subnet_clear(struct subnet *subnet)
{
    free(subnet->name);
    free(subnet->interface);
    VEC_EACH(pool, &subnet->pools)
        free(pool->class);
    VEC_FREE(&subnet->pools);
    option_values_clear(&subnet->options);
    VEC_FREE(&subnet->relays);
    VEC_FREE(&subnet->dns);
    VEC_FREE(&subnet->ntp);
    free(subnet->domain);
    free(subnet->unknown_profile);
}

void profile_clear(struct profile *profile)
{
    free(profile->name);
    free(profile->kernel);
    free(profile->discovery);
    free(profile->image);
    free(profile->cmdline);
    free(profile->console);
    free(profile->root);
    option_values_clear(&profile->options);
    free(profile->boot_file);
    menu_clear(&profile->menu);
}

void image_def_clear(struct image_def *image)
{
    free(image->name);
    free(image->busybox_path);
    free(image->init);
    free(image->hostname);
    free(image->timezone);
    free(image->devices);
    VEC_EACH(entry, &image->entries) {
        free(entry->path);
        free(entry->from);
        free(entry->content);
    }
    VEC_FREE(&image->entries);
}

void kernel_def_clear(struct kernel_def *kernel)
{
    free(kernel->name);
    free(kernel->source.where);
    VEC_EACH(fragment, &kernel->fragments)
        free(*fragment);
    VEC_FREE(&kernel->fragments);
    VEC_EACH(symbol, &kernel->symbols) {
        free(symbol->name);
        free(symbol->value);
    }
    VEC_FREE(&kernel->symbols);
    VEC_EACH(symbol, &kernel->leaves_out) {
        free(symbol->name);
        free(symbol->value);
    }
    VEC_FREE(&kernel->leaves_out);
    VEC_EACH(module, &kernel->modules)
        free(*module);
    VEC_FREE(&kernel->modules);
    free(kernel->compression);
    free(kernel->initramfs);
}

static void index_free(struct site_index *index)
{
    for (int key = 0; index && key < KEYS; key++)
        free(index->by[key].items);
    if (index) {
        free(index->subnets);
        free(index->relays);
    }
    free(index);
}

void site_free(struct site *site)
{
    if (!site)
        return;
    VEC_EACH(interface, &site->server.interfaces)
        free(*interface);
    VEC_FREE(&site->server.interfaces);
    free(site->server.state_dir);
    free(site->server.cache_dir);
    free(site->server.loader_dir);
    free(site->server.tls_certificate);
    free(site->server.efi_stub);
    free(site->secure_boot.key);
    free(site->secure_boot.certificate);
    free(site->server.tls_key);
    free(site->server.user);
    option_values_clear(&site->options);
    VEC_EACH(class, &site->classes)
        client_class_clear(class);
    VEC_FREE(&site->classes);
    VEC_EACH(subnet, &site->subnets)
        subnet_clear(subnet);
    VEC_FREE(&site->subnets);
    VEC_EACH(profile, &site->profiles)
        profile_clear(profile);
    VEC_FREE(&site->profiles);
    VEC_EACH(node, &site->nodes)
        node_clear(node);
    VEC_FREE(&site->nodes);
    VEC_EACH(image, &site->images)
        image_def_clear(image);
    VEC_FREE(&site->images);
    VEC_EACH(kernel, &site->kernels)
        kernel_def_clear(kernel);
    VEC_FREE(&site->kernels);
    VEC_EACH(file, &site->files)
        free(*file);
    VEC_FREE(&site->files);
    index_free(site->index);
    free(site);
}

static int compare_name(const struct node *a, const struct node *b)
{
    return strcmp(a->name, b->name);
}

static int compare_mac(const struct node *a, const struct node *b)
{
    return memcmp(a->mac.b, b->mac.b, sizeof(a->mac.b));
}

static int compare_ip(const struct node *a, const struct node *b)
{
    return (a->ip > b->ip) - (a->ip < b->ip);
}

static int compare_uuid(const struct node *a, const struct node *b)
{
    return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}

static const struct {
    const char *what;
    int (*compare)(const struct node *a, const struct node *b);
} keys[KEYS] = {
    [BY_NAME] = {"name", compare_name},
    [BY_MAC] = {"MAC address", compare_mac},
    [BY_IP] = {"address", compare_ip},
    [BY_UUID] = {"UUID", compare_uuid},
};

static bool has_key(const struct node *node, enum key key)
{
    return key == BY_IP     ? node->ip != 0
           : key == BY_MAC  ? mac_is_unicast(&node->mac) /* not so when what was written is none */
           : key == BY_UUID ? node->has_uuid
                            : true;
}

/* qsort_r: by the key, and the order of definition among equals (nodes stand in one array). */
static int compare_nodes(const void *a, const void *b, void *key)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = keys[*(enum key *)key].compare(x, y);
    return order ? order : (x > y) - (x < y);
}

static int fill_table(struct site *site, enum key key, struct diags *diags)
{
    struct table *table = &site->index->by[key];
    int r = 0;
    table->items = xcalloc(site->nodes.n, sizeof(*table->items));
    VEC_EACH(node, &site->nodes)
        if (has_key(node, key))
            table->items[table->n++] = node;
    qsort_r(table->items, table->n, sizeof(*table->items), compare_nodes, &key);
    for (size_t i = 1; i < table->n; i++) {
        const struct node *a = table->items[i - 1], *b = table->items[i];
        if (keys[key].compare(a, b) != 0)
            continue;
        diag_error(diags, &b->pos, "node %s has the same %s as node %s (%s:%u); give it one of its own",
                   b->name, keys[key].what, a->name, a->pos.file ? a->pos.file : "?", a->pos.line);
        r = -EEXIST;
    }
    return r;
}

static void number_classes(struct site *site)
{
    VEC_EACH(subnet, &site->subnets)
        VEC_EACH(pool, &subnet->pools) {
            const struct client_class *class = pool->class ? site_class(site, pool->class) : NULL;
            pool->class_number = class ? (unsigned)(class - site->classes.items) + 1 : 0;
        }
}

static int compare_subnets(const void *a, const void *b)
{
    ipv4_t x = (*(const struct subnet *const *)a)->prefix.address;
    ipv4_t y = (*(const struct subnet *const *)b)->prefix.address;
    return (x > y) - (x < y);
}

static int compare_relays(const void *a, const void *b)
{
    ipv4_t x = ((const struct relay *)a)->address, y = ((const struct relay *)b)->address;
    return (x > y) - (x < y);
}

/* A site can have a subnet a rack, and every message asks for its own. */
static void index_subnets(struct site *site)
{
    struct site_index *index = site->index;
    size_t relays = 0;
    index->subnets = xcalloc(site->subnets.n, sizeof(*index->subnets));
    VEC_EACH(subnet, &site->subnets) {
        index->subnets[index->subnets_n++] = subnet;
        relays += subnet->relays.n;
    }
    index->relays = xcalloc(relays, sizeof(*index->relays));
    VEC_EACH(subnet, &site->subnets)
        VEC_EACH(relay, &subnet->relays)
            index->relays[index->relays_n++] = (struct relay){.address = *relay, .subnet = subnet};
    qsort(index->subnets, index->subnets_n, sizeof(*index->subnets), compare_subnets);
    qsort(index->relays, index->relays_n, sizeof(*index->relays), compare_relays);
}

int site_index(struct site *site, struct diags *diags)
{
    int r = 0;
    number_classes(site);
    index_free(site->index);
    site->index = xcalloc(1, sizeof(*site->index));
    index_subnets(site);
    for (enum key key = 0; key < KEYS; key++)
        if (fill_table(site, key, diags) < 0)
            r = -EEXIST;
    return r;
}

static const struct node *find(const struct site *site, enum key key, const struct node *like)
{
    const struct table *table = &site->index->by[key];
    size_t low = 0, high = table->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = keys[key].compare(table->items[middle], like);
        if (order == 0)
            return table->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct node *site_node_by_name(const struct site *site, const char *name)
{
    return find(site, BY_NAME, &(struct node){.name = (char *)(uintptr_t)name});
}

const struct node *site_node_by_mac(const struct site *site, const struct mac *mac)
{
    return find(site, BY_MAC, &(struct node){.mac = *mac});
}

const struct node *site_node_by_ip(const struct site *site, ipv4_t ip)
{
    return find(site, BY_IP, &(struct node){.ip = ip});
}

const struct node *site_node_by_uuid(const struct site *site, const uint8_t uuid[static 16])
{
    struct node like = {0};
    memcpy(like.uuid, uuid, sizeof(like.uuid));
    return find(site, BY_UUID, &like);
}

const struct profile *site_profile(const struct site *site, const char *name)
{
    VEC_EACH(profile, &site->profiles)
        if (str_eq(profile->name, name))
            return profile;
    return NULL;
}

const struct image_def *site_image(const struct site *site, const char *name)
{
    VEC_EACH(image, &site->images)
        if (str_eq(image->name, name))
            return image;
    return NULL;
}

const struct kernel_def *site_kernel(const struct site *site, const char *name)
{
    VEC_EACH(kernel, &site->kernels)
        if (str_eq(kernel->name, name))
            return kernel;
    return NULL;
}

const char *site_modules(const struct site *site, const char *kernel)
{
    const struct kernel_def *def = kernel ? site_kernel(site, kernel) : NULL;
    return def && def->modules.n ? def->name : NULL;
}

bool site_is_fitted(const struct site *site)
{
    VEC_EACH(profile, &site->profiles)
        if (profile->fitted && arch_in(profile_archs(profile), ARCH_X86_64))
            return true;
    return false;
}

const struct client_class *site_class(const struct site *site, const char *name)
{
    VEC_EACH(class, &site->classes)
        if (str_eq(class->name, name))
            return class;
    return NULL;
}

/* The last one that does not begin after the address, if it holds it. */
static const struct subnet *indexed_subnet(const struct site_index *index, ipv4_t address)
{
    size_t low = 0, high = index->subnets_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->subnets[middle]->prefix.address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && prefix_contains(&index->subnets[low - 1]->prefix, address) ? index->subnets[low - 1] : NULL;
}

const struct subnet *site_subnet_of(const struct site *site, ipv4_t address)
{
    if (site->index)
        return indexed_subnet(site->index, address);
    VEC_EACH(subnet, &site->subnets)
        if (prefix_contains(&subnet->prefix, address))
            return subnet;
    return NULL;
}

const struct subnet *site_subnet_of_relay(const struct site *site, ipv4_t relay)
{
    const struct site_index *index = site->index;
    const struct relay *listed = bsearch(&(struct relay){.address = relay}, index->relays, index->relays_n,
                                         sizeof(*index->relays), compare_relays);
    if (listed)
        return listed->subnet;
    const struct subnet *around = indexed_subnet(index, relay);
    return around && around->relays.n == 0 ? around : NULL;
}
