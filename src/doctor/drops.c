/* See doctor/drops.h. */
#include "doctor/drops.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void take_socket(const char *line, struct udp_drops *drops)
{
    unsigned port;
    uint64_t queued, dropped;
    /* sl, local and remote address, state, queues, timer, retransmissions, uid, timeout, inode, references,
     * pointer, drops (Documentation/networking/proc_net_tcp.rst; udp4_seq_show) */
    if (sscanf(line,
               " %*u: %*8x:%4x %*8x:%*4x %*x %*8x:%8" SCNx64 " %*x:%*x %*x %*u %*d %*u %*u %*s %" SCNu64,
               &port, &queued, &dropped) != 3)
        return;
    for (size_t i = 0; i < drops->n; i++) {
        struct udp_port_drops *p = &drops->ports[i];
        if (p->port != port)
            continue;
        p->sockets++;
        p->drops += dropped;
        p->queued += queued;
    }
}

void udp_drops_parse(const char *text, struct udp_drops *drops)
{
    for (size_t i = 0; i < drops->n; i++)
        drops->ports[i] = (struct udp_port_drops){.port = drops->ports[i].port};
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        take_socket(line, drops);
}

int udp_drops_read(struct udp_drops *drops)
{
    cleanup_free char *text = NULL;
    int r = file_read("/proc/net/udp", 64 << 20, &text, NULL);
    if (r == 0)
        udp_drops_parse(text, drops);
    return r;
}

int link_drops_parse(const char *text, const char *interface, struct link_drops *ret_drops)
{
    size_t n = strlen(interface);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        struct link_drops d = {0};
        line += strspn(line, " ");
        if (strncmp(line, interface, n) != 0 || line[n] != ':')
            continue;
        /* received: bytes packets errs drop fifo frame compressed multicast; sent: bytes packets errs drop */
        if (sscanf(line + n + 1,
                   "%*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
                   &d.rx_errors, &d.rx_dropped, &d.rx_fifo, &d.tx_errors, &d.tx_dropped) != 5)
            return -ENOENT;
        *ret_drops = d;
        return 0;
    }
    return -ENOENT;
}

int link_drops_read(const char *interface, struct link_drops *ret_drops)
{
    cleanup_free char *text = NULL;
    int r = file_read("/proc/net/dev", 16 << 20, &text, NULL);
    return r < 0 ? r : link_drops_parse(text, interface, ret_drops);
}
