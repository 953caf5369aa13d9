/* The one place where the server reads a clock. */
#pragma once

#include "serve/event.h"

#include <time.h>

static inline struct moment moment_now(void)
{
    struct timespec mono, real;
    clock_gettime(CLOCK_BOOTTIME, &mono);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct moment){
        .mono_us = (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
        .unix_us = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000,
    };
}
