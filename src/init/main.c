/*
 * The one program that a rambox image has as process 1. By the name it is called with it is
 *
 *   /init              the boot (boot.h)
 *   rambox-report      STAGE [DETAIL]: tells the server that a stage is reached, for scripts and other inits
 *   anything else      process 1 of the running node (supervise.h), as /sbin/init
 */
#include <string.h>
#include <unistd.h>

#include "init/boot.h"
#include "init/files.h"
#include "init/supervise.h"
#include "init/timeline.h"

static void complain(const char *line)
{
    ssize_t n = write(STDERR_FILENO, line, strlen(line));
    (void)n;
}

/* Tells in a child, so that whoever calls goes on at once; `ready` brings the facts. */
static int report(int argc, char *argv[])
{
    static struct cmdline cmdline;
    static struct timeline timeline;
    char text[CMDLINE_MAX];

    if (argc < 2 || argc > 3) {
        complain("usage: rambox-report STAGE [DETAIL]\n");
        return 2;
    }
    (void)files_read("/proc/cmdline", text, sizeof(text));
    cmdline_parse(text, &cmdline);
    timeline_start(&timeline, &cmdline);
    if (timeline_mark(&timeline, argv[1], argc > 2 ? argv[2] : NULL) < 0) {
        complain("rambox-report: a stage is 1 to 15 of a-z 0-9 _ -\n");
        return 2;
    }
    if (!cmdline.server[0]) {
        complain("rambox-report: no rambox.server= on the kernel command line, nobody to tell\n");
        return 1;
    }
    return timeline_tell(&timeline, strcmp(argv[1], "ready") == 0, TIMELINE_PATIENT) < 0;
}

int main(int argc, char *argv[])
{
    const char *path = argc > 0 ? argv[0] : "";
    const char *slash = strrchr(path, '/');

    if (strcmp(slash ? slash + 1 : path, "rambox-report") == 0)
        return report(argc, argv);
    if (getpid() != 1) {
        complain("rambox: init is process 1 of a node and nothing else; see rambox-report for what a shell "
                 "can call\n");
        return 1;
    }
    if (strcmp(path, "/init") == 0)
        boot(argv);
    supervise();
}
