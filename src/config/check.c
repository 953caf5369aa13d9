/* The checks that need the whole site: names that refer to nothing, duplicates, and how addresses lie to each
 * other. Each says what is wrong at the very value. */
#include "config/check.h"
#include "base/file.h"
#include "base/str.h"
#include "model/class_kernel.h"

#include <errno.h>

enum {
    COMMAND_LINE_SIZE = 2048, /* of the kernel on x86, with its NUL */
    COMMAND_LINE_OURS =
        658, /* what rambox and the loader put there at most, with names of 63 characters:
                ip=, BOOTIF=, rambox.*, the words `console=` and `root=`; BOOT_IMAGE=, initrd= */
    COMMAND_LINE_TRIAL = sizeof("panic=10 trial=86400"), /* of a fitted profile besides */
};

struct fragment_names {
    VEC(char *) list;
};

/* References. */

/* A list of the names of `items`, each of which has a member `name`. */
#define COLLECT(names, items)                                                                                \
    do {                                                                                                     \
        VEC_EACH(item_, items)                                                                               \
            VEC_PUSH(names, item_->name);                                                                    \
        VEC_PUSH(names, NULL);                                                                               \
    } while (0)

static bool exists(const struct site *site, enum ref ref, const char *name)
{
    return ref == REF_PROFILE ? site_profile(site, name) != NULL
           : ref == REF_IMAGE ? site_image(site, name) != NULL
           : ref == REF_CLASS ? site_class(site, name) != NULL
                              : site_kernel(site, name) != NULL;
}

void check_ref(struct check *c, enum ref ref, const char *name, const struct pos *owner, const char *key)
{
    static const char *const nouns[] = {"profile", "image", "kernel", "class"};
    if (!name || exists(c->site, ref, name))
        return;
    VEC(const char *) names = {0};
    if (ref == REF_PROFILE)
        COLLECT(&names, &c->site->profiles);
    else if (ref == REF_IMAGE)
        COLLECT(&names, &c->site->images);
    else if (ref == REF_CLASS)
        COLLECT(&names, &c->site->classes);
    else
        COLLECT(&names, &c->site->kernels);
    const char *nearest = nearest_word(name, names.items);
    struct pos pos = at(c, owner, key, 0);
    if (nearest)
        FAIL(c, &pos, "no %s is named \"%s\"; did you mean \"%s\"?", nouns[ref], name, nearest);
    else
        FAIL(c, &pos, "no %s is named \"%s\"", nouns[ref], name);
    VEC_FREE(&names);
}

/* The kernel's lz4 decoder takes whatever follows an archive for more of it (lib/decompress_unlz4.c). */
static void check_archives(struct check *c, const struct profile *profile, const struct kernel_def *kernel)
{
    const struct image_def *image = profile->image ? site_image(c->site, profile->image) : NULL;
    if (!image || !kernel->modules.n || image->compression != COMPRESSION_LZ4 ||
        str_eq(kernel->compression, "lz4"))
        return;
    struct pos pos = at(c, &profile->pos, "image", 0);
    FAIL(c, &pos,
         "the image %s is compressed with lz4, and the modules of kernel %s behind it are not: the node's "
         "kernel "
         "would stop between them; give the kernel \"compression: lz4\", or the image another one",
         image->name, kernel->name);
}

static void check_menu(struct check *c, const struct profile *profile)
{
    VEC_EACH(entry, &profile->menu.entries)
        check_ref(c, REF_PROFILE, entry->profile, &entry->pos, "profile");
}

/* What goes with `kernel: fitted`, and what goes with it alone. */
static void check_fitted(struct check *c, const struct profile *profile)
{
    if (!profile->fitted) {
        if (profile->discovery)
            FAIL_AT(
                c, &profile->pos, "discovery", 0,
                "\"discovery\" goes with \"kernel: fitted\": it is what boots machines that have no kernel "
                "fitted to them yet; say so, or take it out");
        if (profile->ready_within_s)
            FAIL_AT(c, &profile->pos, "ready_within", 0,
                    "\"ready_within\" goes with \"kernel: fitted\": it is the time of the first boot with a "
                    "fitted kernel; say so, or take it out");
        return;
    }
    if (profile->loader == LOADER_UNIFIED)
        FAIL_AT(c, &profile->pos, "loader", 0,
                "profile %s is fitted, so which kernel a node boots is chosen as it boots, and a unified "
                "image has "
                "one inside; take another loader, or name a kernel",
                profile->name);
    else if (profile->unified)
        FAIL_AT(c, &profile->pos, "unified", 0,
                "profile %s is fitted, so which kernel a node boots is chosen as it boots, and a unified "
                "image has "
                "one inside; take \"unified\" out, or name a kernel",
                profile->name);
}

/* Whether the kernel goes with what the profile has beside it. */
static void check_kernel_of(struct check *c, const struct profile *profile, const struct kernel_def *kernel)
{
    check_archives(c, profile, kernel);
    if (!kernel->initramfs && !profile->image)
        FAIL(c, &profile->pos, "profile %s has no \"image\", and its kernel %s has none built in; add one",
             profile->name, kernel->name);
    if (kernel->initramfs && profile->image) {
        struct pos pos = at(c, &profile->pos, "image", 0);
        FAIL(c, &pos,
             "kernel %s has the image %s built in; take \"image\" out of profile %s, or another kernel",
             kernel->name, kernel->initramfs, profile->name);
    }
}

static void check_profile(struct check *c, const struct profile *profile)
{
    check_ref(c, REF_KERNEL, profile->kernel, &profile->pos, profile->discovery ? "discovery" : "kernel");
    check_ref(c, REF_IMAGE, profile->image, &profile->pos, "image");
    check_menu(c, profile);
    check_fitted(c, profile);
    VEC_EACH(kernel, &c->site->kernels)
        if (str_eq(kernel->name, profile->kernel) || (profile->fitted && is_class_kernel(kernel->name)))
            check_kernel_of(c, profile, kernel);
}

/* Kernels. */

/* Adds the names of a folder's fragments; the strings are the caller's. A folder that is not there has none.
 */
static void add_fragment_names(const char *dir, const char *folder, struct fragment_names *names)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, folder);
    char **files = NULL;
    if (dir_names(path, ".config", &files) < 0)
        return;
    for (char **file = files; *file; file++)
        VEC_PUSH(&names->list, xstrndup(*file, strlen(*file) - strlen(".config")));
    names_free(files);
}

static void check_fragment(struct check *c, const struct kernel_def *kernel, size_t index)
{
    const char *name = kernel->fragments.items[index];
    cleanup_free char *own = xasprintf("%s/kernels/%s.config", c->dir, name);
    cleanup_free char *shared = xasprintf("%s/fragments/%s.config", c->share_dir, name);
    if (file_exists(own) || file_exists(shared))
        return;
    struct fragment_names names = {0};
    add_fragment_names(c->dir, "kernels", &names);
    add_fragment_names(c->share_dir, "fragments", &names);
    VEC_PUSH(&names.list, NULL);
    const char *nearest = nearest_word(name, (const char *const *)names.list.items);
    struct pos pos = at(c, &kernel->pos, "fragments", index);
    if (nearest)
        FAIL(c, &pos, "no kernel fragment is named \"%s\"; did you mean \"%s\"?", name, nearest);
    else
        FAIL(c, &pos, "no kernel fragment is named \"%s\"; yours would be kernels/%s.config", name, name);
    VEC_EACH(it, &names.list)
        free(*it);
    VEC_FREE(&names.list);
}

static void check_kernel(struct check *c, const struct kernel_def *kernel)
{
    check_ref(c, REF_IMAGE, kernel->initramfs, &kernel->pos, "initramfs");
    if (str_eq(kernel->name, KERNEL_FITTED))
        FAIL(
            c, &kernel->pos,
            "no kernel can be called %s: \"kernel: fitted\" in a profile means the one that fits each node's "
            "hardware; rename the file, or give it another \"name\"",
            KERNEL_FITTED);
    for (size_t i = 0; c->share_dir && i < kernel->fragments.n; i++)
        check_fragment(c, kernel, i);
}

/* Nodes. */

static void check_node_ip(struct check *c, const struct node *node)
{
    const struct subnet *subnet = site_subnet_of(c->site, node->ip);
    char ip[IPV4_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
    if (subnet && is_host_address(&subnet->prefix, node->ip) && node->ip != subnet->router)
        return;
    struct pos pos = at(c, &node->pos, "ip", 0);
    ipv4_format(node->ip, ip);
    if (!subnet && c->subnets_known) {
        cleanup_str struct str known = {0};
        VEC_EACH(it, &c->site->subnets)
            str_printf(&known, "%s%s %s", known.len ? ", " : "", it->name,
                       prefix_format(&it->prefix, prefix));
        FAIL(c, &pos, "%s is in no subnet; there is %s", ip, known.len ? str_text(&known) : "none");
    }
    if (!subnet)
        return;
    if (!is_host_address(&subnet->prefix, node->ip))
        FAIL(c, &pos, "%s is the %s address of subnet %s", ip,
             node->ip == subnet->prefix.address ? "network's" : "broadcast", subnet->name);
    else
        FAIL(c, &pos, "%s is the router of subnet %s", ip, subnet->name);
}

static size_t length(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static void check_cmdline(struct check *c, const struct profile *profile, const struct node *node)
{
    size_t n = length(profile->cmdline) + length(profile->console) + length(profile->root) +
               (node ? length(node->cmdline) : 0);
    size_t ours = COMMAND_LINE_OURS + (profile->fitted ? COMMAND_LINE_TRIAL : 0);
    if (n + ours < COMMAND_LINE_SIZE)
        return;
    struct pos pos =
        node && node->cmdline ? at(c, &node->pos, "cmdline", 0) : at(c, &profile->pos, "cmdline", 0);
    FAIL(c, &pos,
         "the kernel command line would have %zu characters of yours; with what rambox adds, %zu fit", n,
         COMMAND_LINE_SIZE - ours - 1);
}

static void check_node(struct check *c, const struct node *node, bool any_pool)
{
    check_ref(c, REF_PROFILE, node->profile, &node->pos, "profile");
    if (node->ip)
        check_node_ip(c, node);
    else if (!any_pool)
        diag_warning(c->m->diags, &node->pos,
                     "node %s has no \"ip\" and no subnet has a pool: it will get no address", node->name);
    const struct profile *profile = site_profile(c->site, node->profile);
    if (profile && node->cmdline)
        check_cmdline(c, profile, node);
}

int check_site(struct mapper *m, struct site *site, const char *dir, const char *share_dir)
{
    struct check c = {.m = m, .site = site, .dir = dir, .share_dir = share_dir};
    bool any_pool = false;
    VEC_EACH(kernel, &site->kernels)
        check_kernel(&c, kernel);
    VEC_EACH(profile, &site->profiles) {
        check_profile(&c, profile);
        check_cmdline(&c, profile, NULL);
    }
    VEC_EACH(class, &site->classes)
        check_ref(&c, REF_PROFILE, class->profile, &class->pos, "profile");
    check_subnets(&c);
    /* In proxy mode, another server has the addresses. */
    VEC_EACH(subnet, &site->subnets)
        any_pool |= subnet->pools.n > 0 || subnet->mode == DHCP_PROXY;
    VEC_EACH(node, &site->nodes)
        check_node(&c, node, any_pool);
    if (site_index(site, m->diags) < 0)
        c.r = -EINVAL;
    return c.r;
}
