/* What the process says of itself: /readyz, /metrics, and `status` of the control socket. Part of daemon.c,
 * see daemon/daemon_internal.h. */
#include "daemon/daemon_internal.h"
#include "daemon/ndp_service.h"

bool daemon_is_ready(void *user, const char **ret_why)
{
    struct daemon *d = user;
    *ret_why = d->stopping                    ? "stopping"
               : !daemon_generation_number(d) ? "no generation is published"
               : !d->bindings.list.n          ? "no interface is served"
               : d->store_failing             ? "the store cannot be written"
                                              : NULL;
    return !*ret_why;
}

bool daemon_write_metrics(void *user, void (*write)(void *to, const char *name, uint64_t value), void *to)
{
    struct daemon *d = user;
    struct committer_stats stats = committer_stats(d->committer);
    struct dhcp_service_stats dhcp = dhcp_service_stats(d->bindings.services.dhcp);
    struct probe_stats probes = probe_service_stats(d->probes);
    struct dhcp_figures leases;
    dhcp_server_figures(d->dhcp_server, &leases);
    write(to, "rambox_generation", daemon_generation_number(d));
    write(to, "rambox_interfaces", d->bindings.list.n);
    write(to, "rambox_leases{state=\"offered\"}", leases.offered);
    write(to, "rambox_leases{state=\"bound\"}", leases.bound);
    write(to, "rambox_leases{state=\"declined\"}", leases.declined);
    write(to, "rambox_boots_held", boot_table_count(d->boots));
    write(to, "rambox_tftp_transfers", tftp_service_transfers(d->bindings.services.tftp));
    struct http_figures http = http_service_figures(d->bindings.services.http);
    write(to, "rambox_http_connections", http.connections);
    write(to, "rambox_http_downloads", http.downloads);
    write(to, "rambox_dhcp_unsent_total", dhcp.unsent);
    write(to, "rambox_dhcp_dropped_by_kernel_total", dhcp.dropped);
    write(to, "rambox_dhcp_batches_total", dhcp.batches);
    write(to, "rambox_probes_total", probes.sent);
    write(to, "rambox_probes_in_use_total", probes.used);
    write(to, "rambox_probes_shed_total", probes.shed);
    write(to, "rambox_router_advertisements_total", ndp_service_answers());
    write(to, "rambox_store_commits_total", stats.commits);
    write(to, "rambox_store_operations_total", stats.operations);
    write(to, "rambox_store_failures_total", stats.failures);
    write(to, "rambox_store_dropped_total", stats.dropped);
    write(to, "rambox_store_waiting", stats.waiting);
    write(to, "rambox_store_waiting_later", stats.later);
    return true;
}

json_t *daemon_status(void *user)
{
    const struct daemon *d = user;
    json_t *names = json_array();
    VEC_EACH(b, &d->bindings.list)
        json_array_append_new(names, json_string(b->key.iface.name));
    return json_pack("{s:I, s:o, s:I, s:s}", "generation", (json_int_t)daemon_generation_number(d),
                     "interfaces", names, "since", (json_int_t)(d->since_us / 1000000), "version",
                     RAMBOX_VERSION);
}
