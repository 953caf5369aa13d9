/* The report of a node: the body of POST /v1/report, whole, through the HTTP routes. */
#include "serve/http.h"
#include "serve/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(struct event_sink *sink, const struct event *event)
{
    (void)sink;
    if (event->detail && strpbrk(event->detail, "\n\r\033"))
        abort(); /* it would break a line of the log */
}

static uint64_t random_number(void *user)
{
    static uint64_t n;
    (void)user;
    return ++n;
}

static struct event_sink sink = {ignore};
static struct counters counters;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_table *boots;
    const struct moment now = {.mono_us = 1};
    if (!boots) {
        const struct boot boot = {.id = 0x42, .mac = {{0x52, 0x54, 0, 0, 0, 1}}, .node = "n1"};
        boots = boot_table_new(
            &(struct boot_table_config){.random = random_number, .sink = &sink, .counters = &counters});
        if (!boots || boot_table_load(boots, &now, &boot) < 0)
            abort();
    }
    const struct http_server server = {.boots = boots, .sink = &sink, .counters = &counters};
    const struct http_request request = {
        .method = "POST", .target = {"/v1/report", ""}, .body = data, .size = size};
    struct http_answer answer;
    http_handle(&server, &now, &request, &answer);
    if (answer.status != 204 && (answer.status < 400 || !answer.body))
        abort();
    free(answer.body);
    return 0;
}
