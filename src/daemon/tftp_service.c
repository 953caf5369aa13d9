/* See daemon/tftp_service.h. */
#include "daemon/tftp_service.h"
#include "daemon/sockets.h"
#include "daemon/tftp_worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

struct tftp_service {
    struct tftp_quota quota;
    unsigned n;
    struct tftp_worker *workers[TFTP_SOCKETS_MAX];
};

/* Half of the processors that we may use, which can be fewer than the machine has: the other half receives
 * (an ACK costs the kernel about what its DATA costs), and serves DHCP and HTTP. */
static unsigned usual_workers(void)
{
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) / 2 : 1;
    return n < 1 ? 1 : n < TFTP_WORKERS_USUAL ? n : TFTP_WORKERS_USUAL;
}

unsigned tftp_service_workers(unsigned wanted)
{
    return wanted ? wanted : usual_workers();
}

int tftp_service_new(const struct tftp_service_config *config, struct tftp_service **ret_service)
{
    struct tftp_service *s = calloc(1, sizeof(*s));
    unsigned n = tftp_service_workers(config->workers);
    int r = s && n <= TFTP_SOCKETS_MAX ? 0 : -ENOMEM;
    if (s)
        tftp_quota_init(&s->quota);
    for (unsigned i = 0; i < n && r == 0; i++) {
        r = tftp_worker_new(&(struct tftp_worker_config){.settings = config->settings,
                                                         .files = config->files,
                                                         .sink = config->sink,
                                                         .counters = config->counters,
                                                         .quota = &s->quota,
                                                         .seed = config->seed,
                                                         .port_per_transfer = config->port_per_transfer},
                            &s->workers[i]);
        s->n += r == 0;
    }
    if (r < 0) {
        tftp_service_free(s);
        return r;
    }
    *ret_service = s;
    return 0;
}

void tftp_service_free(struct tftp_service *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->n; i++)
        tftp_worker_free(s->workers[i]);
    free(s);
}

int tftp_service_listen(struct tftp_service *s, ipv4_t address, uint16_t port, unsigned mtu,
                        struct diags *diags)
{
    int fds[TFTP_SOCKETS_MAX];
    const struct endpoint local = {address, port};
    int r = sockets_open_tftp(address, port, s->n, diags, fds);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < s->n; i++) {
        if (r == 0)
            r = tftp_worker_listen(s->workers[i], fds[i], &local, mtu);
        else
            close(fds[i]);
    }
    if (r < 0) {
        tftp_service_unlisten(s, address, port);
        return diag_errno(diags, r, "cannot serve TFTP");
    }
    return 0;
}

void tftp_service_unlisten(struct tftp_service *s, ipv4_t address, uint16_t port)
{
    for (unsigned i = 0; i < s->n; i++)
        tftp_worker_unlisten(s->workers[i], &(struct endpoint){address, port});
}

void tftp_service_set_settings(struct tftp_service *s, const struct tftp_settings *settings,
                               bool port_per_transfer)
{
    for (unsigned i = 0; i < s->n; i++)
        tftp_worker_set_settings(s->workers[i], settings, port_per_transfer);
}

size_t tftp_service_transfers(const struct tftp_service *s)
{
    size_t n = 0;
    for (unsigned i = 0; i < s->n; i++)
        n += tftp_worker_transfers(s->workers[i]);
    return n;
}
