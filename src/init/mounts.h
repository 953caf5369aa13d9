/*
 * Mounting and unmounting: what init itself cannot do without, /etc/fstab, and everything at the end.
 */
#pragma once

#include <stdbool.h>

#include "init/fstab.h"

/*
 * Mounts proc on /proc and devtmpfs on /dev, if they are not. A kernel without devtmpfs is no failure.
 * Returns 0, or -errno when there is no proc.
 */
int mounts_early(void);

/* Whether something is mounted on `target`, which must be a directory. */
bool mounts_is_mounted(const char *target);

/* Makes dev/pts and dev/shm (1777), mounts all of /etc/fstab (H14) and says what failed. Returns the
 * failures. */
unsigned mounts_fstab(void);

/* Links /etc/mtab to /proc/mounts. Returns 0 or -errno. */
int mounts_link_mtab(void);

/*
 * Unmounts everything but / and `keep` (NULL: nothing more), the last mounted first; what is busy is
 * detached, or with `read_only` made read-only so that it is clean.
 */
void mounts_unmount_all(const char *keep, bool read_only);
