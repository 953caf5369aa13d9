/* The last resort; the contract is in fallback.h. */
#include "init/fallback.h"

#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init/files.h"
#include "init/process.h"
#include "init/say.h"
#include "init/stop.h"
#include "init/text.h"

#define SHELL       "/bin/sh"
#define REPORT_LAST 6000 /* ms that a last report may take before the node goes */

/* Seconds until a dead node restarts, as the kernel has them; 0 is never, below 0 at once. */
static long panic_seconds(void)
{
    char text[32];
    long seconds = 0;

    if (files_read("/proc/sys/kernel/panic", text, sizeof(text)) > 0) {
        text[strcspn(text, "\n")] = '\0';
        (void)text_number(text, -1000000, 1000000, &seconds);
    }
    return seconds;
}

static void wait_for_report(pid_t report)
{
    int status;

    if (report > 0)
        (void)process_wait(report, REPORT_LAST, false, &status);
}

/* The end of process 1 is a panic, and the kernel restarts the node after its panic time-out. */
static _Noreturn void panic_now(pid_t report, const char *why)
{
    long seconds = panic_seconds();

    if (seconds == 0)
        say("%s; nothing is left to run: the node stays dead, since its panic time-out is 0", why);
    else
        say("%s; nothing is left to run: the node restarts in %ld s", why, seconds < 0 ? 0 : seconds);
    wait_for_report(report);
    exit(1);
}

static _Noreturn void restart_instead(struct timeline *timeline)
{
    long seconds = panic_seconds();

    if (seconds == 0)
        panic_now(timeline_tell(timeline, false, TIMELINE_PATIENT), "rambox.secure forbids a shell");
    say("rambox.secure forbids a shell: the node restarts in %ld s", seconds < 0 ? 0 : seconds);
    wait_for_report(timeline_tell(timeline, false, TIMELINE_PATIENT));
    if (seconds > 0)
        sleep((unsigned)seconds);
    stop_reboot();
}

/* Runs the shell to its end; what was marked so far is told at once. */
static _Noreturn void shell(struct timeline *timeline)
{
    char line[96];
    struct text text;
    int status = 0;

    int r = files_executable(SHELL);
    if (r < 0) {
        text_start(&text, line, sizeof(line));
        text_addf(&text, "no shell, %s: %s", SHELL, strerror(-r));
        panic_now(timeline_tell(timeline, false, TIMELINE_PATIENT), line);
    }
    (void)timeline_mark(timeline, "shell", NULL);
    pid_t report = timeline_tell(timeline, false, TIMELINE_PATIENT);
    reboot(RB_DISABLE_CAD);
    say("starting a shell on the console; when it ends, the node restarts");
    pid_t pid = process_start((char *[]){SHELL, NULL}, true);
    if (pid < 0)
        panic_now(report, "cannot start a shell");
    r = process_wait(pid, PROCESS_FOREVER, false, &status);
    if (r > 0)
        stop(timeline, r);
    text_start(&text, line, sizeof(line));
    text_addf(&text, "the shell has ended with status %d", process_status(status));
    panic_now(report, line);
}

_Noreturn void fallback_shell(struct timeline *timeline)
{
    if (timeline->cmdline->secure) {
        say("shell on the kernel command line is not obeyed");
        (void)timeline_mark(timeline, "failed", "shell asked for, but rambox.secure forbids it");
        restart_instead(timeline);
    }
    shell(timeline);
}

_Noreturn void fallback(struct timeline *timeline, const char *why)
{
    say("%s", why);
    (void)timeline_mark(timeline, "failed", why);
    if (timeline->cmdline->secure)
        restart_instead(timeline);
    shell(timeline);
}
