/* kernel_edit, see kernel/kernel.h. */
#include "base/file.h"
#include "base/str.h"
#include "kernel/kernel.h"
#include "kernel/work.h"

#include <stdlib.h>

/* The tree's menus are compiled when they are first opened. */
static int check_menu(const struct kernel_work *w, const char *program)
{
    bool menu = str_eq(program, "menuconfig") || str_eq(program, "nconfig");
    if (!menu || file_exists("/usr/include/ncurses.h") || file_exists("/usr/include/ncurses/ncurses.h"))
        return 0;
    return diag_error(w->env->diags, NULL,
                      "%s: ncurses.h is not installed; install with: apt-get install libncurses-dev",
                      w->label);
}

/* Puts changed lines into the user's file for this kernel; what else is in it, and its comments, stay. */
static int save_changes(const struct kernel_work *w, const char *changes, char **ret_path)
{
    cleanup_fragments struct fragments merged = {0}, lines = {0};
    cleanup_str struct str text = {0};
    cleanup_free char *path = kernel_own_config(w);
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    cleanup_free char *heading =
        xasprintf("%s: changes made with `rambox kernel config %s`.", w->name, w->name);
    cleanup_free char *old = NULL;
    /* Read as lines first, so that one that is none is said. */
    int r = file_exists(path) ? fragments_add_file(&merged, path, w->env->diags) : dir_make(folder);
    if (r == 0)
        r = fragments_add_text(&lines, path, changes, w->env->diags);
    if (r < 0)
        return r;
    (void)file_read(path, 4 << 20, &old, NULL);
    fragments_edit(old ? old : "", &lines, heading, &text);
    r = file_write_atomic(path, str_text(&text), text.len, 0644);
    if (r < 0)
        return diag_errno(w->env->diags, r, "%s: cannot write %s", w->label, path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

int kernel_edit(const struct kernel_def *def, const struct build_env *env, const char *program,
                char **ret_path)
{
    cleanup_kernel_work struct kernel_work w = kernel_work_of(def, env);
    cleanup_input struct input input = {0};
    cleanup_free char *changes = NULL;
    if (!env->config_dir)
        return diag_error(env->diags, NULL, "%s: there is no configuration folder to keep changes in",
                          w.label);
    if (def->source.kind == SOURCE_DISTRIBUTION)
        return diag_error(env->diags, &def->pos,
                          "%s: it is the distribution's and has no options to change; a kernel from source: "
                          "{package: linux-source-6.1} has",
                          w.label);
    int r = kernel_merge(&w, NULL);
    if (r == 0)
        r = kernel_check_tools(&w);
    if (r == 0)
        r = check_menu(&w, program);
    if (r == 0)
        r = kernel_find_source(&w, &input);
    if (r < 0)
        return r;
    cleanup_free char *lock_name = xasprintf("kernel-%s", w.name);
    cleanup_close int lock = build_lock(env, lock_name);
    if (lock < 0)
        return lock;
    r = kernel_configure(&w, &input, NULL);
    const char *make_env[KERNEL_MAKE_ENV_MAX];
    struct kbuild b = kernel_kbuild(&w, make_env);
    if (r == 0)
        r = kbuild_edit(&b, env, program, &changes);
    if (r < 0)
        return r;
    if (!changes || changes[0] == '\0') {
        *ret_path = NULL;
        return 0;
    }
    return save_changes(&w, changes, ret_path);
}
