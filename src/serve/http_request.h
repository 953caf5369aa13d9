/* The parts of an HTTP request that are read here and not by the library that speaks HTTP: the request target
 * (RFC 9112 §3.2), its query, Range, lists of entity tags and dates (RFC 9110). Text to values; no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest target; more is answered with 414. */
enum { HTTP_TARGET_MAX = 4096 };

struct http_target {
    const char *path;  /* decoded, begins with `/`; `*` for the server as a whole */
    const char *query; /* as it came, without `?`; empty: none */
};

/* Takes a target apart, in place; *ret_target points into it. Of the absolute form (`http://host/path`) the
 * path counts. 0; -EINVAL: a percent sign without two digits, an encoded NUL, a control character, or neither
 * form; -ENAMETOOLONG. What a path means, and whether a name in it is allowed, others say. */
int http_target_parse(char *target, struct http_target *ret_target);

/* The value of a key of the query, decoded (`+` is a blank). 0; -ENOENT: the key is not there, or its value
 * is empty, as iPXE writes what it does not know; -EINVAL: wrongly encoded, or longer than `size` with its
 * NUL. */
int http_query_value(const char *query, const char *key, char *ret_value, size_t size);

/* A part of a file. */
struct http_range {
    uint64_t first, size; /* size > 0 */
};

/* Range (RFC 9110 §14): 1 with *ret_range; 0: the whole is sent, for a unit that is not bytes, a value that
 * is wrong, and several ranges, which a server may leave unanswered and whose answer costs more than it asks;
 * -ERANGE: beyond the end of `total` bytes (416). */
int http_range_parse(const char *value, uint64_t total, struct http_range *ret_range);

/* Whether an entity tag (without quotes) is in the list of If-Match or If-None-Match; `*` matches any.
 * `weak`: tags that say W/ count too (§8.8.3.2). */
bool http_tag_matches(const char *list, const char *tag, bool weak);

/* A date in the one form that is written today (IMF-fixdate, RFC 9110 §5.6.7), to Unix seconds and back.
 * -EINVAL for another form or no date: such a condition is passed over. */
#define HTTP_DATE_MAX 30
int http_date_parse(const char *text, int64_t *ret_seconds);
const char *http_date_format(int64_t seconds, char buf[static HTTP_DATE_MAX]);
