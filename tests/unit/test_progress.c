/* Progress on a terminal and in a log, by a clock of the test's own. */
#include "test.h"

#include "base/str.h"
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t clock_ms;

static uint64_t test_clock(void)
{
    return clock_ms;
}

struct screen {
    char *text;
    size_t size;
    FILE *out;
    struct progress *progress;
};

static void begin(struct screen *s, struct progress_style style)
{
    style.now = test_clock;
    clock_ms = 1000;
    *s = (struct screen){0};
    s->out = open_memstream(&s->text, &s->size);
    s->progress = cli_progress_styled(s->out, &style);
}

static void end(struct screen *s, const char *expected)
{
    cli_progress_free(s->progress);
    fclose(s->out);
    assert_string_equal(s->text, expected);
    free(s->text);
}

/* At most one line each 5 s and task, and always the end. */
static void test_lines(void **state)
{
    struct screen s;
    (void)state;
    begin(&s, (struct progress_style){.width = 80});
    for (unsigned done = 0; done <= 1000; done++, clock_ms += 10)
        progress_update(s.progress, "compile kernel", done, 1000, done == 1000 ? NULL : "fs/namei.c");
    progress_update(s.progress, "compile kernel", 1000, 1000, NULL); /* said once */
    progress_update(s.progress, "fetch", 5, 0, NULL);
    progress_update(s.progress, "fetch", 6, 0, NULL);
    progress_say(s.progress, "kernel: %d MB", 2);
    end(&s, "compile kernel: 0%: fs/namei.c\n"
            "compile kernel: 50%, 10 s left: fs/namei.c\n"
            "compile kernel: 100%\n"
            "fetch\n"
            "kernel: 2 MB\n");
}

static void test_bar(void **state)
{
    struct screen s;
    (void)state;
    begin(&s, (struct progress_style){.bar = true, .width = 80});
    progress_update(s.progress, "build", 0, 4, "a");
    progress_update(s.progress, "build", 1, 4, "b"); /* too soon to be drawn */
    clock_ms += 100;
    progress_update(s.progress, "build", 2, 4, "c");
    progress_update(s.progress, "build", 4, 4, NULL); /* the end is drawn at once */
    progress_say(s.progress, "done");
    end(&s, "build [                        ]   0%  a"
            "\r\033[Kbuild [============            ]  50%  c"
            "\r\033[Kbuild [========================] 100%"
            "\r\033[Kdone\n");
}

/* The time left, from how long what was done took: 20 steps a second here, where a third was there before. */
static void test_time_left(void **state)
{
    struct screen s;
    (void)state;
    begin(&s, (struct progress_style){.bar = true, .width = 80});
    progress_update(s.progress, "build", 1000, 3000, "a");
    clock_ms += 4999;
    progress_update(s.progress, "build", 1100, 3000, "b"); /* too early to tell */
    clock_ms += 101;
    progress_update(s.progress, "build", 1102, 3000, "c");
    clock_ms += 60000;
    progress_update(s.progress, "build", 2302, 3000, "d");
    end(&s, "build [========                ]  33%  a"
            "\r\033[Kbuild [========                ]  36%  b"
            "\r\033[Kbuild [========                ]  36%  2 min left  c"
            "\r\033[Kbuild [==================      ]  76%  35 s left  d\r\033[K");
}

/* More than the total is the total; colours only when they are asked for; an unfinished bar is wiped at the
 * end. */
static void test_colour(void **state)
{
    struct screen s;
    (void)state;
    begin(&s, (struct progress_style){.bar = true, .colour = true, .width = 80});
    progress_update(s.progress, "x", 9, 4, NULL);
    end(&s, "x [\033[32m========================\033[0m] 100%\r\033[K");
}

/* A narrow terminal: the detail is cut, then the bar goes, then the task is cut, and never inside a
 * character. */
static void test_width(void **state)
{
    struct screen s;
    (void)state;
    begin(&s, (struct progress_style){.bar = true, .width = 60});
    progress_update(s.progress, "build", 1, 2, "drivers/net/ethernet/intel/e1000/e1000_main.c");
    end(&s, "build [============            ]  50%  drivers/net/ethernet\r\033[K");
    begin(&s, (struct progress_style){.bar = true, .width = 30});
    progress_update(s.progress, "build", 1, 2, "drivers/net");
    end(&s, "build  drivers/net\r\033[K");
    begin(&s, (struct progress_style){.bar = true, .width = 10});
    progress_update(s.progress, "compil\xc3\xa9\xc3\xa9\xc3\xa9", 1, 2, "x");
    end(&s, "compil\xc3\xa9\r\033[K");
}

/* Nobody wants it: a NULL sink shows nothing. */
static void test_none(void **state)
{
    (void)state;
    progress_update(NULL, "x", 1, 2, NULL);
    progress_say(NULL, "x");
    cli_progress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_bar),       cmocka_unit_test(test_colour),
        cmocka_unit_test(test_width), cmocka_unit_test(test_time_left), cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
