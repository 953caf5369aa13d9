/*
 * What is left when the boot cannot go on: a shell on the console, and after it a panic that restarts the
 * node (H25).
 *
 * With rambox.secure, or with a command line that cannot be read and so may say it, there is never a shell;
 * the node restarts after its panic time-out instead.
 */
#pragma once

#include "init/timeline.h"

/* Says `why`, reports `failed`, and gives a shell. Does not return. */
_Noreturn void fallback(struct timeline *timeline, const char *why);

/* H21: a shell because the command line asks for one. Does not return. */
_Noreturn void fallback_shell(struct timeline *timeline);
