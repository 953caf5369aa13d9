/* See base/log.h. Two buffers: lines are added to one while the thread writes the other. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* BUFFER: some ten thousand lines. PAUSE_MS: how long lines gather between two writes; the first of them does
 * not wait. STOP_S: how long the end waits for a reader that does not read. */
enum { BUFFER = 1 << 20, PAUSE_MS = 10, STOP_S = 2 };

struct lines {
    char *bytes;
    size_t used;
};

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t wake;
    struct lines buffers[2], *filling;
    unsigned lost; /* lines that the buffer had no room for */
    bool running, sleeping, stop;
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static enum log_level max_level = LOG_LEVEL_INFO;
static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
static struct sigaction before_crash[sizeof(crashes) / sizeof(crashes[0])];

void log_set_level(enum log_level level)
{
    max_level = level;
}

bool log_enabled(enum log_level level)
{
    return level <= max_level;
}

/* The time of day. The text of a second is made once. */
static size_t time_of_day(char *buf)
{
    static _Thread_local char text[16];
    static _Thread_local time_t second = -1;
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        localtime_r(&now.tv_sec, &local);
        strftime(text, sizeof(text), "%H:%M:%S", &local);
        second = now.tv_sec;
    }
    unsigned ms = (unsigned)(now.tv_nsec / 1000000);
    size_t n = 0;
    for (; text[n]; n++)
        buf[n] = text[n];
    buf[n++] = '.';
    buf[n++] = (char)('0' + ms / 100);
    buf[n++] = (char)('0' + ms / 10 % 10);
    buf[n++] = (char)('0' + ms % 10);
    buf[n++] = ' ';
    return n;
}

static bool for_journal(void)
{
    static atomic_int known; /* 1: no, 2: yes */
    if (!known)
        known = getenv("JOURNAL_STREAM") ? 2 : 1;
    return known == 2;
}

static size_t prefix(char *buf, size_t size, enum log_level level)
{
    if (for_journal())
        return (size_t)snprintf(buf, size, "<%d>", level);
    size_t n = time_of_day(buf);
    return level > LOG_LEVEL_WARNING
               ? n
               : n + (size_t)snprintf(buf + n, size - n, "%s",
                                      level <= LOG_LEVEL_ERROR ? "error: " : "warning: ");
}

static void write_whole(const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(STDERR_FILENO, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

/* With the lock held. The last place of the buffer is for the line that says how many were lost. */
static bool add_line(const char *line, size_t size)
{
    struct lines *b = writer.filling;
    if (writer.lost || size > BUFFER - LOG_LINE_MAX - b->used) {
        writer.lost++;
        return false;
    }
    memcpy(b->bytes + b->used, line, size);
    b->used += size;
    return true;
}

/* `line` has room for a newline behind `used`. */
static void finish_line(char *line, size_t used)
{
    line[used++] = '\n';
    pthread_mutex_lock(&writer.lock);
    bool queued = writer.running, wake = false;
    if (queued) {
        wake = add_line(line, used) && writer.sleeping;
        if (wake)
            writer.sleeping = false; /* whoever comes next need not wake it again */
    }
    pthread_mutex_unlock(&writer.lock);
    if (wake)
        pthread_cond_signal(&writer.wake);
    if (!queued)
        write_whole(line, used); /* one write, so that threads do not mix */
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    if (level > max_level)
        return;
    size_t used = prefix(line, sizeof(line), level);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line + used, sizeof(line) - used, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    used += (size_t)n;
    finish_line(line, used < sizeof(line) ? used : sizeof(line) - 1);
}

void log_text(enum log_level level, const char *text)
{
    char line[LOG_LINE_MAX];
    if (level > max_level)
        return;
    size_t used = prefix(line, sizeof(line), level), n = strnlen(text, sizeof(line) - 1 - used);
    memcpy(line + used, text, n);
    finish_line(line, used + n);
}

/* With the lock held: takes the full buffer and leaves the empty one. NULL: nothing waits. */
static struct lines *turn_over(void)
{
    struct lines *full = writer.filling;
    if (!full->used)
        return NULL;
    if (writer.lost) {
        char *end = full->bytes + full->used;
        size_t n = prefix(end, LOG_LINE_MAX, LOG_LEVEL_WARNING);
        n += (size_t)snprintf(end + n, LOG_LINE_MAX - n,
                              "%u lines of the log were lost here: they came faster than they could be "
                              "written\n",
                              writer.lost);
        full->used += n;
        writer.lost = 0;
    }
    writer.filling = &writer.buffers[full == &writer.buffers[0]];
    return full;
}

/* With the lock held. Lets lines gather, unless the end is wanted. */
static void pause_writing(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PAUSE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!writer.stop &&
           pthread_cond_clockwait(&writer.wake, &writer.lock, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
        ;
}

static void *thread_main(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&writer.lock);
    while (!writer.stop || writer.filling->used) {
        struct lines *full = turn_over();
        if (full) {
            pthread_mutex_unlock(&writer.lock);
            write_whole(full->bytes, full->used);
            pthread_mutex_lock(&writer.lock);
            full->used = 0;
            pause_writing();
        } else {
            writer.sleeping = true;
            pthread_cond_wait(&writer.wake, &writer.lock);
            writer.sleeping = false;
        }
    }
    writer.running = false; /* whoever has a line from here on writes it */
    pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* A crash: the last lines often say why, so they are written, without a lock, for its owner may be the one
 * that crashed. Then whoever handled the signal before has it. What the thread writes at this very moment
 * may be there twice. */
static void on_crash(int number)
{
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        if (crashes[i] == number)
            sigaction(number, &before_crash[i], NULL);
    size_t newest = writer.filling == &writer.buffers[1];
    if (writer.running) {
        write_whole(writer.buffers[1 - newest].bytes, writer.buffers[1 - newest].used);
        write_whole(writer.buffers[newest].bytes, writer.buffers[newest].used);
    }
    if (number == SIGABRT)
        return; /* abort(3) raises it again */
    raise(number);
}

static void at_exit(void)
{
    log_stop();
}

static void free_buffers(void)
{
    for (size_t i = 0; i < 2; i++) {
        free(writer.buffers[i].bytes);
        writer.buffers[i] = (struct lines){0};
    }
}

int log_start(void)
{
    static bool registered;
    if (writer.running)
        return -EALREADY;
    for (size_t i = 0; i < 2; i++) {
        writer.buffers[i] = (struct lines){.bytes = malloc(BUFFER)};
        if (!writer.buffers[i].bytes) {
            free_buffers();
            return -ENOMEM;
        }
    }
    writer.filling = &writer.buffers[0];
    writer.stop = false;
    writer.running = true;
    int r = -pthread_create(&writer.thread, NULL, thread_main, NULL);
    if (r < 0) {
        writer.running = false;
        free_buffers();
        return r;
    }
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        sigaction(crashes[i], &(struct sigaction){.sa_handler = on_crash}, &before_crash[i]);
    if (!registered)
        registered = atexit(at_exit) == 0;
    return 0;
}

void log_stop(void)
{
    struct timespec until;
    pthread_mutex_lock(&writer.lock);
    bool ends = writer.running && !writer.stop;
    if (ends)
        writer.stop = true;
    pthread_mutex_unlock(&writer.lock);
    if (!ends)
        return;
    pthread_cond_signal(&writer.wake);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    if (pthread_timedjoin_np(writer.thread, NULL, &until) != 0)
        return; /* nobody reads; the end of the process ends it */
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        sigaction(crashes[i], &before_crash[i], NULL);
    free_buffers();
}
