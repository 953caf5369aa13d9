/* See doctor/finding.h. */
#include "doctor/finding.h"
#include "base/str.h"

#include <stdio.h>

const char *result_name(enum result result)
{
    static const char *const names[] = {
        [RESULT_OK] = "ok", [RESULT_WARNING] = "warning", [RESULT_PROBLEM] = "problem"};
    return names[result];
}

void findings_clear(struct findings *findings)
{
    VEC_EACH(finding, &findings->list) {
        free(finding->text);
        free(finding->advice);
    }
    VEC_FREE(&findings->list);
}

static char *format(const char *fmt, va_list args)
{
    struct str text = {0};
    str_vprintf(&text, fmt, args);
    char *line = str_steal(&text);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
    return line;
}

void finding_add(struct findings *findings, const char *interface, enum result result, const char *fmt, ...)
{
    struct finding *finding = VEC_ADD(&findings->list);
    va_list args;
    finding->check = findings->check;
    finding->result = result;
    snprintf(finding->interface, sizeof(finding->interface), "%s", interface ? interface : "");
    va_start(args, fmt);
    finding->text = format(fmt, args);
    va_end(args);
}

void finding_advise(struct findings *findings, const char *fmt, ...)
{
    struct finding *finding = &findings->list.items[findings->list.n - 1];
    va_list args;
    free(finding->advice);
    va_start(args, fmt);
    finding->advice = format(fmt, args);
    va_end(args);
}

size_t findings_count(const struct findings *findings, enum result result)
{
    size_t n = 0;
    VEC_EACH(finding, &findings->list)
        n += finding->result == result;
    return n;
}
