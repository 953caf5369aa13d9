/*
 * Small files, read and written whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads up to size - 1 bytes of `path` into `buffer` and terminates it; a NUL in the file ends the text.
 * Returns the number of bytes read or -errno, and an empty text then.
 */
long files_read(const char *path, char *buffer, size_t size);

/* Writes `text` into the existing file `path` in one write. Returns 0 or -errno. */
int files_write(const char *path, const char *text);

/* Makes `path`, or replaces what is in it. Returns 0 or -errno. */
int files_create(const char *path, const char *text);

/* Whether `path` is a regular file that may be executed. Returns 0, -ENOENT, -EACCES or another -errno. */
int files_executable(const char *path);
