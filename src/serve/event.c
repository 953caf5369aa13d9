/* See serve/event.h. */
#include "serve/event.h"

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[] = {
        [EVENT_DHCP_IN] = "dhcp-in",
        [EVENT_DHCP_OUT] = "dhcp-out",
        [EVENT_DHCP_IGNORED] = "dhcp-ignored",
        [EVENT_DHCP_ALERT] = "dhcp-alert",
        [EVENT_TFTP_START] = "tftp-start",
        [EVENT_TFTP_PROGRESS] = "tftp-progress",
        [EVENT_TFTP_END] = "tftp-end",
        [EVENT_TFTP_REFUSED] = "tftp-refused",
        [EVENT_TFTP_ABORTED] = "tftp-aborted",
        [EVENT_BOOT] = "boot",
        [EVENT_STAGE] = "stage",
        [EVENT_FACTS] = "facts",
    };
    return names[kind];
}
