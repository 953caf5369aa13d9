/* HTTP's sockets: libmicrohttpd, driven by the main loop, on the served addresses only. The answers are those
 * of serve/http.h. Slow and idle clients are cut after HTTP_IDLE_S; one address has at most HTTP_PER_ADDRESS
 * connections; a header of more than some KiB and a body longer than its path allows are refused. */
#pragma once

#include "base/diag.h"
#include "serve/http.h"

#include <uv.h>

enum { HTTP_IDLE_S = 10, HTTP_PER_ADDRESS = 32, HTTP_CONNECTIONS = 2048 };

struct http_service;
struct http_listener;

/* `server` must outlive the service. 0 or -errno. */
int http_service_new(uv_loop_t *loop, const struct http_server *server, struct http_service **ret_service);
/* Cuts all connections. Its listeners are closed before. NULL is allowed. */
void http_service_free(struct http_service *service);

int http_service_listen(struct http_service *service, ipv4_t address, uint16_t port, struct diags *diags,
                        struct http_listener **ret_listener);
void http_service_unlisten(struct http_listener *listener);
