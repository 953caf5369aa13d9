/* The parts of the confinement. See daemon/confine.h. */
#pragma once

#include "base/diag.h"
#include "daemon/confine.h"

#include <sys/types.h>

/* Sanitizers look into the process in ways that nothing else needs to; what they call is allowed in such
 * builds alone. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED 0
#endif

/* Gives the state folder, and of what is in it the server's own, to this user. 0 or -errno with a diagnostic.
 */
int confine_give_state(const char *state_dir, uid_t uid, gid_t gid, struct diags *diags);

/* The files. `fd` says which folder (O_PATH). landlock_new: a ruleset, -EOPNOTSUPP: the kernel has no
 * Landlock; or -errno. *ret_abi: its version. */
int landlock_new(int *ret_abi);
enum landlock_access { LANDLOCK_READ, LANDLOCK_WRITE };
int landlock_allow(int ruleset, int abi, int fd, enum landlock_access access);
int landlock_enter(int ruleset);

/* The system calls. 0; -EOPNOTSUPP: the kernel has no seccomp filters; or -errno. */
int syscalls_enter(void);
