/* See base/progress.h. */
#include "base/progress.h"
#include "base/str.h"

void progress_update(struct progress *p, const char *task, uint64_t done, uint64_t total, const char *detail)
{
    if (p && p->update)
        p->update(p, task, done, total, detail);
}

void progress_say(struct progress *p, const char *fmt, ...)
{
    if (!p || !p->say)
        return;
    cleanup_str struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    p->say(p, str_text(&text));
}
