/* What the load generators set up alike. */
#pragma once

#include <stdint.h>

/* Maps a file for reading, for as long as the program runs. 0 or -errno. An empty file has data too. */
int map_file(const char *path, const uint8_t **ret_data, uint64_t *ret_size);
/* So that n descriptors and a few more can be open, or as many as the system allows; then it says so on
 * stderr. */
void allow_descriptors(const char *program, uint64_t n);
/* SIGINT and SIGTERM set *stopped from now on. */
void stop_on_signals(volatile int *stopped);
