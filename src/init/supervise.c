/* Process 1 after the boot; the contract is in supervise.h. */
#include "init/supervise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "init/files.h"
#include "init/mounts.h"
#include "init/process.h"
#include "init/say.h"
#include "init/stop.h"
#include "init/text.h"
#include "init/timeline.h"

#define SCRIPTS    "/etc/init"
#define NAME_SIZE  256
#define SHELL      "/bin/sh"
#define RESPAWN_MS 1000 /* a shell that ends sooner than this is started again no sooner */

static struct cmdline cmdline;
static struct timeline timeline;

/* Waits for `pid`; a stop signal stops the node. */
static int wait_or_stop(pid_t pid, int timeout_ms)
{
    int status = 0;
    int r = process_wait(pid, timeout_ms, false, &status);

    if (r > 0)
        stop(&timeline, r);
    return r < 0 ? r : process_status(status);
}

/* Runs one script; what went wrong is said, and noted in `failed`. */
static void run_script(const char *name, struct text *failed)
{
    char path[300];
    struct text text;

    text_start(&text, path, sizeof(path));
    text_addf(&text, "%s/%s", SCRIPTS, name);
    if (files_executable(path) < 0)
        return;
    pid_t pid = process_start((char *[]){path, NULL}, false);
    int r = pid < 0 ? pid : wait_or_stop(pid, PROCESS_FOREVER);
    if (r == 0)
        return;
    if (r < 0)
        say("cannot start %s: %s", path, strerror(-r));
    else if (r == 127)
        say("%s ended with status 127: is its interpreter in the image?", path);
    else
        say("%s ended with status %d: run it by hand to see why", path, r);
    text_addf(failed, "%s%s: %s %d", failed->used ? ", " : "", path, r < 0 ? "error" : "status",
              r < 0 ? -r : r);
}

/*
 * Finds the name in SCRIPTS that comes next after `last` in byte order, and puts it there. Names with a dot
 * are backups, package leavings and hidden files. The folder is read once for each name: there are few, and a
 * script may add one.
 */
static bool next_script(char last[static NAME_SIZE])
{
    char next[NAME_SIZE] = "";
    struct dirent *entry;
    DIR *dir = opendir(SCRIPTS);

    if (!dir)
        return false;
    while ((entry = readdir(dir)))
        if (!strchr(entry->d_name, '.') && strcmp(entry->d_name, last) > 0 &&
            (!next[0] || strcmp(entry->d_name, next) < 0))
            (void)text_copy(next, sizeof(next), entry->d_name, strlen(entry->d_name));
    closedir(dir);
    memcpy(last, next, sizeof(next));
    return next[0] != '\0';
}

static void run_scripts(struct text *failed)
{
    char name[NAME_SIZE] = "";

    while (next_script(name))
        run_script(name, failed);
}

static bool wants_console(void)
{
    if (cmdline.secure || !cmdline.console)
        return false;
    int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool usable = isatty(fd);
    close(fd);
    int r = usable ? files_executable(SHELL) : -ENODEV;
    if (r < 0)
        say("no shell on the console: %s",
            usable ? "there is no " SHELL " in the image" : "it is no terminal");
    return r == 0;
}

/* Keeps a shell on the console, for ever. */
static _Noreturn void serve_console(void)
{
    for (;;) {
        struct timespec begin, end;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        pid_t pid = process_start((char *[]){SHELL, "-l", NULL}, true);
        if (pid > 0)
            (void)wait_or_stop(pid, PROCESS_FOREVER);
        clock_gettime(CLOCK_MONOTONIC, &end);
        if ((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 < RESPAWN_MS)
            (void)wait_or_stop(0, RESPAWN_MS);
    }
}

_Noreturn void supervise(void)
{
    char text[CMDLINE_MAX], failures[160];
    struct text failed;

    process_setup();
    say_open_console();
    /* For the case that something else than our /init came before. */
    if (mounts_early() < 0)
        say("cannot mount /proc: the kernel needs CONFIG_PROC_FS");
    bool known = files_read("/proc/cmdline", text, sizeof(text)) > 0;
    cmdline_parse(text, &cmdline);
    cmdline.secure |= !known; /* it may say so */
    timeline_start(&timeline, &cmdline);
    reboot(RB_DISABLE_CAD);
    text_start(&failed, failures, sizeof(failures));
    run_scripts(&failed);
    (void)timeline_mark(&timeline, "ready", failed.used ? failures : NULL);
    timeline_export(&timeline);
    (void)timeline_tell(&timeline, true, TIMELINE_PATIENT);
    say("ready at %lu ms", (unsigned long)timeline.stages.at[timeline.stages.count - 1].us / 1000);
    if (wants_console())
        serve_console();
    for (;;)
        (void)wait_or_stop(0, PROCESS_FOREVER);
}
