/* The folder of generations: its lock, its names, its switch. Internal to src/publish. */
#pragma once

#include "base/diag.h"

/* STATE/generations/NAME; the caller's. */
char *generations_path(const char *state_dir, const char *name);
char *generation_path(const char *state_dir, unsigned number);

/* Makes the folder when it is missing, waits for the lock, and removes what cut-short attempts left. A
 * descriptor that holds the lock until it is closed, or -errno with `diags`. */
int generations_lock(const char *state_dir, struct diags *diags);

/* The number that `current` points to; 0 when it is missing or points to nothing of ours. */
unsigned generations_current(const char *state_dir);

/* Points `current` to the generation, by rename. 0 or -errno. */
int generations_point(const char *state_dir, unsigned number);

/* With the lock held: removes all generations but the last GENERATIONS_KEPT, the current one and `before`,
 * and then the artifacts that none of these needs and that the cache does not share. What cannot be removed
 * stays until the next time. */
void generations_prune(const char *state_dir, unsigned before);
