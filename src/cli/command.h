/* Commands: one file each, and the table that the help, the man page's test and the completion are made from.
 */
#pragma once

#include "base/diag.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "model/site.h"

#include <jansson.h>
#include <stdbool.h>

/* What every command gets: the options that stand before or after any command. */
struct context {
    const char *config_dir;  /* --config DIR, else $RAMBOX_CONFIG, else /etc/rambox */
    bool config_given;       /* --config or $RAMBOX_CONFIG named it */
    const char *share_dir;   /* $RAMBOX_SHARE or where it was installed */
    const char *libexec_dir; /* $RAMBOX_LIBEXEC or where it was installed: rambox-init */
    bool json;               /* --json: one JSON document on stdout, nothing else there */
    bool quiet;              /* --quiet: no progress */
    struct progress *progress;
};

struct command {
    const char *name;     /* `node` or `node add`: words separated by one space */
    const char *synopsis; /* what follows the name: `NAME --mac M [--ip A]`; the completion takes the options
                             from here */
    const char *summary;  /* one line */
    const char *help; /* options and what they mean; examples last, each line beginning with `  rambox ` */
    /* argv[0] is the command's last word; the global options are taken out of argv, which ends with NULL.
     * Returns the exit status: 0 done, 1 failed (said why), 2 used wrongly. */
    int (*run)(struct context *context, int argc, char **argv);
};

#define DECLARE_COMMAND(name) extern const struct command command_##name;
COMMANDS(DECLARE_COMMAND)

extern const struct command *const commands[]; /* ends with NULL; sorted by name */

/* Prints the usage of one command to stderr after saying what was wrong; returns 2. */
int usage_error(const struct command *command, const char *fmt, ...) PRINTF(2, 3);
/* `node add`, exactly; NULL when there is none. */
const struct command *command_named(const char *name);

/* One option of a command: `--name` alone, or `--name VALUE` (also `--name=VALUE`). */
struct option_spec {
    const char *name;   /* with its dashes */
    bool *flag;         /* set to true, or */
    const char **value; /* to the text that follows; the last one wins */
};

/* Takes the options (a table that ends with name NULL) out of argv, in place; what is left are the operands,
 * ended by NULL, the first at argv[1]. `--` ends the options. Returns the number of operands, or -1 after a
 * usage_error (return 2 then): an unknown option (with the nearest right one), a missing value. */
int parse_options(const struct command *command, const struct option_spec *options, int argc, char **argv);

/* `eth0,eth1` to its words, ends with NULL; they point into `text`, which may be NULL. The caller's to free.
 */
const char **split_list(char *text);

/* Prints diagnostics to stderr and returns 1 when there were errors, else 0. With --json, when there are
 * errors, they go to stdout instead as {"diagnostics": [...]}; a command that failed prints no other
 * document. */
int report_diags(const struct context *context, const struct diags *diags);
/* [{"severity", "file", "line", "column", "text"}], for commands that put diagnostics into their own
 * document. */
json_t *diags_to_json(const struct diags *diags);
/* Prints the document on stdout and drops it. Returns 0. */
int print_json(json_t *document);

/* Loads and checks the configuration (warnings go to stderr). NULL after saying what is wrong: return 1 then.
 * The caller's: site_free. */
struct site *load_site(const struct context *context);
/* The state folder, from what can be read of rambox.yaml, so that it is known even when the rest is wrong.
 * The caller's. */
char *find_state_dir(const struct context *context);
