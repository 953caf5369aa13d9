/* See measure.h. */
#include "measure.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void figures_print(const struct figure *figures, size_t n, bool json)
{
    for (size_t i = 0; i < n; i++) {
        const struct figure *f = &figures[i];
        if (json)
            printf("%s\n  \"%s\": %.*f", i ? "," : "{", f->name, f->digits, f->value);
        else
            printf("%-16s %.*f%s%s\n", f->name, f->digits, f->value, *f->unit ? " " : "", f->unit);
    }
    if (json)
        printf("\n}\n");
}
