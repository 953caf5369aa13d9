/* rambox kernel size|diff|why: looking at kernels. */
#include "base/file.h"
#include "base/str.h"
#include "cli/build_session.h"
#include "fit/resolve.h"
#include "fit/size.h"
#include "kernel/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct kernel_def *find_kernel(struct build_session *s, const char *name)
{
    const struct kernel_def *def = site_kernel(s->site, name);
    if (!def)
        diag_error(&s->diags, NULL, "there is no kernel \"%s\"; `rambox kernel list` shows them", name);
    return def;
}

/* ---- size ---- */

static int measure(struct build_session *s, const char *name, unsigned depth, struct kernel_size *ret_size)
{
    const struct kernel_def *def = find_kernel(s, name);
    if (!def)
        return -ENOENT;
    if (def->source.kind == SOURCE_DISTRIBUTION)
        return diag_error(
            &s->diags, &def->pos,
            "kernel %s is the distribution's: its objects, which could be measured, are not here", name);
    cleanup_free char *folder = kernel_build_folder(def, &s->env);
    int r = kernel_size_read(folder, depth, &s->diags, ret_size);
    if (r == -ENOENT && s->diags.errors == 0)
        diag_error(&s->diags, NULL,
                   "kernel %s has no build folder here: it was not built yet (`rambox kernel build %s`), or "
                   "only what came "
                   "out was kept",
                   name, name);
    return r;
}

static json_t *size_to_json(const char *name, const struct kernel_size *size)
{
    json_t *parts = json_array();
    VEC_EACH(part, &size->parts)
        json_array_append_new(parts, json_pack("{s:s, s:I, s:I}", "folder", part->folder, "bytes",
                                               (json_int_t)part->bytes, "zeroed", (json_int_t)part->zeroed));
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "kernel", name, "image", (json_int_t)size->image, "bytes",
                     (json_int_t)size->bytes, "zeroed", (json_int_t)size->zeroed, "parts", parts);
}

static void print_size(const char *name, const struct kernel_size *size, uint64_t limit)
{
    char a[SIZE_TEXT_MAX], b[SIZE_TEXT_MAX], c[SIZE_TEXT_MAX];
    printf("%s: bzImage %s; code and data %s, and %s that begin as zero\n", name, format_size(size->image, a),
           format_size(size->bytes, b), format_size(size->zeroed, c));
    for (size_t i = 0; i < size->parts.n && (limit == 0 || i < limit); i++)
        printf("  %10s  %4.1f%%  %s\n", format_size(size->parts.items[i].bytes, a),
               100.0 * (double)size->parts.items[i].bytes / (double)(size->bytes ? size->bytes : 1),
               size->parts.items[i].folder);
}

static int run_size(struct context *context, int argc, char **argv)
{
    const char *depth_text = "2", *limit_text = "25";
    const struct option_spec options[] = {
        {"--depth", NULL, &depth_text}, {"--limit", NULL, &limit_text}, {0}};
    uint64_t depth, limit;
    int n = parse_options(&command_kernel_size, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_kernel_size, n ? "one kernel at a time" : "which kernel?");
    if (parse_u64(depth_text, 1, 10, &depth) < 0 || parse_u64(limit_text, 0, 100000, &limit) < 0)
        return usage_error(&command_kernel_size, "--depth is a number from 1 to 10, --limit one from 0");
    cleanup_build_session struct build_session s = {0};
    cleanup_kernel_size struct kernel_size size = {0};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = measure(&s, argv[1], (unsigned)depth, &size);
    if (report_diags(context, &s.diags) || r < 0)
        return 1;
    if (context->json)
        return print_json(size_to_json(argv[1], &size));
    print_size(argv[1], &size, limit);
    return 0;
}

const struct command command_kernel_size = {
    .name = "kernel size",
    .synopsis = "[--depth N] [--limit N] NAME",
    .summary = "what the bytes of a kernel go to",
    .help = "Adds up the objects of a built kernel by the folders of its tree, largest first: code and data "
            "as they "
            "are\n"
            "before the whole is compressed.\n"
            "\n"
            "Options:\n"
            "  --depth N  tell folders apart down to this level (2)\n"
            "  --limit N  print so many folders (25); 0: all\n"
            "\n"
            "Examples:\n"
            "  rambox kernel size smallest\n"
            "  rambox kernel size --depth 3 --limit 10 smallest\n",
    .run = run_size,
};

/* ---- diff ---- */

struct side {
    const char *name;
    struct config_values config;
    struct kernel_size size;
};

static void side_free(struct side *side)
{
    config_values_free(&side->config);
    kernel_size_free(&side->size);
}
#define cleanup_side __attribute__((cleanup(side_free)))

static int read_side(struct build_session *s, struct side *side)
{
    const struct kernel_def *def = find_kernel(s, side->name);
    if (!def)
        return -ENOENT;
    int r = measure(s, side->name, 2, &side->size);
    if (r < 0)
        return r;
    cleanup_free char *folder = kernel_build_folder(def, &s->env);
    cleanup_free char *path = xasprintf("%s/.config", folder);
    r = config_values_read(path, &side->config);
    return r < 0 ? diag_errno(&s->diags, r, "cannot read %s", path) : 0;
}

static void add_symbol(json_t *list, const char *name, const struct side *a, const struct side *b)
{
    const char *old = config_value(&a->config, name), *new = config_value(&b->config, name);
    if (!str_eq(old, new))
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", name, "a", old, "b", new));
}

/* Symbols of both, by name. */
static json_t *diff_symbols(const struct side *a, const struct side *b)
{
    json_t *list = json_array();
    VEC_EACH(it, &a->config.list)
        add_symbol(list, it->name, a, b);
    VEC_EACH(it, &b->config.list) {
        bool known = false;
        struct asked *end = a->config.list.items + a->config.list.n;
        for (struct asked *other = a->config.list.items; other < end && !known; other++)
            known = str_eq(other->name, it->name);
        if (!known)
            add_symbol(list, it->name, a, b);
    }
    return list;
}

static uint64_t bytes_of(const struct kernel_size *size, const char *folder)
{
    VEC_EACH(part, &size->parts)
        if (str_eq(part->folder, folder))
            return part->bytes;
    return 0;
}

static void add_folder(json_t *list, const char *folder, const struct side *a, const struct side *b)
{
    uint64_t old = bytes_of(&a->size, folder), new = bytes_of(&b->size, folder);
    if (old != new)
        json_array_append_new(
            list, json_pack("{s:s, s:I}", "folder", folder, "bytes", (json_int_t) new - (json_int_t)old));
}

static json_t *diff_folders(const struct side *a, const struct side *b)
{
    json_t *list = json_array();
    VEC_EACH(part, &a->size.parts)
        add_folder(list, part->folder, a, b);
    VEC_EACH(part, &b->size.parts)
        if (bytes_of(&a->size, part->folder) == 0)
            add_folder(list, part->folder, a, b);
    return list;
}

static void print_diff(const struct side *a, const struct side *b, const json_t *symbols,
                       const json_t *folders)
{
    size_t i;
    json_t *item;
    json_array_foreach(symbols, i, item)
        printf("  %s: %s -> %s\n", json_string_value(json_object_get(item, "name")),
               json_string_value(json_object_get(item, "a")), json_string_value(json_object_get(item, "b")));
    json_array_foreach(folders, i, item)
        printf("  %+10lld bytes  %s\n", (long long)json_integer_value(json_object_get(item, "bytes")),
               json_string_value(json_object_get(item, "folder")));
    printf("%s -> %s: %zu symbols, %+lld bytes of code and data, %+lld bytes of bzImage\n", a->name, b->name,
           json_array_size(symbols), (long long)b->size.bytes - (long long)a->size.bytes,
           (long long)b->size.image - (long long)a->size.image);
}

static int run_diff(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_kernel_diff, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 2)
        return usage_error(&command_kernel_diff, "which two kernels?");
    cleanup_build_session struct build_session s = {0};
    cleanup_side struct side a = {.name = argv[1]};
    cleanup_side struct side b = {.name = argv[2]};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = read_side(&s, &a);
    if (r == 0)
        r = read_side(&s, &b);
    if (report_diags(context, &s.diags) || r < 0)
        return 1;
    json_t *symbols = diff_symbols(&a, &b), *folders = diff_folders(&a, &b);
    if (context->json)
        return print_json(json_pack("{s:s, s:s, s:o, s:o, s:I, s:I}", "a", a.name, "b", b.name, "symbols",
                                    symbols, "folders", folders, "bytes",
                                    (json_int_t)b.size.bytes - (json_int_t)a.size.bytes, "image",
                                    (json_int_t)b.size.image - (json_int_t)a.size.image));
    print_diff(&a, &b, symbols, folders);
    json_decref(symbols);
    json_decref(folders);
    return 0;
}

const struct command command_kernel_diff = {
    .name = "kernel diff",
    .synopsis = "A B",
    .summary = "what two built kernels differ in, in symbols and bytes",
    .help =
        "Each symbol that has another value in B than in A, how many bytes each folder of the tree gained or "
        "lost, and\n"
        "the two sums: before compression, and of the bzImage. Both kernels are built before (`rambox kernel "
        "build`).\n"
        "\n"
        "Examples:\n"
        "  rambox kernel diff smallest howto\n",
    .run = run_diff,
};

/* ---- why ---- */

/* What is known of one symbol in one kernel. */
struct why {
    const char *symbol;
    const struct asked *asked; /* the line that asks for it, or NULL */
    const struct resolution *resolution;
};

static bool is_failed(const struct why *w)
{
    return w->resolution->failures.n > 0;
}

/* On without more: nothing fails, nothing has to be set. */
static bool is_on(const struct why *w)
{
    return !is_failed(w) && w->resolution->list.n == 0;
}

static void print_why(const struct why *w, const char *kernel)
{
    if (w->asked)
        printf("%s=%s is asked for in %s:%u\n", w->symbol, w->asked->value, w->asked->file, w->asked->line);
    if (is_failed(w)) {
        printf("%s is off in %s and cannot be on: %s\n", w->symbol, kernel,
               w->resolution->failures.items[0].why);
        return;
    }
    if (is_on(w)) {
        printf("%s is on in %s%s\n", w->symbol, kernel,
               w->asked ? "" : ", because something that is asked for selects it or it is on by default");
        return;
    }
    printf("%s is off in %s; to have it, add:\n", w->symbol, kernel);
    VEC_EACH(r, &w->resolution->list)
        printf("  %s: %s    # %s%s%s%s\n", r->symbol, r->on ? "y" : "n", r->prompt, r->prompt[0] ? "; " : "",
               str_eq(r->symbol, r->because) ? "" : "for ",
               str_eq(r->symbol, r->because) ? "itself" : r->because);
}

static json_t *why_to_json(const struct why *w, const char *kernel)
{
    json_t *needs = json_array();
    VEC_EACH(r, &w->resolution->list)
        json_array_append_new(needs, json_pack("{s:s, s:s, s:s, s:s}", "name", r->symbol, "value",
                                               r->on ? "y" : "n", "because", r->because, "how", r->how));
    return json_pack("{s:s, s:s, s:b, s:s?, s:i, s:o, s:s?}", "kernel", kernel, "symbol", w->symbol, "on",
                     is_on(w), "file", w->asked ? w->asked->file : NULL, "line",
                     w->asked ? (int)w->asked->line : 0, "needs", needs, "failure",
                     is_failed(w) ? w->resolution->failures.items[0].why : NULL);
}

static int look_up(struct build_session *s, const struct kernel_def *def, const char *symbol,
                   struct kernel_inputs *inputs, struct resolution *resolution)
{
    char hex[DIGEST_TEXT_MAX];
    int r = kernel_inputs(def, &s->env, true, inputs);
    if (r < 0)
        return r;
    digest_format(&inputs->source, hex);
    cleanup_free char *name = xasprintf("kconfig-%.16s", hex);
    cleanup_free char *out = xasprintf("%s/work/%s", s->env.cache_dir, name);
    cleanup_free char *log = xasprintf("%s.log", out);
    cleanup_close int lock = build_lock(&s->env, name);
    if (lock < 0)
        return lock;
    const struct kbuild b = {.label = def->name,
                             .out = out,
                             .tree = {.tree = inputs->tree, .top = "Kconfig", .srcarch = "x86"},
                             .make_args = inputs->make_args,
                             .log = log};
    return resolve(&b, &s->env, &inputs->fragments, (const char *const[]){symbol, NULL}, resolution);
}

static int run_why(struct context *context, int argc, char **argv)
{
    const char *kernel = "smallest";
    const struct option_spec options[] = {{"--kernel", NULL, &kernel}, {0}};
    int n = parse_options(&command_kernel_why, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_kernel_why, n ? "one symbol at a time" : "which symbol?");
    const char *symbol = str_starts(argv[1], "CONFIG_") ? argv[1] + strlen("CONFIG_") : argv[1];
    if (symbol[0] == '\0' || symbol[strspn(symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                                   "0123456789_")])
        return usage_error(&command_kernel_why, "\"%s\" is no symbol; expected a name like E1000E", symbol);
    cleanup_build_session struct build_session s = {0};
    cleanup_kernel_inputs struct kernel_inputs inputs = {0};
    cleanup_resolution struct resolution resolution = {0};
    int r = build_session_begin(&s, context);
    const struct kernel_def *def = r == 0 ? find_kernel(&s, kernel) : NULL;
    if (def)
        r = look_up(&s, def, symbol, &inputs, &resolution);
    if (report_diags(context, &s.diags) || r < 0 || !def)
        return 1;
    const struct why why = {
        .symbol = symbol, .asked = fragments_find(&inputs.fragments, symbol), .resolution = &resolution};
    if (context->json)
        return print_json(why_to_json(&why, kernel));
    print_why(&why, kernel);
    return 0;
}

const struct command command_kernel_why = {
    .name = "kernel why",
    .synopsis = "[--kernel NAME] SYMBOL",
    .summary = "why a symbol is on or off, and what it would need",
    .help = "Says which line asks for the symbol, whether it is on in a kernel, and if not, everything that "
            "has to be "
            "added\n"
            "for it, found by the Kconfig of that kernel's own tree; or what makes it impossible.\n"
            "\n"
            "Options:\n"
            "  --kernel NAME  in which kernel (smallest)\n"
            "\n"
            "Examples:\n"
            "  rambox kernel why E1000E\n"
            "  rambox kernel why --kernel howto BLK_DEV_NVME\n",
    .run = run_why,
};
