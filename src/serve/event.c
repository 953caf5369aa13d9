/* See serve/event.h. */
#include "serve/event.h"

const char *file_protocol_name(enum file_protocol protocol)
{
    return protocol == PROTOCOL_HTTP ? "http" : "tftp";
}

const char *event_name(const struct event *event)
{
    /* For files a name for each protocol, else the first. */
    static const char *const names[][2] = {
        [EVENT_DHCP_IN] = {"dhcp-in"},
        [EVENT_DHCP_OUT] = {"dhcp-out"},
        [EVENT_DHCP_IGNORED] = {"dhcp-ignored"},
        [EVENT_DHCP_ALERT] = {"dhcp-alert"},
        [EVENT_FILE_START] = {"tftp-start", "http-start"},
        [EVENT_FILE_PROGRESS] = {"tftp-progress", "http-progress"},
        [EVENT_FILE_END] = {"tftp-end", "http-end"},
        [EVENT_FILE_REFUSED] = {"tftp-refused", "http-refused"},
        [EVENT_FILE_ABORTED] = {"tftp-aborted", "http-aborted"},
        [EVENT_BOOT] = {"boot"},
        [EVENT_STAGE] = {"stage"},
        [EVENT_FACTS] = {"facts"},
        [EVENT_HARDWARE] = {"hardware"},
        [EVENT_TRIAL] = {"trial"},
        [EVENT_UNSTARTED] = {"unstarted"},
    };
    const char *name = names[event->kind][event->protocol];
    return name ? name : names[event->kind][0];
}
