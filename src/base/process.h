/* Child processes: run a program, see its output line by line, get its exit status. No shell is involved. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct process_spec {
    const char *const *argv;      /* ends with NULL; argv[0] is looked up in PATH and the sbin folders */
    const char *const *extra_env; /* NAME=VALUE to add to the environment, ends with NULL; NULL: none */
    const char *cwd;              /* NULL: this process's */
    const char *log_path;         /* its output is appended here as well; NULL: nowhere */
    bool
        inherit_terminal; /* gives it our stdin, stdout and stderr (menuconfig, a shell); on_line is unused */
    int nice;             /* added to our own priority */
    /* Called for each line of stdout and stderr, without its newline, as it comes. May be NULL. */
    void (*on_line)(void *user, const char *line);
    void *user;
};

/* Runs it to its end. Returns its exit status 0..255, 128 + N when signal N ended it, or -errno when it could
 * not be started (-ENOENT: no such program). */
int process_run(const struct process_spec *spec);

/* Runs it and hands back all it printed on stdout and stderr (the caller's; cut at 1 MiB). Otherwise as
 * process_run. */
int process_output(const char *const *argv, char **ret_output);
