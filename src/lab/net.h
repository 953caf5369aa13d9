/* A network of our own: namespaces that nobody else sees, a bridge in them, and taps for virtual machines.
 *
 * Nothing of it has a name outside: the network and the mounts end with the last process in them, the
 * processes with the first of them, that one with the program, and a tap with the descriptor that holds it.
 * So nothing can be left behind, not even after SIGKILL.
 */
#pragma once

#include "base/addr.h"
#include "base/diag.h"

#include <net/if.h>

struct lab_net {
    char bridge[IFNAMSIZ];
    unsigned taps; /* made so far */
};

/* Moves this program into a new network, mount and process namespace, for good: returns in a child process,
 * which is the first of its process namespace, while the process that called it only waits, passes SIGINT,
 * SIGTERM and SIGHUP on, and exits as the child does.
 * Whatever the child starts is killed when it ends, also what changed its user. Mounts made from then on are
 * seen by nobody else.
 *
 * Call it before there are threads. 0, in the child; in the caller -EPERM without the right to; -errno; with
 * a diagnostic that says what is needed. */
int lab_enter(struct diags *diags);

/* Within it: brings up lo and a bridge `name` with `address`/`length` and the link-local fe80::1 (for P14: a
 * router advertisement must come from one). 0 or -errno with a diagnostic. */
int lab_net_make(const char *name, ipv4_t address, unsigned length, struct diags *diags,
                 struct lab_net *ret_net);

/* A new tap, up, a port of the bridge. Returns its descriptor (O_CLOEXEC), or -errno with a diagnostic. */
int lab_net_tap(struct lab_net *net, struct diags *diags);
