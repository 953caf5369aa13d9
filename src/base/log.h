/* The log of a running server: one line an event, to stderr. Under systemd (JOURNAL_STREAM is set) each line
 * carries its priority as `<N>`; otherwise a time stamp. Libraries do not log: they return, and the program
 * logs.
 *
 * A line is written at once, until log_start: from then on lines wait in memory for a thread that writes many
 * with one call, so that a slow terminal or journal stops nobody who serves. They keep their order. What
 * comes faster than it can be written is lost, and how many lines that were is said in their place. log_stop,
 * the end of the process by exit, and a crash write what waits.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

/* Priorities of syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above this level are dropped. The start value is LOG_LEVEL_INFO. Set before threads start. */
void log_set_level(enum log_level level);
/* Whether lines of this level are written: for whoever would have to work to make one. */
bool log_enabled(enum log_level level);
/* Any thread. Longer lines than LOG_LINE_MAX are cut. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
enum { LOG_LINE_MAX = 1024 };
/* The same for a text that is made already, for lines that come by the ten thousand. */
void log_text(enum log_level level, const char *text);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   (log_enabled(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)

/* Starts the thread. 0; -EALREADY; or -errno: then lines are written at once as before. */
int log_start(void);
/* Writes what waits, for at most two seconds, and ends the thread; lines are written at once again. Without a
 * thread nothing happens. */
void log_stop(void);
