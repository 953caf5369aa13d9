/* See serve/http_file.h. */
#include "serve/http_file.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

const char *http_content_type(const struct file_answer *what)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".efi", "application/efi"},
        {".img", "application/vnd.efi-img"},
        {".iso", "application/vnd.efi-iso"},
    };
    if (str_starts(what->name, "v1/boot/"))
        return "application/json";
    if (what->file->kind == FILE_CONFIG)
        return "text/plain; charset=utf-8";
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (str_ends(what->name, types[i].ending))
            return types[i].type;
    return "application/octet-stream";
}

static const char *header(const struct http_request *request, const char *name)
{
    return request->header ? request->header(request->user, name) : NULL;
}

/* The conditions in the order of RFC 9110 §13.2.2: 0: it is sent; else the status instead. */
static unsigned check_conditions(const struct http_request *request, const struct served_file *file)
{
    const char *match = header(request, "If-Match"), *none = header(request, "If-None-Match");
    const char *since = header(request, "If-Modified-Since"), *until = header(request, "If-Unmodified-Since");
    const char *tag = file->tag[0] ? file->tag : "-"; /* what is generated has none; only `*` means it */
    int64_t t;
    if (match && !http_tag_matches(match, tag, false))
        return 412;
    if (!match && until && file->modified && http_date_parse(until, &t) == 0 && file->modified > t)
        return 412;
    if (none)
        return http_tag_matches(none, tag, true) ? 304 : 0;
    if (since && file->modified && http_date_parse(since, &t) == 0 && file->modified <= t)
        return 304;
    return 0;
}

/* If-Range (RFC 9110 §13.1.5): whether the part is of the file that the client knows. */
static bool is_known(const struct http_request *request, const struct served_file *file)
{
    const char *known = header(request, "If-Range");
    int64_t t;
    if (!known)
        return true;
    if (http_date_parse(known, &t) == 0)
        return file->modified && t == file->modified;
    return file->tag[0] && known[0] == '"' && http_tag_matches(known, file->tag, false);
}

/* W1: what of the file is sent, and the fields that say so. */
static void choose_part(const struct http_request *request, struct http_answer *a)
{
    const struct served_file *file = a->what.file;
    const char *range = header(request, "Range");
    int r = 0;
    if (range && str_eq(request->method, "GET") && is_known(request, file))
        r = http_range_parse(range, file->size, &a->part);
    if (r == -ERANGE) {
        a->status = 416;
        snprintf(a->content_range, sizeof(a->content_range), "bytes */%" PRIu64, file->size);
    } else if (r == 1) {
        a->status = 206;
        snprintf(a->content_range, sizeof(a->content_range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                 a->part.first, a->part.first + a->part.size - 1, file->size);
    } else {
        a->status = 200;
        a->part = (struct http_range){0, file->size};
    }
}

static void drop_file(struct http_answer *a)
{
    served_file_unref(a->what.file);
    a->what.file = NULL;
    a->part = (struct http_range){0};
}

static void refuse(const struct http_server *s, const struct moment *now, const struct http_request *request,
                   int error, struct http_answer *a)
{
    bool missing = error == -ENOENT || error == -EXDEV, forbidden = error == -EACCES;
    unsigned status = missing ? 404 : forbidden ? 403 : error == -EINVAL || error == -E2BIG ? 500 : 503;
    const char *reason = a->reason;
    struct file_answer what = a->what;
    what.file = NULL;
    http_refuse(s, status, reason, a);
    a->what = what;
    a->reason = reason;
    count(s->counters, missing ? COUNT_HTTP_NOT_FOUND : COUNT_HTTP_REFUSED, 1);
    s->sink->emit(s->sink, &(struct event){.kind = EVENT_FILE_REFUSED,
                                           .protocol = PROTOCOL_HTTP,
                                           .at = *now,
                                           .mac = what.mac,
                                           .node = what.node[0] ? what.node : NULL,
                                           .ip = request->from,
                                           .boot = what.boot,
                                           .file = what.name,
                                           .detail = reason});
}

void http_answer_file(const struct http_server *s, const struct moment *now,
                      const struct http_request *request, const char *name, enum boot_format format,
                      const char *who, struct http_answer *a)
{
    struct file_request wanted = {.name = name, .from = request->from, .local = request->local, .http = true};
    char arch[16];
    if (format == BOOT_IPXE && http_query_value(request->target.query, "arch", arch, sizeof(arch)) == 0)
        wanted.arch = arch;
    a->reason = "no such file";
    int r = who ? files_open_boot(s->files, now, &wanted, format, who, &a->what, &a->reason)
                : files_open(s->files, now, &wanted, &a->what, &a->reason);
    if (r < 0) {
        refuse(s, now, request, r, a);
        return;
    }
    const struct served_file *file = a->what.file;
    a->reason = NULL;
    a->no_store = file->kind == FILE_CONFIG;
    if (file->tag[0])
        snprintf(a->etag, sizeof(a->etag), "\"%s\"", file->tag);
    if (file->modified)
        http_date_format(file->modified, a->modified);
    a->status = check_conditions(request, file);
    if (!a->status)
        choose_part(request, a);
    if (a->status >= 300)
        drop_file(a);
    else
        a->content_type = http_content_type(&a->what);
}
