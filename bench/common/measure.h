/* What the benchmarks' tools measure with, and how they say it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic microseconds. */
int64_t clock_us(void);
/* Seconds that this process has spent on a processor, in the kernel too. */
double cpu_seconds(void);

struct figure {
    const char *name;
    double value;
    const char *unit;
    int digits; /* behind the point */
};

/* On stdout, a line each, or as one JSON object. */
void figures_print(const struct figure *figures, size_t n, bool json);
