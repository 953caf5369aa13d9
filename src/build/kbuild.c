/* See build/kbuild.h. */
#include "build/kbuild.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>

/* ---- running make ---- */

#define LAST_LINES 30

/* What is watched while make runs: its steps, and its last lines in case it fails. */
struct watch {
    const struct build_env *env;
    const char *label;
    unsigned steps, expected;
    char *last[LAST_LINES]; /* a ring; `next` is the oldest */
    unsigned next;
};

static void watch_clear(struct watch *w)
{
    for (unsigned i = 0; i < LAST_LINES; i++)
        free(w->last[i]);
}

/* Kbuild prints `  CC      kernel/fork.o`: two blanks, the tool in capitals, the file. */
static const char *step_of(const char *line)
{
    size_t length = strspn(line + (str_starts(line, "  ") ? 2 : 0), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    if (!str_starts(line, "  ") || length < 2 || line[2 + length] != ' ')
        return NULL;
    return line + 2 + length + strspn(line + 2 + length, " ");
}

static void watch_line(void *user, const char *line)
{
    struct watch *w = user;
    const char *detail = step_of(line);
    free(w->last[w->next]);
    w->last[w->next] = xstrdup(line);
    w->next = (w->next + 1) % LAST_LINES;
    if (!detail)
        return;
    w->steps++;
    unsigned total = w->expected && w->expected < w->steps ? w->steps : w->expected;
    progress_update(w->env->progress, w->label, w->steps, total, detail);
}

/* The first line that speaks of an error, and what follows it; without one, the last ten lines. */
static void say_last_lines(const struct watch *w, struct str *out)
{
    unsigned from = LAST_LINES - 10;
    for (unsigned i = 0; i < LAST_LINES; i++) {
        const char *line = w->last[(w->next + i) % LAST_LINES];
        if (line && (strstr(line, "rror:") || strstr(line, "undefined reference") || strstr(line, "*** "))) {
            from = i;
            break;
        }
    }
    for (unsigned i = from; i < LAST_LINES; i++) {
        const char *line = w->last[(w->next + i) % LAST_LINES];
        if (line)
            str_printf(out, "\n    %s", line);
    }
}

/* What all runs of make share. `args` ends with NULL; its last one is the target, which messages name. */
static int run_make(const struct kbuild *b, const struct build_env *env, const char *const *args,
                    const char *const *extra_env, struct watch *watch)
{
    VEC(const char *) argv = {0}, environment = {0};
    cleanup_free char *out = xasprintf("O=%s", b->out);
    VEC_PUSH(&argv, "make");
    VEC_PUSH(&argv, "-C");
    VEC_PUSH(&argv, b->tree.tree);
    VEC_PUSH(&argv, out);
    for (const char *const *a = b->make_args; a && *a; a++)
        VEC_PUSH(&argv, *a);
    for (; *args; args++)
        VEC_PUSH(&argv, *args);
    const char *target = args[-1];
    VEC_PUSH(&argv, NULL);
    for (const char *const *e = b->make_env; e && *e; e++)
        VEC_PUSH(&environment, *e);
    for (const char *const *e = extra_env; e && *e; e++)
        VEC_PUSH(&environment, *e);
    VEC_PUSH(&environment, NULL);
    int r = process_run(&(struct process_spec){
        .argv = argv.items,
        .extra_env = environment.items,
        .log_path = watch ? b->log : NULL,
        .inherit_terminal = !watch,
        .nice = watch ? env->nice : 0,
        .on_line = watch ? watch_line : NULL,
        .user = watch,
    });
    VEC_FREE(&argv);
    VEC_FREE(&environment);
    if (r == -ENOENT)
        return diag_errno(env->diags, r, "%s: make is not installed; install the package make", b->label);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot run make", b->label);
    if (r == 0)
        return 0;
    cleanup_str struct str lines = {0};
    if (watch)
        say_last_lines(watch, &lines);
    if (watch)
        diag_error(env->diags, NULL, "%s: make %s failed with status %d; all output is in %s%s", b->label,
                   target, r, b->log, str_text(&lines));
    else
        diag_error(env->diags, NULL, "%s: make %s failed with status %d; it said why above", b->label, target,
                   r);
    return -EIO;
}

/* ---- configuring ---- */

static char *config_path(const struct kbuild *b)
{
    return xasprintf("%s/.config", b->out);
}

/* What was asked for, as the tree's own configuration program gets it. */
static char *asked_config(const struct kbuild *b)
{
    return xasprintf("%s/asked.config", b->out);
}

/* Every symbol that a person can set is off unless asked for; what is left are numbers and strings, which get
 * the tree's defaults. The old allnoconfig turns off what was asked for, too. */
static int write_whole_config(const char *path, const struct kconfig *kconfig, const struct fragments *f)
{
    cleanup_str struct str text = {0};
    const char *last = NULL;
    VEC_EACH(e, &kconfig->entries) {
        bool number = e->type && !str_eq(e->type, "bool") && !str_eq(e->type, "boolean") &&
                      !str_eq(e->type, "tristate");
        if (!number && !str_eq(e->name, last) && !fragments_find(f, e->name))
            str_printf(&text, "# CONFIG_%s is not set\n", e->name);
        last = e->name;
    }
    fragments_write(f, &text);
    return file_write_atomic(path, str_text(&text), text.len, 0644);
}

static struct kconfig_tree tree_of(const struct kbuild *b)
{
    struct kconfig_tree tree = b->tree;
    tree.out = b->out;
    return tree;
}

/* BusyBox makes its Kconfig files while configuring, so something has to be configured before they can be
 * read. */
static int configure_old(const struct kbuild *b, const struct build_env *env, const struct fragments *f,
                         struct watch *watch)
{
    int r = run_make(b, env, (const char *const[]){"allnoconfig", NULL}, NULL, watch);
    if (r < 0)
        return r;
    cleanup_kconfig struct kconfig kconfig = {0};
    cleanup_free char *asked = asked_config(b);
    cleanup_free char *base = xasprintf("KBUILD_DEFCONFIG=%s", asked);
    struct kconfig_tree tree = tree_of(b);
    r = kconfig_read(&tree, &kconfig);
    if (r == 0)
        r = write_whole_config(asked, &kconfig, f);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot write its configuration", b->label);
    return run_make(b, env, (const char *const[]){base, "defconfig", NULL}, NULL, watch);
}

static int configure_new(const struct kbuild *b, const struct build_env *env, const struct fragments *f,
                         struct watch *watch)
{
    cleanup_str struct str text = {0};
    cleanup_free char *asked = asked_config(b);
    cleanup_free char *all = xasprintf("KCONFIG_ALLCONFIG=%s", asked);
    fragments_write(f, &text);
    int r = file_write_atomic(asked, str_text(&text), text.len, 0644);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot write %s", b->label, asked);
    return run_make(b, env, (const char *const[]){"allnoconfig", NULL}, (const char *const[]){all, NULL},
                    watch);
}

int kbuild_configure(const struct kbuild *b, const struct build_env *env, const struct fragments *f)
{
    struct watch watch = {.env = env, .label = b->label};
    int r = dir_make(b->out);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot make the build folder %s", b->label, b->out);
    unlink(b->log);
    r = b->old_kconfig ? configure_old(b, env, f, &watch) : configure_new(b, env, f, &watch);
    watch_clear(&watch);
    return r < 0 ? r : kbuild_check(b, env, f);
}

int kbuild_check(const struct kbuild *b, const struct build_env *env, const struct fragments *f)
{
    cleanup_free char *path = config_path(b);
    cleanup_config_values struct config_values values = {0};
    cleanup_kconfig struct kconfig kconfig = {0};
    bool read = false;
    int result = 0;
    int r = config_values_read(path, &values);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot read %s", b->label, path);
    VEC_EACH(asked, &f->list) {
        const char *value = config_value(&values, asked->name);
        if (str_eq(value, asked->value))
            continue;
        if (!read) {
            struct kconfig_tree tree = tree_of(b);
            (void)kconfig_read(&tree, &kconfig);
            read = true;
        }
        if (asked->if_known && !kconfig_find(&kconfig, asked->name))
            continue;
        /* Off is what everything is that does not exist: a fragment may name symbols of other versions. */
        cleanup_str struct str why = {0};
        kconfig_explain(&kconfig, &values, asked, &why);
        result = diag_error(
            env->diags, (&(struct pos){.file = asked->file, .line = asked->line, .column = asked->column}),
            "%s: %s=%s was asked for and came out as %s: %s", b->label, asked->name, asked->value, value,
            str_text(&why));
    }
    return result;
}

int kbuild_make(const struct kbuild *b, const struct build_env *env, const char *target, unsigned *ret_steps)
{
    char jobs[16];
    struct watch watch = {.env = env, .label = b->label, .expected = b->expected_steps};
    snprintf(jobs, sizeof(jobs), "-j%u", build_jobs(env));
    int r = run_make(b, env, (const char *const[]){jobs, target, NULL}, NULL, &watch);
    watch_clear(&watch);
    if (r == 0)
        *ret_steps = watch.steps;
    return r;
}

/* ---- editing ---- */

/* Writes the minimal configuration, which names only what differs from the tree's defaults, and reads it. */
static int read_minimal(const struct kbuild *b, const struct build_env *env, struct config_values *ret_values)
{
    struct watch watch = {.env = env, .label = b->label};
    cleanup_free char *path = xasprintf("%s/defconfig", b->out);
    int r = run_make(b, env, (const char *const[]){"savedefconfig", NULL}, NULL, &watch);
    watch_clear(&watch);
    if (r < 0)
        return r;
    r = config_values_read(path, ret_values);
    return r < 0 ? diag_errno(env->diags, r, "%s: cannot read %s", b->label, path) : 0;
}

static void add_change(const char *name, const struct config_values *before,
                       const struct config_values *after, struct fragments *changes)
{
    const char *value = config_value(after, name);
    if (!str_eq(value, config_value(before, name)) && !fragments_find(changes, name))
        VEC_PUSH(&changes->list, ((struct asked){.name = xstrdup(name), .value = xstrdup(value)}));
}

/* The symbols in which two minimal configurations differ, with their values in the full one after the edit:
 * what is not minimal follows from these. Besides, whatever was asked for and is gone with them, or the next
 * build would miss it. */
static void collect_changes(const struct config_values *minimal_before,
                            const struct config_values *minimal_after, const struct config_values *asked,
                            const struct config_values *before, const struct config_values *after,
                            struct fragments *changes)
{
    VEC_EACH(it, &minimal_after->list)
        add_change(it->name, before, after, changes);
    VEC_EACH(it, &minimal_before->list)
        add_change(it->name, before, after, changes);
    VEC_EACH(it, &asked->list)
        add_change(it->name, before, after, changes);
}

int kbuild_edit(const struct kbuild *b, const struct build_env *env, const char *program, char **ret_fragment)
{
    cleanup_config_values struct config_values minimal_before = {0}, minimal_after = {0};
    cleanup_config_values struct config_values asked = {0}, before = {0}, after = {0};
    cleanup_fragments struct fragments changes = {0};
    cleanup_str struct str text = {0};
    cleanup_free char *path = config_path(b);
    cleanup_free char *asked_path = asked_config(b);
    int r = read_minimal(b, env, &minimal_before);
    if (r < 0)
        return r;
    r = config_values_read(path, &before);
    if (r == 0)
        r = config_values_read(asked_path, &asked);
    if (r == 0)
        r = run_make(b, env, (const char *const[]){program, NULL}, NULL, NULL);
    if (r == 0)
        r = read_minimal(b, env, &minimal_after);
    if (r == 0)
        r = config_values_read(path, &after);
    if (r < 0)
        return env->diags->errors ? r : diag_errno(env->diags, r, "%s: cannot read %s", b->label, path);
    collect_changes(&minimal_before, &minimal_after, &asked, &before, &after, &changes);
    fragments_write(&changes, &text);
    *ret_fragment = str_steal(&text);
    return 0;
}
