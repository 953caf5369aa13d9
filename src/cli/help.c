/* rambox help, rambox completion: both made from the table of commands. */
#include "cli/help.h"
#include "base/file.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>

static const char global_help[] =
    "Global options, before or after the command:\n"
    "  --config DIR   the configuration folder (else $RAMBOX_CONFIG, else /etc/rambox)\n"
    "  --json         one JSON document on stdout\n"
    "  --quiet        no progress\n"
    "  --help         help on the command\n"
    "  --version      the version\n";

static bool is_in_group(const struct command *command, const char *group)
{
    size_t n = strlen(group);
    return str_starts(command->name, group) && (n == 0 || command->name[n] == ' ');
}

bool help_group(const char *group, FILE *out)
{
    bool any = false;
    for (const struct command *const *command = commands; *command; command++) {
        if (!is_in_group(*command, group))
            continue;
        fprintf(out, "  %-20s %s\n", (*command)->name, (*command)->summary);
        any = true;
    }
    return any;
}

void help_all(FILE *out)
{
    fputs("usage: rambox [--config DIR] [--json] [--quiet] COMMAND ...\n\nCommands:\n", out);
    help_group("", out);
    fprintf(out, "\n%s\n`rambox help COMMAND` says more about one.\n", global_help);
}

void help_command(const struct command *command, FILE *out)
{
    fprintf(out, "usage: rambox %s%s%s\n\n%c%s.\n", command->name, command->synopsis[0] ? " " : "",
            command->synopsis, toupper((unsigned char)command->summary[0]), command->summary + 1);
    if (command->help[0])
        fprintf(out, "\n%s", command->help);
}

static int run_help(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    (void)context;
    int n = parse_options(&command_help, options, argc, argv);
    if (n < 0)
        return 2;
    cleanup_str struct str name = {0};
    for (int i = 1; i <= n; i++)
        str_printf(&name, "%s%s", i > 1 ? " " : "", argv[i]);
    const struct command *command = command_named(str_text(&name));
    if (n == 0)
        help_all(stdout);
    else if (command)
        help_command(command, stdout);
    else if (!help_group(str_text(&name), stdout))
        return unknown_command(str_text(&name));
    return 0;
}

int unknown_command(const char *name)
{
    VEC(char *) names = {0}; /* `node add`, and `node` for who meant the group */
    for (const struct command *const *command = commands; *command; command++) {
        const char *full = (*command)->name;
        VEC_PUSH(&names, xstrdup(full));
        VEC_PUSH(&names, xstrndup(full, strcspn(full, " ")));
    }
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(name, (const char *const *)names.items);
    fprintf(stderr, "rambox: unknown command \"%s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean \"%s\"?", nearest);
    fputs("\n`rambox help` lists all commands.\n", stderr);
    names_free(names.items);
    return 2;
}

/* The words that may follow `prefix` (a command's first words, or empty), each once. */
static void print_next_words(const char *prefix, FILE *out)
{
    size_t n = strlen(prefix);
    const char *last = "";
    size_t last_n = 0;
    for (const struct command *const *command = commands; *command; command++) {
        const char *name = (*command)->name;
        if (!is_in_group(*command, prefix))
            continue;
        const char *word = name + n + (n > 0);
        size_t word_n = strcspn(word, " ");
        if (word_n == last_n && strncmp(word, last, word_n) == 0)
            continue;
        fprintf(out, " %.*s", (int)word_n, word);
        last = word;
        last_n = word_n;
    }
}

/* The options that a synopsis names. */
static void print_options(const char *synopsis, FILE *out)
{
    for (const char *p = strstr(synopsis, "--"); p; p = strstr(p, "--")) {
        size_t n = 2;
        while (isalnum((unsigned char)p[n]) || p[n] == '-')
            n++;
        fprintf(out, " %.*s", (int)n, p);
        p += n;
    }
}

static void print_completion(FILE *out)
{
    const char *space;
    fputs("# bash completion of rambox; made by `rambox completion bash`.\n"
          "_rambox()\n{\n"
          "    local word words='' i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i-1]} == --config ]] || "
          "words+=\"${words:+ }${COMP_WORDS[i]}\"\n"
          "    done\n"
          "    word=${COMP_WORDS[COMP_CWORD]}\n"
          "    local next='' global='--config --json --quiet --help'\n"
          "    case $words in\n"
          "    '') next='",
          out);
    print_next_words("", out);
    fputs(" --version' ;;\n", out);
    cleanup_free char *last = xstrdup("");
    for (const struct command *const *command = commands; *command; command++) {
        space = strchr((*command)->name, ' ');
        if (space) {
            cleanup_free char *group = xstrndup((*command)->name, (size_t)(space - (*command)->name));
            if (!str_eq(group, last)) {
                fprintf(out, "    '%s') next='", group);
                print_next_words(group, out);
                fputs("' ;;\n", out);
            }
            free(last);
            last = TAKE_PTR(group);
        }
    }
    for (const struct command *const *command = commands; *command; command++) {
        fprintf(out, "    '%s'*) next='", (*command)->name);
        print_options((*command)->synopsis, out);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$next $global\" -- \"$word\")\n"
          "}\n"
          "complete -o default -F _rambox rambox\n",
          out);
}

static int run_completion(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    (void)context;
    int n = parse_options(&command_completion, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1 || !str_eq(argv[1], "bash"))
        return usage_error(&command_completion, "the only shell known is bash");
    print_completion(stdout);
    return 0;
}

const struct command command_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "say what rambox or one command does",
    .help = "Examples:\n"
            "  rambox help node add\n",
    .run = run_help,
};

const struct command command_completion = {
    .name = "completion",
    .synopsis = "bash",
    .summary = "print the completion of commands and options for a shell",
    .help = "Examples:\n"
            "  rambox completion bash > /etc/bash_completion.d/rambox\n",
    .run = run_completion,
};
