/* See init/keeper.h. */
#include "init/keeper.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "init/process.h"
#include "init/say.h"

#define PORTS_MAX 16
#define SLOWEST   64000 /* ms: RFC 2131 §4.1 */
#define LONGEST   60000 /* ms that one poll waits, whose clock stands still while the machine sleeps */

static bool is_kept(const struct port *port)
{
    return port->asking && port->client.next != INT64_MAX;
}

static void work(struct port *port)
{
    char address[IPV4_TEXT_MAX];

    enum dhcp_client_event event = port_work(port);
    if (event == DHCP_GIVEN) {
        (void)port_apply(port, &port->client.lease);
    } else if (event == DHCP_LOST) {
        say("the lease of %s on %s has ended and was not renewed: asking for another",
            ipv4_format(port->lease.address, address), port->link.name);
        port_withdraw(port);
    }
}

static int until_next(const struct port *ports, unsigned count)
{
    int64_t next = INT64_MAX, now = port_now();

    for (unsigned i = 0; i < count; i++)
        if (is_kept(&ports[i]) && ports[i].client.next < next)
            next = ports[i].client.next;
    if (next <= now)
        return 0;
    return next - now < LONGEST ? (int)(next - now) : LONGEST;
}

static _Noreturn void keep(struct port *ports, unsigned count)
{
    struct pollfd fds[PORTS_MAX];

    for (;;) {
        for (unsigned i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
        if (poll(fds, count, until_next(ports, count)) < 0 && errno != EINTR)
            _exit(1);
        for (unsigned i = 0; i < count; i++)
            if (is_kept(&ports[i]))
                work(&ports[i]);
    }
}

int keeper_start(struct port *ports, unsigned count)
{
    bool wanted = false;

    for (unsigned i = 0; i < count; i++) {
        ports[i].client.slowest = SLOWEST;
        wanted |= is_kept(&ports[i]);
    }
    if (!wanted || count > PORTS_MAX)
        return 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    process_restore_signals();
    prctl(PR_SET_NAME, "rambox-lease");
    keep(ports, count);
}
