/* The server's process: one loop for DHCP and control, workers for TFTP and HTTP, a thread that commits to
 * the store.
 *
 *      DHCP sockets --> serve/dhcp ----.          .--> reply at once (nodes with an entry)
 *      (main loop)       ^             |--verdict-+--> committer --fsync--> main loop --> reply
 *                        | plain       |
 *                   generations        '--> events --> boot table, log, store, event stream
 *                        | reference
 *      TFTP sockets --> serve/tftp, serve/files        HTTP sockets --> serve/http
 *      (1..n workers, each a thread)                   (threads of their own)
 *
 * It begins as whoever started it, binds its sockets, and confines itself (daemon/confine.h) before it starts
 * a thread or reads a packet.
 *
 * Whatever goes wrong for one request is that request's loss; the process ends only on SIGTERM or SIGINT, or
 * at start, when what it needs (its ports, its store) is not to be had.
 */
#pragma once

#include "publish/publish.h"

struct daemon_options {
    const char *config_dir, *share_dir;
    const char *events;            /* --events PATH; NULL: none */
    const char *const *interfaces; /* --interface; NULL-terminated; NULL or empty: by the configuration */
    const struct artifact_source *artifacts; /* asked by a confined thread (daemon/confine.h) */
    bool unconfined;                         /* --unconfined */
};

/* Serves until it is told to stop. 0 after an orderly stop; -errno with `diags` when it could not start. */
int daemon_run(const struct daemon_options *options, struct diags *diags);
