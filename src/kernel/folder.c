/* See kernel/folder.h. */
#include "kernel/folder.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

/* Steps of a whole build of the smallest kernel, for the first progress bar. */
#define USUAL_STEPS 1450
/* Steps that every build has, whatever little changed: links, symbols, the compressed image. */
#define LAST_STEPS 40
/* Objects that a symbol which is turned on brings, roughly. */
#define STEPS_OF_SYMBOL 3
/* Changes that are named one by one. */
#define CHANGES_NAMED 4

#define COMMAND_FILE_LIMIT (1u << 20)

static char *beside(const struct kernel_folder *f, const char *suffix)
{
    return xasprintf("%s%s", f->path, suffix);
}

bool kernel_folder_is_empty(const struct kernel_folder *f)
{
    cleanup_free char *vmlinux = beside(f, "/vmlinux");
    return !file_exists(vmlinux);
}

static bool belongs_to(const char *folder, const char *tree)
{
    cleanup_free char *path = xasprintf("%s.source", folder);
    cleanup_free char *text = NULL;
    return file_read(path, 4096, &text, NULL) == 0 && str_eq(text, tree);
}

/* ---- the nearest folder ---- */

/* Symbols that are asked for in one and not, or differently, in the other. */
static size_t distance(const struct fragments *asked, const struct config_values *other)
{
    size_t n = 0;
    VEC_EACH(it, &asked->list)
        n += !str_eq(it->value, config_value(other, it->name));
    VEC_EACH(it, &other->list)
        n += !str_eq(it->value, "n") && !fragments_find(asked, it->name);
    return n;
}

/* `smallest.arm64` -> `.arm64`: names of definitions have no dot. */
static const char *arch_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? dot : "";
}

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Whether objects can come from `folder`; how far away it is. */
static bool is_donor(const struct kernel_folder *f, const char *folder, size_t *ret_distance)
{
    cleanup_config_values struct config_values values = {0};
    cleanup_free char *asked = xasprintf("%s/asked.config", folder);
    cleanup_free char *vmlinux = xasprintf("%s/vmlinux", folder);
    if (str_eq(folder, f->path) || !str_eq(arch_of(name_in(folder)), arch_of(name_in(f->path))) ||
        !file_exists(vmlinux) || !belongs_to(folder, f->tree) || config_values_read(asked, &values) < 0)
        return false;
    *ret_distance = distance(f->fragments, &values);
    return true;
}

/* The caller's; NULL: there is none. */
static char *nearest_folder(const struct kernel_folder *f)
{
    cleanup_free char *work = xasprintf("%s/work", f->env->cache_dir);
    char **names = NULL, *found = NULL;
    size_t nearest = 0, n = 0;
    if (dir_names(work, ".source", &names) < 0)
        return NULL;
    for (char **name = names; *name; name++) {
        cleanup_free char *folder =
            xasprintf("%s/%.*s", work, (int)(strlen(*name) - strlen(".source")), *name);
        if (!is_donor(f, folder, &n) || (found && n >= nearest))
            continue;
        free(found);
        found = TAKE_PTR(folder);
        nearest = n;
    }
    names_free(names);
    return found;
}

/* ---- copying it ---- */

static _Thread_local const char *old_path, *new_path;

/* The commands that were used to make tools of the kernel's own name their folder; with the old one in them,
 * these tools would be made again, and then everything that they work on. */
static int rename_in_command(const char *path, const struct stat *st, int type, struct FTW *where)
{
    cleanup_free char *text = NULL;
    cleanup_str struct str out = {0};
    (void)st;
    if (type != FTW_F || !str_ends(path, ".cmd") || path[where->base] != '.' ||
        file_read(path, COMMAND_FILE_LIMIT, &text, NULL) < 0)
        return 0;
    const char *rest = text;
    for (const char *hit; (hit = strstr(rest, old_path)); rest = hit + strlen(old_path)) {
        str_add_n(&out, rest, (size_t)(hit - rest));
        str_add(&out, hit[strlen(old_path)] == '/' ? new_path : old_path);
    }
    str_add(&out, rest);
    return rest == text ? 0 : file_write_atomic(path, str_text(&out), out.len, 0644);
}

/* With all times, by which make knows what is up to date. */
static int copy_folder(const struct kernel_folder *f, const char *from)
{
    cleanup_free char *tools = beside(f, "/tools");
    int r = dir_remove(f->path);
    if (r == 0)
        r = process_run(&(struct process_spec){
            .argv = (const char *const[]){"cp", "-a", "--reflink=auto", from, f->path, NULL}});
    if (r != 0)
        return r < 0 ? r : -EIO;
    old_path = from;
    new_path = f->path;
    return file_exists(tools) && nftw(tools, rename_in_command, 32, FTW_PHYS) != 0 ? -EIO : 0;
}

enum { COPIED = 1 };

/* Without a copy there is more to compile, which is no reason to fail. COPIED; 0: the folder is as it was;
 * -errno: part of a copy is in it, which make would take for good. */
static int begin_as_copy(const struct kernel_folder *f)
{
    cleanup_free char *from = nearest_folder(f);
    if (!from)
        return 0;
    cleanup_close int lock = build_try_lock(f->env, name_in(from));
    if (lock < 0)
        return 0;
    progress_update(f->env->progress, f->label, 0, 0, "what another kernel has in common with it");
    int r = copy_folder(f, from);
    return r < 0 ? r : COPIED;
}

int kernel_folder_prepare(const struct kernel_folder *f)
{
    cleanup_free char *stamp = beside(f, ".source");
    bool known = belongs_to(f->path, f->tree);
    if (known && !kernel_folder_is_empty(f))
        return 0;
    unlink(stamp);
    int copied = begin_as_copy(f);
    int r = copied < 0 || (copied == 0 && !known) ? dir_remove(f->path) : 0;
    if (r == 0)
        r = dir_make(f->path);
    if (r == 0)
        r = file_write_atomic(stamp, f->tree, strlen(f->tree), 0644);
    return r < 0 ? diag_errno(f->env->diags, r, "%s: cannot prepare %s", f->label, f->path) : 0;
}

/* ---- how much there is to do ---- */

/* Symbols whose value is another one than when the objects were compiled; sorted. */
static _Thread_local const struct config_values *changed;
static _Thread_local unsigned objects;

static bool names_a_change(const char *text)
{
    static const char mark[] = "include/config/";
    for (const char *at = text; (at = strstr(at, mark));) {
        char name[128];
        at += sizeof(mark) - 1;
        size_t length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        if (length == 0 || length >= sizeof(name))
            continue;
        memcpy(name, at, length);
        name[length] = '\0';
        if (!str_eq(config_value(changed, name), "n"))
            return true;
    }
    return false;
}

/* Kbuild keeps with each object which symbols it depends on. */
static int count_object(const char *path, const struct stat *st, int type, struct FTW *where)
{
    cleanup_free char *text = NULL;
    (void)st;
    if (type == FTW_F && path[where->base] == '.' && str_ends(path, ".o.cmd") &&
        file_read(path, COMMAND_FILE_LIMIT, &text, NULL) == 0 && names_a_change(text))
        objects++;
    return 0;
}

static void note_change(struct config_values *list, const char *name)
{
    VEC_PUSH(&list->list, ((struct asked){.name = xstrdup(name), .value = xstrdup("y")}));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct asked *)a)->name, ((const struct asked *)b)->name);
}

static unsigned steps_of_changes(const struct kernel_folder *f)
{
    cleanup_config_values struct config_values before = {0}, after = {0}, list = {0};
    cleanup_free char *old = beside(f, "/include/config/auto.conf"), *new = beside(f, "/.config");
    unsigned steps = LAST_STEPS;
    if (config_values_read(old, &before) < 0 || config_values_read(new, &after) < 0)
        return 0;
    VEC_EACH(it, &after.list) {
        if (str_eq(it->value, config_value(&before, it->name)))
            continue;
        note_change(&list, it->name);
        steps += str_eq(config_value(&before, it->name), "n") ? STEPS_OF_SYMBOL : 0;
    }
    VEC_EACH(it, &before.list)
        if (str_eq(config_value(&after, it->name), "n"))
            note_change(&list, it->name);
    if (list.list.n == 0)
        return steps;
    qsort(list.list.items, list.list.n, sizeof(*list.list.items), compare_names);
    changed = &list;
    objects = 0;
    (void)nftw(f->path, count_object, 32, FTW_PHYS);
    changed = NULL;
    return steps + objects;
}

unsigned kernel_folder_steps(const struct kernel_folder *f)
{
    cleanup_free char *path = beside(f, ".steps");
    cleanup_free char *text = NULL;
    uint64_t steps;
    if (!kernel_folder_is_empty(f))
        return steps_of_changes(f);
    if (file_read(path, 32, &text, NULL) < 0 || parse_u64(text, 1, 1000000, &steps) < 0)
        return USUAL_STEPS;
    return (unsigned)steps;
}

void kernel_folder_keep_steps(const struct kernel_folder *f, unsigned steps)
{
    cleanup_free char *path = beside(f, ".steps");
    char text[16];
    int n = snprintf(text, sizeof(text), "%u", steps);
    (void)file_write_atomic(path, text, (size_t)n, 0644); /* only the next progress bar would miss it */
}

/* ---- what changed ---- */

/* Parts of a sentence, of which only the first few are named. */
struct changes {
    struct str text;
    unsigned n;
};

static void PRINTF(2, 3) say_change(struct changes *c, const char *fmt, ...)
{
    va_list args;
    if (c->n++ >= CHANGES_NAMED)
        return;
    str_add(&c->text, c->n > 1 ? ", " : "");
    va_start(args, fmt);
    str_vprintf(&c->text, fmt, args);
    va_end(args);
}

/* The line of a record that begins with `key`, without it; the caller's. NULL: none. */
static char *line_of(const char *record, const char *key)
{
    const char *at = strstr(record, key);
    return at ? xstrndup(at + strlen(key), strcspn(at + strlen(key), "\n")) : NULL;
}

static void compare_fact(struct changes *c, const char *what, const char *old, const char *new)
{
    if (old && !str_eq(old, new))
        say_change(c, "%s: %s -> %s", what, old, new);
}

static void compare_symbols(struct changes *c, const struct fragments *before, const struct fragments *after)
{
    VEC_EACH(it, &after->list) {
        const struct asked *old = fragments_find(before, it->name);
        if (str_eq(it->name, "INITRAMFS_SOURCE")) {
            if (!old || !str_eq(old->value, it->value))
                say_change(c, "%s", "the ramdisk in it");
            continue;
        }
        if (!old || !str_eq(old->value, it->value))
            say_change(c, "%s %s -> %s", it->name, old ? old->value : "not asked for", it->value);
    }
    VEC_EACH(it, &before->list)
        if (!fragments_find(after, it->name))
            say_change(c, "%s %s -> not asked for", it->name, it->value);
}

char *kernel_folder_changes(const struct kernel_folder *f, const struct kernel_facts *facts)
{
    cleanup_free char *path = beside(f, ".inputs");
    cleanup_free char *text = NULL;
    cleanup_fragments struct fragments before = {0};
    cleanup_diags struct diags unused = {0};
    struct changes c = {0};
    if (file_read(path, COMMAND_FILE_LIMIT, &text, NULL) < 0 ||
        fragments_add_text(&before, path, text, &unused) < 0)
        return xstrdup("");
    cleanup_free char *source = line_of(text, "# source: "), *compiler = line_of(text, "# compiler: ");
    compare_fact(&c, "source", source, facts->source);
    compare_fact(&c, "compiler", compiler, facts->compiler);
    compare_symbols(&c, &before, f->fragments);
    if (c.n > CHANGES_NAMED)
        str_printf(&c.text, ", and %u more", c.n - CHANGES_NAMED);
    if (c.n == 0)
        str_add(&c.text, "what came out last time is no longer in the cache");
    return str_steal(&c.text);
}

void kernel_folder_keep_facts(const struct kernel_folder *f, const struct kernel_facts *facts)
{
    cleanup_free char *path = beside(f, ".inputs");
    cleanup_str struct str text = {0};
    str_printf(&text, "# source: %s\n# compiler: %s\n", facts->source, facts->compiler);
    fragments_write(f->fragments, &text);
    (void)file_write_atomic(path, str_text(&text), text.len, 0644); /* only a sentence would miss it */
}
