/* What symbols need, found by the Kconfig code of the very tree that is to be built.
 *
 * This is compiled when it is wanted, against that tree's scripts/kconfig: its parser, its evaluation of
 * values and its rules decide; here is only the search for an assignment. It is never part of rambox itself.
 *
 *     resolve KCONFIG ASKED.config <wants
 *
 * begins with what `allnoconfig` makes of ASKED.config. Every line of stdin is a symbol to turn on, or
 * several joined by | of which one is enough, the earlier the better. Lines on stdout, fields separated by
 * tabs:
 *
 *     @set SYMBOL VALUE FOR BECAUSE HOW PROMPT   an assignment that is needed on top of ASKED.config; FOR is
 *                                                the wanted symbol, BECAUSE the one that directly needs it
 *     @have SYMBOL                               wanted, and on without an assignment of its own
 *     @fail SYMBOL WHY                           wanted, and cannot be on
 *
 * HOW: wanted, depends, selects (SYMBOL selects BECAUSE, which nobody can set), default (the same, by a
 * default), selected (BECAUSE is selected by others, who leave its own dependencies to us), off (BECAUSE
 * cannot be beside it). The exit status is 0 also when symbols fail.
 */
#include "lkc.h"
#if __has_include("xalloc.h")
#include "xalloc.h" /* before 6.12 these are in lkc.h */
#endif

#include <stdarg.h>
#include <string.h>

#define DEPTH_MAX     40 /* of one chain of dependencies */
#define ATTEMPTS_MAX  12 /* alternatives that are tried of one || */
#define COST_NEVER    100000
#define COST_DEPTH    4
#define LINE_MAX_SIZE 4096

/* One assignment, and what undoes it. */
struct step {
    struct symbol *sym;
    tristate value;
    struct symbol *root, *because;
    const char *how;
    tristate old_value;
    int old_flags;
    int dropped; /* undone later */
};

static struct step *steps;
static size_t n_steps, cap_steps;

static struct symbol **pinned; /* what ASKED.config says of them stays */
static size_t n_pinned;

static struct symbol *stack[DEPTH_MAX + 1]; /* symbols that are being turned on */
static size_t depth;

/* Who is wanted and who directly needs it. */
struct need {
    struct symbol *root, *because;
    const char *how;
};

static tristate value_of(struct symbol *sym)
{
    sym_calc_value(sym);
    return sym->curr.tri;
}

static int is_state(struct symbol *sym)
{
    return sym->type == S_BOOLEAN || sym->type == S_TRISTATE;
}

static int is_constant(struct symbol *sym)
{
    return sym == &symbol_yes || sym == &symbol_no || sym == &symbol_mod || (sym->flags & SYMBOL_CONST);
}

static int is_pinned(struct symbol *sym)
{
    for (size_t i = 0; i < n_pinned; i++)
        if (pinned[i] == sym)
            return 1;
    return 0;
}

static int is_on_stack(struct symbol *sym)
{
    for (size_t i = 0; i < depth; i++)
        if (stack[i] == sym)
            return 1;
    return 0;
}

/* ---- assigning, and taking it back ---- */

static int assign(struct symbol *sym, tristate value, struct need need)
{
    struct step step = {
        .sym = sym, .value = value, .root = need.root, .because = need.because, .how = need.how};
    sym_calc_value(sym);
    step.old_value = sym->def[S_DEF_USER].tri;
    step.old_flags = sym->flags & SYMBOL_DEF_USER;
    if (!sym_set_tristate_value(sym, value))
        return 0;
    if (n_steps == cap_steps) {
        cap_steps = cap_steps ? 2 * cap_steps : 64;
        steps = xrealloc(steps, cap_steps * sizeof(*steps));
    }
    steps[n_steps++] = step;
    sym_clear_all_valid();
    return value_of(sym) == value;
}

static void undo_to(size_t mark)
{
    while (n_steps > mark) {
        struct step *step = &steps[--n_steps];
        step->sym->def[S_DEF_USER].tri = step->old_value;
        step->sym->flags = (step->sym->flags & ~SYMBOL_DEF_USER) | step->old_flags;
    }
    sym_clear_all_valid();
}

/* ---- what an alternative would cost, roughly ---- */

/* What is wanted anyway costs nothing extra. */
static struct symbol **preferred;
static size_t n_preferred;

static void note_preferred(const char *line)
{
    struct symbol *sym = strchr(line, '|') ? NULL : sym_find(line);
    if (!sym)
        return;
    preferred = xrealloc(preferred, (n_preferred + 1) * sizeof(struct symbol *));
    preferred[n_preferred++] = sym;
}

static int is_preferred(struct symbol *sym)
{
    for (size_t i = 0; i < n_preferred; i++)
        if (preferred[i] == sym)
            return 1;
    return 0;
}

/* Symbols that no kernel for real use should be given for the sake of a driver. */
static int is_last_resort(const char *name)
{
    static const char *const names[] = {"COMPILE_TEST", "BROKEN", "STAGING",
                                        "DEBUG_KERNEL", "KUNIT",  "EMBEDDED"};
    for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

static unsigned cost(struct expr *e, unsigned level);

static unsigned cost_of_symbol(struct symbol *sym, unsigned level)
{
    struct property *prop;
    unsigned best = COST_NEVER;
    if (value_of(sym) == yes)
        return 0;
    if (is_constant(sym) || !is_state(sym) || is_pinned(sym) || is_on_stack(sym))
        return COST_NEVER;
    if (is_preferred(sym))
        return 1;
    if (level >= COST_DEPTH)
        return 3;
    for (prop = sym->prop; prop; prop = prop->next) {
        if (!prop->text || (prop->type != P_PROMPT && prop->type != P_MENU))
            continue;
        unsigned c = 2 + cost(prop->visible.expr, level + 1);
        best = c < best ? c : best;
    }
    if (best == COST_NEVER && (sym->rev_dep.expr || sym->prop))
        best = 8;
    return best + (is_last_resort(sym->name) ? 500 : 0);
}

static unsigned cost(struct expr *e, unsigned level)
{
    unsigned a, b;
    if (!e || expr_calc_value(e) == yes)
        return 0;
    switch (e->type) {
    case E_SYMBOL:
        return cost_of_symbol(e->left.sym, level);
    case E_AND:
        a = cost(e->left.expr, level);
        b = cost(e->right.expr, level);
        return a + b > COST_NEVER ? COST_NEVER : a + b;
    case E_OR:
        a = cost(e->left.expr, level);
        b = cost(e->right.expr, level);
        return a < b ? a : b;
    case E_NOT:
        return 20;
    case E_EQUAL:
    case E_UNEQUAL:
        return 10;
    default:
        return COST_NEVER;
    }
}

/* ---- the search ---- */

static int turn_on(struct symbol *sym, struct need need);

static int turn_off(struct symbol *sym, struct need need)
{
    if (value_of(sym) == no)
        return 1;
    if (is_constant(sym) || !is_state(sym) || is_pinned(sym) || is_on_stack(sym))
        return 0;
    need.how = "off";
    return assign(sym, no, need);
}

static int satisfy(struct expr *e, struct need need);

static size_t flatten(struct expr *e, struct expr **list, size_t n, size_t max)
{
    if (e->type == E_OR) {
        n = flatten(e->left.expr, list, n, max);
        return flatten(e->right.expr, list, n, max);
    }
    if (n < max)
        list[n++] = e;
    return n;
}

/* The cheapest alternative that works. */
static int satisfy_or(struct expr *e, struct need need)
{
    enum { MAX = 1024 };
    struct expr **list = xmalloc(MAX * sizeof(struct expr *));
    unsigned *costs = xmalloc(MAX * sizeof(unsigned));
    size_t n = flatten(e, list, 0, MAX);
    int done = 0;
    for (size_t i = 0; i < n; i++)
        costs[i] = cost(list[i], 0);
    for (size_t attempt = 0; attempt < ATTEMPTS_MAX && !done; attempt++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (costs[i] < costs[best])
                best = i;
        if (n == 0 || costs[best] >= COST_NEVER)
            break;
        costs[best] = COST_NEVER;
        size_t mark = n_steps;
        done = satisfy(list[best], need);
        if (!done)
            undo_to(mark);
    }
    free(list);
    free(costs);
    return done;
}

/* `A = B`, where one side is a symbol and the other y, n or m. */
static int satisfy_comparison(struct expr *e, struct need need)
{
    struct symbol *sym = e->left.sym, *constant = e->right.sym;
    if (is_constant(sym)) {
        sym = e->right.sym;
        constant = e->left.sym;
    }
    int equal = e->type == E_EQUAL;
    if (constant == &symbol_yes)
        return equal ? turn_on(sym, need) : turn_off(sym, need);
    if (constant == &symbol_no)
        return equal ? turn_off(sym, need) : turn_on(sym, need);
    return 0;
}

static int satisfy(struct expr *e, struct need need)
{
    if (!e || expr_calc_value(e) == yes)
        return 1;
    switch (e->type) {
    case E_SYMBOL:
        return turn_on(e->left.sym, need);
    case E_AND:
        /* The second may undo what the first one found; once more settles it or nothing does. */
        return satisfy(e->left.expr, need) && satisfy(e->right.expr, need) && satisfy(e->left.expr, need) &&
               expr_calc_value(e) == yes;
    case E_OR:
        return satisfy_or(e, need);
    case E_NOT:
        return e->left.expr->type == E_SYMBOL && turn_off(e->left.expr->left.sym, need);
    case E_EQUAL:
    case E_UNEQUAL:
        return satisfy_comparison(e, need);
    default:
        return 0;
    }
}

/* By a prompt of its own. */
static int by_prompt(struct symbol *sym, struct need need)
{
    struct property *prop;
    for (prop = sym->prop; prop; prop = prop->next) {
        if (!prop->text || (prop->type != P_PROMPT && prop->type != P_MENU))
            continue;
        size_t mark = n_steps;
        struct need inner = {.root = need.root, .because = sym, .how = "depends"};
        if (satisfy(prop->visible.expr, inner) && (value_of(sym) == yes || assign(sym, yes, need)))
            return 1;
        undo_to(mark);
    }
    return 0;
}

/* Without a prompt: by a default whose condition can hold, or by a symbol that selects it. */
static int by_others(struct symbol *sym, struct need need)
{
    struct property *prop;
    struct need inner = {.root = need.root, .because = sym, .how = "default"};
    size_t mark = n_steps;
    for (prop = sym->prop; prop; prop = prop->next) {
        if (prop->type != P_DEFAULT)
            continue;
        if (satisfy(prop->visible.expr, inner) && satisfy(prop->expr, inner) && value_of(sym) == yes)
            return 1;
        undo_to(mark);
    }
    inner.how = "selects";
    if (sym->rev_dep.expr && satisfy(sym->rev_dep.expr, inner) && value_of(sym) == yes)
        return 1;
    undo_to(mark);
    return 0;
}

static int turn_on(struct symbol *sym, struct need need)
{
    if (value_of(sym) == yes)
        return 1;
    if (is_constant(sym) || !is_state(sym) || is_pinned(sym) || is_on_stack(sym) || depth == DEPTH_MAX)
        return 0;
    if (strcmp(need.how, "wanted") != 0 && is_last_resort(sym->name))
        return 0;
    stack[depth++] = sym;
    int done = by_prompt(sym, need) || by_others(sym, need);
    depth--;
    return done;
}

/* ---- what select leaves undone ---- */

/* `select` turns a symbol on whatever that one depends on, and such a kernel may not compile: so these
 * dependencies are satisfied as well. */
static int repair_selected(struct menu *menu)
{
    int changed = 0;
    for (; menu; menu = menu->next) {
        struct symbol *sym = menu->sym;
        if (sym && sym->name && is_state(sym) && value_of(sym) != no && sym->dir_dep.expr &&
            expr_calc_value(sym->dir_dep.expr) < sym->curr.tri) {
            size_t mark = n_steps;
            struct need need = {.root = sym, .because = sym, .how = "selected"};
            if (satisfy(sym->dir_dep.expr, need))
                changed = changed || n_steps > mark;
            else
                undo_to(mark);
        }
        if (menu->list)
            changed = repair_selected(menu->list) || changed;
    }
    return changed;
}

/* ---- in and out ---- */

/* Since 6.11 one member of a choice has to be on, and allnoconfig leaves which one to the choice's default.
 */
static int is_left_alone(struct symbol *sym)
{
#ifdef SYMBOL_CHOICE
    (void)sym;
    return 0;
#else
    return sym_is_choice(sym) || sym_is_choice_value(sym);
#endif
}

/* What the file names stays as it is. */
static void pin_asked(struct menu *menu)
{
    for (; menu; menu = menu->next) {
        struct symbol *sym = menu->sym;
        if (sym && sym->name && is_state(sym) && (sym->flags & SYMBOL_DEF_USER) && !is_pinned(sym)) {
            pinned = xrealloc(pinned, (n_pinned + 1) * sizeof(struct symbol *));
            pinned[n_pinned++] = sym;
        }
        if (menu->list)
            pin_asked(menu->list);
    }
}

/* What allnoconfig does: whatever the file does not name is off. */
static void all_others_off(struct menu *menu)
{
    for (; menu; menu = menu->next) {
        struct symbol *sym = menu->sym;
        if (sym && is_state(sym) && !(sym->flags & SYMBOL_DEF_USER) && !is_left_alone(sym)) {
            sym->def[S_DEF_USER].tri = no;
            sym->flags |= SYMBOL_DEF_USER;
        }
        if (menu->list)
            all_others_off(menu->list);
    }
}

static const char *prompt_of(struct symbol *sym)
{
    struct property *prop;
    for (prop = sym->prop; prop; prop = prop->next)
        if (prop->text && (prop->type == P_PROMPT || prop->type == P_MENU))
            return prop->text;
    return "";
}

static void print_part(void *data, struct symbol *sym, const char *text)
{
    (void)data;
    (void)sym;
    fputs(text, stdout);
}

/* Prints those parts of a condition that do not hold; how many so far. */
static unsigned print_unmet(struct expr *e, unsigned n)
{
    if (!e || expr_calc_value(e) == yes)
        return n;
    if (e->type == E_AND)
        return print_unmet(e->right.expr, print_unmet(e->left.expr, n));
    if (n)
        fputs(", ", stdout);
    expr_print(e, print_part, NULL, E_NONE);
    if (e->type == E_SYMBOL && is_pinned(e->left.sym))
        fputs(" (which the kernel's own fragments turn off)", stdout);
    return n + 1;
}

static void say_failure(struct symbol *sym)
{
    struct property *prop;
    unsigned n = 0;
    printf("@fail\t%s\t", sym->name);
    if (is_pinned(sym)) {
        puts("the kernel's own fragments turn it off");
        return;
    }
    for (prop = sym->prop; prop && !n; prop = prop->next)
        if (prop->text && (prop->type == P_PROMPT || prop->type == P_MENU)) {
            fputs("it depends on ", stdout);
            n = print_unmet(prop->visible.expr, 0);
            if (!n)
                fputs("something that another wanted symbol excludes", stdout);
            n = 1;
        }
    puts(n ? "" : "nobody can set it, and nothing that selects it can be on");
}

static int say_steps(void)
{
    for (size_t i = 0; i < n_steps; i++) {
        struct step *step = &steps[i];
        tristate now = value_of(step->sym);
        if (step->dropped || now != step->value)
            continue;
        for (size_t j = i + 1; j < n_steps; j++)
            if (steps[j].sym == step->sym)
                steps[j].dropped = 1;
        printf("@set\t%s\t%c\t%s\t%s\t%s\t%s\n", step->sym->name, step->value == no ? 'n' : 'y',
               step->root->name, step->because->name, step->how, prompt_of(step->sym));
    }
    return 0;
}

static int is_set_here(struct symbol *sym)
{
    for (size_t i = 0; i < n_steps; i++)
        if (steps[i].sym == sym)
            return 1;
    return 0;
}

/* One line of WANTS: its first alternative that can be on. Returns it, or what to blame. */
static struct symbol *want(char *line)
{
    struct symbol *first = NULL;
    for (char *save = NULL, *name = strtok_r(line, "|", &save); name; name = strtok_r(NULL, "|", &save)) {
        struct symbol *sym = sym_find(name);
        if (!sym || !is_state(sym))
            continue;
        first = first ? first : sym;
        struct need need = {.root = sym, .because = sym, .how = "wanted"};
        size_t mark = n_steps;
        if (turn_on(sym, need))
            return sym;
        undo_to(mark);
    }
    return first;
}

/* An alternative that is on already is as good as the first. */
static int is_met(const char *line)
{
    char copy[LINE_MAX_SIZE];
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *save = NULL, *name = strtok_r(copy, "|", &save); name; name = strtok_r(NULL, "|", &save)) {
        struct symbol *sym = sym_find(name);
        if (sym && is_state(sym) && value_of(sym) == yes)
            return 1;
    }
    return 0;
}

static char **lines;
static size_t n_lines;

static int read_wants(const char *path)
{
    char line[LINE_MAX_SIZE];
    FILE *in = fopen(path, "re");
    if (!in)
        return 0;
    while (fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\n")] = '\0';
        lines = xrealloc(lines, (n_lines + 1) * sizeof(char *));
        lines[n_lines++] = xstrdup(line);
        note_preferred(line);
    }
    fclose(in);
    return 1;
}

static void report(char *line, struct symbol *sym)
{
    if (!sym)
        printf("@fail\t%s\tthere is no such symbol in this tree\n", line);
    else if (value_of(sym) != yes)
        say_failure(sym);
    else if (!is_set_here(sym))
        printf("@have\t%s\n", sym->name);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    conf_parse(argv[1]);
    if (conf_read_simple(argv[2], S_DEF_USER))
        return 1;
    pin_asked(&rootmenu);
    all_others_off(&rootmenu);
    sym_clear_all_valid();
    if (modules_sym)
        sym_calc_value(modules_sym);
    if (!read_wants(argv[3]))
        return 1;
    struct symbol **found = xcalloc(n_lines + 1, sizeof(struct symbol *));
    for (size_t i = 0; i < n_lines; i++)
        if (!is_met(lines[i])) {
            char *copy = xstrdup(lines[i]);
            found[i] = want(copy);
            free(copy);
        }
    for (unsigned round = 0; round < 4 && repair_selected(&rootmenu); round++)
        ;
    say_steps();
    for (size_t i = 0; i < n_lines; i++)
        if (found[i] || !is_met(lines[i]))
            report(lines[i], found[i]);
        else
            printf("@have\t%s\n", lines[i]);
    return 0;
}
