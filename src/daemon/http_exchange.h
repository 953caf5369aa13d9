/* Between libmicrohttpd and serve/http: its callbacks, requests and responses. A worker is a daemon of
 * libmicrohttpd with one thread; workers share nothing but what is behind `server` and `clients`. */
#pragma once

#include "daemon/http_clients.h"
#include "daemon/tls.h"
#include "serve/http.h"

#include <microhttpd.h>

struct http_speaker {
    const struct http_server *server;
    struct http_clients *clients;
    bool tls; /* GnuTLS then asks for the identity that http_show was given */
};

/* Starts a worker. NULL: there are no descriptors, threads or memory for it. `speaker` must outlive it. */
struct MHD_Daemon *http_worker_start(struct http_speaker *speaker);

/* What TLS shows from now on, in the whole process: the callback that GnuTLS has for it knows no more than
 * its session. It must stay as long as a handshake that began may last. */
void http_show(struct tls_identity *identity);

/* W3: the whole answer to who cannot even be heard, for send(2). */
extern const char http_overload[];
