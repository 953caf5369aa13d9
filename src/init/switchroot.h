/*
 * Changing from the RAM root to a root mounted in it.
 */
#pragma once

/*
 * Moves the mount on `newroot` over /, makes it the root and executes argv[0] there. The files of the old
 * root, if it is a RAM root with our /init in it, are deleted once that exec has succeeded, and on its own
 * file system only; so a failure leaves everything as it was. Returns only then: -errno.
 */
int switchroot(const char *newroot, char *const argv[]);
