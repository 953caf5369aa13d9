/* See modules/closure.h. */
#include "modules/closure.h"
#include "base/file.h"
#include "base/str.h"
#include "image/compress.h"

#include <errno.h>
#include <libkmod.h>
#include <stdlib.h>

enum { DEP_MAX = 16 << 20, MODULE_MAX = 64 << 20 };

/* Drivers by where the kernel's sources have them. A member is taken when a device can bring it; what it
 * needs comes with it. A path that ends in / is a folder. */
static const struct {
    const char *group, *path;
} groups[] = {
    {"network", "kernel/drivers/net/ethernet/"},
    {"network", "kernel/drivers/net/fjes/"},
    {"network", "kernel/drivers/net/hyperv/"},
    {"network", "kernel/drivers/net/phy/"},
    {"network", "kernel/drivers/net/thunderbolt"},
    {"network", "kernel/drivers/net/usb/"},
    {"network", "kernel/drivers/net/virtio_net."},
    {"network", "kernel/drivers/net/vmxnet3/"},
    {"network", "kernel/drivers/net/xen-netfront."},
    {"storage", "kernel/drivers/ata/"},
    {"storage", "kernel/drivers/block/mtip32xx/"},
    {"storage", "kernel/drivers/block/virtio_blk."},
    {"storage", "kernel/drivers/block/xen-blkfront."},
    {"storage", "kernel/drivers/message/fusion/"},
    {"storage", "kernel/drivers/mmc/"},
    {"storage", "kernel/drivers/nvme/host/"},
    {"storage", "kernel/drivers/pci/controller/vmd."},
    {"storage", "kernel/drivers/scsi/"},
    {"storage", "kernel/drivers/ufs/"},
    {"storage", "kernel/drivers/usb/storage/"},
};

/* What makes the devices of a bus appear, which the drivers of those devices do not name. */
static const struct {
    const char *alias, *module;
} carriers[] = {
    {"virtio:", "virtio_pci"}, {"virtio:", "virtio_mmio"}, {"usb:", "xhci_pci"},   {"usb:", "ehci_pci"},
    {"usb:", "ohci_pci"},      {"usb:", "uhci_hcd"},       {"vmbus:", "hv_vmbus"}, {"sdio:", "sdhci_pci"},
    {"mmc:", "sdhci_pci"},     {"mmc:", "sdhci_acpi"},     {"mmc:", "mmc_block"},  {"scsi:", "sd_mod"},
};

struct search {
    struct kmod_ctx *kmod;
    const char *folder;
    const struct pos *at;
    struct diags *diags;
    struct closure *closure;
};

static void free_texts(char **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(items[i]);
    free(items);
}

void closure_clear(struct closure *closure)
{
    VEC_EACH(m, &closure->list) {
        free(m->name);
        free(m->file);
        free(m->path);
        VEC_FREE(&m->needs);
        VEC_FREE(&m->before);
        VEC_FREE(&m->after);
        free_texts(m->aliases.items, m->aliases.n);
        free_texts(m->firmware.items, m->firmware.n);
    }
    VEC_FREE(&closure->list);
}

/* ---- one module ---- */

/* Whether devices show such an alias in /sys or in the kernel's messages. `mdio:` is asked for by the kernel
 * itself, through modprobe. */
static bool is_device_alias(const char *alias)
{
    return strchr(alias, ':') && !str_starts(alias, "devname:") && !str_starts(alias, "mdio:");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the module says of itself. */
static int read_info(const struct search *s, const struct kmod_module *mod, struct module *m)
{
    struct kmod_list *list = NULL, *item;
    int r = kmod_module_get_info(mod, &list);
    if (r < 0)
        return diag_errno(s->diags, r, "cannot read the module %s", m->file);
    kmod_list_foreach(item, list)
    {
        const char *key = kmod_module_info_get_key(item), *value = kmod_module_info_get_value(item);
        if (str_eq(key, "alias") && is_device_alias(value))
            VEC_PUSH(&m->aliases, xstrdup(value));
        else if (str_eq(key, "firmware"))
            VEC_PUSH(&m->firmware, xstrdup(value));
    }
    kmod_module_info_free_list(list);
    if (m->aliases.n)
        qsort(m->aliases.items, m->aliases.n, sizeof(*m->aliases.items), compare_texts);
    return 0;
}

/* kernel/drivers/net/x.ko of /.../6.1.0/kernel/drivers/net/x.ko.xz; the caller's. */
static char *path_in_folder(const struct search *s, const char *file)
{
    size_t n = strlen(s->folder);
    const char *path = strncmp(file, s->folder, n) == 0 && file[n] == '/' ? file + n + 1 : file;
    const char *end = path + strlen(path), *slash = strrchr(path, '/');
    for (const char *dot = slash ? slash : path; (dot = strstr(dot, ".ko")); dot++)
        if (dot[3] == '\0' || dot[3] == '.')
            end = dot + 3;
    return xstrndup(path, (size_t)(end - path));
}

static int add_module(const struct search *s, struct kmod_module *mod, size_t *ret_place);

/* Adds the modules of a list, and their places to `places`. */
static int add_list(const struct search *s, const struct kmod_list *list, struct places *places)
{
    const struct kmod_list *item;
    int r = 0;
    kmod_list_foreach(item, list)
    {
        struct kmod_module *mod = kmod_module_get_module(item);
        size_t place = 0;
        if (!kmod_module_get_path(mod))
            s->closure->built_in++;
        else if ((r = add_module(s, mod, &place)) == 0)
            VEC_PUSH(places, place);
        kmod_module_unref(mod);
        if (r < 0)
            break;
    }
    return r;
}

/* What a name or an alias stands for. *ret_found: anything at all, be it inside the kernel. */
static int add_lookup(const struct search *s, const char *word, struct places *places, bool *ret_found)
{
    struct kmod_list *found = NULL;
    int r = kmod_module_new_from_lookup(s->kmod, word, &found);
    if (r < 0)
        return diag_errno(s->diags, r, "cannot look up the module \"%s\"", word);
    *ret_found = found != NULL;
    r = add_list(s, found, places);
    kmod_module_unref_list(found);
    return r;
}

/* Advice is often an alias (`crypto-crc32c`), which libkmod hands out as a module of that name. It may come
 * to nothing. */
static int add_advised(const struct search *s, const struct kmod_list *list, struct places *places)
{
    const struct kmod_list *item;
    int r = 0;
    kmod_list_foreach(item, list)
    {
        struct kmod_module *mod = kmod_module_get_module(item);
        bool found;
        if (r == 0)
            r = add_lookup(s, kmod_module_get_name(mod), places, &found);
        kmod_module_unref(mod);
    }
    return r;
}

/* Advice may be an alias of the very module that gives it. */
static void drop(struct places *places, size_t place)
{
    size_t n = 0;
    for (size_t i = 0; i < places->n; i++)
        if (places->items[i] != place)
            places->items[n++] = places->items[i];
    places->n = n;
}

/* What goes with the module at `place`. The list may move while it grows. */
static int add_relations(const struct search *s, const struct kmod_module *mod, size_t place)
{
    struct kmod_list *needs = kmod_module_get_dependencies(mod), *before = NULL, *after = NULL;
    struct places found[3] = {0};
    int r = add_list(s, needs, &found[0]);
    kmod_module_unref_list(needs);
    if (r == 0 && kmod_module_get_softdeps(mod, &before, &after) == 0) {
        r = add_advised(s, before, &found[1]);
        if (r == 0)
            r = add_advised(s, after, &found[2]);
        kmod_module_unref_list(before);
        kmod_module_unref_list(after);
    }
    drop(&found[1], place);
    drop(&found[2], place);
    struct module *m = &s->closure->list.items[place];
    m->needs = found[0];
    m->before = found[1];
    m->after = found[2];
    return r;
}

static int add_module(const struct search *s, struct kmod_module *mod, size_t *ret_place)
{
    const char *name = kmod_module_get_name(mod);
    for (size_t i = 0; i < s->closure->list.n; i++)
        if (str_eq(s->closure->list.items[i].name, name)) {
            *ret_place = i;
            return 0;
        }
    size_t place = s->closure->list.n;
    struct module *m = VEC_ADD(&s->closure->list);
    m->name = xstrdup(name);
    m->file = xstrdup(kmod_module_get_path(mod));
    m->path = path_in_folder(s, m->file);
    int r = read_info(s, mod, m);
    if (r == 0)
        r = add_relations(s, mod, place);
    if (r == 0)
        *ret_place = place;
    return r;
}

/* ---- what is wanted ---- */

/* The modules of the folder by their paths, in the order of modules.dep; the caller's, ends with NULL. */
static int read_paths(const struct search *s, char ***ret_paths)
{
    cleanup_free char *file = xasprintf("%s/modules.dep", s->folder);
    cleanup_free char *text = NULL;
    VEC(char *) paths = {0};
    int r = file_read(file, DEP_MAX, &text, NULL);
    if (r < 0)
        return diag_errno(s->diags, r, "cannot read %s", file);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n = strcspn(line, ":\n");
        if (line[n] == ':')
            VEC_PUSH(&paths, xstrndup(line, n));
    }
    VEC_PUSH(&paths, NULL);
    *ret_paths = paths.items;
    return 0;
}

/* The name of the module in a file: net/virtio-x.ko.xz is virtio_x; the caller's. */
static char *name_of_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char *name = xstrndup(base, strcspn(base, "."));
    for (char *p = name; *p; p++)
        if (*p == '-')
            *p = '_';
    return name;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if (str_eq(groups[i].group, word))
            return true;
    return false;
}

static bool is_member(const char *group, const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if (str_eq(groups[i].group, group) && str_starts(path, groups[i].path))
            return true;
    return false;
}

/* Whether a device, or the kernel for a device, would ask for it. */
static bool has_alias(const struct kmod_module *mod)
{
    struct kmod_list *list = NULL, *item;
    bool found = false;
    if (kmod_module_get_info(mod, &list) < 0)
        return false;
    kmod_list_foreach(item, list)
    {
        const char *value = kmod_module_info_get_value(item);
        if (str_eq(kmod_module_info_get_key(item), "alias"))
            found |= is_device_alias(value) || str_starts(value, "mdio:");
    }
    kmod_module_info_free_list(list);
    return found;
}

static int add_group(const struct search *s, const char *group, char *const *paths)
{
    int r = 0;
    for (char *const *path = paths; r == 0 && *path; path++) {
        struct kmod_module *mod = NULL;
        size_t place;
        if (!is_member(group, *path))
            continue;
        cleanup_free char *file = xasprintf("%s/%s", s->folder, *path);
        r = kmod_module_new_from_path(s->kmod, file, &mod);
        if (r < 0)
            return diag_errno(s->diags, r, "cannot read the module %s", file);
        if (has_alias(mod))
            r = add_module(s, mod, &place);
        kmod_module_unref(mod);
    }
    return r;
}

static int no_module(const struct search *s, const char *word, char *const *paths)
{
    VEC(char *) names = {0};
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if (i == 0 || !str_eq(groups[i].group, groups[i - 1].group))
            VEC_PUSH(&names, xstrdup(groups[i].group));
    for (char *const *path = paths; *path; path++)
        VEC_PUSH(&names, name_of_path(*path));
    VEC_PUSH(&names, NULL);
    const char *slash = strrchr(s->folder, '/');
    const char *nearest = nearest_word(word, (const char *const *)names.items);
    diag_error(s->diags, s->at, "Linux %s has no module \"%s\"%s%s%s", slash ? slash + 1 : s->folder, word,
               nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    free_texts(names.items, names.n);
    return -ENOENT;
}

/* A name that no device brings is loaded at once; so is what an alias of no device means. */
static int add_word(const struct search *s, const char *word, char *const *paths)
{
    struct places places = {0};
    bool found = false;
    int r = add_lookup(s, word, &places, &found);
    if (r == 0 && !found)
        r = no_module(s, word, paths);
    for (size_t i = 0; i < places.n; i++) {
        struct module *m = &s->closure->list.items[places.items[i]];
        m->at_once |= m->aliases.n == 0;
    }
    VEC_FREE(&places);
    return r;
}

static bool any_alias(const struct closure *closure, const char *prefix)
{
    VEC_EACH(m, &closure->list)
        VEC_EACH(alias, &m->aliases)
            if (str_starts(*alias, prefix))
                return true;
    return false;
}

/* The drivers of the buses that are there by now; a bus's driver may be on another bus. */
static int add_carriers(const struct search *s)
{
    size_t before;
    int r = 0;
    do {
        before = s->closure->list.n;
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(carriers); i++) {
            struct places places = {0};
            bool found;
            if (any_alias(s->closure, carriers[i].alias))
                r = add_lookup(s, carriers[i].module, &places, &found);
            VEC_FREE(&places);
        }
    } while (r == 0 && s->closure->list.n > before);
    return r;
}

static int find_all(const struct search *s, char *const *wanted, size_t n)
{
    char **paths = NULL;
    int result = read_paths(s, &paths);
    if (result < 0)
        return result;
    for (size_t i = 0; i < n; i++) {
        int r = is_group(wanted[i]) ? add_group(s, wanted[i], paths) : add_word(s, wanted[i], paths);
        result = r < 0 ? r : result;
    }
    names_free(paths);
    return result < 0 ? result : add_carriers(s);
}

int closure_find(const char *folder, char *const *wanted, size_t n, const struct pos *at, struct diags *diags,
                 struct closure *ret_closure)
{
    /* Advice stands in a file of its own; of this machine's settings, nothing is read. */
    cleanup_free char *softdep = xasprintf("%s/modules.softdep", folder);
    cleanup_closure struct closure closure = {0};
    struct search s = {.folder = folder, .at = at, .diags = diags, .closure = &closure};
    s.kmod = kmod_new(folder, (const char *const[]){softdep, NULL});
    if (!s.kmod)
        return diag_errno(diags, -ENOMEM, "cannot read the modules in %s", folder);
    kmod_set_log_priority(s.kmod, 0);
    (void)kmod_load_resources(s.kmod); /* without, it is only slower */
    int r = find_all(&s, wanted, n);
    kmod_unref(s.kmod);
    if (r < 0)
        return r;
    *ret_closure = closure;
    closure = (struct closure){0};
    return 0;
}

int module_read(const struct module *module, struct diags *diags, char **ret_data, size_t *ret_size)
{
    cleanup_free char *packed = NULL;
    size_t size;
    enum compression kind;
    struct memory_sink plain = memory_sink_of(MODULE_MAX);
    int r = file_read(module->file, MODULE_MAX, &packed, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read %s", module->file);
    if (str_ends(module->file, ".ko")) {
        *ret_data = TAKE_PTR(packed);
        *ret_size = size;
        return 0;
    }
    r = decompress(packed, size, MODULE_MAX, &plain.sink, &kind);
    if (r < 0) {
        str_free(&plain.bytes);
        return diag_errno(diags, r, "cannot decompress %s", module->file);
    }
    *ret_size = plain.bytes.len;
    *ret_data = str_steal(&plain.bytes);
    return 0;
}
