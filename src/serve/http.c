/* See serve/http.h. */
#include "serve/http.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/http_file.h"
#include "serve/pxelinux.h"
#include "serve/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"

/* An answer with a body of ours; an empty 503 when there is no memory for it. Takes the body over. */
static void answer(struct http_answer *a, unsigned status, const char *type, char *body)
{
    if (!body) {
        a->status = 503;
        a->retry_after_s = 1;
        return;
    }
    a->status = status;
    a->content_type = type;
    a->body = body;
    a->size = strlen(body);
}

static void answer_error(struct http_answer *a, unsigned status, const char *why)
{
    json_t *root = json_pack("{s:s}", "error", why);
    answer(a, status, JSON, root ? json_dumps(root, JSON_COMPACT) : NULL);
    json_decref(root);
}

void http_refuse(const struct http_server *s, unsigned status, const char *why,
                 struct http_answer *ret_answer)
{
    struct http_answer a = {0};
    if (status == 503) {
        a.status = 503; /* W3: without a body */
        a.retry_after_s = HTTP_RETRY_S;
    } else {
        answer_error(&a, status, why);
    }
    *ret_answer = a;
}

static void post_report(const struct http_server *s, const struct moment *now,
                        const struct http_request *request, struct http_answer *a)
{
    struct report report;
    char error[REPORT_ERROR_MAX];
    cleanup_free char *facts = NULL;
    int r = report_parse(request->body, request->size, &report, &facts, error);
    if (r == -ENOMEM) {
        answer(a, 503, NULL, NULL);
        return;
    }
    if (r < 0) {
        answer_error(a, r == -EMSGSIZE ? 413 : 400, error);
        return;
    }
    r = report_apply(s->boots, s->sink, now, &report, request->from, facts);
    report_clear(&report);
    if (r < 0) {
        answer_error(a, 404, "boot: there is no such boot of this machine");
        return;
    }
    count(s->counters, COUNT_REPORTS, 1);
    a->status = 204;
}

static void get_health(const struct http_server *s, const struct moment *now,
                       const struct http_request *request, struct http_answer *a)
{
    answer(a, 200, TEXT, strdup("ok\n"));
}

static void get_ready(const struct http_server *s, const struct moment *now,
                      const struct http_request *request, struct http_answer *a)
{
    const char *why = "not ready";
    char *text;
    if (!s->ready || s->ready(s->user, &why)) {
        answer(a, 200, TEXT, strdup("ok\n"));
        return;
    }
    if (asprintf(&text, "%s\n", why) < 0)
        text = NULL;
    answer(a, 503, TEXT, text);
    a->retry_after_s = 1;
}

static void write_metric(void *to, const char *name, uint64_t value)
{
    fprintf(to, "%s %" PRIu64 "\n", name, value);
}

/* Metrics of one name stand together, the TYPE line before the first (Prometheus' text format). */
static void write_counters(FILE *out, const struct counters *counters)
{
    char buf[COUNTER_NAME_MAX], before[COUNTER_NAME_MAX] = "";
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        const char *name = counter_name(i, buf);
        size_t n = strcspn(name, "{");
        if (strncmp(before, name, n) != 0 || before[n] != '\0') {
            snprintf(before, sizeof(before), "%.*s", (int)n, name);
            fprintf(out, "# TYPE %s counter\n", before);
        }
        write_metric(out, name, counter_value(counters, i));
    }
}

void http_each_metric(const struct http_server *server,
                      void (*write)(void *to, const char *name, uint64_t value), void *to)
{
    char buf[COUNTER_NAME_MAX];
    for (unsigned i = 0; i < COUNTER_COUNT; i++)
        write(to, counter_name(i, buf), counter_value(server->counters, i));
    write(to, "rambox_boots", boot_table_count(server->boots));
    if (server->metrics)
        server->metrics(server->user, write, to);
}

static void get_metrics(const struct http_server *s, const struct moment *now,
                        const struct http_request *request, struct http_answer *a)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        answer(a, 503, NULL, NULL);
        return;
    }
    write_counters(out, s->counters);
    fprintf(out, "# TYPE rambox_boots gauge\n");
    write_metric(out, "rambox_boots", boot_table_count(s->boots));
    bool whole = !s->metrics || s->metrics(s->user, write_metric, out);
    if (fclose(out) != 0 || !whole) {
        free(text);
        text = NULL;
    }
    answer(a, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}

/* What `${netX/mac}` of iPXE stands for: a MAC address, or that of InfiniBand, 20 bytes with the GUID at the
 * end (proto/dhcp_identity.h). */
static int hardware_parse(const char *text, struct mac *ret_mac)
{
    enum { BYTES_BEFORE = 12 };
    struct guid guid;
    size_t n = strlen(text), before = n > 23 ? 3 * BYTES_BEFORE : 0;
    if (mac_parse(text, ret_mac) == 0)
        return 0;
    if (n != before + 23 || guid_parse(text + before, &guid) < 0)
        return -EINVAL;
    guid_to_mac(&guid, ret_mac);
    return 0;
}

/* By MAC, else by UUID; without either the address of who asks counts. */
static void get_ipxe(const struct http_server *s, const struct moment *now,
                     const struct http_request *request, struct http_answer *a)
{
    char mac_text[64], uuid[UUID_TEXT_MAX], who[PXELINUX_NAME_MAX] = "default";
    struct mac mac;
    const uint8_t *b = mac.b;
    if (http_query_value(request->target.query, "mac", mac_text, sizeof(mac_text)) == 0 &&
        hardware_parse(mac_text, &mac) == 0)
        snprintf(who, sizeof(who), "01-%02x-%02x-%02x-%02x-%02x-%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    else if (http_query_value(request->target.query, "uuid", uuid, sizeof(uuid)) == 0)
        memcpy(who, uuid, sizeof(uuid));
    http_answer_file(s, now, request, "ipxe", BOOT_IPXE, who, a);
}

static void get_boot(const struct http_server *s, const struct moment *now,
                     const struct http_request *request, struct http_answer *a)
{
    char who[PXELINUX_NAME_MAX], name[64];
    struct mac mac;
    const uint8_t *b = mac.b;
    const char *text = request->target.path + strlen("/v1/boot/");
    if (mac_parse(text, &mac) < 0) {
        answer_error(a, 400, "/v1/boot/ is followed by a MAC address such as 52:54:00:12:34:56");
        return;
    }
    snprintf(who, sizeof(who), "01-%02x-%02x-%02x-%02x-%02x-%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    snprintf(name, sizeof(name), "v1/boot/%.32s", text);
    http_answer_file(s, now, request, name, BOOT_PIXIECORE, who, a);
}

static void get_file(const struct http_server *s, const struct moment *now,
                     const struct http_request *request, struct http_answer *a)
{
    if (str_eq(request->target.path, "/"))
        answer_error(a, 404, "no such path");
    else
        http_answer_file(s, now, request, request->target.path, BOOT_PXELINUX, NULL, a);
}

static void tell_options(const struct http_server *s, const struct moment *now,
                         const struct http_request *request, struct http_answer *a)
{
    a->status = 204;
    a->allow = "GET, HEAD, POST, OPTIONS";
}

/* A path that ends in `/` stands for all that begin with it. */
static const struct route {
    const char *method, *path;
    size_t body_max;
    void (*handle)(const struct http_server *s, const struct moment *now, const struct http_request *request,
                   struct http_answer *a);
} routes[] = {
    {"POST", "/v1/report", REPORT_MAX, post_report},
    {"GET", "/healthz", 0, get_health},
    {"GET", "/readyz", 0, get_ready},
    {"GET", "/metrics", 0, get_metrics},
    {"GET", "/ipxe", 0, get_ipxe},
    {"GET", "/v1/boot/", 0, get_boot},
    {"OPTIONS", "*", 0, tell_options},
    {"GET", "/", 0, get_file},
};

static bool route_fits(const struct route *route, const char *path)
{
    return str_eq(route->path, path) || (str_ends(route->path, "/") && str_starts(path, route->path));
}

/* The route of a path; *ret_method says whether the method is the right one too. NULL: no such path. */
static const struct route *find(const char *method, const char *path, bool *ret_method)
{
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        if (!route_fits(&routes[i], path))
            continue;
        *ret_method =
            str_eq(routes[i].method, method) || (str_eq(method, "HEAD") && str_eq(routes[i].method, "GET"));
        return &routes[i];
    }
    return NULL;
}

size_t http_body_max(const char *method, const char *path)
{
    bool method_fits;
    const struct route *route = find(method, path, &method_fits);
    return route && method_fits ? route->body_max : 0;
}

void http_handle(const struct http_server *s, const struct moment *now, const struct http_request *request,
                 struct http_answer *ret_answer)
{
    struct http_answer a = {0};
    bool method_fits = false;
    const struct route *route = find(request->method, request->target.path, &method_fits);
    count(s->counters, COUNT_HTTP_REQUESTS, 1);
    if (!route) {
        answer_error(&a, 404, "no such path");
    } else if (!method_fits) {
        answer_error(&a, 405, "the method is not allowed here");
        a.allow = str_eq(route->method, "GET") ? "GET, HEAD" : route->method;
    } else if (request->size > route->body_max) {
        answer_error(&a, 413, "the body is too long");
    } else {
        route->handle(s, now, request, &a);
    }
    if (a.status >= 400 && a.status < 500)
        count(s->counters, COUNT_HTTP_BAD, 1);
    *ret_answer = a;
}
