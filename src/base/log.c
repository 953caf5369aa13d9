/* See base/log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    max_level = level;
}

static int prefix(char *buf, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm local;
    if (getenv("JOURNAL_STREAM"))
        return snprintf(buf, size, "<%d>", level);
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    size_t n = strftime(buf, size, "%H:%M:%S", &local);
    return (int)n + snprintf(buf + n, size - n, ".%03ld %s", now.tv_nsec / 1000000,
                             level <= LOG_LEVEL_ERROR     ? "error: "
                             : level <= LOG_LEVEL_WARNING ? "warning: "
                                                          : "");
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[1024]; /* longer lines are cut; one write, so that threads do not mix */
    if (level > max_level)
        return;
    int n = prefix(line, sizeof(line), level);
    va_list args;
    va_start(args, fmt);
    int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
    va_end(args);
    if (m < 0)
        return;
    size_t used = (size_t)n + (size_t)m;
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used] = '\n';
    (void)!write(STDERR_FILENO, line, used + 1);
}
