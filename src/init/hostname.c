/* The choice of the host name: the pure part of network.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "init/network.h"
#include "init/text.h"

static bool is_from_dhcp(const char *kernel)
{
    struct in_addr address;

    return *kernel && strcmp(kernel, "(none)") != 0 && inet_pton(AF_INET, kernel, &address) != 1;
}

int network_choose_name(const struct cmdline *cmdline, const char *kernel, const char *file,
                        char ret[static 65])
{
    const char *choices[] = {cmdline->node, cmdline->hostname, is_from_dhcp(kernel) ? kernel : "", file};

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const char *name = choices[i] + strspn(choices[i], " \t\r\n");
        size_t length = strcspn(name, " \t\r\n");
        if (length > 0 && text_copy(ret, 65, name, length) == 0)
            return 0;
    }
    return -ENOENT;
}
