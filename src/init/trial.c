/* Trials of kernels; the contract is in trial.h. */
#include "init/trial.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init/files.h"
#include "init/process.h"
#include "init/say.h"
#include "init/text.h"

#define NAME       "rambox-trial" /* as /proc/PID/comm has it */
#define LAST_WORDS 60             /* tenths of a second that the last report and writing to disks may take */

/* The last report, and what is not written yet; both may hang, so a child does it. */
static void last_words(struct timeline *timeline)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)timeline_tell_now(timeline, false, TIMELINE_BRIEF);
        sync();
        _exit(0);
    }
    for (int i = 0; pid > 0 && i < LAST_WORDS && waitpid(pid, NULL, WNOHANG) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static _Noreturn void keep_time(struct timeline *timeline)
{
    unsigned left = (unsigned)timeline->cmdline->trial;
    char line[96];
    struct text why;

    prctl(PR_SET_NAME, NAME);
    while (left > 0)
        left = sleep(left);
    text_start(&why, line, sizeof(line));
    text_addf(&why, "trial: the server has taken no ready report within %ld s", timeline->cmdline->trial);
    say("%s: the node restarts", line);
    (void)timeline_mark(timeline, "failed", line);
    last_words(timeline);
    reboot(RB_AUTOBOOT);
    _exit(1);
}

void trial_start(const struct timeline *timeline)
{
    static struct timeline own;

    if (timeline->cmdline->trial == 0 || timeline->cmdline->shell)
        return;
    pid_t pid = fork();
    if (pid < 0)
        say("cannot watch over the trial: %s", strerror(errno));
    if (pid != 0)
        return;
    process_restore_signals();
    own = *timeline;
    keep_time(&own);
}

/* Whether the process of that number is the one that keeps the time. */
static bool keeps_time(const char *number)
{
    char path[64], name[32];
    struct text text;

    text_start(&text, path, sizeof(path));
    text_addf(&text, "/proc/%s/comm", number);
    return !text.cut && files_read(path, name, sizeof(name)) > 0 && strcmp(name, NAME "\n") == 0;
}

void trial_end(const struct cmdline *cmdline)
{
    struct dirent *entry;
    long pid;
    DIR *dir = cmdline->trial ? opendir("/proc") : NULL;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (text_number(entry->d_name, 2, 1 << 30, &pid) == 0 && keeps_time(entry->d_name))
            kill((pid_t)pid, SIGKILL);
    closedir(dir);
}
