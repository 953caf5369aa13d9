/* Interfaces and host name; the contract is in network.h. */
#include "init/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "init/facts.h"
#include "init/files.h"
#include "init/link.h"
#include "init/netsetup.h"
#include "init/netspec.h"
#include "init/port.h"
#include "init/process.h"
#include "init/rootspec.h"
#include "init/say.h"

#define RENEW_IP    "/sbin/renew_ip"
#define UDHCPC      "/sbin/udhcpc"
#define RENEW_LIMIT 20000 /* ms */
#define KERNEL_PNP  "/proc/net/pnp"

/* For those who do not see PORT_PNP, as after a change of the root. */
#define SERVER_VARIABLE "RAMBOX_BOOTSERVER"

struct interfaces {
    struct facts_interface at[FACTS_INTERFACES];
    unsigned count;
};

int network_up(const char *name)
{
    return link_up(name);
}

static void read_spec(struct netspec *ret)
{
    static char text[CMDLINE_MAX];

    (void)files_read("/proc/cmdline", text, sizeof(text));
    netspec_parse(text, ret);
    for (unsigned i = 0; i < ret->problem_count; i++)
        say("%s on the kernel command line is not used: expected %s", ret->problems[i].word,
            ret->problems[i].expected);
}

static bool is_bootif(const struct netspec *spec, const struct facts_interface *interface)
{
    struct mac mac;

    return mac_parse(interface->mac, &mac) == 0 && mac_equal(&mac, &spec->bootif);
}

/* Whether BOOTIF= decides: it is there, and no ip= names an interface. */
static bool bootif_decides(const struct netspec *spec, const struct interfaces *list)
{
    if (!spec->has_bootif || (spec->ip_count && spec->ips[0].interface[0]))
        return false;
    for (unsigned i = 0; i < list->count; i++)
        if (is_bootif(spec, &list->at[i]))
            return true;
    return false;
}

/* Whether the kernel's own set-up has done all that the command line asks for. */
static bool kernel_did_it(const struct netspec *spec, const struct interfaces *list)
{
    const struct facts_interface *found = facts_main_interface(list->at, list->count);

    return found && found->address[0] && !spec->beyond_kernel &&
           (!bootif_decides(spec, list) || is_bootif(spec, found));
}

/* H17 */
static int by_renew_ip(const struct interfaces *list, struct text *why)
{
    struct interfaces after;
    const char *name = facts_main_interface(list->at, list->count)->name;

    int r = process_run((char *[]){RENEW_IP, (char *)name, NULL}, RENEW_LIMIT);
    after.count = facts_interfaces(after.at);
    const struct facts_interface *found = facts_main_interface(after.at, after.count);
    if (found && found->address[0])
        return 0;
    text_addf(why, "%s got no address from %s (%s %d): check the cable, and that the server knows this node",
              name, RENEW_IP, r < 0 ? "error" : "status", r < 0 ? -r : r);
    say("%s", why->at);
    return -EADDRNOTAVAIL;
}

static int by_init(const struct netspec *spec, const struct cmdline *cmdline, struct text *why)
{
    struct netsetup result;
    char server[IPV4_TEXT_MAX];

    int r = netsetup_run(spec, cmdline->node[0] ? cmdline->node : cmdline->hostname, &result, why);
    if (result.server)
        setenv(SERVER_VARIABLE, ipv4_format(result.server, server), 1);
    if (result.host[0] && !cmdline->node[0] && !cmdline->hostname[0])
        (void)sethostname(result.host, strlen(result.host));
    return result.done ? 0 : r < 0 ? r : -ENODEV;
}

int network_address(const struct cmdline *cmdline, struct text *why)
{
    static struct netspec spec; /* the child that keeps the leases looks at it */
    struct interfaces list;

    list.count = facts_interfaces(list.at);
    read_spec(&spec);
    if (kernel_did_it(&spec, &list))
        return 0;
    if (spec.ip_count == 0 && spec.vlan_count == 0 && spec.bond_count == 0) {
        if (spec.off || !facts_main_interface(list.at, list.count))
            return -ENODEV;
        if (files_executable(RENEW_IP) == 0 && files_executable(UDHCPC) == 0)
            return by_renew_ip(&list, why);
    }
    if (spec.ip_count == 0 && !spec.off)
        spec.ips[spec.ip_count++] = (struct net_ip){.method = NET_DHCP};
    return by_init(&spec, cmdline, why);
}

int network_boot_server(char ret[static 16])
{
    static const char *const files[] = {PORT_PNP, KERNEL_PNP};
    const char *variable = getenv(SERVER_VARIABLE);
    char pnp[1024];
    struct in_addr address;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)files_read(files[i], pnp, sizeof(pnp));
        if (rootspec_bootserver(pnp, ret) == 0)
            return 0;
    }
    if (!variable || inet_pton(AF_INET, variable, &address) != 1 ||
        text_copy(ret, 16, variable, strlen(variable)) < 0)
        return -ENOENT;
    return 0;
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
