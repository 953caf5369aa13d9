/* See cli/command.h: the table, and what all commands share. */
#include "base/file.h"
#include "base/str.h"
#include "cli/command.h"
#include "config/config.h"

#include <stdio.h>

#define TABLE_ENTRY(name) &command_##name,
const struct command *const commands[] = {COMMANDS(TABLE_ENTRY) NULL};

const struct command *command_named(const char *name)
{
    for (const struct command *const *command = commands; *command; command++)
        if (str_eq((*command)->name, name))
            return *command;
    return NULL;
}

int usage_error(const struct command *command, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "rambox %s: ", command->name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nusage: rambox %s%s%s\n`rambox help %s` says more.\n", command->name,
            command->synopsis[0] ? " " : "", command->synopsis, command->name);
    return 2;
}

static int unknown_option(const struct command *command, const struct option_spec *options, const char *given)
{
    VEC(const char *) names = {0};
    for (const struct option_spec *option = options; option->name; option++)
        VEC_PUSH(&names, option->name);
    VEC_PUSH(&names, "--config");
    VEC_PUSH(&names, "--help");
    VEC_PUSH(&names, "--json");
    VEC_PUSH(&names, "--quiet");
    VEC_PUSH(&names, NULL);
    const char *nearest = nearest_word(given, names.items);
    if (nearest)
        usage_error(command, "unknown option %s; did you mean %s?", given, nearest);
    else
        usage_error(command, "unknown option %s", given);
    VEC_FREE(&names);
    return -1;
}

/* Takes one option. Returns how many arguments it took, or -1. */
static int take_option(const struct command *command, const struct option_spec *options, char **argv)
{
    const char *equals = strchr(argv[0], '=');
    cleanup_free char *name = equals ? xstrndup(argv[0], (size_t)(equals - argv[0])) : xstrdup(argv[0]);
    for (; options->name; options++) {
        if (!str_eq(options->name, name))
            continue;
        if (options->flag && equals)
            return usage_error(command, "%s takes no value", name), -1;
        if (options->flag) {
            *options->flag = true;
            return 1;
        }
        if (!equals && !argv[1])
            return usage_error(command, "%s needs a value", name), -1;
        *options->value = equals ? equals + 1 : argv[1];
        return equals ? 1 : 2;
    }
    return -2;
}

int parse_options(const struct command *command, const struct option_spec *options, int argc, char **argv)
{
    int operands = 0;
    bool ended = false;
    for (int i = 1; i < argc;) {
        if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[1 + operands++] = argv[i++];
            continue;
        }
        if (str_eq(argv[i], "--")) {
            ended = true;
            i++;
            continue;
        }
        int taken = take_option(command, options, argv + i);
        if (taken == -2)
            return unknown_option(command, options, argv[i]);
        if (taken < 0)
            return -1;
        i += taken;
    }
    argv[1 + operands] = NULL;
    return operands;
}

const char **split_list(char *text)
{
    VEC(const char *) words = {0};
    char *save = NULL;
    for (char *word = text ? strtok_r(text, ",", &save) : NULL; word; word = strtok_r(NULL, ",", &save))
        VEC_PUSH(&words, word);
    VEC_PUSH(&words, NULL);
    return words.items;
}

json_t *diags_to_json(const struct diags *diags)
{
    json_t *list = json_array();
    VEC_EACH(diag, &diags->list) {
        json_t *item = json_pack("{s:s, s:s}", "severity", severity_name(diag->severity), "text", diag->text);
        if (item && diag->file)
            json_object_set_new(item, "file", json_string(diag->file));
        if (item && diag->file && diag->line) {
            json_object_set_new(item, "line", json_integer(diag->line));
            json_object_set_new(item, "column", json_integer(diag->column));
        }
        json_array_append_new(list, item);
    }
    return list;
}

int print_json(json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(document);
    return 0;
}

int report_diags(const struct context *context, const struct diags *diags)
{
    if (context->json && diags->errors)
        print_json(json_pack("{s:o}", "diagnostics", diags_to_json(diags)));
    else
        diags_print(diags, stderr);
    return diags->errors ? 1 : 0;
}

struct site *load_site(const struct context *context)
{
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    config_load(context->config_dir, context->share_dir, &diags, &site);
    report_diags(context, &diags);
    return site;
}

char *find_state_dir(const struct context *context)
{
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags unused = {0};
    cleanup_free char *path = xasprintf("%s/rambox.yaml", context->config_dir), *text = NULL;
    size_t size;
    if (file_read(path, 4 << 20, &text, &size) == 0)
        config_parse_main("rambox.yaml", text, size, &unused, site);
    return xstrdup(site->server.state_dir);
}
