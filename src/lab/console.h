/* What a node said on its console: the last of it is kept, and can be searched.
 *
 * Positions count every byte the console ever said, so a position stays valid when old text is dropped. */
#pragma once

#include "base/str.h"

#include <stdint.h>

#define LAB_CONSOLE_KEEP (256u * 1024) /* at least so much of the end is kept, bytes */

struct lab_console {
    struct str text;
    uint64_t dropped; /* bytes that were said before text.s */
};

void lab_console_add(struct lab_console *console, const void *data, size_t size);
/* The position behind the last byte. */
uint64_t lab_console_end(const struct lab_console *console);
/* Whether `needle` was said at or after `from`. */
bool lab_console_said(const struct lab_console *console, uint64_t from, const char *needle);
/* The last lines as text for people: terminal control taken out, blank lines too. The caller's, never NULL.
 */
char *lab_console_tail(const struct lab_console *console, unsigned lines);
void lab_console_free(struct lab_console *console);
