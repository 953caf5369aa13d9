/*
 * One HTTP/1.1 POST to the server, retried. Blocks; callers fork first.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

struct post {
    struct sockaddr_in server;
    unsigned tries;
    int connect_ms; /* how long one connection attempt may take; sending and answering as long again each */
};

/*
 * Posts `body` to /v1/report. Waits 250 ms after the first failure and twice as long after each further one.
 * Returns 0 when the server took it (2xx), -EBADMSG when it refused it (4xx, not retried), or the -errno of
 * the last try.
 */
int post_report(const struct post *post, const char *body, size_t length);
