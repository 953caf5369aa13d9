/* See fit/resolve.h. The tree's configuration program is built by the tree's own make, which also leaves the
 * environment that its Kconfig files are read with (the architecture, the compiler and its version), in the
 * file kconfig.env. */
#include "fit/resolve.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"

#include <errno.h>
#include <unistd.h>

/* Raised whenever the folder is to be prepared anew. */
#define RECIPE "resolve 2"

void resolution_free(struct resolution *r)
{
    VEC_EACH(it, &r->list) {
        free(it->symbol);
        free(it->root);
        free(it->because);
        free(it->how);
        free(it->prompt);
    }
    VEC_EACH(it, &r->failures) {
        free(it->symbol);
        free(it->why);
    }
    VEC_FREE(&r->list);
    VEC_FREE(&r->failures);
}

/* ---- what it prints ---- */

/* Splits at tabs; how many of the `max` fields there are. The last one takes the rest. */
static size_t split(char *line, char **fields, size_t max)
{
    size_t n = 0;
    while (n < max) {
        fields[n++] = line;
        char *tab = n < max ? strchr(line, '\t') : NULL;
        if (!tab)
            break;
        *tab = '\0';
        line = tab + 1;
    }
    return n;
}

static void take_line(struct resolution *r, char *line)
{
    char *f[7];
    if (str_starts(line, "@set\t") && split(line, f, 7) == 7)
        VEC_PUSH(&r->list, ((struct resolved){.symbol = xstrdup(f[1]),
                                              .on = str_eq(f[2], "y"),
                                              .root = xstrdup(f[3]),
                                              .because = xstrdup(f[4]),
                                              .how = xstrdup(f[5]),
                                              .prompt = xstrdup(f[6])}));
    else if (str_starts(line, "@fail\t") && split(line, f, 3) == 3)
        VEC_PUSH(&r->failures, ((struct failure){.symbol = xstrdup(f[1]), .why = xstrdup(f[2])}));
}

void resolution_parse(const char *text, struct resolution *ret_resolution)
{
    struct resolution r = {0};
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        cleanup_free char *copy = xstrndup(line, length);
        take_line(&r, copy);
        line += length + (line[length] == '\n');
    }
    *ret_resolution = r;
}

/* ---- the program ---- */

/* The objects of the tree's Kconfig, but for the one with main(). */
static const char *const objects[] = {"confdata.o",   "expr.o",       "lexer.lex.o", "menu.o",
                                      "parser.tab.o", "preprocess.o", "symbol.o",    "util.o"};

static int failed(const struct kbuild *b, const struct build_env *env, const char *what, int r)
{
    if (r == -ENOENT)
        return diag_errno(env->diags, r, "%s: cannot %s; install the packages make and gcc", b->label, what);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot %s", b->label, what);
    diag_error(env->diags, NULL, "%s: cannot %s (status %d); all output is in %s", b->label, what, r, b->log);
    return -EIO;
}

static int run_logged(const struct kbuild *b, const char *const *argv, const char *cwd)
{
    return process_run(&(struct process_spec){.argv = argv, .cwd = cwd, .log_path = b->log, .nice = 0});
}

/* Makes the tree's own conf, and kconfig.env. */
static int make_kconfig(const struct kbuild *b, const struct build_env *env)
{
    cleanup_free char *out = xasprintf("O=%s", b->out);
    VEC(const char *) argv = {0};
    VEC_PUSH(&argv, "make");
    VEC_PUSH(&argv, "-C");
    VEC_PUSH(&argv, b->tree.tree);
    VEC_PUSH(&argv, out);
    for (const char *const *a = b->make_args; a && *a; a++)
        VEC_PUSH(&argv, *a);
    VEC_PUSH(&argv, "allnoconfig");
    /* It is the whole environment, which may be nobody else's business. */
    VEC_PUSH(&argv, "KBUILD_KCONFIG=Kconfig && rm -f kconfig.env && umask 077 && env -0 >kconfig.env");
    VEC_PUSH(&argv, NULL);
    int r = run_logged(b, argv.items, NULL);
    VEC_FREE(&argv);
    return r == 0 ? 0 : failed(b, env, "make the tree's Kconfig program", r);
}

static int compile_program(const struct kbuild *b, const struct build_env *env, const char *source)
{
    cleanup_free char *include = xasprintf("-I%s/scripts/kconfig", b->tree.tree);
    cleanup_free char *include_new = xasprintf("-I%s/scripts/include", b->tree.tree); /* since 6.12 */
    VEC(char *) paths = {0};
    VEC(const char *) argv = {0};
    const char *const begin[] = {"gcc",       "-O1", "-D_GNU_SOURCE", include,
                                 include_new, "-o",  "resolve",       source};
    for (size_t i = 0; i < ARRAY_SIZE(begin); i++)
        VEC_PUSH(&argv, begin[i]);
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        VEC_PUSH(&paths, xasprintf("scripts/kconfig/%s", objects[i]));
        VEC_PUSH(&argv, paths.items[i]);
    }
    VEC_PUSH(&argv, NULL);
    int r = run_logged(b, argv.items, b->out);
    VEC_EACH(path, &paths)
        free(*path);
    VEC_FREE(&paths);
    VEC_FREE(&argv);
    return r == 0 ? 0 : failed(b, env, "compile what resolves dependencies against the tree's Kconfig", r);
}

/* What the program was made from. */
static int stamp_of(const struct kbuild *b, const struct build_env *env, const char *source,
                    char text[static DIGEST_TEXT_MAX])
{
    struct digest digest;
    struct hash hash;
    char hex[DIGEST_TEXT_MAX];
    int r = hash_file(source, &digest);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read %s", source);
    hash_init(&hash);
    hash_field(&hash, RECIPE);
    hash_field(&hash, digest_format(&digest, hex));
    hash_field(&hash, b->tree.tree);
    r = build_hash_compiler(env, "gcc", &hash, NULL);
    if (r < 0)
        return r;
    hash_end(&hash, &digest);
    digest_format(&digest, text);
    return 0;
}

static int prepare(const struct kbuild *b, const struct build_env *env)
{
    cleanup_free char *source = xasprintf("%s/kconfig/resolve.c", env->share_dir);
    cleanup_free char *stamp_path = xasprintf("%s/resolve.stamp", b->out);
    cleanup_free char *program = xasprintf("%s/resolve", b->out);
    cleanup_free char *known = NULL;
    char stamp[DIGEST_TEXT_MAX];
    int r = stamp_of(b, env, source, stamp);
    if (r < 0)
        return r;
    if (file_read(stamp_path, DIGEST_TEXT_MAX, &known, NULL) == 0 && str_eq(known, stamp) &&
        file_exists(program))
        return 0;
    progress_update(env->progress, b->label, 0, 0, "the tree's Kconfig");
    unlink(b->log);
    r = dir_make(b->out);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot make %s", b->label, b->out);
    r = make_kconfig(b, env);
    if (r == 0)
        r = compile_program(b, env, source);
    if (r == 0)
        r = file_write_atomic(stamp_path, stamp, strlen(stamp), 0644);
    return r;
}

/* ---- running it ---- */

static void keep_line(void *user, const char *line)
{
    str_add(user, line);
    str_add(user, "\n");
}

/* The entries of kconfig.env, but for those of the shell and of make. */
static const char **environment_of(char *data, size_t size)
{
    static const char *const own[] = {"PWD=",    "OLDPWD=",           "SHLVL=", "_=", "MAKE",
                                      "MFLAGS=", "KCONFIG_ALLCONFIG="};
    VEC(const char *) env = {0};
    for (char *s = data; s < data + size; s += strlen(s) + 1) {
        bool skip = false;
        for (size_t i = 0; i < ARRAY_SIZE(own); i++)
            skip = skip || str_starts(s, own[i]);
        if (!skip && *s)
            VEC_PUSH(&env, s);
    }
    VEC_PUSH(&env, NULL);
    return env.items;
}

static int run_program(const struct kbuild *b, const struct build_env *env, struct str *out)
{
    cleanup_free char *path = xasprintf("%s/kconfig.env", b->out);
    cleanup_free char *program = xasprintf("%s/resolve", b->out);
    cleanup_free char *data = NULL;
    size_t size = 0;
    int r = file_read(path, 1 << 20, &data, &size);
    if (r < 0)
        return diag_errno(env->diags, r, "cannot read %s", path);
    const char **environment = environment_of(data, size);
    r = process_run(&(struct process_spec){
        .argv = (const char *const[]){program, "Kconfig", "asked.config", "wants", NULL},
        .extra_env = environment,
        .cwd = b->out,
        .on_line = keep_line,
        .user = out,
    });
    free(environment);
    if (r < 0)
        return diag_errno(env->diags, r, "%s: cannot run %s", b->label, program);
    if (r > 0)
        return diag_error(env->diags, NULL, "%s: the tree's Kconfig cannot be read (status %d):\n%s",
                          b->label, r, str_text(out));
    return 0;
}

static int write_input(const struct kbuild *b, const struct build_env *env, const char *name,
                       const struct str *text)
{
    cleanup_free char *path = xasprintf("%s/%s", b->out, name);
    int r = file_write_atomic(path, str_text(text), text->len, 0644);
    return r < 0 ? diag_errno(env->diags, r, "%s: cannot write %s", b->label, path) : 0;
}

int resolve(const struct kbuild *b, const struct build_env *env, const struct fragments *f,
            const char *const *wants, struct resolution *ret_resolution)
{
    cleanup_str struct str asked = {0}, wanted = {0}, printed = {0};
    int r = prepare(b, env);
    fragments_write(f, &asked);
    for (; *wants; wants++)
        str_printf(&wanted, "%s\n", *wants);
    if (r == 0)
        r = write_input(b, env, "asked.config", &asked);
    if (r == 0)
        r = write_input(b, env, "wants", &wanted);
    if (r == 0)
        r = run_program(b, env, &printed);
    if (r < 0)
        return r;
    resolution_parse(str_text(&printed), ret_resolution);
    return 0;
}
