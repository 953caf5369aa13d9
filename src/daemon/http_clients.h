/* Who is connected by HTTP, and what is sent to them: limits (W3), time-outs that look at progress, and the
 * events and counters of every file. No protocol in here; sockets are only looked at (TCP_INFO) and cut.
 * Safe from any thread.
 *
 * A client that asks must have asked within HTTP_REQUEST_S; a client that is sent a file must take
 * HTTP_PROGRESS bytes of it in HTTP_STALL_S, as its own kernel acknowledges them. Who does not is cut,
 * however it spends the time.
 *
 * A file has ended when the client's kernel has all of it, not when ours took the last byte: so its time and
 * its rate are those of the network.
 */
#pragma once

#include "model/site.h"
#include "serve/counters.h"
#include "serve/files.h"

enum { HTTP_REQUEST_S = 15, HTTP_STALL_S = 20, HTTP_PROGRESS = 16 << 10 };

struct http_clients;
struct http_client; /* one connection; known to its worker until http_client_close */

/* NULL: no memory. Nothing is taken over. `wake` is called, from any thread, when http_clients_tick is due
 * sooner than it said. */
struct http_clients *http_clients_new(const struct http_limits *limits, struct event_sink *sink,
                                      struct counters *counters, void (*wake)(void *user), void *user);
void http_clients_free(struct http_clients *clients);
void http_clients_set_limits(struct http_clients *clients, const struct http_limits *limits);

/* Whether a connection from there can be taken at all. One above a limit can: it hears a whole answer, if
 * only 503; some more above it cannot. Counts it as one that comes; http_clients_gone: it did not. */
bool http_clients_admit(struct http_clients *clients, ipv4_t from);
void http_clients_gone(struct http_clients *clients);

/* The connection is there. NULL: no memory; it is served and not looked after. */
struct http_client *http_client_open(struct http_clients *clients, const struct moment *now, int fd,
                                     ipv4_t from, ipv4_t local);
/* Before its descriptor is closed. NULL is allowed. A connection whose file our kernel is still sending is
 * looked after to its end, with a descriptor of our own. */
void http_client_close(struct http_clients *clients, const struct moment *now, struct http_client *client);
/* The machine runs what it was sent: what it had not acknowledged of files that all were sent, it has. */
void http_client_booted(struct http_clients *clients, const struct moment *now,
                        const struct http_client *client);
ipv4_t http_client_from(const struct http_client *client);
ipv4_t http_client_local(const struct http_client *client);

/* A whole request is there. False: the client is one too many, and hears 503. */
bool http_client_request(struct http_clients *clients, const struct moment *now, struct http_client *client);
/* Its answer is out, if it was none of a file. */
void http_client_answered(struct http_clients *clients, const struct moment *now, struct http_client *client);

/* A file begins. 0; -EBUSY: it is one too many (W3); -ENOMEM. */
int http_client_begin(struct http_clients *clients, const struct moment *now, struct http_client *client,
                      const struct file_answer *what, uint64_t size);
/* All of it is with our kernel (why NULL), or it ends before. */
void http_client_end(struct http_clients *clients, const struct moment *now, struct http_client *client,
                     const char *why);

/* To be called again after the milliseconds that it returns; -1: when a connection was opened. Tells
 * progress, notices ends, cuts. */
int http_clients_tick(struct http_clients *clients, const struct moment *now);

struct http_figures {
    size_t connections, downloads;
};
struct http_figures http_clients_figures(struct http_clients *clients);
