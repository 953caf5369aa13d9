/* Files: whole reads, atomic writes, trees, and opening beneath a root. Every descriptor is O_CLOEXEC. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole file of at most `limit` bytes. The buffer is the caller's, with a NUL behind its `*ret_size`
 * bytes (ret_size may be NULL). 0; -EFBIG when it is longer than the limit; -errno of open and read. */
int file_read(const char *path, size_t limit, char **ret_data, size_t *ret_size);
int file_read_at(int dirfd, const char *path, size_t limit, char **ret_data, size_t *ret_size);

/* Writes the whole file or leaves what was there: a temporary file beside it, fsync, rename, fsync of the
 * folder. 0 or -errno (-ENOSPC when the disk is full; nothing of the attempt is left). */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode);

/* Writes all of it, through short writes and EINTR. 0 or -errno. */
int write_all(int fd, const void *data, size_t size);

/* Opens `name` for reading beneath the folder `rootfd`, whatever `..`, absolute paths and symbolic links it
 * holds: openat2 with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS. A descriptor, or -errno (-EXDEV: it would have
 * left the root; -EISDIR: no regular file). */
int file_open_beneath(int rootfd, const char *name);

/* Makes a folder and its parents (mode 0755). 0, also when it exists; -errno. */
int dir_make(const char *path);
/* Removes a folder and all in it, following no symbolic link; a path that does not exist is success. 0 or
 * -errno. */
int dir_remove(const char *path);
/* Copies a tree of folders and regular files. 0 or -errno (-EOPNOTSUPP for anything else in it). */
int dir_copy(const char *from, const char *to);
/* fsync of a folder, so that a rename in it is durable. 0 or -errno. */
int dir_sync(const char *path);

bool file_exists(const char *path);

/* The names in a folder that end in `suffix` (or all, with NULL), sorted by byte value, without dot files.
 * The array ends with NULL; free it with names_free. 0 or -errno. */
int dir_names(const char *path, const char *suffix, char ***ret_names);
void names_free(char **names);

/* Looks for a program in PATH and in the sbin folders. A path that is the caller's, or NULL. */
char *find_program(const char *name);
