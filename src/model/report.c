/* See model/report.h. */
#include "model/report.h"

#include <stdlib.h>

void report_clear(struct report *report)
{
    VEC_FREE(&report->stages);
    VEC_FREE(&report->facts.interfaces);
    VEC_EACH(mount, &report->facts.mounts) {
        free(mount->source);
        free(mount->target);
        free(mount->type);
        free(mount->options);
    }
    VEC_FREE(&report->facts.mounts);
    free(report->facts.kernel);
    free(report->facts.cmdline);
    machine_clear(&report->hardware);
    free(report->hardware_json);
}
