/* The list of stages; the contract is in stages.h. */
#include "init/stages.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

int stages_add(struct stages *stages, const char *name, uint64_t us, const char *detail)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    struct text text;

    if (length == 0 || name[length] || length >= sizeof(stages->at[0].name))
        return -EINVAL;
    if (stages->count == STAGES_MAX)
        return -ENOSPC;
    struct stage *stage = &stages->at[stages->count++];
    memcpy(stage->name, name, length + 1);
    stage->us = us;
    text_start(&text, stage->detail, sizeof(stage->detail));
    if (detail)
        text_add(&text, detail);
    return 0;
}

void stages_encode(const struct stages *stages, char *ret, size_t size)
{
    struct text text;

    text_start(&text, ret, size);
    for (unsigned i = 0; i < stages->count; i++)
        text_addf(&text, "%s%s:%" PRIu64, i ? " " : "", stages->at[i].name, stages->at[i].us);
}

/* Reads one NAME:MICROSECONDS of `length` bytes. */
static void decode_one(const char *s, size_t length, struct stages *stages)
{
    const char *colon = memchr(s, ':', length);
    char name[sizeof(stages->at[0].name)], digits[24];
    long us;

    if (!colon || text_copy(name, sizeof(name), s, (size_t)(colon - s)) < 0 ||
        text_copy(digits, sizeof(digits), colon + 1, length - (size_t)(colon - s) - 1) < 0 ||
        text_number(digits, 0, LONG_MAX, &us) < 0)
        return;
    (void)stages_add(stages, name, (uint64_t)us, NULL);
}

void stages_decode(const char *text, struct stages *ret)
{
    ret->count = 0;
    while (*text) {
        size_t length = strcspn(text, " ");

        decode_one(text, length, ret);
        text += length;
        text += *text == ' ';
    }
}
