/* HTTP requests to answers, without sockets. What nodes fetch by TFTP they fetch here under the same name
 * (serve/files.h); besides:
 *
 *     GET  /ipxe?mac=..&uuid=..  the iPXE script of a machine; boot.ipxe asks for it
 *     GET  /v1/boot/MAC          what a machine boots, as JSON, in pixiecore's words
 *     POST /v1/report            204; 400 and 413 with {"error":"..."}; 404 for a boot that there is not
 *     GET  /healthz              200 `ok`: the process answers
 *     GET  /readyz               200 `ok`, or 503 and why not
 *     GET  /metrics              counters in Prometheus' text format
 *
 * HEAD is answered as GET (the transport leaves the body away). Another method on a known path: 405 with
 * Allow.
 */
#pragma once

#include "serve/boot.h"
#include "serve/counters.h"
#include "serve/files.h"
#include "serve/http_request.h"

struct http_server {
    struct boot_table *boots;
    struct files *files;
    struct event_sink *sink;
    struct counters *counters;
    /* Whether requests of nodes can be served; *ret_why when not. NULL: always. */
    bool (*ready)(void *user, const char **ret_why);
    /* More lines for /metrics, written with `write`. NULL: none. False: they cannot be had now. */
    bool (*metrics)(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to);
    void *user;
};

/* What a request says; as long as it is answered. */
struct http_request {
    const char *method; /* `GET` */
    struct http_target target;
    const void *body;
    size_t size;
    ipv4_t from, local; /* who asks, and our address that it asked */
    /* A header field by its name (NULL: absent). NULL: there are none. */
    const char *(*header)(void *user, const char *name);
    void *user;
};

struct http_answer {
    unsigned status;
    const char *content_type; /* static; NULL without a body */
    const char *allow;        /* Allow; else NULL */
    unsigned retry_after_s;   /* Retry-After of a 503; 0: none */
    bool no_store;            /* Cache-Control: what is made for one moment is not kept */
    char *body;               /* the caller's (free); NULL: none, or a file */
    size_t size;

    /* A file; a reference for the caller in what.file, NULL for none. Also what was asked for when it was
     * refused or not sent (304, 416): then only the names in it. */
    struct file_answer what;
    const char *reason;             /* why it was refused, static text; NULL: it was not */
    struct http_range part;         /* what of the file is sent */
    char etag[DIGEST_TEXT_MAX + 2]; /* ETag, in its quotes; empty: none */
    char modified[HTTP_DATE_MAX];   /* Last-Modified; empty: none */
    char content_range[72];         /* empty: none */
};

/* The longest body a request to this path may have; what is longer the transport refuses with 413. */
size_t http_body_max(const char *method, const char *path);

/* Never fails: with no memory left the answer is an empty 503. Safe from any thread. */
void http_handle(const struct http_server *server, const struct moment *now,
                 const struct http_request *request, struct http_answer *ret_answer);

/* What /metrics says, as names and values: calls `write` for each. */
void http_each_metric(const struct http_server *server,
                      void (*write)(void *to, const char *name, uint64_t value), void *to);

/* The answers to what is no request that could be handled: too long a target (414), wrong syntax (400), too
 * many at once (an empty 503, W3). */
void http_refuse(const struct http_server *server, unsigned status, const char *why,
                 struct http_answer *ret_answer);
enum { HTTP_RETRY_S = 2 };
