/* rambox publish, rambox generation list|diff|rollback. */
#include "publish/publish.h"
#include "base/str.h"
#include "cli/artifacts.h"
#include "cli/command.h"

#include <stdio.h>
#include <time.h>

static json_t *generation_to_json(const struct generation *generation, bool changed)
{
    json_t *artifacts = json_array();
    char hex[DIGEST_TEXT_MAX];
    VEC_EACH(artifact, &generation->artifacts)
        json_array_append_new(artifacts, json_pack("{s:s, s:s, s:s, s:I}", "kind",
                                                   artifact_kind_name(artifact->kind), "name", artifact->name,
                                                   "sha256", digest_format(&artifact->digest, hex), "size",
                                                   (json_int_t)artifact->size));
    return json_pack("{s:i, s:b, s:i, s:o}", "generation", (int)generation->number, "changed", changed,
                     "nodes", (int)generation->site->nodes.n, "artifacts", artifacts);
}

static void print_generation(const struct generation *generation, bool changed)
{
    char size[SIZE_TEXT_MAX];
    printf(changed ? "generation %u is published: %zu node%s"
                   : "nothing changed; generation %u stays: %zu node%s",
           generation->number, generation->site->nodes.n, generation->site->nodes.n == 1 ? "" : "s");
    VEC_EACH(artifact, &generation->artifacts)
        printf(", %s %s %s", artifact_kind_name(artifact->kind), artifact->name,
               format_size(artifact->size, size));
    puts("");
}

static int run_publish(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    unsigned number = 0;
    int n = parse_options(&command_publish, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_publish, "%s is too much; the folder is said with --config", argv[1]);
    cleanup_free char *state = find_state_dir(context);
    struct artifact_source artifacts = built_artifacts(context);
    int r = publish(context->config_dir, context->share_dir, state, &artifacts, &diags, &number);
    bool changed = r == 0;
    if (r >= 0)
        r = generation_load(state, number, &diags, &generation);
    report_diags(context, &diags);
    if (r < 0)
        return 1;
    if (context->json)
        return print_json(generation_to_json(generation, changed));
    print_generation(generation, changed);
    return 0;
}

/* generation list */

static void print_listed(unsigned number, bool current, int64_t created, unsigned artifacts, json_t *document)
{
    char when[32] = "?";
    time_t t = (time_t)created;
    struct tm tm;
    if (localtime_r(&t, &tm))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    if (document)
        json_array_append_new(document,
                              json_pack("{s:i, s:b, s:I, s:i}", "generation", (int)number, "current", current,
                                        "created", (json_int_t)created, "artifacts", (int)artifacts));
    else
        printf("%c %-10u %-19s %u artifacts\n", current ? '*' : ' ', number, when, artifacts);
}

static int run_list(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    cleanup_free unsigned *numbers = NULL;
    unsigned current = 0;
    int n = parse_options(&command_generation_list, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_generation_list, "it takes nothing");
    cleanup_free char *state = find_state_dir(context);
    int r = generation_list(state, &numbers, &current);
    if (r < 0)
        diag_errno(&diags, r, "cannot read %s/generations", state);
    json_t *document = context->json && r == 0 ? json_array() : NULL;
    for (unsigned *number = numbers; number && *number; number++) {
        int64_t created;
        unsigned artifacts;
        if (generation_summary(state, *number, &diags, &created, &artifacts) == 0)
            print_listed(*number, *number == current, created, artifacts, document);
    }
    if (document)
        print_json(document);
    else if (r == 0 && numbers && !numbers[0])
        puts("Nothing is published yet: `rambox publish`.");
    diags_print(&diags, stderr);
    return diags.errors ? 1 : 0;
}

/* The generation before `number`, 0 when there is none. */
static unsigned generation_before(const char *state, unsigned number)
{
    cleanup_free unsigned *numbers = NULL;
    unsigned current, before = 0;
    if (generation_list(state, &numbers, &current) < 0)
        return 0;
    if (number == 0)
        number = current;
    for (unsigned *it = numbers; *it && *it < number; it++)
        before = *it;
    return before;
}

static int read_number(const struct command *command, const char *text, unsigned *ret_number)
{
    uint64_t number;
    if (parse_u64(text, 1, UINT32_MAX, &number) < 0)
        return usage_error(command,
                           "\"%s\" is no generation; expected a number from `rambox generation list`", text);
    *ret_number = (unsigned)number;
    return 0;
}

/* generation diff */

static int print_diff(const struct context *context, unsigned from, unsigned to, const char *text)
{
    if (context->json)
        return print_json(json_pack("{s:i, s:i, s:s}", "from", (int)from, "to", (int)to, "text", text));
    fputs(text[0] ? text : "They are the same.\n", stdout);
    return 0;
}

static int run_diff(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    cleanup_free char *text = NULL;
    unsigned from = 0, to = 0;
    int n = parse_options(&command_generation_diff, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 2)
        return usage_error(&command_generation_diff, "it takes at most two generations");
    if ((n > 0 && read_number(&command_generation_diff, argv[1], &from) != 0) ||
        (n > 1 && read_number(&command_generation_diff, argv[2], &to) != 0))
        return 2;
    cleanup_free char *state = find_state_dir(context);
    if (n == 0 && (from = generation_before(state, 0)) == 0)
        diag_error(&diags, NULL, "there is no generation before the current one");
    else if (generation_diff(state, from, to, &diags, &text) == 0)
        return print_diff(context, from, to, text);
    return report_diags(context, &diags);
}

/* generation rollback */

static int run_rollback(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    cleanup_diags struct diags diags = {0};
    unsigned number = 0;
    int n = parse_options(&command_generation_rollback, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 1)
        return usage_error(&command_generation_rollback, "it takes one generation");
    if (n == 1 && read_number(&command_generation_rollback, argv[1], &number) != 0)
        return 2;
    cleanup_free char *state = find_state_dir(context);
    if (number == 0 && (number = generation_before(state, 0)) == 0)
        diag_error(&diags, NULL, "there is no generation before the current one");
    else if (generation_switch(state, number, &diags) == 0) {
        if (context->json)
            return print_json(json_pack("{s:i}", "generation", (int)number));
        printf("generation %u is the current one now\n", number);
        return 0;
    }
    return report_diags(context, &diags);
}

const struct command command_generation_diff = {
    .name = "generation diff",
    .synopsis = "[FROM] [TO]",
    .summary = "say what differs between two generations",
    .help = "Without TO: the current one. Without both: the one before the current, and the current.\n"
            "\n"
            "Examples:\n"
            "  rambox generation diff\n"
            "  rambox generation diff 3 5\n",
    .run = run_diff,
};

const struct command command_generation_list = {
    .name = "generation list",
    .synopsis = "",
    .summary = "list what was published; the current generation is marked",
    .help = "Examples:\n"
            "  rambox generation list\n",
    .run = run_list,
};

const struct command command_generation_rollback = {
    .name = "generation rollback",
    .synopsis = "[GENERATION]",
    .summary = "make an earlier generation the current one; nodes get it at their next boot",
    .help = "Without GENERATION: the one before the current.\n"
            "\n"
            "Examples:\n"
            "  rambox generation rollback\n"
            "  rambox generation rollback 3\n",
    .run = run_rollback,
};

const struct command command_publish = {
    .name = "publish",
    .synopsis = "",
    .summary = "join definitions and built artifacts into a new generation, and switch to it",
    .help = "Everything is checked first; the switch is one atomic step, and a running server follows it.\n"
            "\n"
            "Examples:\n"
            "  rambox build && rambox publish\n",
    .run = run_publish,
};
