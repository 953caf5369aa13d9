/* See lab/child.h. */
#include "lab/child.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static _Noreturn void exec_child(const struct lab_child_spec *spec, const char *program, pid_t parent,
                                 int output, int error_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* The parent may have died between fork and prctl; then nobody would send the signal. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        goto failed;
    setpgid(0, 0);
    for (const char *const *e = spec->extra_env; e && *e; e++)
        putenv((char *)(uintptr_t)*e);
    for (size_t i = 0; i < spec->fd_count; i++)
        if (fcntl(spec->fds[i], F_SETFD, 0) < 0)
            goto failed;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
        goto failed;
    execv(program, (char *const *)(uintptr_t)spec->argv);
failed:;
    int error = errno;
    (void)!write(error_fd, &error, sizeof(error));
    _exit(127);
}

int lab_child_start(const struct lab_child_spec *spec, struct diags *diags, struct lab_child *ret_child)
{
    int out[2], error[2];
    cleanup_free char *program = find_program(spec->argv[0]);
    if (!program) {
        diag_error(diags, NULL, "there is no program %s", spec->argv[0]);
        return -ENOENT;
    }
    if (pipe2(out, O_CLOEXEC) < 0)
        return diag_errno(diags, -errno, "cannot make a pipe");
    cleanup_close int out_read = out[0];
    cleanup_close int out_write = out[1];
    if (pipe2(error, O_CLOEXEC) < 0)
        return diag_errno(diags, -errno, "cannot make a pipe");
    cleanup_close int error_read = error[0];
    cleanup_close int error_write = error[1];
    if (fcntl(out_read, F_SETFL, O_NONBLOCK) < 0)
        return diag_errno(diags, -errno, "cannot start %s", program);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return diag_errno(diags, -errno, "cannot start %s", program);
    if (pid == 0)
        exec_child(spec, program, parent, out_write, error_write);
    close(TAKE_FD(error_write));
    int start_error = 0;
    if (read(error_read, &start_error, sizeof(start_error)) == (ssize_t)sizeof(start_error)) {
        waitpid(pid, NULL, 0);
        return diag_errno(diags, -start_error, "cannot start %s", program);
    }
    *ret_child = (struct lab_child){.pid = pid, .output = TAKE_FD(out_read)};
    return 0;
}

bool lab_child_running(struct lab_child *child)
{
    int status;
    if (child->pid <= 0)
        return false;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return true;
    child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    child->pid = 0;
    return false;
}

void lab_child_end(struct lab_child *child, unsigned grace_ms)
{
    if (lab_child_running(child)) {
        int handle = (int)syscall(SYS_pidfd_open, child->pid, 0);
        kill(child->pid, SIGTERM);
        if (handle >= 0) {
            (void)poll(&(struct pollfd){.fd = handle, .events = POLLIN}, 1, (int)grace_ms);
            close(handle);
        }
        if (lab_child_running(child)) {
            kill(-child->pid, SIGKILL);
            kill(child->pid, SIGKILL);
            int status;
            waitpid(child->pid, &status, 0);
            child->status = 128 + SIGKILL;
            child->pid = 0;
        }
    }
    if (child->output >= 0)
        close(TAKE_FD(child->output));
}
