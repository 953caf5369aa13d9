/* What `rambox try` boots: a configuration of its own, made from the built-in one or the user's, with as many
 * nodes as asked for. It lives in a memory file system that is mounted where only this process and its
 * children see it, so it is gone with them. */
#include "base/file.h"
#include "base/str.h"
#include "cli/try.h"
#include "config/config.h"

#include <errno.h>
#include <libfyaml.h>
#include <sched.h>
#include <sys/mount.h>

#define BRIDGE     "rambox0" /* when the site does not name an interface */
#define FIRST_NODE 11        /* n1 gets host 11 of the prefix, when it is free */

/* Hides `path` behind a memory file system, for this process and its children. */
static int mount_folder(const char *path, struct diags *diags)
{
    int r = dir_make(path);
    if (r < 0)
        return diag_errno(diags, r, "cannot make the folder %s", path);
    if (unshare(CLONE_NEWNS) < 0)
        return diag_errno(diags, -errno, "rambox try needs root: it makes a network of its own");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("rambox-try", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        return diag_errno(diags, -errno, "cannot mount a memory file system");
    return 0;
}

/* Sets `key` in the copied rambox.yaml to `value`, which is YAML, whatever it says there. `path` is a mapping
 * that is there, or one at the top that need not be. */
static int set_value(struct try *t, const char *path, const char *key, const char *value)
{
    cleanup_free char *file = xasprintf("%s/rambox.yaml", t->config);
    struct fy_document *document = fy_document_build_from_file(NULL, file);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    struct fy_node *within = root ? fy_node_by_path(root, path, FY_NT, FYNWF_DONT_FOLLOW) : NULL;
    bool usable = within && fy_node_is_mapping(within);
    int r = -1;
    if (root)
        r = fy_document_insert_at(document, usable ? path : "/", FY_NT,
                                  usable ? fy_node_buildf(document, "{%s: %s}", key, value)
                                         : fy_node_buildf(document, "{%s: {%s: %s}}", path + 1, key, value));
    /* The document points into the file, so the text is made before the file is replaced. */
    cleanup_free char *text = r == 0 ? fy_emit_document_to_string(document, FYECF_DEFAULT) : NULL;
    fy_document_destroy(document);
    r = text ? file_write_atomic(file, text, strlen(text), 0644) : -1;
    if (r != 0) {
        diag_error(&t->diags, NULL, "cannot prepare %s", file);
        return -EIO;
    }
    return 0;
}

static bool address_taken(const struct try *t, const struct site *site, const struct subnet *subnet,
                          ipv4_t ip)
{
    VEC_EACH(node, &t->nodes)
        if (node->ip == ip)
            return true;
    VEC_EACH(pool, &subnet->pools)
        if (ip >= pool->first && ip <= pool->last)
            return true;
    return ip == t->address || ip == subnet->router || site_node_by_ip(site, ip);
}

/* The first free host of the subnet from its `from`th on; 0 when all are taken. */
static ipv4_t free_address(const struct try *t, const struct site *site, const struct subnet *subnet,
                           uint32_t from)
{
    ipv4_t first = subnet->prefix.address + 1, last = prefix_broadcast(&subnet->prefix) - 1;
    for (ipv4_t ip = subnet->prefix.address + from; ip <= last && ip >= first; ip++)
        if (!address_taken(t, site, subnet, ip))
            return ip;
    for (ipv4_t ip = first; ip <= last; ip++)
        if (!address_taken(t, site, subnet, ip))
            return ip;
    return 0;
}

static bool is_wanted(const struct try *t, const struct node *node, const struct subnet *subnet)
{
    if (t->options.profile && !str_eq(node->profile, t->options.profile))
        return false;
    return node->ip == 0 ? subnet->pools.n > 0 : prefix_contains(&subnet->prefix, node->ip);
}

/* Nodes of the site, up to as many as asked for. */
static void take_nodes(struct try *t, const struct site *site, const struct subnet *subnet)
{
    VEC_EACH(node, &site->nodes)
        if (t->nodes.n < t->options.nodes && is_wanted(t, node, subnet))
            *VEC_ADD(&t->nodes) = (struct try_node){.name = xstrdup(node->name),
                                                    .mac = node->mac,
                                                    .ip = node->ip,
                                                    .profile = xstrdup(node->profile),
                                                    .machine = LAB_NODE_NONE};
}

/* The rest, made up: n1, n2 ... (skipping names that the site has), each a file of its own. */
static int make_nodes(struct try *t, const struct site *site, const struct subnet *subnet)
{
    cleanup_free char *folder = xasprintf("%s/nodes.d", t->config);
    int r = dir_make(folder);
    for (unsigned i = 1; r == 0 && t->nodes.n < t->options.nodes; i++) {
        cleanup_free char *name = xasprintf("n%u", i);
        struct mac mac = {{0x52, 0x54, 0x00, 0x77, (uint8_t)(i >> 8), (uint8_t)i}};
        char mac_text[MAC_TEXT_MAX], ip_text[IPV4_TEXT_MAX];
        if (site_node_by_name(site, name) || site_node_by_mac(site, &mac))
            continue;
        ipv4_t ip = free_address(t, site, subnet, FIRST_NODE);
        if (ip == 0) {
            diag_error(&t->diags, NULL, "subnet %s has no address left for node %zu of %u", subnet->name,
                       t->nodes.n + 1, t->options.nodes);
            return -ENOSPC;
        }
        const char *profile = t->options.profile ? t->options.profile : "default";
        cleanup_free char *path = xasprintf("%s/try-%s.yaml", folder, name);
        cleanup_free char *text = xasprintf("node: %s\nmac: %s\nip: %s\nprofile: %s\n", name,
                                            mac_format(&mac, mac_text), ipv4_format(ip, ip_text), profile);
        if ((r = file_write_atomic(path, text, strlen(text), 0644)) == 0)
            *VEC_ADD(&t->nodes) = (struct try_node){.name = TAKE_PTR(name),
                                                    .mac = mac,
                                                    .ip = ip,
                                                    .profile = xstrdup(profile),
                                                    .made_up = true,
                                                    .machine = LAB_NODE_NONE};
    }
    return r < 0 ? diag_errno(&t->diags, r, "cannot write node definitions") : 0;
}

/* The subnet of the first node of the profile asked for; the first one when there is none. */
static const struct subnet *choose_subnet(const struct try *t, const struct site *site)
{
    VEC_EACH(node, &site->nodes)
        if (node->ip && (!t->options.profile || str_eq(node->profile, t->options.profile)))
            return site_subnet_of(site, node->ip);
    return site->subnets.items;
}

static const char *choose_interface(const struct site *site, const struct subnet *subnet)
{
    if (subnet->interface)
        return subnet->interface;
    return site->server.interfaces.n ? site->server.interfaces.items[0] : BRIDGE;
}

/* Firmware may need more than the node: what it needs is the least. */
static void choose_memory(struct try *t, const struct profile *profile)
{
    const struct lab_firmware_info *info = lab_firmware_info(t->options.firmware->firmware);
    uint64_t wanted = t->options.memory ? t->options.memory : profile ? profile->memory : 0;
    uint64_t kernel = (uint64_t)t->options.firmware->memory_mb << 20;
    uint64_t needed = kernel > info->memory ? kernel : info->memory;
    t->options.memory = wanted ? wanted : needed;
    if (wanted >= needed || !info->code)
        return;
    if (wanted)
        diag_note(&t->diags, NULL, "%s needs %u MiB of memory, so the nodes have that instead of %u MiB",
                  needed > info->memory ? t->options.firmware->name : info->name, (unsigned)(needed >> 20),
                  (unsigned)(wanted >> 20));
    t->options.memory = needed;
}

/* The profiles of our nodes ask for the loader of the boot path; the built-in one also for a kernel that the
 * firmware can start. */
static int set_profiles(struct try *t)
{
    const struct try_firmware *firmware = t->options.firmware;
    cleanup_free char *console = xasprintf("\"%s,115200\"", lab_firmware_info(firmware->firmware)->console);
    int r = 0;
    VEC_EACH(node, &t->nodes) {
        cleanup_free char *path = xasprintf("/profiles/%s", node->profile);
        if (firmware->loader)
            r = set_value(t, path, "loader", firmware->loader);
        if (r == 0 && firmware->kernel && !t->options.own_config)
            r = set_value(t, path, "kernel", firmware->kernel);
        if (r == 0 && !t->options.own_config)
            r = set_value(t, path, "console", console);
        if (r == 0 && firmware->firmware == LAB_FIRMWARE_ARM64)
            r = set_value(t, path, "arch", "arm64");
        if (r < 0)
            return r;
    }
    return 0;
}

static int plan_site(struct try *t, const struct site *site)
{
    if (t->options.profile && !site_profile(site, t->options.profile)) {
        diag_error(&t->diags, NULL, "there is no profile \"%s\" in the configuration", t->options.profile);
        return -ENOENT;
    }
    const struct subnet *subnet = choose_subnet(t, site);
    t->prefix = subnet->prefix;
    t->address = subnet->router ? subnet->router : free_address(t, site, subnet, 1);
    t->interface = xstrdup(choose_interface(site, subnet));
    take_nodes(t, site, subnet);
    cleanup_free char *secure_boot = NULL;
    int r = make_nodes(t, site, subnet);
    if (r == 0)
        r = set_profiles(t);
    if (r == 0)
        r = try_firmware_keys(t, site, &secure_boot);
    if (r == 0 && secure_boot)
        r = set_value(t, "/", "secure_boot", secure_boot);
    if (r == 0)
        choose_memory(t, site_profile(site, t->nodes.items[0].profile));
    return r;
}

/* A site's built files are kept where its own `rambox build` keeps them; those of the built-in one in the
 * cache. */
static int keep_artifacts(struct try *t, const struct site *site)
{
    cleanup_free char *inside = xasprintf("%s/artifacts", t->state);
    t->artifacts = t->options.own_config ? xasprintf("%s/artifacts", site->server.state_dir)
                                         : xasprintf("%s/try/artifacts", site->server.cache_dir);
    int r = dir_make(t->artifacts);
    if (r == 0)
        r = dir_make(inside);
    if (r == 0 && mount(t->artifacts, inside, NULL, MS_BIND, NULL) < 0)
        r = -errno;
    return r < 0 ? diag_errno(&t->diags, r, "cannot use the folder %s", t->artifacts) : 0;
}

int try_plan(struct try *t)
{
    cleanup_free char *built_in = xasprintf("%s/try", t->context->share_dir);
    const char *dir = t->options.own_config ? t->context->config_dir : built_in;
    CLEANUP(site_free) struct site *site = NULL;
    int r = config_load(dir, t->context->share_dir, &t->diags, &site);
    if (r == 0)
        r = try_firmware_check(t, site);
    if (r < 0)
        return r;
    t->folder = xasprintf("%s/try/run", site->server.cache_dir);
    t->config = xasprintf("%s/config", t->folder);
    t->state = xasprintf("%s/state", t->folder);
    if ((r = mount_folder(t->folder, &t->diags)) < 0)
        return r;
    if ((r = dir_make(t->state)) < 0 || (r = dir_copy(dir, t->config)) < 0)
        return diag_errno(&t->diags, r, "cannot copy %s", dir);
    cleanup_free char *state = xasprintf("\"%s\"", t->state);
    if ((r = keep_artifacts(t, site)) < 0 || (r = set_value(t, "/server", "state", state)) < 0)
        return r;
    return plan_site(t, site);
}
