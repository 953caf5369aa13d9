/* Interfaces and host name; the contract is in network.h. */
#include "init/network.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init/facts.h"
#include "init/files.h"
#include "init/process.h"
#include "init/say.h"

#define RENEW_IP    "/sbin/renew_ip"
#define UDHCPC      "/sbin/udhcpc"
#define RENEW_LIMIT 20000 /* ms */

int network_up(const char *name)
{
    struct ifreq request;
    int r = 0;

    memset(&request, 0, sizeof(request));
    strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
        r = -errno;
    } else {
        request.ifr_flags |= IFF_UP;
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
            r = -errno;
    }
    close(fd);
    return r;
}

/* The main interface into *ret; returns whether there is one. */
static bool find_interface(struct facts_interface *ret)
{
    struct facts_interface interfaces[FACTS_INTERFACES];
    const struct facts_interface *found = facts_main_interface(interfaces, facts_interfaces(interfaces));

    if (found)
        *ret = *found;
    return found != NULL;
}

int network_address(const struct cmdline *cmdline)
{
    struct facts_interface interface;

    if (!find_interface(&interface))
        return -ENODEV;
    if (interface.address[0])
        return 0;
    if (strcmp(cmdline->ip, "off") == 0 || strcmp(cmdline->ip, "none") == 0)
        return -ENODEV;
    if (files_executable(RENEW_IP) < 0 || files_executable(UDHCPC) < 0) {
        say("%s has no address: give ip=dhcp, or put %s and udhcpc into the image", interface.name, RENEW_IP);
        return -EADDRNOTAVAIL;
    }
    int r = process_run((char *[]){RENEW_IP, interface.name, NULL}, RENEW_LIMIT);
    if (find_interface(&interface) && interface.address[0])
        return 0;
    say("%s got no address from %s (%s %d): check the cable, and that the server knows this node",
        interface.name, RENEW_IP, r < 0 ? "error" : "status", r < 0 ? -r : r);
    return -EADDRNOTAVAIL;
}

int network_set_name(const struct cmdline *cmdline)
{
    char file[256], name[65];
    struct utsname names;

    (void)files_read("/etc/hostname", file, sizeof(file));
    if (uname(&names) < 0)
        return -errno;
    int r = network_choose_name(cmdline, names.nodename, file, name);
    if (r < 0)
        return r;
    return sethostname(name, strlen(name)) < 0 ? -errno : 0;
}
