/* Asking the running server, over its control socket (daemon/control.h says what there is to ask). */
#pragma once

#include "base/cleanup.h"

#include <jansson.h>

struct control_client;

/* Connects. 0; -ENOENT: no server runs on this state folder; -errno. */
int control_connect(const char *state_dir, struct control_client **ret_client);
void control_disconnect(struct control_client *client);
DEFINE_CLEANUP(struct control_client *, control_disconnect);

/* Sends the request (it is taken, also on failure; NULL is -ENOMEM) and waits for the answer, 15 seconds at
 * most: a server whose disk hangs answers late. 0 with the answer, whose "ok" is true; 1 when the server
 * refused, with its reason; -ETIMEDOUT, -EPIPE, -EBADMSG (no answer of ours), -errno. Both the caller's. */
int control_ask(struct control_client *client, json_t *request, json_t **ret_answer, char **ret_reason);
