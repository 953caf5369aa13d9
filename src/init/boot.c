/* The steps of the boot; the contract is in boot.h. */
#include "init/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "init/applets.h"
#include "init/devices.h"
#include "init/fallback.h"
#include "init/files.h"
#include "init/modules.h"
#include "init/mounts.h"
#include "init/network.h"
#include "init/newroot.h"
#include "init/process.h"
#include "init/profile.h"
#include "init/say.h"
#include "init/switchroot.h"
#include "init/text.h"
#include "init/timeline.h"
#include "init/trial.h"

#define PATH_DEFAULT  "/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/sbin"
#define PANIC_DEFAULT "5"
#define ARGUMENTS     32

static struct cmdline cmdline;
static struct timeline timeline;

static void read_cmdline(void)
{
    char text[CMDLINE_MAX];

    bool known = files_read("/proc/cmdline", text, sizeof(text)) > 0;
    cmdline_parse(text, &cmdline);
    if (!known) {
        say("cannot read the kernel command line: all of it keeps its defaults, and since it may say "
            "rambox.secure there is no shell");
        cmdline.secure = true;
    }
    timeline.cmdline = &cmdline;
    for (unsigned i = 0; i < cmdline.problem_count; i++)
        say("%s= on the kernel command line %s", cmdline.problems[i].key, cmdline.problems[i].why);
}

/* A dead init, or an oops, restarts the node instead of leaving it dark. panic= has been obeyed by the
 * kernel. */
static void set_panic(void)
{
    if (!cmdline.panic_given && files_write("/proc/sys/kernel/panic", PANIC_DEFAULT) < 0)
        say("cannot set the panic time-out: a dead node will not restart; give panic=" PANIC_DEFAULT
            " or add CONFIG_PROC_SYSCTL");
    (void)files_write("/proc/sys/kernel/panic_on_oops", "1");
}

static void read_profile(void)
{
    char text[4096];
    const char *at = text;
    struct profile_variable variable;

    setenv("PATH", PATH_DEFAULT, 1);
    (void)files_read("/etc/profile", text, sizeof(text));
    while (profile_next(&at, &variable))
        setenv(variable.name, variable.value, 1);
}

/* H20 */
static void prepare(struct devices *devices)
{
    struct applets applets;

    read_profile();
    int r = applets_start(&applets);
    if (r < 0)
        say("cannot start BusyBox: %s; its commands are missing", strerror(-r));
    (void)mounts_fstab();
    r = mounts_link_mtab();
    if (r < 0)
        say("cannot link /etc/mtab to /proc/mounts: %s", strerror(-r));
    (void)timeline_mark(&timeline, "mounts", NULL);
    applets_finish(&applets);
    devices_start(devices);
    say_open_console();
    (void)timeline_mark(&timeline, "devices", NULL);
    r = network_set_name(&cmdline);
    if (r < 0)
        say("no host name: put one into /etc/hostname, or give rambox.node=");
    r = network_up("lo");
    if (r < 0 && r != -ENODEV)
        say("cannot bring lo up: %s", strerror(-r));
}

/* A node without a network goes on: what it is to do may need none, and its console says what is wrong. */
static void set_up_network(void)
{
    char line[160];
    struct text why;

    text_start(&why, line, sizeof(line));
    if (network_address(&cmdline, &why) == 0)
        (void)timeline_mark(&timeline, "network", NULL);
    else if (why.used)
        (void)timeline_mark(&timeline, "failed", line);
}

/* What the next init gets: its own name, and the words of the kernel's that are not for us. */
static void next_arguments(char *const argv[], char *next[static ARGUMENTS])
{
    int count = 0;

    next[count++] = cmdline.init;
    for (int i = 1; argv[0] && argv[i] && count < ARGUMENTS - 1; i++)
        if (strcmp(argv[i], "shell") != 0 && strcmp(argv[i], "rambox") != 0)
            next[count++] = argv[i];
    next[count] = NULL;
}

/* Says in `why` what keeps `init` from being started, with `place` as the root it should be in. */
static void explain_init(struct text *why, int error, const char *place)
{
    if (error == -ENOENT)
        text_addf(why, "there is no %s in %s: put it there, or name another with init=", cmdline.init, place);
    else if (error == -EACCES)
        text_addf(why,
                  "%s in %s is not an executable file: chmod +x it, or name another with init=", cmdline.init,
                  place);
    else
        text_addf(why, "cannot run %s in %s: %s", cmdline.init, place, strerror(-error));
}

/* Executes the next init; returns only when that fails. */
static int hand_over_here(char *const next[])
{
    process_restore_signals();
    execv(next[0], next);
    int error = errno;
    process_setup();
    return -error;
}

static void announce_exec(void)
{
    (void)timeline_mark(&timeline, "exec", NULL);
    timeline_export(&timeline);
    (void)timeline_tell(&timeline, false, TIMELINE_PATIENT);
}

/* H23 */
static void stay(char *const next[], struct text *why)
{
    int r = files_executable(cmdline.init);

    if (r == 0) {
        announce_exec();
        r = hand_over_here(next);
    }
    explain_init(why, r, "the RAM root");
}

/* H24 */
static void move(char *const next[], struct devices *devices, struct modules *modules, struct text *why)
{
    int r = newroot_mount(&cmdline, why);

    if (r < 0)
        return;
    r = newroot_check_init(cmdline.init);
    if (r == 0) {
        announce_exec();
        modules_stop(modules);
        devices_stop(devices);
        mounts_unmount_all(NEWROOT, false);
        process_restore_signals();
        r = switchroot(NEWROOT, next);
        process_setup();
        if (mounts_early() < 0)
            say("cannot mount /proc again");
        (void)mounts_fstab();
        devices_start(devices);
    }
    explain_init(why, r, cmdline.root);
    (void)umount2(NEWROOT, MNT_DETACH);
}

_Noreturn void boot(char *const argv[])
{
    char *next[ARGUMENTS];
    char line[320];
    struct devices devices;
    struct modules modules;
    struct text why;

    timeline_start(&timeline, NULL);
    (void)timeline_mark(&timeline, "init", NULL);
    process_setup();
    say_open_console();
    if (mounts_early() < 0)
        say("cannot mount /proc: the kernel needs CONFIG_PROC_FS");
    say_open_console();
    read_cmdline();
    set_panic();
    trial_start(&timeline);
    prepare(&devices);
    modules_start(&modules, &timeline);
    if (cmdline.shell)
        fallback_shell(&timeline);
    text_start(&why, line, sizeof(line));
    next_arguments(argv, next);
    set_up_network();
    if (cmdline.init_refused)
        text_add(&why, "init= must name an absolute path: correct it on the kernel command line");
    else if (strcmp(cmdline.init, "/init") == 0)
        text_add(&why,
                 "init=/init would start this very program for ever: name another, or leave init= away");
    else if (cmdline.rambox)
        stay(next, &why);
    else
        move(next, &devices, &modules, &why);
    fallback(&timeline, line);
}
