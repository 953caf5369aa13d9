/* See serve/describe.h. */
#include "serve/describe.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/cmdline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NODE_UNKNOWN "unknown"

/* Adds text to the command line, each piece behind a blank. */
static void add(struct writer *w, const char *fmt, ...) PRINTF(2, 3);

static void add(struct writer *w, const char *fmt, ...)
{
    char text[CMDLINE_MAX_SIZE];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text)) {
        w->failed = true;
        return;
    }
    if (n == 0)
        return;
    if (w->used)
        writer_u8(w, ' ');
    writer_put(w, text, (size_t)n);
}

/* H11: `ip=<client>:<server>:<gateway>:<netmask>:<hostname>:<device>:off`. Without a device the kernel takes
 * the first that is up, and waits for all of them; a node has the one it booted from. */
static void add_ip(struct writer *w, const struct boot_client *c, const struct profile *profile,
                   const struct subnet *subnet)
{
    char client[IPV4_TEXT_MAX], server[IPV4_TEXT_MAX], router[IPV4_TEXT_MAX] = "", mask[IPV4_TEXT_MAX];
    if (profile->ip == IP_NONE)
        return;
    if (profile->ip == IP_DHCP || !c->ip || !subnet) {
        add(w, "ip=dhcp");
        return;
    }
    if (subnet->router)
        ipv4_format(subnet->router, router);
    add(w, "ip=%s:%s:%s:%s:%s::off", ipv4_format(c->ip, client), ipv4_format(c->server, server), router,
        ipv4_format(prefix_mask(&subnet->prefix), mask), c->node ? c->node->name : "");
}

/* The kernel passes it over; init goes by it where a node has several interfaces. */
static void add_bootif(struct writer *w, const struct boot_client *c)
{
    const uint8_t *b = c->mac.b;
    if (mac_is_unicast(&c->mac))
        add(w, "BOOTIF=01-%02x-%02x-%02x-%02x-%02x-%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void add_reporting(struct writer *w, const struct boot_client *c)
{
    char server[IPV4_TEXT_MAX];
    if (c->server && c->http_port)
        add(w, "rambox.server=%s:%u", ipv4_format(c->server, server), c->http_port);
    if (c->boot)
        add(w, "rambox.boot=%016" PRIx64, c->boot);
    if (c->node)
        add(w, "rambox.node=%s", c->node->name);
}

static int write_cmdline(const struct boot_client *c, const struct profile *profile,
                         const struct subnet *subnet, enum cpu_arch arch, uint32_t trial_s,
                         char cmdline[static CMDLINE_MAX_SIZE])
{
    struct writer w = writer_of(cmdline, CMDLINE_MAX_SIZE);
    char words[CMDLINE_MAX_SIZE];
    add(&w, "rw");
    add_ip(&w, c, profile, subnet);
    add_bootif(&w, c);
    const char *said = profile_words(profile, arch, words, sizeof(words));
    add(&w, "%s", said ? said : "");
    w.failed |= !said;
    add_reporting(&w, c);
    if (trial_s) /* also what dies before init restarts; a profile's own panic= comes later and wins */
        add(&w, "panic=10 trial=%" PRIu32, trial_s);
    if (profile->cmdline)
        add(&w, "%s", profile->cmdline);
    if (c->node && c->node->cmdline)
        add(&w, "%s", c->node->cmdline);
    writer_u8(&w, 0);
    if (w.failed)
        return -E2BIG;
    for (const char *p = cmdline; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return -EINVAL;
    return 0;
}

/* What DHCP found for this boot, as long as it still is in the generation; else what the entry or the subnet
 * says. */
static const struct profile *profile_of(const struct generation *g, const struct boot_client *c,
                                        const struct subnet *subnet)
{
    const struct profile *found = c->profile && c->profile[0] ? site_profile(g->site, c->profile) : NULL;
    if (found && !(c->node && c->node->has_profile))
        return found;
    const char *name = c->node                                     ? c->node->profile
                       : subnet && subnet->unknown != UNKNOWN_DENY ? subnet->unknown_profile
                                                                   : NULL;
    return name ? site_profile(g->site, name) : NULL;
}

/* Which of the profile's builds; ARCH_UNKNOWN: none is for this machine. */
static enum cpu_arch arch_of(const struct boot_client *c, const struct profile *profile)
{
    if (c->arch >= ARCHS)
        return arch_first(profile_archs(profile));
    return arch_in(profile_archs(profile), c->arch) ? c->arch : ARCH_UNKNOWN;
}

/* The path of one of the profile's artifacts, if the generation has it. 0 or -ENOENT. */
static int find_artifact(const struct generation *g, enum artifact_kind kind, const char *definition,
                         enum cpu_arch arch, char path[static ARTIFACT_PATH_MAX])
{
    char name[ARTIFACT_NAME_MAX];
    if (!definition || !generation_artifact(g, kind, artifact_name_format(definition, arch, name)))
        return -ENOENT;
    artifact_path_format(g->number, kind, name, path);
    return 0;
}

/* The kernel of the profile, or of the hardware class, and the modules that go with it. `looks`: as in struct
 * boot_client. */
static int find_kernel(const struct generation *g, const struct boot_client *c, const struct profile *profile,
                       enum cpu_arch arch, bool looks, struct boot_description *d)
{
    const char *modules = site_modules(g->site, profile->kernel);
    struct fitted_choice choice = {0};
    if (profile->fitted && c->fitted && arch == ARCH_X86_64)
        fitted_kernel(c->fitted, c->now,
                      &(struct fitted_request){.generation = g,
                                               .mac = c->mac,
                                               .boot = c->boot,
                                               .node = c->node ? c->node->name : NULL,
                                               .within_s = profile->ready_within_s,
                                               .looks = c->looks || looks},
                      &choice);
    d->trial_s = choice.trial_s;
    if (!choice.kernel[0]) {
        int r = find_artifact(g, ARTIFACT_KERNEL, profile->kernel, arch, d->kernel);
        return r == 0 && modules ? find_artifact(g, ARTIFACT_MODULES, modules, arch, d->modules) : r;
    }
    (void)find_artifact(g, ARTIFACT_MODULES, choice.kernel, arch, d->modules); /* it need not have some */
    return find_artifact(g, ARTIFACT_KERNEL, choice.kernel, arch, d->kernel);
}

static int describe_profile(const struct generation *g, const struct boot_client *c,
                            const struct profile *profile, const struct subnet *subnet, bool looks,
                            struct boot_description *d)
{
    enum cpu_arch arch = arch_of(c, profile);
    *d = (struct boot_description){.generation = g->number,
                                   .name = c->node ? c->node->name : NODE_UNKNOWN,
                                   .server = c->server,
                                   .http_port = c->http || !c->server ? 0 : c->http_port,
                                   .console = profile->console};
    if (arch == ARCH_UNKNOWN)
        return -ENODEV;
    int r = profile->image ? find_artifact(g, ARTIFACT_IMAGE, profile->image, arch, d->image) : 0;
    if (r == 0)
        r = find_kernel(g, c, profile, arch, looks, d);
    return r < 0 ? r : write_cmdline(c, profile, subnet, arch, d->trial_s, d->cmdline);
}

/* What a person may choose is no trial: mostly nobody does.
 * What is not for this machine (a profile of another processor, an artifact that is not built) is left out.
 */
static int describe_menu(const struct generation *g, const struct boot_client *c, const struct menu *menu,
                         const struct subnet *subnet, struct boot_menu **ret_menu)
{
    struct boot_menu *m = calloc(1, sizeof(*m) + menu->entries.n * sizeof(m->items[0]));
    if (!m)
        return -ENOMEM;
    m->timeout_s = menu->timeout_s;
    VEC_EACH(entry, &menu->entries) {
        struct boot_menu_item *item = &m->items[m->n];
        const struct profile *profile = entry->profile ? site_profile(g->site, entry->profile) : NULL;
        if (entry->profile && (!profile || describe_profile(g, c, profile, subnet, true, &item->boot) < 0))
            continue;
        snprintf(item->key, sizeof(item->key), "e%zu", m->n + 1);
        item->title = entry->title;
        item->local = entry->local;
        item->file = entry->file;
        m->n++;
    }
    *ret_menu = m;
    return 0;
}

int boot_describe(const struct generation *g, const struct boot_client *c,
                  struct boot_description *ret_description)
{
    struct boot_description d;
    const struct subnet *subnet = c->ip ? site_subnet_of(g->site, c->ip) : NULL;
    const struct profile *profile = profile_of(g, c, subnet);
    struct boot_menu *menu = NULL;
    if (!profile)
        return -ENOENT;
    int r = describe_profile(g, c, profile, subnet, false, &d);
    if (r == 0 && profile->menu.shown)
        r = describe_menu(g, c, &profile->menu, subnet, &menu);
    d.menu = menu;
    if (r == 0)
        *ret_description = d;
    return r;
}

void boot_description_clear(struct boot_description *d)
{
    free((void *)(uintptr_t)d->menu);
    d->menu = NULL;
}

size_t boot_initrds(const struct boot_description *d, struct boot_initrd ret_initrds[static BOOT_INITRDS_MAX])
{
    size_t n = 0;
    if (d->image[0])
        ret_initrds[n++] = (struct boot_initrd){"image", d->image};
    if (d->modules[0])
        ret_initrds[n++] = (struct boot_initrd){"modules", d->modules};
    return n;
}
