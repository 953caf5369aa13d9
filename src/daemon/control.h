/* The control socket, STATE/control: where the commands of this machine ask the running server. A UNIX stream
 * socket for its owner alone (mode 0600). One JSON object a line in, one a line out, in order:
 *
 *     {"call":"status"}                              {"ok":true,"generation":3,"interfaces":["eth1"],
 *                                                     "since":1700000000,"version":"..."}
 *     {"call":"metrics"}                             {"ok":true,"metrics":{"rambox_boots":2,...}}
 *     {"call":"lease-release","ip":"192.168.7.100"}  {"ok":true,"ip":"192.168.7.100"}, when that is on disk
 *     {"call":"candidate-forget","mac":"52:54:..."}  {"ok":true,"mac":"52:54:..."}, the same
 *     {"call":"hardware-retry","class":"1a2b..."}    {"ok":true,"class":"1a2b..."}, the same
 *
 * or {"ok":false,"error":"what is wrong"}. A line of more than CONTROL_LINE_MAX bytes, and a seventeenth
 * connection, are answered so and closed; a connection that says nothing for a minute is closed. Everything
 * runs in the loop's thread; nothing waits.
 */
#pragma once

#include "daemon/committer.h"
#include "daemon/generations.h"
#include "serve/dhcp.h"
#include "serve/fitted.h"
#include "serve/http.h"

#include <jansson.h>

enum { CONTROL_LINE_MAX = 4096, CONTROL_CONNECTIONS_MAX = 16, CONTROL_ERROR_MAX = 160 };

enum control_call {
    CONTROL_CANDIDATE_FORGET,
    CONTROL_HARDWARE_RETRY,
    CONTROL_LEASE_RELEASE,
    CONTROL_METRICS,
    CONTROL_STATUS
};

struct control_request {
    enum control_call call;
    ipv4_t ip;                      /* of lease-release */
    struct mac mac;                 /* of candidate-forget */
    char class[MACHINE_CLASS_SIZE]; /* of hardware-retry */
};

/* Reads one line, without its end. 0; -EINVAL with what is wrong, for the one who asked: no JSON object, an
 * unknown call, a member that is missing, wrong or none of the call's. */
int control_request_parse(const char *line, size_t size, struct control_request *ret_request,
                          char ret_error[static CONTROL_ERROR_MAX]);

/* What the calls are about; all of it must outlive the socket. */
struct control_host {
    uv_loop_t *loop;
    const char *state_dir;
    struct dhcp_server *dhcp_server;
    struct committer *committer;
    struct fitted *fitted;
    const struct generations *generations; /* the current one is read in the loop's thread */
    const struct http_server *http;        /* for the metrics */
    json_t *(*status)(void *user);         /* a new object; NULL: memory is gone */
    void *user;
};

struct control;

/* Makes the socket; one that a server left behind is replaced. 0 or -errno with `diags`. */
int control_new(const struct control_host *host, struct diags *diags, struct control **ret_control);
/* Removes it. After the committer was freed, so that no answer waits; the loop must run once more before it
 * is closed. NULL is allowed. */
void control_free(struct control *control);
