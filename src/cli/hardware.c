/* rambox hardware list, show, retry: what nodes reported of their hardware, by the classes that it forms. */
#include "base/str.h"
#include "cli/machines.h"
#include "config/config.h"
#include "publish/publish.h"
#include "serve/boot.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* What these commands look at. */
struct view {
    const struct context *context;
    char *state_dir;
    struct site *site;             /* NULL: the configuration cannot be read */
    struct generation *generation; /* the current one; NULL: none */
    struct seen_machines machines;
};

static void view_free(struct view *view)
{
    seen_machines_free(&view->machines);
    generation_unref(view->generation);
    site_free(view->site);
    free(view->state_dir);
}

/* A generation that cannot be read is for others to complain about. */
static void load_current(struct view *view)
{
    cleanup_diags struct diags unused = {0};
    (void)generation_load(view->state_dir, 0, &unused, &view->generation);
}

static const char *name_of(const struct view *view, const struct seen_machine *m,
                           char buf[static MAC_TEXT_MAX])
{
    const struct node *node = view->site ? site_node_by_mac(view->site, &m->mac) : NULL;
    return node ? node->name : m->node[0] ? m->node : mac_format(&m->mac, buf);
}

static json_t *texts_to_json(char *const *texts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

/* ---- list ---- */

/* One class: the machines from `first` on. */
struct class_row {
    const struct seen_machine *first;
    size_t n;
    struct machine machine; /* the one that reported last */
    struct machine_counts counts;
    const char *kernel;
};

/* Fills the row; its machines follow each other. 0, or 1 after saying what is wrong. */
static int read_row(const struct view *view, const struct seen_machine *first, struct class_row *ret_row)
{
    const struct seen_machine *end = view->machines.list.items + view->machines.list.n;
    struct class_row row = {.first = first};
    const struct trial *trial;
    int status = 0;
    for (const struct seen_machine *m = first; m < end && str_eq(m->class, first->class); m++) {
        row.n++;
        if (m->json)
            status = seen_machine_parse(m, &row.machine);
    }
    row.counts = machine_count(&row.machine);
    row.kernel = class_kernel_state(&view->machines, view->generation, first->class, &trial);
    *ret_row = row;
    return status;
}

static json_t *row_to_json(const struct view *view, const struct class_row *row)
{
    char buf[MAC_TEXT_MAX];
    cleanup_str struct str label = {0};
    json_t *machines = json_array();
    machine_label(&row->machine, &label);
    for (size_t i = 0; i < row->n; i++)
        json_array_append_new(machines, json_string(name_of(view, row->first + i, buf)));
    return json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:o, s:s}", "class", row->first->class, "label",
                     str_text(&label), "arch", arch_name(row->machine.arch), "machines", machines, "devices",
                     (int)row->counts.devices, "without_driver", (int)row->counts.undriven,
                     "missing_firmware",
                     texts_to_json(row->machine.missing_firmware.items, row->machine.missing_firmware.n),
                     "kernel", row->kernel);
}

static void print_row(const struct class_row *row)
{
    cleanup_str struct str label = {0};
    machine_label(&row->machine, &label);
    printf("%-12s  %8zu  %7u  %14u  %16zu  %-7s %s\n", row->first->class, row->n, row->counts.devices,
           row->counts.undriven, row->machine.missing_firmware.n, row->kernel, str_text(&label));
}

static int list_classes(const struct view *view)
{
    json_t *document = view->context->json ? json_array() : NULL;
    int status = 0;
    if (!document && view->machines.list.n)
        printf("%-12s  %8s  %7s  %14s  %16s  %-7s %s\n", "CLASS", "MACHINES", "DEVICES", "WITHOUT DRIVER",
               "MISSING FIRMWARE", "KERNEL", "LABEL");
    for (size_t i = 0; i < view->machines.list.n;) {
        struct class_row row;
        status |= read_row(view, &view->machines.list.items[i], &row);
        i += row.n;
        if (document)
            json_array_append_new(document, row_to_json(view, &row));
        else
            print_row(&row);
        machine_clear(&row.machine);
    }
    if (document)
        print_json(document);
    else if (view->machines.list.n == 0)
        puts("No node has reported its hardware yet: one does when it is ready, if its image has rambox's "
             "init.");
    return status;
}

static int run_list(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_hardware_list, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_hardware_list, "it takes no operand");
    struct view view = {
        .context = context, .state_dir = find_state_dir(context), .site = load_names(context)};
    int status =
        seen_machines_read(context, view.state_dir, &(struct seen_wanted){.newest = true}, &view.machines);
    load_current(&view);
    if (status == 0)
        status = list_classes(&view);
    view_free(&view);
    return status;
}

/* ---- show ---- */

/* What the operand names: a class, or one machine. 0, or 1 after saying that there is none. */
static int find_wanted(const struct view *view, const char *name, struct seen_wanted *ret_wanted,
                       struct mac *ret_mac)
{
    const struct node *node = view->site ? site_node_by_name(view->site, name) : NULL;
    bool is_mac = mac_parse(name, ret_mac) == 0;
    VEC(const char *) known = {0};
    *ret_wanted = (struct seen_wanted){0};
    VEC_EACH(m, &view->machines.list)
        if (str_eq(m->class, name))
            ret_wanted->class = m->class;
    VEC_EACH(m, &view->machines.list)
        if (!ret_wanted->class && (node ? mac_equal(&node->mac, &m->mac)
                                        : str_eq(m->node, name) || (is_mac && mac_equal(ret_mac, &m->mac)))) {
            *ret_mac = m->mac;
            ret_wanted->mac = ret_mac;
        }
    if (ret_wanted->class || ret_wanted->mac)
        return 0;
    VEC_EACH(m, &view->machines.list)
        if (m->node[0])
            VEC_PUSH(&known, m->node);
    VEC_PUSH(&known, NULL);
    const char *nearest = node ? NULL : nearest_word(name, known.items);
    VEC_FREE(&known);
    if (node)
        fprintf(stderr,
                "rambox: error: %s has not reported its hardware; it does when it is ready, if its image "
                "has rambox's init\n",
                name);
    else
        fprintf(stderr,
                "rambox: error: there is no node or hardware class %s%s%s; `rambox hardware list` shows "
                "them\n",
                name, nearest ? "; did you mean " : "", nearest ? nearest : "");
    return 1;
}

static json_t *seen_to_json(const struct view *view, const struct seen_machine *m)
{
    char mac[MAC_TEXT_MAX], name[MAC_TEXT_MAX], when[WHEN_TEXT_MAX], boot[BOOT_ID_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", name_of(view, m, name), "mac",
                     mac_format(&m->mac, mac), "reported", iso_format(m->at_us / 1000000, when), "boot",
                     boot_id_format(m->boot, boot), "hardware", json_loads(m->json, 0, NULL));
}

static json_t *trial_to_json(const struct trial *t)
{
    char kernel[DIGEST_TEXT_MAX], mac[MAC_TEXT_MAX], boot[BOOT_ID_TEXT_MAX], begun[WHEN_TEXT_MAX],
        ended[WHEN_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s}", "state", trial_state_name(t->state),
                     "kernel", digest_format(&t->kernel, kernel), "node", t->node, "mac",
                     mac_format(&t->mac, mac), "boot", boot_id_format(t->boot, boot), "begun",
                     iso_format(t->begun_us / 1000000, begun), "ended",
                     t->ended_us ? iso_format(t->ended_us / 1000000, ended) : NULL, "stage", t->stage);
}

static json_t *class_to_json(const struct view *view, const char *class, const struct machine *machine)
{
    const struct trial *trial;
    const char *kernel = class_kernel_state(&view->machines, view->generation, class, &trial);
    cleanup_str struct str label = {0};
    json_t *machines = json_array(), *trials = json_array();
    machine_label(machine, &label);
    VEC_EACH(m, &view->machines.list)
        if (m->json)
            json_array_append_new(machines, seen_to_json(view, m));
    VEC_EACH(t, &view->machines.trials)
        if (str_eq(t->class, class))
            json_array_append_new(trials, trial_to_json(t));
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "class", class, "label", str_text(&label), "kernel", kernel,
                     "trials", trials, "machines", machines);
}

static void print_kernel(const struct view *view, const char *class)
{
    char when[WHEN_TEXT_MAX];
    const struct trial *trial;
    const char *state = class_kernel_state(&view->machines, view->generation, class, &trial);
    printf("kernel    %s", state);
    if (trial)
        printf(": tried by %s %s%s%s", trial->node[0] ? trial->node : "a machine without an entry",
               when_format(trial->begun_us / 1000000, time(NULL), when),
               trial->stage[0] ? ", last stage " : "", trial->stage);
    putchar('\n');
}

static void print_machines(const struct view *view)
{
    char name[MAC_TEXT_MAX], mac[MAC_TEXT_MAX], when[WHEN_TEXT_MAX];
    const char *head = "machines";
    VEC_EACH(m, &view->machines.list) {
        if (!m->json)
            continue;
        printf("%-9s %s (%s), reported %s\n", head, name_of(view, m, name), mac_format(&m->mac, mac),
               when_format(m->at_us / 1000000, time(NULL), when));
        head = "";
    }
}

/* Where on its bus: the last part of the path. */
static const char *place_of(const struct machine_device *d)
{
    const char *slash = d->where ? strrchr(d->where, '/') : NULL;
    return slash ? slash + 1 : d->where ? d->where : "-";
}

/* What is missing first, then what works, then what needs nothing. */
static void print_devices(const struct machine *m)
{
    static const enum machine_driven order[] = {MACHINE_UNDRIVEN, MACHINE_DRIVEN, MACHINE_NEEDS_NONE};
    static const char *const words[] = {[MACHINE_UNDRIVEN] = "NONE", [MACHINE_NEEDS_NONE] = "-"};
    printf("\n%-20s %-20s %s\n", "DRIVER", "WHERE", "DEVICE");
    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        VEC_EACH(d, &m->devices) {
            enum machine_driven driven = machine_device_driven(d);
            bool cut = strlen(d->modalias) > 100;
            if (driven == order[i])
                printf("%-20s %-20s %.100s%s\n", d->driver ? d->driver : words[driven], place_of(d),
                       d->modalias, cut ? "..." : "");
        }
}

static void print_firmware(const struct machine *m)
{
    if (!m->missing_firmware.n)
        return;
    puts("\nFirmware that the kernel asked for and did not find; under `files:` of its image:");
    VEC_EACH(file, &m->missing_firmware)
        printf("  - {path: /lib/firmware/%s, from: /lib/firmware/%s}\n", *file, *file);
}

static int print_class(const struct view *view, const char *class, const struct machine *m)
{
    cleanup_str struct str label = {0};
    const struct machine_counts counts = machine_count(m);
    machine_label(m, &label);
    printf("class     %s\nlabel     %s\nfirmware  %s%s%s\ndevices   %u, %u without a driver%s\n", class,
           str_text(&label),
           m->efi                   ? "UEFI"
           : m->arch == ARCH_X86_64 ? "BIOS"
                                    : "no UEFI",
           m->bios ? ", version " : "", m->bios ? m->bios : "", counts.devices, counts.undriven,
           m->incomplete ? "; there is more than a report can say" : "");
    print_kernel(view, class);
    print_machines(view);
    print_devices(m);
    print_firmware(m);
    return 0;
}

/* The machine that stands for what was asked for: the one that reported last. */
static int show(const struct view *view)
{
    const struct seen_machine *newest = NULL;
    cleanup_machine struct machine machine = {0};
    VEC_EACH(m, &view->machines.list)
        if (m->json && (!newest || m->at_us > newest->at_us))
            newest = m;
    if (!newest || seen_machine_parse(newest, &machine) != 0)
        return 1; /* it went in the meantime, or was said */
    if (view->context->json)
        return print_json(class_to_json(view, newest->class, &machine));
    return print_class(view, newest->class, &machine);
}

static int run_show(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_hardware_show, options, argc, argv);
    struct seen_wanted wanted = {0};
    struct mac mac;
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_hardware_show, "name one hardware class or one node");
    struct view view = {
        .context = context, .state_dir = find_state_dir(context), .site = load_names(context)};
    int status = seen_machines_read(context, view.state_dir, &wanted, &view.machines);
    if (status == 0)
        status = find_wanted(&view, argv[1], &wanted, &mac);
    if (status == 0) {
        char class[MACHINE_CLASS_SIZE];
        if (wanted.class)
            memcpy(class, wanted.class, sizeof(class));
        wanted.class = wanted.class ? class : NULL;
        seen_machines_free(&view.machines);
        status = seen_machines_read(context, view.state_dir, &wanted, &view.machines);
    }
    load_current(&view);
    if (status == 0)
        status = show(&view);
    view_free(&view);
    return status;
}

/* ---- retry ---- */

/* The class that the operand names: 0, or 1 after saying that there is none. */
static int find_class(const struct view *view, const char *name, char ret_class[static MACHINE_CLASS_SIZE])
{
    struct seen_wanted wanted;
    struct mac mac;
    if (find_wanted(view, name, &wanted, &mac) != 0)
        return 1;
    VEC_EACH(m, &view->machines.list)
        if (wanted.class ? str_eq(m->class, wanted.class) : mac_equal(&m->mac, &mac))
            memcpy(ret_class, m->class, MACHINE_CLASS_SIZE);
    return 0;
}

/* Without a server: what is to be written, or 1 after saying why nothing is. */
static int find_failed(const struct view *view, const char *class, struct store_op *ret_op)
{
    const struct trial *trial;
    const char *state = class_kernel_state(&view->machines, view->generation, class, &trial);
    if (!trial || trial->state != TRIAL_FAILED) {
        fprintf(stderr, "rambox: error: the kernel of class %s has not failed: %s\n", class,
                str_eq(state, "none") ? "the current generation has none"
                                      : trial_state_words(trial ? trial->state : TRIAL_WITHDRAWN));
        return 1;
    }
    *ret_op = (struct store_op){.kind = STORE_TRIAL_PUT, .trial = *trial};
    ret_op->trial.state = TRIAL_WITHDRAWN;
    return 0;
}

static int retry(const struct view *view, const char *class)
{
    struct store_op op = {0};
    struct change change;
    int status = change_begin(view->state_dir, &change);
    if (status == 0 && !change.server)
        status = find_failed(view, class, &op);
    if (status == 0)
        status = change_do(&change, json_pack("{s:s, s:s}", "call", "hardware-retry", "class", class), &op);
    change_end(&change);
    return status;
}

static int run_retry(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_hardware_retry, options, argc, argv);
    char class[MACHINE_CLASS_SIZE];
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_hardware_retry, "name one hardware class or one node");
    struct view view = {
        .context = context, .state_dir = find_state_dir(context), .site = load_names(context)};
    int status = seen_machines_read(context, view.state_dir, &(struct seen_wanted){0}, &view.machines);
    if (status == 0)
        status = find_class(&view, argv[1], class);
    load_current(&view);
    if (status == 0)
        status = retry(&view, class);
    if (status == 0 && context->json)
        print_json(json_pack("{s:s}", "class", class));
    else if (status == 0)
        printf("class %s: its kernel is tried again from the next boot on\n", class);
    view_free(&view);
    return status;
}

const struct command command_hardware_list = {
    .name = "hardware list",
    .synopsis = "",
    .summary = "list the hardware classes of the nodes that reported",
    .help =
        "Machines that are made of the same form a class; their number of devices, how many of them have no\n"
        "driver and which firmware is missing are those of the machine that reported last. KERNEL says what "
        "is\n"
        "with the kernel that is fitted to the class: none, built, in trial, proven or failed.\n"
        "\n"
        "Examples:\n"
        "  rambox hardware list\n"
        "  rambox hardware list --json\n",
    .run = run_list,
};

const struct command command_hardware_retry = {
    .name = "hardware retry",
    .synopsis = "CLASS|NODE",
    .summary = "let the kernel of a hardware class that failed be tried once more",
    .help = "A kernel that did not come up is not given again, unless it is built anew. When it was not the\n"
            "kernel's fault (a cable, an image, a switch), this forgets the failure: the next machine of the "
            "class\n"
            "that boots tries it. So do single machines that did without a kernel that others of the class "
            "came up\n"
            "with. A node stands for its class. Works with the server running, and without.\n"
            "\n"
            "Examples:\n"
            "  rambox hardware retry 1a2b3c4d5e6f\n"
            "  rambox hardware retry n1\n",
    .run = run_retry,
};

const struct command command_hardware_show = {
    .name = "hardware show",
    .synopsis = "CLASS|NODE",
    .summary = "show the devices of a hardware class or of one node, with their drivers",
    .help =
        "Devices without a driver come first (NONE), then those with one, then those that need none (-). A "
        "node\n"
        "is named by its name or its MAC address. With --json, what each machine reported, which `rambox\n"
        "kernel fit` reads.\n"
        "\n"
        "Examples:\n"
        "  rambox hardware show 1a2b3c4d5e6f\n"
        "  rambox hardware show n1\n"
        "  rambox hardware show n1 --json\n",
    .run = run_show,
};
