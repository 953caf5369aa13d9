/* See image/plan.h. */
#include "image/plan.h"
#include "base/file.h"
#include "build/fetch.h"
#include "image/busybox.h"
#include "image/folder.h"

#include <errno.h>
#include <sys/stat.h>

#define ZONEINFO "/usr/share/zoneinfo"

struct plan {
    const struct build_env *env;
    const struct image_def *def; /* that the entries in hand belong to */
    struct tree *tree;
};

/* The permissions of an entry: as it says, or `otherwise`. */
static struct tree_attr attr_of(const struct image_entry *entry, mode_t otherwise)
{
    return (struct tree_attr){
        .mode = entry->has_mode ? entry->mode : otherwise, .uid = entry->uid, .gid = entry->gid};
}

static int add_inline(struct plan *p, const struct image_entry *entry)
{
    struct tree_attr attr = attr_of(entry, 0644);
    const char *content = entry->content ? entry->content : "";
    return tree_data(p->tree, entry->path, content, strlen(content), &attr, &entry->pos);
}

/* A file of the host with its own permissions, unless the entry says others. */
static int add_copy(struct plan *p, const struct image_entry *entry)
{
    cleanup_free char *source = definition_path(p->env, &entry->pos, entry->from);
    struct stat st = {0};
    if (stat(source, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) && !entry->has_mode)
        return diag_error(p->env->diags, &entry->pos,
                          "\"%s\" is setuid or setgid; say so with mode: if it is to be so in the image",
                          source);
    struct tree_attr attr = attr_of(entry, st.st_mode & 0777);
    return tree_file(p->tree, entry->path, source, &attr, &entry->pos);
}

static int add_url(struct plan *p, const struct image_entry *entry)
{
    cleanup_input struct input input = {0};
    struct tree_attr attr = attr_of(entry, 0644);
    int r = fetch_url(p->env, entry->from, &entry->sha256, &input);
    return r < 0 ? r : tree_file(p->tree, entry->path, input.path, &attr, &entry->pos);
}

static int add_directory(struct plan *p, const struct image_entry *entry)
{
    struct tree_attr attr = attr_of(entry, 0755);
    return tree_dir(p->tree, entry->path, &attr, &entry->pos);
}

static int add_symlink(struct plan *p, const struct image_entry *entry)
{
    struct tree_attr attr = attr_of(entry, 0777);
    return tree_symlink(p->tree, entry->path, entry->from, &attr, &entry->pos);
}

static int add_hardlink(struct plan *p, const struct image_entry *entry)
{
    return tree_hardlink(p->tree, entry->path, entry->from, &entry->pos);
}

static int add_device(struct plan *p, const struct image_entry *entry)
{
    struct tree_attr attr = attr_of(entry, 0600);
    mode_t type = entry->device == 'b' ? S_IFBLK : S_IFCHR;
    return tree_node(p->tree, entry->path, type, entry->major, entry->minor, &attr, &entry->pos);
}

static bool is_named(void *user, const char *path)
{
    const struct image_def *def = user;
    VEC_EACH(entry, &def->entries)
        if (entry->kind != ENTRY_TREE && str_eq(entry->path, path))
            return true;
    return false;
}

static int add_tree(struct plan *p, const struct image_entry *entry)
{
    cleanup_free char *source = definition_path(p->env, &entry->pos, entry->from);
    struct folder_copy copy = {.tree = p->tree,
                               .pos = &entry->pos,
                               .uid = entry->uid,
                               .gid = entry->gid,
                               .is_named = is_named,
                               .user = (void *)(uintptr_t)p->def};
    return folder_copy(&copy, source, entry->path);
}

static int add_entries(struct plan *p, const struct image_def *def)
{
    static int (*const add[])(struct plan * p, const struct image_entry *entry) = {
        [ENTRY_FILE_INLINE] = add_inline,  [ENTRY_FILE_COPY] = add_copy,  [ENTRY_FILE_URL] = add_url,
        [ENTRY_DIRECTORY] = add_directory, [ENTRY_SYMLINK] = add_symlink, [ENTRY_HARDLINK] = add_hardlink,
        [ENTRY_DEVICE] = add_device,       [ENTRY_TREE] = add_tree,
    };
    int result = 0;
    p->def = def;
    VEC_EACH(entry, &def->entries) {
        int r = add[entry->kind](p, entry);
        result = r < 0 ? r : result;
    }
    return result;
}

/* H15: the local time as the C library reads it. */
static int add_localtime(struct plan *p, const struct image_def *def)
{
    static const struct tree_attr plain = {.mode = 0644};
    cleanup_free char *zone = xasprintf(ZONEINFO "/%s", def->timezone);
    cleanup_free char *normal = NULL;
    const char *why;
    struct stat st;
    int r = tree_path(zone, strlen(zone), &normal, &why);
    if (r < 0)
        return diag_error(p->env->diags, &def->pos, "timezone \"%.100s\" %s", def->timezone, why);
    if (stat(ZONEINFO "/UTC", &st) < 0) {
        diag_error(p->env->diags, &def->pos, "the time zones are missing: install the package tzdata");
        return -ENOENT;
    }
    if (stat(normal, &st) < 0 || !S_ISREG(st.st_mode))
        return diag_error(p->env->diags, &def->pos,
                          "there is no time zone \"%.100s\"; expected one like Europe/Berlin (see " ZONEINFO
                          ")",
                          def->timezone);
    return tree_file(p->tree, "/etc/localtime", normal, &plain, &def->pos);
}

/* What the base holds that depends on the definition. */
static int add_generated(struct plan *p, const struct image_def *def)
{
    static const struct tree_attr plain = {.mode = 0644};
    struct {
        const char *path;
        char *text;
    } files[] = {
        {"/etc/hostname", xasprintf("%s\n", def->hostname)},
        {"/etc/hosts", xasprintf("127.0.0.1 localhost\n127.0.1.1 %s\n", def->hostname)},
        {"/etc/timezone", xasprintf("%s\n", def->timezone)},
        {"/etc/sysconfig/devices", xasprintf("%s\n", def->devices)},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (r == 0)
            r = tree_data(p->tree, files[i].path, files[i].text, strlen(files[i].text), &plain, &def->pos);
        free(files[i].text);
    }
    return r < 0 ? r : add_localtime(p, def);
}

/* H16 */
static int add_busybox(struct plan *p, const struct image_def *def)
{
    static const struct tree_attr program = {.mode = 0755};
    cleanup_free char *path = NULL;
    int r = busybox_find(p->env, def, &path);
    if (r < 0 || !path)
        return r;
    r = tree_file(p->tree, "/bin/busybox", path, &program, &def->pos);
    return r < 0 ? r : tree_symlink(p->tree, "/bin/sh", "busybox", &program, &def->pos);
}

static int add_init(struct plan *p, const struct image_def *def, const char *own)
{
    static const struct tree_attr program = {.mode = 0755};
    if (def->init) {
        cleanup_free char *path = definition_path(p->env, &def->pos, def->init);
        return tree_file(p->tree, "/init", path, &program, &def->pos);
    }
    if (own && !file_exists(own) && p->env->arch == ARCH_ARM64) {
        diag_error(p->env->diags, NULL,
                   "rambox's init for arm64 nodes is missing: expected it at %s; it is made when rambox is "
                   "compiled where "
                   "there are gcc-aarch64-linux-gnu and libc6-dev-arm64-cross: apt-get install both, and "
                   "compile rambox "
                   "again (meson setup --reconfigure)",
                   own);
        return -ENOENT;
    }
    if (!own || !file_exists(own)) {
        diag_error(p->env->diags, NULL,
                   "rambox's init for the nodes is missing: expected it at %s; install rambox whole, "
                   "or set RAMBOX_LIBEXEC to its folder",
                   own ? own : "(nowhere)");
        return -ENOENT;
    }
    int r = tree_file(p->tree, "/init", own, &program, NULL);
    if (r == 0)
        r = tree_hardlink(p->tree, "/sbin/init", "/init", NULL);
    return r < 0 ? r : tree_hardlink(p->tree, "/sbin/rambox-report", "/init", NULL);
}

int image_plan(const struct build_env *env, const struct image_def *def, const struct image_inputs *inputs,
               struct tree **ret_tree)
{
    CLEANUP(tree_free) struct tree *tree = tree_new(env->diags);
    struct plan p = {.env = env, .tree = tree};
    int r = def->base ? add_entries(&p, inputs->base) : 0;
    if (r == 0 && def->base)
        r = add_generated(&p, def);
    if (r == 0)
        r = add_busybox(&p, def);
    if (r == 0)
        r = add_init(&p, def, inputs->init);
    if (r == 0)
        r = add_entries(&p, def);
    if (r < 0)
        return r;
    tree_sort(tree);
    *ret_tree = TAKE_PTR(tree);
    return 0;
}
