/* Whether a device and a driver's pattern can be about the same thing. Both sides may have `*`: the pattern
 * where the driver does not care, the device for a number that its source did not tell.
 */
#pragma once

enum alias_match {
    ALIAS_NO,
    ALIAS_MAYBE, /* only if what the source does not say is what the pattern asks for */
    ALIAS_YES,
};

/* `pattern` as in modules.alias: `*`, `?` and `[...]`. What is longer than 1023 characters never matches. */
enum alias_match alias_match(const char *pattern, const char *modalias);
