/* See daemon/log_diags.h. */
#include "daemon/log_diags.h"
#include "base/log.h"
#include "base/str.h"

void log_diags(const struct diags *diags)
{
    static const enum log_level levels[] = {
        [DIAG_ERROR] = LOG_LEVEL_ERROR, [DIAG_WARNING] = LOG_LEVEL_WARNING, [DIAG_NOTE] = LOG_LEVEL_INFO};
    VEC_EACH(diag, &diags->list) {
        if (diag->file && diag->line)
            log_line(levels[diag->severity], "%s:%u:%u: %s", diag->file, diag->line, diag->column,
                     diag->text);
        else if (diag->file)
            log_line(levels[diag->severity], "%s: %s", diag->file, diag->text);
        else
            log_line(levels[diag->severity], "%s", diag->text);
    }
}

void diags_pass_on(const struct diags *from, struct diags *to)
{
    VEC_EACH(diag, &from->list)
        diag_add(to, diag->severity, diag->file ? &(struct pos){diag->file, diag->line, diag->column} : NULL,
                 "%s", diag->text);
}

void log_diags_once(const struct diags *diags, char **last)
{
    struct str said = {0};
    VEC_EACH(diag, &diags->list)
        str_printf(&said, "%s\n", diag->text);
    if (!str_eq(str_text(&said), *last))
        log_diags(diags);
    free(*last);
    *last = str_steal(&said);
}
