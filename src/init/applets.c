/* Linking BusyBox's applets; the contract is in applets.h. */
#include "init/applets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "init/files.h"
#include "init/process.h"
#include "init/say.h"

#define BUSYBOX "/bin/busybox"
#define LIST    "/.applets"
#define LIMIT   30000 /* ms */

/*
 * A nameless file for the list. No pipe: BusyBox writes each name by itself, and would wake a reader each
 * time.
 */
static int open_list(void)
{
    int fd = open(LIST, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    unlink(LIST);
    return fd;
}

int applets_start(struct applets *applets)
{
    *applets = (struct applets){0, -1};
    if (files_executable(BUSYBOX) < 0)
        return 0;
    int fd = open_list();
    if (fd < 0)
        return fd;
    pid_t pid = process_start_to((char *[]){BUSYBOX, "--list-full", NULL}, fd);
    if (pid < 0) {
        close(fd);
        return pid;
    }
    *applets = (struct applets){pid, fd};
    return 0;
}

/* Links one path of the list. Returns 0 or -errno. */
static int link_applet(const char *name)
{
    if (name[0] == '\0' || symlink(BUSYBOX, name) == 0 || errno == EEXIST)
        return 0;
    return -errno;
}

/* Links the applets of `list`, relative to the working folder /. Returns how many lines it had; says what
 * failed. */
static unsigned link_all(char *list)
{
    unsigned lines = 0, failed = 0;
    int error = 0;

    for (char *line = list; *line;) {
        char *end = line + strcspn(line, "\n");
        char *next = *end ? end + 1 : end;

        *end = '\0';
        int r = link_applet(line);
        if (r < 0) {
            error = -r;
            failed++;
        }
        lines++;
        line = next;
    }
    if (failed)
        say("cannot link %u of BusyBox's applets (%s): are bin, sbin, usr/bin and usr/sbin in the image?",
            failed, strerror(error));
    return lines;
}

/* Waits for the list to be written and reads it; an empty one if that fails. */
static void read_list(const struct applets *applets, char *list, size_t size)
{
    int status;
    int r;

    do
        r = process_wait(applets->lister, LIMIT, false, &status);
    while (r > 0);
    ssize_t n = r == 0 && status == 0 ? pread(applets->list, list, size - 1, 0) : 0;
    list[n > 0 ? n : 0] = '\0';
}

void applets_finish(struct applets *applets)
{
    char list[16384]; /* four times that of a full BusyBox */

    if (applets->lister == 0)
        return;
    read_list(applets, list, sizeof(list));
    close(applets->list);
    applets->lister = 0;
    if (link_all(list) > 0)
        return;
    int r = process_run((char *[]){BUSYBOX, "--install", "-s", NULL}, LIMIT);
    if (r != 0)
        say("%s --install -s failed (%s %d): some commands are missing", BUSYBOX, r < 0 ? "error" : "status",
            r < 0 ? -r : r);
}
