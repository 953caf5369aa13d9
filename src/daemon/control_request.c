/* The requests of the control socket: a table of calls, and of what each takes. See daemon/control.h. */
#include "base/str.h"
#include "daemon/control.h"

#include <errno.h>
#include <stdio.h>

static int read_ip(const char *text, struct control_request *r)
{
    return ipv4_parse(text, &r->ip);
}

static int read_mac(const char *text, struct control_request *r)
{
    return mac_parse(text, &r->mac);
}

static int read_class(const char *text, struct control_request *r)
{
    if (!is_machine_class(text))
        return -EINVAL;
    memcpy(r->class, text, sizeof(r->class));
    return 0;
}

/* `argument`: the one member that the call needs besides `call`, and what that is; NULL: none. */
static const struct call {
    const char *name;
    enum control_call call;
    const char *argument, *what;
    int (*read)(const char *text, struct control_request *r);
} calls[] = {
    {"candidate-forget", CONTROL_CANDIDATE_FORGET, "mac", "MAC address", read_mac},
    {"hardware-retry", CONTROL_HARDWARE_RETRY, "class", "hardware class", read_class},
    {"lease-release", CONTROL_LEASE_RELEASE, "ip", "IPv4 address", read_ip},
    {"metrics", CONTROL_METRICS, NULL, NULL, NULL},
    {"status", CONTROL_STATUS, NULL, NULL, NULL},
};

static int wrong(char error[static CONTROL_ERROR_MAX], const char *fmt, ...) PRINTF(2, 3);
static int wrong(char error[static CONTROL_ERROR_MAX], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error, CONTROL_ERROR_MAX, fmt, args);
    va_end(args);
    return -EINVAL;
}

static const struct call *find(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(calls); i++)
        if (str_eq(calls[i].name, name))
            return &calls[i];
    return NULL;
}

static int read_request(json_t *object, struct control_request *r, char error[static CONTROL_ERROR_MAX])
{
    const struct call *call = find(json_string_value(json_object_get(object, "call")));
    if (!call)
        return wrong(
            error,
            "expected \"call\": one of candidate-forget, hardware-retry, lease-release, metrics, status");
    if (json_object_size(object) != (call->argument ? 2 : 1))
        return wrong(error, "%s takes \"call\"%s%s%s, nothing else", call->name,
                     call->argument ? " and \"" : "", call->argument ? call->argument : "",
                     call->argument ? "\"" : "");
    r->call = call->call;
    if (!call->argument)
        return 0;
    const char *text = json_string_value(json_object_get(object, call->argument));
    if (!text || call->read(text, r) < 0)
        return wrong(error, "\"%s\" is no %s", call->argument, call->what);
    return 0;
}

int control_request_parse(const char *line, size_t size, struct control_request *ret_request,
                          char ret_error[static CONTROL_ERROR_MAX])
{
    struct control_request request = {0};
    json_t *object = size > CONTROL_LINE_MAX ? NULL : json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    int r = json_is_object(object) ? read_request(object, &request, ret_error)
                                   : wrong(ret_error, "expected one JSON object in a line");
    json_decref(object);
    if (r == 0)
        *ret_request = request;
    return r;
}
