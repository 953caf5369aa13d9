/* Children of process 1; the contract is in process.h. */
#include "init/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void signals_of_init(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
}

void process_setup(void)
{
    sigset_t set;

    signals_of_init(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void process_restore_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

/* The child that has the console, while it lives. */
static pid_t console_child;

/* Makes the console of today's /dev this session's terminal; the one that init began with may be of another
 * /dev. */
static void take_console(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

    for (int i = 0; fd >= 0 && i < 3; i++)
        dup2(fd, i);
    ioctl(STDIN_FILENO, TIOCSCTTY, 1);
}

/* The child's side of a start: never returns. */
static _Noreturn void become(char *const argv[])
{
    process_restore_signals();
    execv(argv[0], argv);
    _exit(127);
}

pid_t process_start(char *const argv[], bool console)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid > 0) {
        if (console)
            console_child = pid;
        return pid;
    }
    setsid();
    if (console)
        take_console();
    become(argv);
}

pid_t process_start_to(char *const argv[], int output)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid < 0 ? -errno : pid;
    dup2(output, STDOUT_FILENO);
    become(argv);
}

void process_hang_up_console(void)
{
    if (console_child > 0)
        kill(console_child, SIGHUP);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reaps all that have ended. Returns 0 when `pid` was among them, 1 when not, -ECHILD when no child is left.
 */
static int reap(pid_t pid, int *ret_status)
{
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);

        if (ended == 0)
            return 1;
        if (ended < 0)
            return -ECHILD;
        if (ended == console_child)
            console_child = 0;
        if (ended == pid) {
            *ret_status = status;
            return 0;
        }
    }
}

int process_wait(pid_t pid, int timeout_ms, bool until_none, int *ret_status)
{
    int64_t end = now_ms() + timeout_ms;
    sigset_t set;

    signals_of_init(&set);
    for (;;) {
        struct timespec left = {0, 0};
        int r = reap(pid, ret_status);

        if (r == 0 || (r == -ECHILD && (until_none || pid > 0)))
            return r;
        if (timeout_ms >= 0) {
            int64_t ms = end - now_ms();
            if (ms <= 0)
                return -ETIMEDOUT;
            left = (struct timespec){ms / 1000, ms % 1000 * 1000000};
        }
        int signal = sigtimedwait(&set, NULL, timeout_ms >= 0 ? &left : NULL);
        if (signal > 0 && signal != SIGCHLD)
            return signal;
    }
}

int process_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int process_run(char *const argv[], int timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;
    int status = 0, later = 0;
    int r;

    pid_t pid = process_start(argv, false);
    if (pid < 0)
        return pid;
    do {
        r = process_wait(pid, (int)(end - now_ms() > 0 ? end - now_ms() : 0), false, &status);
        if (r > 0)
            later = r;
    } while (r > 0);
    if (r == -ETIMEDOUT) {
        kill(-pid, SIGKILL);
        (void)process_wait(pid, 1000, false, &status);
    }
    if (later)
        kill(getpid(), later);
    return r < 0 ? r : process_status(status);
}
