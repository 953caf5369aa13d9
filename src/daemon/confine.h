/* Confinement: after the sockets are bound and before a packet is read, the server gives up what it does not
 * need to serve, so that whoever takes it over through a packet has nothing but a boot server.
 *
 *   - It becomes a user of its own, to whom the state folder is given first.
 *   - Of root's powers (capabilities(7)) it keeps CAP_NET_BIND_SERVICE and CAP_NET_RAW, because interfaces
 * come and go, and their sockets are opened anew. Not CAP_NET_ADMIN: that is for large socket buffers only,
 * and daemon/sockets.h keeps some such sockets in reserve.
 *   - No new privileges: no program could give it any back.
 *   - Landlock: it reads beneath a few folders and writes beneath the state folder, whatever the permissions
 *     of other files; it signals no other process, and connects to nobody by TCP.
 *   - seccomp: the system calls that serving takes, and no others. It runs no program.
 *
 * What a kernel lacks is left out and said. All of it is for the calling thread and those that it starts
 * later: confine_enter must come before the first of them.
 */
#pragma once

#include "base/diag.h"

#define CONFINE_USER "rambox" /* the user, unless the configuration says another */

struct confine_spec {
    const char *user;        /* server: user:; NULL: CONFINE_USER if there is one, else nobody else */
    const char *state_dir;   /* made when missing, given to the user, and written to */
    const char *const *read; /* folders, ends with NULL; one that is not there now stays out of reach */
};

struct confine;

/* Everything that takes powers or looks at files: finds the user, gives it the state folder (its own files in
 * it; through no symbolic link), and opens the folders. 0; -errno with a diagnostic when the user that was
 * asked for cannot be had or could not read its folders. `diags` may hold warnings. */
int confine_prepare(const struct confine_spec *spec, struct diags *diags, struct confine **ret_confine);

/* Enters, for good. 0; -errno with a diagnostic: then only some of it is in force, and the process is to end.
 * What the kernel lacks is a warning. -EBUSY: there are other threads already. */
int confine_enter(struct confine *confine, struct diags *diags);

/* One line that says what is in force; valid until confine_free. */
const char *confine_text(const struct confine *confine);

void confine_free(struct confine *confine);
DEFINE_CLEANUP(struct confine *, confine_free);
