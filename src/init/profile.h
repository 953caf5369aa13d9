/*
 * /etc/profile without a shell: the lines that only set a variable. Pure.
 */
#pragma once

#include <stddef.h>

/* Where a reader is in the text; start with the text itself. */
struct profile_variable {
    char name[64];
    char value[512];
};

/*
 * Reads the next line of the form [export] NAME=value, with the value bare or wholly in one kind of quotes.
 * Lines that would need a shell ($ ` \ ; & | < > ( ) * ? or words behind the value) are passed over, as are
 * those that are too long. Returns 1 with *ret and *text moved on, or 0 at the end.
 */
int profile_next(const char **text, struct profile_variable *ret);
