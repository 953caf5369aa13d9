/* Console lines; the contract is in say.h. */
#include "init/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/text.h"

/* A root directory stands in for a console until there is one: opened read-only, a write to it does no harm.
 */
static bool is_placeholder(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 || S_ISDIR(st.st_mode);
}

void say_open_console(void)
{
    int fd;

    if (!is_placeholder(0) && !is_placeholder(1) && !is_placeholder(2))
        return;
    fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < 3; i++) {
        if (fd == i)
            fcntl(fd, F_SETFD, 0);
        else
            dup2(fd, i);
    }
    if (fd > 2)
        close(fd);
}

void say(const char *format, ...)
{
    char line[512];
    struct text text;
    va_list arguments;

    text_start(&text, line, sizeof(line) - 1);
    text_add(&text, "rambox: ");
    va_start(arguments, format);
    text_addv(&text, format, arguments);
    va_end(arguments);
    line[text.used++] = '\n';
    /* A console that is gone is no reason to stop. */
    ssize_t n = write(STDERR_FILENO, line, text.used);
    (void)n;
}
