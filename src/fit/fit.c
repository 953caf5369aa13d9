/* See fit/fit.h: the order of things, and what becomes of symbols that cannot be had. */
#include "fit/fit.h"
#include "base/str.h"
#include "kernel/kernel.h"

#include <errno.h>

const char *device_outcome_name(enum device_outcome outcome)
{
    static const char *const names[] = {
        [DEVICE_DRIVEN] = "driven",     [DEVICE_ALWAYS] = "needs none",     [DEVICE_NO_DRIVER] = "no driver",
        [DEVICE_LEFT_OUT] = "left out", [DEVICE_NOT_DRIVEN] = "not driven",
    };
    return names[outcome];
}

void fit_free(struct fit *f)
{
    VEC_EACH(d, &f->devices) {
        VEC_FREE(&d->drivers);
        free(d->reason);
    }
    VEC_EACH(d, &f->drivers) {
        free(d->name);
        free(d->failure);
        free(d->why);
        driver_symbols_free(&d->symbols);
    }
    VEC_FREE(&f->devices);
    VEC_FREE(&f->drivers);
    VEC_FREE(&f->firmware);
    hardware_free(&f->hardware);
    catalog_free(&f->catalog);
    resolution_free(&f->resolution);
    free(f->base);
    free(f->source);
}

/* ---- what is wanted ---- */

struct wants {
    VEC(char *) list;
};

static void add_want(struct wants *w, const char *symbol)
{
    VEC_EACH(known, &w->list)
        if (str_eq(*known, symbol))
            return;
    VEC_PUSH(&w->list, xstrdup(symbol));
}

/* Drivers first, the folders that they are in afterwards: these are mostly on by then. */
static void collect_wants(const struct fit *fit, struct wants *w)
{
    VEC_EACH(driver, &fit->drivers)
        if (!driver->failure && driver->symbols.symbol)
            add_want(w, driver->symbols.symbol);
    VEC_EACH(driver, &fit->drivers)
        if (!driver->failure)
            VEC_EACH(gate, &driver->symbols.gates)
                add_want(w, *gate);
}

/* Whether `symbol` is what was wanted, or the first of several that were joined. */
static bool is_first_of(const char *wanted, const char *symbol)
{
    size_t length = strlen(symbol);
    return wanted && strncmp(wanted, symbol, length) == 0 &&
           (wanted[length] == '\0' || wanted[length] == '|');
}

/* Marks the drivers whose symbols failed. */
static void mark_failure(struct fit *fit, const char *symbol, const char *why)
{
    VEC_EACH(driver, &fit->drivers) {
        bool hit = is_first_of(driver->symbols.symbol, symbol);
        VEC_EACH(gate, &driver->symbols.gates)
            hit = hit || is_first_of(*gate, symbol);
        if (hit && !driver->failure)
            driver->failure = xasprintf("%s cannot be on: %s", symbol, why);
    }
}

/* A device all of whose drivers failed is not driven; one that lost some says so. */
static void settle_devices(struct fit *fit)
{
    VEC_EACH(d, &fit->devices) {
        const char *failure = NULL;
        size_t good = 0;
        VEC_EACH(index, &d->drivers) {
            const struct fit_driver *driver = &fit->drivers.items[*index];
            failure = driver->failure ? driver->failure : failure;
            good += !driver->failure;
        }
        if (d->outcome != DEVICE_DRIVEN || !failure)
            continue;
        if (good == 0)
            d->outcome = DEVICE_NOT_DRIVEN;
        free(d->reason);
        d->reason = xstrdup(failure);
    }
}

/* ---- checking ---- */

/* Configures the tree with everything; whatever did not survive is named by kbuild_check. */
static int check(const struct fit *fit, const struct kbuild *b, const struct build_env *env,
                 const struct kernel_inputs *inputs)
{
    cleanup_fragments struct fragments all = {0};
    cleanup_diags struct diags quiet = {0};
    const struct pos at = {.file = "fit"};
    fragments_add_all(&all, &inputs->fragments);
    VEC_EACH(resolved, &fit->resolution.list)
        fragments_set(&all, resolved->symbol, resolved->on ? "y" : "n", &at, &quiet);
    return kbuild_configure(b, env, &all);
}

static char *source_text(const struct kernel_def *def)
{
    return xstrdup(def->source.where);
}

static char *base_text(const struct kernel_def *def)
{
    struct str out = {0};
    VEC_EACH(name, &def->fragments)
        str_printf(&out, "%s%s", out.len ? ", " : "", *name);
    return str_steal(&out);
}

static int resolve_all(struct fit *fit, const struct kbuild *b, const struct build_env *env,
                       const struct kernel_inputs *inputs)
{
    struct wants wants = {0};
    collect_wants(fit, &wants);
    VEC_PUSH(&wants.list, NULL);
    int r = resolve(b, env, &inputs->fragments, (const char *const *)wants.list.items, &fit->resolution);
    VEC_EACH(want, &wants.list)
        free(*want);
    VEC_FREE(&wants.list);
    if (r < 0)
        return r;
    VEC_EACH(failure, &fit->resolution.failures)
        mark_failure(fit, failure->symbol, failure->why);
    settle_devices(fit);
    return check(fit, b, env, inputs);
}

int fit_find(struct fit *fit, const struct fit_options *options, const struct build_env *env)
{
    cleanup_kernel_inputs struct kernel_inputs inputs = {0};
    char hex[DIGEST_TEXT_MAX];
    int r = kernel_inputs(options->def, env, false, &inputs);
    if (r == 0)
        r = catalog_get(env, options->modules, &fit->catalog);
    if (r < 0)
        return r;
    digest_format(&inputs.source, hex);
    cleanup_free char *lock_name = xasprintf("kconfig-%.16s", hex);
    cleanup_free char *label = xasprintf("fit %s", options->name);
    cleanup_free char *out = xasprintf("%s/work/%s", env->cache_dir, lock_name);
    cleanup_free char *log = xasprintf("%s.log", out);
    cleanup_close int lock = build_lock(env, lock_name);
    if (lock < 0)
        return lock;
    const struct kbuild b = {
        .label = label,
        .out = out,
        .tree = {.tree = inputs.tree, .top = "Kconfig", .srcarch = "x86"},
        .make_args = inputs.make_args,
        .log = log,
    };
    fit->base = base_text(options->def);
    fit->source = source_text(options->def);
    fit_match(fit, inputs.tree, options);
    return resolve_all(fit, &b, env, &inputs);
}
