/* HTTP's sockets, on the served addresses only. The answers are those of serve/http.h.
 *
 *     listeners --accept--> workers (libmicrohttpd, a thread each) --> serve/http --> sendfile
 *       thread of its own       a pool for HTTP, one for TLS
 *         '--> clock of http_clients: limits, slow clients, progress
 *
 * The loop's thread, which answers DHCP, does none of this: it only opens and closes listeners, and says what
 * it alone knows (/readyz, /metrics) when a worker asks for it.
 */
#pragma once

#include "base/diag.h"
#include "daemon/http_clients.h"
#include "daemon/tls.h"
#include "serve/http.h"

#include <uv.h>

struct http_service;
struct http_listener;

/* `server` is copied; what it points to must outlive the service. Its `ready` and `metrics` are called on the
 * loop's thread. 0 or -errno. */
int http_service_new(uv_loop_t *loop, const struct http_server *server, const struct http_limits *limits,
                     struct http_service **ret_service);
/* Cuts all connections and closes all listeners. NULL is allowed. */
void http_service_free(struct http_service *service);

void http_service_set_limits(struct http_service *service, const struct http_limits *limits);
/* What TLS shows from now on; it becomes the service's. 0 or -errno: TLS cannot be served. */
int http_service_set_identity(struct http_service *service, struct tls_identity *identity);
/* NULL: none yet. */
const struct tls_identity *http_service_identity(const struct http_service *service);

/* `tls`: with the identity that was set before. */
int http_service_listen(struct http_service *service, ipv4_t address, uint16_t port, bool tls,
                        struct diags *diags, struct http_listener **ret_listener);
void http_service_unlisten(struct http_listener *listener);

struct http_figures http_service_figures(struct http_service *service);
