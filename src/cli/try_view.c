/* What a person sees while `rambox try` runs: with one node its timeline, each line as it happens and the
 * file on its way as a bar; with several a line a node. What is no terminal gets whole lines only. */
#include "base/str.h"
#include "cli/try.h"

#include <unistd.h>

#define BAR_CELLS 24
#define DRAW_US   100000 /* between two drawings of what moves */
#define HOLD_US   50000  /* what a node tells together is placed when all of it has arrived */

struct try_view {
    FILE *out;
    bool terminal;  /* lines can be redrawn */
    bool bar;       /* the last line is a bar */
    size_t printed; /* rows of the one node, or nodes that settled */
    size_t drawn;   /* lines of the block of nodes */
    int64_t drawn_us;
};

struct try_view *try_view_new(FILE *out)
{
    struct try_view *view = xcalloc(1, sizeof(*view));
    const char *term = getenv("TERM");
    view->out = out;
    view->terminal = isatty(fileno(out)) && term && term[0] && !str_eq(term, "dumb");
    return view;
}

void try_view_begin(struct try_view *view, const struct try *t)
{
    if (!view)
        return;
    if (t->nodes.n == 1)
        fprintf(view->out, "\n%s, seconds since power-on:\n", t->nodes.items[0].name);
    else
        fprintf(view->out, "\n%zu nodes, seconds since power-on:\n", t->nodes.n);
    fflush(view->out);
}

static void clear_bar(struct try_view *view)
{
    if (view->bar)
        fputs("\r\033[K", view->out);
    view->bar = false;
}

static void draw_cells(FILE *out, uint64_t done, uint64_t total)
{
    unsigned full = total ? (unsigned)(done * BAR_CELLS / total) : 0;
    fputc('[', out);
    for (unsigned i = 0; i < BAR_CELLS; i++)
        fputc(i < full ? '#' : '.', out);
    fputc(']', out);
}

static void draw_transfer(struct try_view *view, const struct try_node *node)
{
    const struct try_transfer *transfer = &node->transfer;
    char done[SIZE_TEXT_MAX], total[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX];
    int64_t now = try_now_us(), took = now - transfer->started_us;
    fprintf(view->out, "  %8.3f  ", (double)(now - node->power_on_us) / 1e6);
    draw_cells(view->out, transfer->bytes, transfer->total);
    fprintf(view->out, " %s  %s of %s, %s/s", transfer->file, format_size(transfer->bytes, done),
            format_size(transfer->total, total),
            format_size(transfer->bytes * 1000000 / (uint64_t)(took > 0 ? took : 1), rate));
    view->bar = true;
}

/* Rows to print now: with `all`, every one. */
static size_t settled_rows(const struct try_node *node, bool all)
{
    size_t n = node->rows.n;
    if (!all && n && node->rows.items[n - 1].node_us &&
        try_now_us() - node->rows.items[n - 1].at_us < HOLD_US)
        while (n && node->rows.items[n - 1].node_us)
            n--;
    return n;
}

static void update_one(struct try_view *view, const struct try_node *node, bool all)
{
    size_t n = settled_rows(node, all);
    if (view->printed < n || !node->transfer.file)
        clear_bar(view);
    for (; view->printed < n; view->printed++) {
        const struct try_row *row = &node->rows.items[view->printed];
        fprintf(view->out, "  %8.3f  %-10s  %s\n", try_row_seconds(node, row), row->what, row->detail);
    }
    if (view->terminal && node->transfer.file && try_now_us() - view->drawn_us > DRAW_US) {
        clear_bar(view);
        draw_transfer(view, node);
        view->drawn_us = try_now_us();
    }
}

static void print_node(FILE *out, const struct try_node *node, const char *end)
{
    char ip[IPV4_TEXT_MAX];
    const struct try_row *last = node->rows.n ? &node->rows.items[node->rows.n - 1] : NULL;
    fprintf(out, "  %-8s  %-15s  ", node->name, node->ip ? ipv4_format(node->ip, ip) : "");
    if (node->failure)
        fprintf(out, "failed: %s", node->failure);
    else if (node->ready_us)
        fprintf(out, "ready      %8.3f", (double)(node->ready_us - node->power_on_us) / 1e6);
    else if (last)
        fprintf(out, "%-10s %8.3f", last->what, try_row_seconds(node, last));
    if (!node->failure && !node->ready_us && node->transfer.file) {
        fputs("  ", out);
        draw_cells(out, node->transfer.bytes, node->transfer.total);
        fprintf(out, " %s", node->transfer.file);
    }
    fputs(end, out);
}

/* The block of lines is drawn over the one before. */
static void draw_block(struct try_view *view, const struct try *t)
{
    if (view->drawn)
        fprintf(view->out, "\033[%zuA", view->drawn);
    VEC_EACH(node, &t->nodes)
        print_node(view->out, node, "\033[K\n");
    view->drawn = t->nodes.n;
    view->drawn_us = try_now_us();
}

/* Elsewhere: a line for each node that settled, in the order of the nodes. */
static void print_settled(struct try_view *view, const struct try *t, bool all)
{
    for (; view->printed < t->nodes.n; view->printed++) {
        const struct try_node *node = &t->nodes.items[view->printed];
        if (!all && !node->failure && !node->ready_us)
            return;
        print_node(view->out, node, "\n");
    }
}

void try_view_update(struct try_view *view, const struct try *t)
{
    if (!view)
        return;
    if (t->nodes.n == 1)
        update_one(view, &t->nodes.items[0], false);
    else if (!view->terminal)
        print_settled(view, t, false);
    else if (try_now_us() - view->drawn_us > DRAW_US)
        draw_block(view, t);
    fflush(view->out);
}

void try_view_end(struct try_view *view, const struct try *t)
{
    if (!view)
        return;
    if (t->nodes.n == 1) {
        update_one(view, &t->nodes.items[0], true);
        clear_bar(view);
    } else if (view->terminal) {
        draw_block(view, t);
    } else {
        print_settled(view, t, true);
    }
    fflush(view->out);
    free(view);
}
