/*
 * H24: finding and mounting the root that `root=` names, and looking at what is in it.
 */
#pragma once

#include "init/cmdline.h"
#include "init/text.h"

#define NEWROOT "/newroot"

/*
 * Mounts the root on NEWROOT, which it makes. A device is waited for as long as rambox.rootwait= says.
 * Returns 0, or -errno and in `why` one line for a person.
 */
int newroot_mount(const struct cmdline *cmdline, struct text *why);

/* Whether `init` is an executable file in the root mounted on NEWROOT, links followed inside it. 0 or -errno.
 */
int newroot_check_init(const char *init);
