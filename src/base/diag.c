/* See base/diag.h. */
#include "base/diag.h"
#include "base/str.h"

#include <errno.h>

void diags_free(struct diags *d)
{
    VEC_EACH(it, &d->list) {
        free(it->file);
        free(it->text);
    }
    VEC_FREE(&d->list);
    d->errors = 0;
}

static void add(struct diags *d, enum severity severity, const struct pos *at, char *text)
{
    struct diag *item = VEC_ADD(&d->list);
    item->severity = severity;
    item->text = text;
    if (at && at->file) {
        item->file = xstrdup(at->file);
        item->line = at->line;
        item->column = at->column;
    }
    if (severity == DIAG_ERROR)
        d->errors++;
}

int diag_add(struct diags *d, enum severity severity, const struct pos *at, const char *fmt, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    add(d, severity, at, str_steal(&text));
    return severity == DIAG_ERROR ? -EINVAL : 0;
}

int diag_errno(struct diags *d, int r, const char *fmt, ...)
{
    struct str text = {0};
    va_list args;
    va_start(args, fmt);
    str_vprintf(&text, fmt, args);
    va_end(args);
    str_printf(&text, ": %s", strerror(-r));
    add(d, DIAG_ERROR, NULL, str_steal(&text));
    return r;
}

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"error", "warning", "note"};
    return names[severity];
}

void diags_print(const struct diags *d, FILE *out)
{
    VEC_EACH(it, &d->list) {
        if (it->file && it->line)
            fprintf(out, "%s:%u:%u: ", it->file, it->line, it->column);
        else if (it->file)
            fprintf(out, "%s: ", it->file);
        else
            fputs("rambox: ", out);
        fprintf(out, "%s: %s\n", severity_name(it->severity), it->text);
    }
}
