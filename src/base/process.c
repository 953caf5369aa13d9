/* See base/process.h. */
#include "base/process.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static _Noreturn void child(const struct process_spec *spec, const char *program, int out, int error_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* When we are killed, what we run ends too, and so on down. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (const char *const *e = spec->extra_env; e && *e; e++)
        putenv((char *)(uintptr_t)*e);
    if (!spec->inherit_terminal) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
            goto failed;
    }
    if (spec->nice && nice(spec->nice) == -1) {
        /* A lower priority is a courtesy: go on without it. */
    }
    if (spec->cwd && chdir(spec->cwd) < 0)
        goto failed;
    execv(program, (char *const *)(uintptr_t)spec->argv);
failed:;
    int error = errno;
    (void)!write(error_fd, &error, sizeof(error));
    _exit(127);
}

/* Hands on whole lines of what was read so far; what follows the last newline waits for more. */
static void flush_lines(const struct process_spec *spec, struct str *pending, bool end)
{
    char *start = pending->s;
    size_t left = pending->len;
    char *newline;
    while (left && (newline = memchr(start, '\n', left))) {
        *newline = '\0';
        if (spec->on_line)
            spec->on_line(spec->user, start);
        left -= (size_t)(newline + 1 - start);
        start = newline + 1;
    }
    if (end && left) {
        if (spec->on_line)
            spec->on_line(spec->user, start);
        left = 0;
    }
    if (pending->s) {
        memmove(pending->s, start, left);
        pending->s[left] = '\0';
    }
    pending->len = left;
}

static void read_output(const struct process_spec *spec, int fd)
{
    cleanup_close int log = -1;
    cleanup_str struct str pending = {0};
    char buffer[8192];
    if (spec->log_path)
        log = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (log >= 0)
            (void)write_all(log, buffer, (size_t)n);
        str_add_n(&pending, buffer, (size_t)n);
        flush_lines(spec, &pending, false);
    }
    flush_lines(spec, &pending, true);
}

static int wait_status(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int process_run(const struct process_spec *spec)
{
    cleanup_free char *program = find_program(spec->argv[0]);
    int out[2], error[2];
    if (!program)
        return -ENOENT;
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    cleanup_close int out_read = out[0];
    cleanup_close int out_write = out[1];
    if (pipe2(error, O_CLOEXEC) < 0)
        return -errno;
    cleanup_close int error_read = error[0];
    cleanup_close int error_write = error[1];
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        child(spec, program, out_write, error_write);
    close(TAKE_FD(out_write));
    close(TAKE_FD(error_write));
    read_output(spec, out_read);
    int start_error = 0;
    ssize_t n = read(error_read, &start_error, sizeof(start_error));
    int status = wait_status(pid);
    return n == (ssize_t)sizeof(start_error) ? -start_error : status;
}

static void collect(void *user, const char *line)
{
    struct str *output = user;
    if (output->len < 1 << 20)
        str_printf(output, "%s\n", line);
}

int process_output(const char *const *argv, char **ret_output)
{
    cleanup_str struct str output = {0};
    int r = process_run(&(struct process_spec){.argv = argv, .on_line = collect, .user = &output});
    if (r >= 0)
        *ret_output = str_steal(&output);
    return r;
}
