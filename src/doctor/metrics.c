/* See doctor/metrics.h. */
#include "doctor/metrics.h"
#include "base/str.h"

#include <curl/curl.h>

enum { METRICS_MAX = 1 << 20 };

static size_t take(char *data, size_t size, size_t n, void *user)
{
    struct str *text = user;
    if (n > METRICS_MAX - text->len)
        return 0;
    str_add_n(text, data, size * n);
    return n;
}

char *metrics_fetch(ipv4_t address, uint16_t port)
{
    struct str text = {0};
    char ip[IPV4_TEXT_MAX];
    cleanup_free char *url = xasprintf("http://%s:%u/metrics", ipv4_format(address, ip), port);
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 3L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return str_steal(&text);
    str_free(&text);
    return NULL;
}

uint64_t metrics_value(const char *metrics, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = metrics; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, n) != 0 || line[n] != ' ')
            continue;
        uint64_t value;
        cleanup_free char *text = xstrndup(line + n + 1, strcspn(line + n + 1, "\n"));
        return parse_u64(text, 0, UINT64_MAX, &value) == 0 ? value : 0;
    }
    return 0;
}
