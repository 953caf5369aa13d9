/* The orderly end; the contract is in stop.h. */
#include "init/stop.h"

#include <signal.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init/mounts.h"
#include "init/process.h"
#include "init/say.h"

#define TERM_MS 3000
#define KILL_MS 1000

static const struct end {
    int signal;
    int command; /* of reboot(2) */
    const char *stage;
    const char *line;
} ends[] = {
    {SIGTERM, RB_AUTOBOOT, "reboot", "stopping, then restarting"},
    {SIGINT, RB_AUTOBOOT, "reboot", "stopping, then restarting (ctrl-alt-del)"},
    {SIGUSR1, RB_HALT_SYSTEM, "halt", "stopping, then halting"},
    {SIGUSR2, RB_POWER_OFF, "poweroff", "stopping, then powering off"},
};

/* In a child, since the kernel ends the caller of some of these, and the end of process 1 is a panic. */
static _Noreturn void end_machine(int command)
{
    pid_t pid = fork();

    /* Without a child (no memory left) this one does it: a panic at the worst, which restarts the node. */
    if (pid <= 0)
        reboot(command);
    if (pid == 0)
        _exit(0);
    for (;;)
        pause();
}

_Noreturn void stop_reboot(void)
{
    sync();
    end_machine(RB_AUTOBOOT);
}

static void end_processes(void)
{
    int status;

    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
    process_hang_up_console();
    /* A further stop signal changes nothing: wait on. */
    while (process_wait(0, TERM_MS, true, &status) > 0)
        ;
    kill(-1, SIGKILL);
    while (process_wait(0, KILL_MS, true, &status) > 0)
        ;
}

_Noreturn void stop(struct timeline *timeline, int signal)
{
    const struct end *end = &ends[0];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends[i].signal == signal)
            end = &ends[i];
    say("%s", end->line);
    (void)timeline_mark(timeline, "stopping", end->stage);
    (void)timeline_tell_now(timeline, false, TIMELINE_BRIEF);
    end_processes();
    sync();
    if (chdir("/") == 0)
        mounts_unmount_all("/proc", true);
    say("stopped");
    sync();
    end_machine(end->command);
}
