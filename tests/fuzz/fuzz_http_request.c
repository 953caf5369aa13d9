/* HTTP: a request target, a query, a Range, a list of tags and a date, each from the same bytes. Held: a path
 * begins with `/` or is `*` and holds no NUL inside; a range lies within the file; a date reads back. */
#include "base/cleanup.h"
#include "base/str.h"
#include "serve/files.h"
#include "serve/http_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void take_target(const char *text)
{
    struct http_target target;
    char name[256];
    cleanup_free char *copy = xstrdup(text);
    if (http_target_parse(copy, &target) < 0)
        return;
    MUST(target.path[0] == '/' || str_eq(target.path, "*"));
    MUST(strlen(target.path) + strlen(target.query) <= strlen(text) + 1);
    if (file_name_normalise(target.path, name, sizeof(name)) == 0) {
        MUST(name[0] != '/' && !str_starts(name, "../") && !strstr(name, "/../"));
        for (const char *p = name; *p; p++)
            MUST(*p >= ' ' && *p < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t totals[] = {0, 1, 1000, UINT64_MAX};
    cleanup_free char *text = xstrndup((const char *)data, size);
    char value[16], date[HTTP_DATE_MAX];
    struct http_range range;
    int64_t seconds;
    take_target(text);
    if (http_query_value(text, "mac", value, sizeof(value)) == 0)
        MUST(value[0] && strlen(value) < sizeof(value));
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++)
        if (http_range_parse(text, totals[i], &range) == 1)
            MUST(range.size > 0 && range.first < totals[i] && range.size <= totals[i] - range.first);
    (void)http_tag_matches(text, "a", true);
    if (http_date_parse(text, &seconds) == 0) {
        int64_t again;
        MUST(http_date_parse(http_date_format(seconds, date), &again) == 0 && again == seconds);
    }
    return 0;
}
