/* See cli/progress.h. */
#include "cli/progress.h"
#include "base/str.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_EVERY_MS = 5000, /* plain lines: at most one a task in this time */
    DRAW_EVERY_MS = 100,  /* the bar */
    BAR_CELLS = 24,
    ESTIMATE_AFTER_MS = 5000, /* the time left is guessed from what was done in at least this time */
};

struct cli_progress {
    struct progress sink; /* first: the library sees only this */
    FILE *out;
    struct progress_style style;
    char *task;                    /* shown last */
    uint64_t shown_at;             /* milliseconds; 0: this task was not shown yet */
    uint64_t began_at, began_with; /* when the task was first seen, and what was done then */
    bool drawn;                    /* a bar stands on the current line */
    bool finished;                 /* the task's end was shown */
};

static uint64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void erase(struct cli_progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", p->out);
    p->drawn = false;
}

/* `3 min left`, in steps that do not flicker; empty when there is nothing to judge by. */
static const char *time_left(const struct cli_progress *p, uint64_t done, uint64_t total, char *buffer,
                             size_t size)
{
    uint64_t elapsed = p->style.now() - p->began_at, seconds;
    buffer[0] = '\0';
    if (elapsed < ESTIMATE_AFTER_MS || done <= p->began_with || done >= total)
        return buffer;
    seconds =
        (uint64_t)((double)elapsed * (double)(total - done) / (double)(done - p->began_with) / 1000) + 1;
    if (seconds < 90)
        snprintf(buffer, size, "%u s left", (unsigned)((seconds + 4) / 5 * 5));
    else
        snprintf(buffer, size, "%u min left", (unsigned)((seconds + 30) / 60));
    return buffer;
}

/* `[======>      ] 42%`, or nothing when the total is not known. */
static void add_bar(struct str *line, const struct cli_progress *p, uint64_t done, uint64_t total)
{
    if (!total)
        return;
    double part = done < total ? (double)done / (double)total : 1;
    int full = (int)(part * BAR_CELLS);
    const char *on = p->style.colour ? "\033[32m" : "", *off = p->style.colour ? "\033[0m" : "";
    str_printf(line, " [%s%.*s%s%*s] %3d%%", on, full, "========================", off, BAR_CELLS - full, "",
               (int)(part * 100));
}

/* Cuts `text` to `width` bytes, at the start of a UTF-8 character. */
static int cut(const char *text, size_t width)
{
    size_t n = strlen(text);
    if (n <= width)
        return (int)n;
    while (width && ((unsigned char)text[width] & 0xc0) == 0x80)
        width--;
    return (int)width;
}

static void draw(struct cli_progress *p, uint64_t done, uint64_t total, const char *detail)
{
    char left[32] = "";
    size_t bar_width = total ? BAR_CELLS + 8 : 0, width = p->style.width > 1 ? p->style.width - 1 : 79;
    cleanup_str struct str line = {0};
    if (bar_width && bar_width + 8 > width)
        total = bar_width = 0;
    if (total && time_left(p, done, total, left, sizeof(left))[0] && bar_width + 40 < width)
        bar_width += strlen(left) + 2;
    else
        left[0] = '\0';
    size_t room = width - bar_width;
    int n = cut(p->task, room);
    str_printf(&line, "%.*s", n, p->task);
    add_bar(&line, p, done, total);
    if (left[0])
        str_printf(&line, "  %s", left);
    room -= (size_t)n;
    if (detail && room > 8)
        str_printf(&line, "  %.*s", cut(detail, room - 2), detail);
    erase(p);
    fputs(str_text(&line), p->out);
    p->drawn = true;
}

static void print_line(struct cli_progress *p, uint64_t done, uint64_t total, const char *detail)
{
    char left[32];
    fputs(p->task, p->out);
    if (total)
        fprintf(p->out, ": %u%%", (unsigned)(done < total ? (double)done / (double)total * 100 : 100));
    if (total && time_left(p, done, total, left, sizeof(left))[0])
        fprintf(p->out, ", %s", left);
    if (detail)
        fprintf(p->out, ": %s", detail);
    fputc('\n', p->out);
}

static void update(struct progress *sink, const char *task, uint64_t done, uint64_t total, const char *detail)
{
    struct cli_progress *p = (struct cli_progress *)sink;
    uint64_t now = p->style.now();
    bool same = str_eq(p->task, task), end = total && done >= total;
    if (!same) {
        free(p->task);
        p->task = xstrdup(task);
        p->finished = false;
        p->began_at = now;
        p->began_with = done;
    }
    uint64_t pause = p->style.bar ? DRAW_EVERY_MS : LINE_EVERY_MS;
    if (same && (p->finished || (!end && now - p->shown_at < pause)))
        return;
    p->shown_at = now;
    p->finished = end;
    if (p->style.bar)
        draw(p, done, total, detail);
    else
        print_line(p, done, total, detail);
    fflush(p->out);
}

static void say(struct progress *sink, const char *text)
{
    struct cli_progress *p = (struct cli_progress *)sink;
    erase(p);
    fprintf(p->out, "%s\n", text);
    fflush(p->out);
}

struct progress *cli_progress_styled(FILE *out, const struct progress_style *style)
{
    struct cli_progress *p = xcalloc(1, sizeof(*p));
    p->sink = (struct progress){.update = update, .say = say};
    p->out = out;
    p->style = *style;
    return &p->sink;
}

struct progress *cli_progress_new(FILE *out)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    struct winsize size = {0};
    struct progress_style style = {.now = monotonic_ms, .width = 80};
    style.bar = isatty(fileno(out)) && term && term[0] && !str_eq(term, "dumb");
    style.colour = style.bar && !(no_color && no_color[0]);
    if (style.bar && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
        style.width = size.ws_col;
    return cli_progress_styled(out, &style);
}

void cli_progress_free(struct progress *progress)
{
    struct cli_progress *p = (struct cli_progress *)progress;
    if (!p)
        return;
    erase(p);
    fflush(p->out);
    free(p->task);
    free(p);
}
