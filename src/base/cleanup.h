/* Cleanup by attribute: a resource is released when its variable leaves scope, unless ownership was handed
 * on.
 *
 *     cleanup_free char *text = NULL;
 *     cleanup_close int fd = open(...);
 *     *ret_fd = TAKE_FD(fd);
 *
 * DEFINE_CLEANUP(struct foo *, foo_free) defines the handler for any destructor that accepts NULL; it is then
 * used as `CLEANUP(foo_free) struct foo *foo = NULL;`.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(destructor) __attribute__((cleanup(destructor##_cleanup)))

#define DEFINE_CLEANUP(type, destructor)                                                                     \
    static inline void destructor##_cleanup(type *p)                                                         \
    {                                                                                                        \
        if (*p)                                                                                              \
            destructor(*p);                                                                                  \
    }                                                                                                        \
    struct destructor##_cleanup_needs_semicolon

static inline void free_cleanup(void *p)
{
    free(*(void **)p);
}

static inline void close_cleanup(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

#define cleanup_free  CLEANUP(free)
#define cleanup_close CLEANUP(close)

/* Hands ownership on: yields the value and leaves NULL (or -1) behind. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        __auto_type take_value_ = (p);                                                                       \
        (p) = NULL;                                                                                          \
        take_value_;                                                                                         \
    })

#define TAKE_FD(fd)                                                                                          \
    ({                                                                                                       \
        int take_fd_ = (fd);                                                                                 \
        (fd) = -1;                                                                                           \
        take_fd_;                                                                                            \
    })

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
