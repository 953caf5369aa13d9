/* The program: global options, the search for the command, and its exit status (0 done, 1 failed, 2 used
 * wrongly). */
#include "base/file.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/progress.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct invocation {
    struct context context;
    bool help, version;
    int argc; /* what is left: the command's words, its options and operands */
    char **argv;
};

static const struct {
    const char *name;
    size_t offset; /* of a bool in struct invocation */
} flags[] = {
    {"--json", offsetof(struct invocation, context.json)},
    {"--quiet", offsetof(struct invocation, context.quiet)},
    {"--help", offsetof(struct invocation, help)},
    {"-h", offsetof(struct invocation, help)},
    {"--version", offsetof(struct invocation, version)},
};

static bool take_flag(struct invocation *in, const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (str_eq(word, flags[i].name))
            return *(bool *)((char *)in + flags[i].offset) = true;
    return false;
}

/* Moves the global options from argv, wherever they stand before `--`, into the context. 0, or 2 after saying
 * what is wrong. */
static int take_globals(struct invocation *in, int argc, char **argv)
{
    in->argv = argv;
    for (int i = 0; i < argc; i++) {
        if (i > 0 && str_eq(argv[i], "--")) {
            while (i < argc)
                argv[in->argc++] = argv[i++];
        } else if (i > 0 && str_starts(argv[i], "--config=")) {
            in->context.config_dir = argv[i] + strlen("--config=");
        } else if (i > 0 && str_eq(argv[i], "--config")) {
            if (i + 1 == argc) {
                fputs("rambox: --config needs a folder\n", stderr);
                return 2;
            }
            in->context.config_dir = argv[++i];
        } else if (i == 0 || !take_flag(in, argv[i])) {
            argv[in->argc++] = argv[i];
        }
    }
    argv[in->argc] = NULL;
    return 0;
}

/* The command with the longest name that argv begins with; *ret_words is how many words that is. */
static const struct command *find_command(char **argv, int *ret_words)
{
    cleanup_str struct str name = {0};
    const struct command *found = NULL;
    for (int words = 1; argv[words - 1] && words <= 3; words++) {
        str_printf(&name, "%s%s", words > 1 ? " " : "", argv[words - 1]);
        const struct command *command = command_named(str_text(&name));
        if (!command)
            continue;
        found = command;
        *ret_words = words;
    }
    return found;
}

/* No command has that name: a group (`node`), nothing at all, or a slip. */
static int no_command(const struct invocation *in)
{
    char **words = in->argv + 1;
    FILE *out = in->help ? stdout : stderr;
    if (!words[0]) {
        help_all(out);
        return in->help ? 0 : 2;
    }
    if (words[0][0] == '-') {
        fprintf(stderr, "rambox: unknown option %s\n`rambox help` lists the options.\n", words[0]);
        return 2;
    }
    if (!command_named(words[0]) && (!words[1] || words[1][0] == '-') && help_group(words[0], out))
        return in->help ? 0 : 2;
    cleanup_str struct str name = {0};
    str_add(&name, words[0]);
    bool group = false;
    for (const struct command *const *command = commands; *command; command++)
        group |= str_starts((*command)->name, words[0]) && (*command)->name[strlen(words[0])] == ' ';
    if (group && words[1])
        str_printf(&name, " %s", words[1]);
    return unknown_command(str_text(&name));
}

/* $NAME, else PREFIX/suffix when the program stands in PREFIX/bin and that folder exists, else the
 * compiled-in one. The caller's. */
static char *find_dir(const char *variable, const char *suffix, const char *compiled_in)
{
    const char *value = getenv(variable);
    if (value && value[0])
        return xstrdup(value);
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        if (str_ends(exe, "/bin")) {
            exe[strlen(exe) - strlen("/bin")] = '\0';
            cleanup_free char *path = xasprintf("%s/%s", exe, suffix);
            if (file_exists(path))
                return TAKE_PTR(path);
        }
    }
    return xstrdup(compiled_in);
}

static int run_command(struct invocation *in)
{
    int words = 0;
    const struct command *command = find_command(in->argv + 1, &words);
    if (!command)
        return no_command(in);
    if (in->help) {
        help_command(command, stdout);
        return 0;
    }
    cleanup_free char *share = find_dir("RAMBOX_SHARE", "share/rambox", RAMBOX_SHARE_DIR);
    cleanup_free char *libexec = find_dir("RAMBOX_LIBEXEC", "libexec/rambox", RAMBOX_LIBEXEC_DIR);
    in->context.share_dir = share;
    in->context.libexec_dir = libexec;
    if (!in->context.quiet && !in->context.json)
        in->context.progress = cli_progress_new(stderr);
    int status = command->run(&in->context, in->argc - words, in->argv + words);
    cli_progress_free(in->context.progress);
    return status;
}

int main(int argc, char **argv)
{
    const char *config = getenv("RAMBOX_CONFIG");
    struct invocation in = {.context.config_dir = config && config[0] ? config : NULL};
    int status = take_globals(&in, argc, argv);
    in.context.config_given = in.context.config_dir;
    if (!in.context.config_given)
        in.context.config_dir = "/etc/rambox";
    if (status == 0 && in.version)
        puts("rambox " RAMBOX_VERSION);
    else if (status == 0)
        status = run_command(&in);
    if (fflush(stdout) != 0 && status == 0) {
        fprintf(stderr, "rambox: error: cannot write the output: %s\n", strerror(errno));
        status = 1;
    }
    return status;
}
