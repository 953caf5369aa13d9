/* F11: malloc and its like, one of which can be told to fail. The program is linked with --wrap for each of
 * them (tests/unit/meson.build). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);           // NOLINT(bugprone-reserved-identifier)
void *__real_calloc(size_t n, size_t size); // NOLINT(bugprone-reserved-identifier)
void *__real_realloc(void *p, size_t size); // NOLINT(bugprone-reserved-identifier)
char *__real_strdup(const char *text);      // NOLINT(bugprone-reserved-identifier)
void *__wrap_malloc(size_t size);           // NOLINT(bugprone-reserved-identifier)
void *__wrap_calloc(size_t n, size_t size); // NOLINT(bugprone-reserved-identifier)
void *__wrap_realloc(void *p, size_t size); // NOLINT(bugprone-reserved-identifier)
char *__wrap_strdup(const char *text);      // NOLINT(bugprone-reserved-identifier)

/* The fail_at-th allocation from when it was set fails; 0: none. Set `made` to 0 with it. */
static atomic_uint made, fail_at;

static bool fails(void)
{
    unsigned n = ++made;
    return fail_at && n == fail_at;
}

void *__wrap_malloc(size_t size) // NOLINT(bugprone-reserved-identifier)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) // NOLINT(bugprone-reserved-identifier)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) // NOLINT(bugprone-reserved-identifier)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text) // NOLINT(bugprone-reserved-identifier)
{
    return fails() ? NULL : __real_strdup(text);
}
