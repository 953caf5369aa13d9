/* The pure part of devices.h. */
#include <errno.h>
#include <string.h>

#include "init/devices.h"

static const struct {
    const char *name;
    enum device_manager manager;
} managers[] = {
    {"devtmpfs", DEVICES_DEVTMPFS},
    {"mdev", DEVICES_MDEV},
    {"hotplug", DEVICES_HOTPLUG},
};

int devices_parse(const char *text, enum device_manager *ret)
{
    for (;;) {
        text += strspn(text, " \t\r\n");
        if (*text != '#')
            break;
        text += strcspn(text, "\n");
    }
    size_t length = strcspn(text, " \t\r\n#");
    if (length == 0) {
        *ret = DEVICES_DEVTMPFS;
        return 0;
    }
    for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
        if (strlen(managers[i].name) == length && memcmp(text, managers[i].name, length) == 0) {
            *ret = managers[i].manager;
            return 0;
        }
    return -EINVAL;
}
