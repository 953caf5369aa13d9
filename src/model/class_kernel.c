/* See model/class_kernel.h. */
#include "model/class_kernel.h"
#include "base/str.h"

#include <stdio.h>

#define PREFIX "class-"
#define BEFORE ".before"
enum { DIGITS = 12 };

const char *class_kernel_format(const char *hardware_class, bool before, char buf[static ARTIFACT_NAME_MAX])
{
    snprintf(buf, ARTIFACT_NAME_MAX, PREFIX "%.*s%s", DIGITS, hardware_class, before ? BEFORE : "");
    return buf;
}

const char *class_kernel_of(const char *artifact, bool *ret_before)
{
    const char *digits = artifact + strlen(PREFIX);
    if (!str_starts(artifact, PREFIX) || strspn(digits, "0123456789abcdef") != DIGITS)
        return NULL;
    bool before = str_eq(digits + DIGITS, BEFORE);
    if (!before && digits[DIGITS])
        return NULL;
    *ret_before = before;
    return digits;
}

bool is_class_kernel(const char *definition)
{
    bool before;
    return class_kernel_of(definition, &before) && !before;
}
