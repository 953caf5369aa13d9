/* The log of a running server: one line an event, to stderr. Under systemd (JOURNAL_STREAM is set) each line
 * carries its priority as `<N>`; otherwise a time stamp. Libraries do not log: they return, and the program
 * logs. */
#pragma once

#include "base/cleanup.h"

/* Priorities of syslog(3). */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above this level are dropped. The start value is LOG_LEVEL_INFO. Set before threads start. */
void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
