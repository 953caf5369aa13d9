/* HTTP requests to answers, without sockets: a table of routes.
 *
 *     POST /v1/report   204; 400 and 413 with {"error":"..."}; 404 for a boot that there is not
 *     GET  /healthz     200 `ok`: the process answers
 *     GET  /readyz      200 `ok`, or 503 and why not
 *     GET  /metrics     counters in Prometheus' text format
 *
 * HEAD is answered as GET (the transport leaves the body away). Another method on a known path: 405 with
 * Allow.
 */
#pragma once

#include "serve/boot.h"
#include "serve/counters.h"

struct http_server {
    struct boot_table *boots;
    struct event_sink *sink;
    struct counters *counters;
    /* Whether requests of nodes can be served; *ret_why when not. NULL: always. */
    bool (*ready)(void *user, const char **ret_why);
    /* More lines for /metrics, written with `write`. NULL: none. */
    void (*metrics)(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to);
    void *user;
};

struct http_request {
    const char *method; /* `GET` */
    const char *path;   /* without the query */
    const void *body;
    size_t size;
    ipv4_t from;
};

struct http_answer {
    unsigned status;
    const char *content_type; /* static; NULL without a body */
    const char *allow;        /* Allow header of a 405; else NULL */
    unsigned retry_after_s;   /* Retry-After of a 503; 0: none */
    char *body;               /* the caller's (free); NULL: empty */
    size_t size;
};

/* The longest body a request to this path may have; what is longer the transport refuses with 413. */
size_t http_body_max(const char *method, const char *path);

/* Never fails: with no memory left the answer is an empty 503. Safe from any thread. */
void http_handle(const struct http_server *server, const struct moment *now,
                 const struct http_request *request, struct http_answer *ret_answer);

/* What /metrics says, as names and values: calls `write` for each. */
void http_each_metric(const struct http_server *server,
                      void (*write)(void *to, const char *name, uint64_t value), void *to);
