/* See cli/kernel_class.h. */
#include "cli/kernel_class.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/build_session.h"
#include "cli/kernel_fit.h"
#include "cli/store.h"
#include "config/config.h"
#include "model/class_kernel.h"
#include "model/machine.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* FOLLOW_S: between looks at what was reported. FITTED_MAX: kernels that are built without a person's word,
 * those that are there from earlier runs included: each takes minutes, and whoever may boot here can claim to
 * be something new. */
enum { FOLLOW_S = 5, FITTED_MAX = 256 };

/* ---- what is known ---- */

static bool has_kernel(const struct site *site, const char *id)
{
    char name[ARTIFACT_NAME_MAX];
    return site_kernel(site, class_kernel_format(id, false, name)) != NULL;
}

/* Classes that were begun, so that one whose kernel cannot be had is not tried for ever. */
struct begun {
    VEC(char *) ids;
};

static bool was_begun(const struct begun *begun, const char *id)
{
    VEC_EACH(known, &begun->ids)
        if (str_eq(*known, id))
            return true;
    return false;
}

struct known_class {
    char id[MACHINE_CLASS_SIZE];
    bool efi;    /* some machine of it has UEFI firmware */
    bool wanted; /* some machine of it has a profile that says `kernel: fitted` */
    char *label;
    struct hardware hardware; /* of all its machines */
};

struct known_classes {
    const struct site *site;
    const struct begun *begun; /* not NULL: only those without a kernel that are not among them */
    VEC(struct known_class) list;
};

static void known_classes_free(struct known_classes *known)
{
    VEC_EACH(class, &known->list) {
        hardware_free(&class->hardware);
        free(class->label);
    }
    VEC_FREE(&known->list);
}
#define cleanup_known_classes __attribute__((cleanup(known_classes_free)))

static struct known_class *class_of(struct known_classes *known, const char *id)
{
    VEC_EACH(class, &known->list)
        if (str_eq(class->id, id))
            return class;
    struct known_class *class = VEC_ADD(&known->list);
    snprintf(class->id, sizeof(class->id), "%s", id);
    return class;
}

static bool is_fitted(const struct site *site, const char *name)
{
    const struct profile *profile = name ? site_profile(site, name) : NULL;
    return profile && profile->fitted;
}

/* A machine without an entry has the profile of some subnet's unknown ones; which, the store does not say. */
static bool wants_fitted(const struct site *site, const struct mac *mac)
{
    const struct node *node = site_node_by_mac(site, mac);
    if (node)
        return is_fitted(site, node->profile);
    VEC_EACH(subnet, &site->subnets)
        if (subnet->unknown != UNKNOWN_DENY && is_fitted(site, subnet->unknown_profile))
            return true;
    return false;
}

static void add_devices(struct hardware *hardware, const struct machine *machine, const char *label,
                        const char *mac)
{
    VEC_EACH(d, &machine->devices) {
        if (!modalias_looks_like(d->modalias))
            continue;
        struct device device = {
            .modalias = xstrdup(d->modalias), .where = xstrdup(d->where), .driver = xstrdup(d->driver)};
        hardware_add(hardware, &device);
    }
    hardware_add_note(hardware, xasprintf("%s: %s, %zu devices", mac, label, machine->devices.n));
}

static int add_machine(void *user, const struct store_machine *reported)
{
    struct known_classes *known = user;
    if (known->begun &&
        (has_kernel(known->site, reported->class) || was_begun(known->begun, reported->class)))
        return 0;
    struct machine machine = {0};
    cleanup_str struct str label = {0};
    char mac[MAC_TEXT_MAX], error[MACHINE_ERROR_MAX];
    json_t *document = json_loads(reported->json, 0, NULL);
    int r = document ? machine_parse(document, &machine, error, sizeof(error)) : -EINVAL;
    json_decref(document);
    if (r == 0 && machine.arch == ARCH_X86_64) {
        struct known_class *class = class_of(known, reported->class);
        machine_label(&machine, &label);
        class->efi |= machine.efi;
        class->wanted |= wants_fitted(known->site, &reported->mac);
        add_devices(&class->hardware, &machine, str_text(&label), mac_format(&reported->mac, mac));
        if (!class->label)
            class->label = str_steal(&label);
    }
    machine_clear(&machine);
    return 0;
}

/* 0, also without a store; or 1 after saying what is wrong. */
static int read_classes(const struct context *context, const struct site *site, const struct begun *begun,
                        struct known_classes *ret)
{
    bool none = false;
    CLEANUP(store_close) struct store *store = open_reader(context, site->server.state_dir, &none);
    *ret = (struct known_classes){.site = site, .begun = begun};
    if (!store)
        return none ? 0 : 1;
    int r = store_each_machine(store, add_machine, ret);
    if (r < 0)
        fprintf(stderr, "rambox: error: cannot read what nodes reported: %s\n", strerror(-r));
    return r < 0;
}

/* ---- the definition ---- */

/* The definition that class kernels go on top of, as its file says it: the site's, else the one that comes
 * with rambox. */
static int read_base(const struct context *context, struct diags *diags, char **ret_text)
{
    cleanup_free char *own = xasprintf("%s/kernels/class.yaml", context->config_dir);
    cleanup_free char *usual = xasprintf("%s/kernels/class.yaml", context->share_dir);
    const char *path = file_exists(own) ? own : usual;
    int r = file_read(path, 1 << 20, ret_text, NULL);
    return r < 0 ? diag_errno(diags, r, "cannot read %s", path) : 0;
}

struct class_job {
    struct context *context;
    const struct class_request *request;
    const struct known_class *class;
    struct build_session *session;
    char name[ARTIFACT_NAME_MAX]; /* of the kernel */
    char *config, *yaml;          /* its two files */
    char *text;                   /* of the definition; NULL: it is there already, and stays */
    struct built built;
};

static void class_job_end(struct class_job *job)
{
    free(job->config);
    free(job->yaml);
    free(job->text);
}
#define cleanup_class_job __attribute__((cleanup(class_job_end)))

/* The definition, in the site too, so that it can be built before its file is there. */
static int define(struct class_job *job, struct site *site, struct diags *diags)
{
    struct kernel_def def = {0};
    cleanup_free char *base = NULL;
    if (site_kernel(site, job->name))
        return 0;
    int r = read_base(job->context, diags, &base);
    if (r == 0)
        r = config_parse_kernel("kernels/class.yaml", base, strlen(base), diags, &def);
    if (r < 0)
        return r;
    free(def.name);
    def.name = xstrdup(job->name);
    VEC_PUSH(&site->kernels, def);
    /* What machines call themselves is not in it: it comes from the network, and this file is read as YAML.
     */
    job->text =
        xasprintf("# The kernel of a hardware class, by %s --class; its machines and what drives them are in "
                  "%s.config.\n"
                  "# It is yours to change. Without it and that file the class is fitted anew.\n%s",
                  FIT_MADE_BY, job->name, base);
    return 0;
}

/* ---- one class ---- */

static int write_fragment(const struct class_job *job, const struct fit *fit,
                          const struct fit_options *options, struct str *text, struct diags *diags)
{
    cleanup_free char *folder = xasprintf("%s/kernels", job->context->config_dir);
    fit_write(fit, options, text);
    if (job->class->efi)
        str_add(text, "\n# Their firmware is UEFI\nCONFIG_EFI=y\nCONFIG_EFI_STUB=y\n");
    int r = dir_make(folder);
    if (r == 0)
        r = file_write_atomic(job->config, str_text(text), text->len, 0644);
    return r < 0 ? diag_errno(diags, r, "cannot write %s", job->config) : 0;
}

static int build(struct class_job *job)
{
    struct build_session *s = job->session;
    cleanup_build_list struct build_list list = {0};
    cleanup_free char *kernel = xasprintf("kernel/%s", job->name);
    char *const names[] = {kernel, NULL};
    int r = builder_select(s->site, names, &s->diags, &list);
    if (r == 0)
        r = builder_build(s->builder, s->site, &list);
    VEC_EACH(item, &list.items)
        job->built = item->built;
    return r;
}

/* Finds, writes, builds, defines; the definition last. */
static int fit_and_build(struct class_job *job, struct fit *fit, struct str *text)
{
    struct build_session *s = job->session;
    int r = fit_check_target(job->config, &s->diags);
    if (r == 0)
        r = define(job, s->site, &s->diags);
    if (r < 0)
        return r;
    const struct fit_options options = {.name = job->name,
                                        .def = site_kernel(s->site, job->name),
                                        .modules = job->request->modules,
                                        .only = job->request->only,
                                        .without = job->request->without};
    r = fit_find(fit, &options, &s->env);
    if (r == 0)
        r = write_fragment(job, fit, &options, text, &s->diags);
    if (r == 0)
        r = build(job);
    if (r < 0 || !job->text)
        return r;
    r = file_write_atomic(job->yaml, job->text, strlen(job->text), 0644);
    return r < 0 ? diag_errno(&s->diags, r, "cannot write %s", job->yaml) : 0;
}

static json_t *outcome_to_json(const struct class_job *job, const struct fit *fit, const struct str *text)
{
    char hex[DIGEST_TEXT_MAX];
    json_t *document = fit_to_json(fit, job->name, job->config, text);
    json_object_set_new(document, "class", json_string(job->class->id));
    json_object_set_new(document, "sha256", json_string(digest_format(&job->built.artifact, hex)));
    json_object_set_new(document, "size", json_integer((json_int_t)job->built.size));
    return document;
}

static void tell(const struct class_job *job, const struct fit *fit)
{
    char size[SIZE_TEXT_MAX];
    format_size(job->built.size, size);
    if (job->request->follow) {
        log_info("hardware class %s (%s): its kernel %s is built, %s", job->class->id, job->class->label,
                 job->name, size);
        return;
    }
    fit_print(fit, job->name, job->config);
    printf("%s: built, %s; nodes whose profile says `kernel: fitted` boot it once it is published\n",
           job->name, size);
}

/* One class, in a session of its own: definitions may have changed since the last. 0 or -errno after saying
 * why. A document goes to `documents`, unless that is NULL. */
static int fit_class(struct context *context, const struct class_request *request,
                     const struct known_class *class, json_t *documents)
{
    cleanup_build_session struct build_session session = {0};
    cleanup_class_job struct class_job job = {
        .context = context, .request = request, .class = class, .session = &session};
    cleanup_str struct str text = {0};
    struct fit fit = {.hardware = class->hardware}; /* lent */
    class_kernel_format(class->id, false, job.name);
    job.config = xasprintf("%s/kernels/%s.config", context->config_dir, job.name);
    job.yaml = xasprintf("%s/kernels/%s.yaml", context->config_dir, job.name);
    int r = build_session_begin(&session, context);
    if (r == 0)
        r = fit_and_build(&job, &fit, &text);
    report_diags(context, &session.diags);
    if (r == 0 && documents)
        json_array_append_new(documents, outcome_to_json(&job, &fit, &text));
    else if (r == 0)
        tell(&job, &fit);
    fit.hardware = (struct hardware){0};
    fit_free(&fit);
    return r;
}

/* ---- those that are asked for ---- */

/* Whether it is meant: by its digits, or as one of those without a kernel. */
static bool is_meant(const struct class_request *request, const struct site *site,
                     const struct known_class *class)
{
    if (!str_eq(request->class, "all"))
        return str_starts(class->id, request->class);
    return (class->wanted || !request->follow) && !has_kernel(site, class->id);
}

static void name_classes(const struct known_classes *known)
{
    VEC_EACH(class, &known->list)
        fprintf(stderr, "  %s  %s\n", class->id, class->label);
}

/* Digits are of one class. 0 or 1 after saying what is wrong. */
static int check_meant(const struct class_request *request, const struct known_classes *known, size_t meant)
{
    if (str_eq(request->class, "all") || meant == 1)
        return 0;
    fprintf(stderr, "rambox: error: --class %s: %s; ", request->class,
            meant ? "several classes begin with it" : "no node has reported hardware of this class");
    fprintf(stderr, known->list.n ? "there are\n" : "none has reported any (`rambox hardware list`)\n");
    name_classes(known);
    return 1;
}

static int fit_once(struct context *context, const struct class_request *request)
{
    CLEANUP(site_free) struct site *site = load_site(context);
    cleanup_known_classes struct known_classes known = {0};
    if (!site || read_classes(context, site, NULL, &known) != 0)
        return 1;
    size_t meant = 0;
    VEC_EACH(class, &known.list)
        meant += is_meant(request, site, class);
    if (check_meant(request, &known, meant) != 0)
        return 1;
    json_t *documents = context->json ? json_array() : NULL;
    int r = 0;
    VEC_EACH(class, &known.list)
        if (is_meant(request, site, class) && fit_class(context, request, class, documents) < 0)
            r = 1;
    if (!known.list.n && !documents)
        printf("no node has reported what it is made of yet\n");
    else if (!meant && !documents)
        printf("every class of hardware that nodes have reported has its kernel\n");
    if (documents && r == 0)
        return print_json(documents);
    json_decref(documents);
    return r;
}

/* ---- following ---- */

static bool are_enough(const struct site *site, const struct begun *begun)
{
    unsigned there = 0;
    VEC_EACH(kernel, &site->kernels)
        there += is_class_kernel(kernel->name);
    return there >= FITTED_MAX || begun->ids.n > FITTED_MAX;
}

static void begin(struct context *context, const struct site *site, const struct class_request *request,
                  struct begun *begun, const struct known_class *class)
{
    VEC_PUSH(&begun->ids, xstrdup(class->id));
    if (are_enough(site, begun)) {
        log_warning("hardware class %s (%s): %d classes have been fitted already; `rambox kernel fit --class "
                    "%s` makes it a kernel all the same",
                    class->id, class->label, FITTED_MAX, class->id);
        return;
    }
    log_info("hardware class %s (%s): finding and building its kernel", class->id, class->label);
    if (fit_class(context, request, class, NULL) < 0)
        log_error(
            "hardware class %s (%s): no kernel; when the above is corrected, `rambox kernel fit --class "
            "%s` tries again",
            class->id, class->label, class->id);
}

static void follow_once(struct context *context, const struct class_request *request, struct begun *begun)
{
    CLEANUP(site_free) struct site *site = load_site(context);
    cleanup_known_classes struct known_classes known = {0};
    if (!site || read_classes(context, site, begun, &known) != 0)
        return;
    VEC_EACH(class, &known.list)
        if (is_meant(request, site, class))
            begin(context, site, request, begun, class);
}

/* When the file was written last, as one number; 0: there is none. */
static int64_t written(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Changes when the store or the configuration does. */
static int64_t mark_of(const struct context *context, const char *state_dir)
{
    cleanup_free char *log = xasprintf("%s/rambox.db-wal", state_dir);
    cleanup_free char *store = xasprintf("%s/rambox.db", state_dir);
    cleanup_free char *config = xasprintf("%s/rambox.yaml", context->config_dir);
    cleanup_free char *current = xasprintf("%s/generations", state_dir);
    return written(log) ^ written(store) ^ written(config) ^ written(current);
}

_Noreturn static void follow(struct context *context, const struct class_request *request)
{
    struct begun begun = {0};
    cleanup_free char *state_dir = find_state_dir(context);
    int64_t last = -1;
    log_info("following what nodes report, beside the server of %s", state_dir);
    for (;; sleep(FOLLOW_S)) {
        int64_t mark = mark_of(context, state_dir);
        if (mark == last)
            continue;
        last = mark;
        follow_once(context, request, &begun);
    }
}

int fit_classes(struct context *context, const struct class_request *request)
{
    enum { WHO_PROCESS = 1, CLASS_IDLE = 3 << 13 }; /* of ioprio_set(2) */
    (void)setpriority(PRIO_PROCESS, 0, request->nice);
    (void)syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE);
    if (request->follow)
        follow(context, request);
    return fit_once(context, request);
}
