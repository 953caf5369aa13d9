/* The end of `rambox try`: the table of checks, the figures, what went wrong; as text or as one JSON
 * document. */
#include "base/str.h"
#include "cli/try.h"

#define CONSOLE_LINES 25
#define LOG_LINES     25

const char *try_phase_name(enum try_phase phase)
{
    static const char *const names[] = {"firmware", "dhcp", "loader", "files", "kernel", "init"};
    return names[phase];
}

bool try_phases(const struct try_node *node, double seconds[TRY_PHASES])
{
    const int64_t ends[] = {node->power_on_us,
                            node->packet_us,
                            node->loader_us,
                            node->fetch_us,
                            node->loaded_us,
                            node->kernel_us + (int64_t)node->init_us,
                            0};
    if (!node->packet_us || !node->loader_us || !node->fetch_us || !node->loaded_us || !node->init_us ||
        !node->ready_us)
        return false;
    for (unsigned i = 0; i < TRY_INIT; i++)
        seconds[i] = (double)(ends[i + 1] - ends[i]) / 1e6;
    seconds[TRY_INIT] = (double)(node->ready_node_us - node->init_us) / 1e6;
    return true;
}

static void print_phases(const struct try_node *node, FILE *out)
{
    double seconds[TRY_PHASES];
    if (!try_phases(node, seconds))
        return;
    fprintf(out, "\n  seconds:");
    for (unsigned i = 0; i < TRY_PHASES; i++)
        fprintf(out, " %s %.3f%s", try_phase_name(i), seconds[i], i + 1 < TRY_PHASES ? "," : "\n");
}

static const char *verdict(const struct try_check *check)
{
    return check->holds ? "" : check->counts ? "  FAILS" : "  (differs)";
}

static void print_table(const struct try_node *node, FILE *out)
{
    fprintf(out, "\n%s\n  %-26s %-10s %-38s %s\n", node->name, "after boot (H30)", "how-to", "expected",
            "found");
    VEC_EACH(check, &node->checks)
        fprintf(out, "  %-26s %-10s %-38s %s%s\n", check->name, check->howto, check->expected, check->found,
                verdict(check));
}

static void print_line(const struct try_node *node, FILE *out)
{
    unsigned failed = try_checks_failed(node), counted = 0;
    VEC_EACH(check, &node->checks)
        counted += check->counts;
    fprintf(out, "  %-8s  ready %8.3f  %u of %u checks hold\n", node->name,
            (double)(node->ready_us - node->power_on_us) / 1e6, counted - failed, counted);
    VEC_EACH(check, &node->checks)
        if (check->counts && !check->holds)
            fprintf(out, "            %s: expected %s, found %s\n", check->name, check->expected,
                    check->found);
}

static void print_figure(const struct try_figure *figure, FILE *out)
{
    fprintf(out, "figure %s = %.*f %s ", figure->name, figure->decimals, figure->value, figure->unit);
    if (figure->target > 0)
        fprintf(out, "(target %g %s): %s\n", figure->target, figure->unit,
                figure->value <= figure->target ? "met" : "short");
    else
        fputs("(no target): reported\n", out);
}

static json_t *figure_json(const struct try_figure *figure)
{
    json_t *object =
        json_pack("{s:s, s:f, s:s}", "name", figure->name, "value", figure->value, "unit", figure->unit);
    if (figure->target > 0)
        json_object_update_new(object, json_pack("{s:f, s:b}", "target", figure->target, "met",
                                                 figure->value <= figure->target));
    return object;
}

void try_report(const struct try *t, FILE *out)
{
    if (t->nodes.n > 1)
        fputc('\n', out);
    VEC_EACH(node, &t->nodes) {
        if (node->checks.n == 0)
            continue;
        if (t->nodes.n == 1) {
            print_table(node, out);
            print_phases(node, out);
        } else {
            print_line(node, out);
        }
    }
    if (t->figures.n)
        fputc('\n', out);
    VEC_EACH(figure, &t->figures)
        print_figure(figure, out);
}

/* The last thing that is known of its boot. */
static const struct try_row *last_row(const struct try_node *node)
{
    return &node->rows.items[node->rows.n - 1];
}

static void print_indented(const char *text, FILE *out)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(out, "    %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void try_report_failures(const struct try *t, FILE *out)
{
    bool failed = false;
    VEC_EACH(node, &t->nodes) {
        if (!node->failure || node->rows.n == 0)
            continue;
        failed = true;
        cleanup_free char *tail = lab_console_tail(&node->machine.console, CONSOLE_LINES);
        fprintf(out, "\n%s did not become ready: %s\n  last stage seen: %s, %.3f s after power-on%s%s\n",
                node->name, node->failure, last_row(node)->what, try_row_seconds(node, last_row(node)),
                last_row(node)->detail[0] ? ": " : "", last_row(node)->detail);
        fprintf(out, "  its console, the last lines:\n");
        print_indented(tail[0] ? tail : "(nothing)", out);
    }
    if (!failed)
        return;
    cleanup_free char *log = lab_console_tail(&t->server_log, LOG_LINES);
    fprintf(out, "  the server's log, the last lines:\n");
    print_indented(log[0] ? log : "(nothing)", out);
}

struct placed {
    double seconds;
    const struct try_row *row;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->seconds < y->seconds)
        return -1;
    return x->seconds > y->seconds ? 1 : (x->row > y->row) - (x->row < y->row);
}

/* In the order of time: what a node told late of its own stages moves to its place. */
static json_t *timeline_json(const struct try_node *node)
{
    json_t *list = json_array();
    VEC(struct placed) rows = {0};
    VEC_EACH(row, &node->rows)
        VEC_PUSH(&rows, ((struct placed){try_row_seconds(node, row), row}));
    if (rows.n)
        qsort(rows.items, rows.n, sizeof(*rows.items), compare_placed);
    VEC_EACH(placed, &rows)
        json_array_append_new(list, json_pack("{s:f, s:s, s:s}", "s", placed->seconds, "what",
                                              placed->row->what, "detail", placed->row->detail));
    VEC_FREE(&rows);
    return list;
}

static json_t *checks_json(const struct try_node *node)
{
    json_t *list = json_array();
    VEC_EACH(check, &node->checks)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "name", check->name, "howto",
                                              check->howto, "expected", check->expected, "found",
                                              check->found, "holds", check->holds, "counts", check->counts));
    return list;
}

static json_t *phases_json(const struct try_node *node)
{
    double seconds[TRY_PHASES];
    if (!try_phases(node, seconds))
        return NULL;
    json_t *object = json_object();
    for (unsigned i = 0; i < TRY_PHASES; i++)
        json_object_set_new(object, try_phase_name(i), json_real(seconds[i]));
    return object;
}

static json_t *node_json(const struct try *t, const struct try_node *node)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX];
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:O?}", "name", node->name, "mac",
                  mac_format(&node->mac, mac), "ip", ipv4_format(node->ip, ip), "profile", node->profile,
                  "timeline", timeline_json(node), "checks", checks_json(node), "facts", node->facts);
    if (node->ready_us)
        json_object_set_new(object, "ready_s", json_real((double)(node->ready_us - node->power_on_us) / 1e6));
    json_t *phases = phases_json(node);
    if (phases)
        json_object_set_new(object, "phases", phases);
    if (node->failure && node->rows.n) {
        cleanup_free char *tail = lab_console_tail(&node->machine.console, CONSOLE_LINES);
        cleanup_free char *log = lab_console_tail(&t->server_log, LOG_LINES);
        json_object_set_new(object, "failure",
                            json_pack("{s:s, s:s, s:s, s:s}", "why", node->failure, "last_stage",
                                      last_row(node)->what, "console", tail, "server_log", log));
    }
    return object;
}

json_t *try_report_json(const struct try *t)
{
    json_t *nodes = json_array(), *figures = json_array();
    VEC_EACH(node, &t->nodes)
        json_array_append_new(nodes, node_json(t, node));
    VEC_EACH(figure, &t->figures)
        json_array_append_new(figures, figure_json(figure));
    return json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:s?, s:s?, s:o, s:o, s:o}", "ok", try_ok(t), "firmware",
                     lab_firmware_info(t->options.firmware->firmware)->name, "path",
                     t->options.firmware->name, "accel", lab_accel_name(t->options.accel), "nic",
                     lab_nic_name(t->options.nic), "memory", (json_int_t)t->options.memory, "kernel",
                     t->kernel, "image", t->image, "nodes", nodes, "figures", figures, "diagnostics",
                     diags_to_json(&t->diags));
}
