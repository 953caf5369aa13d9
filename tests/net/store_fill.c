/* store-fill FILE: puts leases, candidates, machines and trials into a store, as the server does, by the
 * lines of its input:
 *
 *     lease ADDRESS STATE MAC START EXPIRES [HOST]
 *     candidate MAC ADDRESS FIRST LAST ARCH HOST CIRCUIT-ID
 *     machine MAC NODE REPORTED FILE
 *     trial CLASS SHA256 STATE NODE STAGE
 *     many N
 *
 * STATE of a lease: bound, released or declined; of a trial: trial, proven or failed. Times: seconds from
 * now. ARCH, HOST, CIRCUIT-ID, NODE, STAGE: `-` for none. FILE: the hardware as JSON (model/machine.h). many:
 * N leases from 10.0.0.0 on.
 */
#include "base/str.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { GROUP = 1000 };

static int64_t now;

static void set_text(char *ret_text, size_t size, const char *text)
{
    snprintf(ret_text, size, "%s", str_eq(text, "-") ? "" : text);
}

static bool read_lease(const char *line, struct store_op *op)
{
    char ip[32], state[32], mac[32], host[64] = "";
    struct lease *l = &op->lease;
    if (sscanf(line, "lease %31s %31s %31s %" SCNd64 " %" SCNd64 " %63s", ip, state, mac, &l->start,
               &l->expires, host) < 5 ||
        ipv4_parse(ip, &l->ip) < 0 || mac_parse(mac, &l->mac) < 0)
        return false;
    op->kind = STORE_LEASE_PUT;
    l->state = str_eq(state, "released")   ? LEASE_RELEASED
               : str_eq(state, "declined") ? LEASE_DECLINED
                                           : LEASE_BOUND;
    l->start += now;
    l->expires += now;
    l->client.size = 8;
    l->client.b[1] = 1;
    memcpy(l->client.b + 2, l->mac.b, sizeof(l->mac.b));
    set_text(l->hostname, sizeof(l->hostname), host);
    return true;
}

static bool read_candidate(const char *line, struct store_op *op)
{
    char mac[32], ip[32], arch[32], host[64], circuit[64];
    struct candidate *c = &op->candidate;
    uint64_t number = 0;
    if (sscanf(line, "candidate %31s %31s %" SCNd64 " %" SCNd64 " %31s %63s %63s", mac, ip, &c->first_us,
               &c->last_us, arch, host, circuit) != 7 ||
        mac_parse(mac, &c->mac) < 0 || ipv4_parse(ip, &c->ip) < 0)
        return false;
    op->kind = STORE_CANDIDATE_PUT;
    c->first_us = (now + c->first_us) * 1000000;
    c->last_us = (now + c->last_us) * 1000000;
    c->has_arch = c->has_uuid = parse_u64(arch, 0, UINT16_MAX, &number) == 0;
    c->arch = (uint16_t)number;
    memset(c->uuid, c->has_uuid ? c->mac.b[5] : 0, sizeof(c->uuid));
    set_text(c->subnet, sizeof(c->subnet), "lab");
    set_text(c->hostname, sizeof(c->hostname), host);
    set_text(c->vendor_class, sizeof(c->vendor_class), c->has_arch ? "PXEClient" : "udhcp 1.35.0");
    set_text(c->circuit_id, sizeof(c->circuit_id), circuit);
    return true;
}

/* The hardware of a machine, from a file with its JSON. */
static bool read_machine(const char *line, struct store_op *op)
{
    char mac[32], node[64], path[512], error[MACHINE_ERROR_MAX];
    cleanup_machine struct machine machine = {0};
    struct store_machine *m = &op->machine;
    if (sscanf(line, "machine %31s %63s %" SCNd64 " %511s", mac, node, &m->at_us, path) != 4 ||
        mac_parse(mac, &m->mac) < 0)
        return false;
    json_t *object = json_load_file(path, 0, NULL);
    bool good = machine_parse(object, &machine, error, sizeof(error)) == 0;
    op->kind = STORE_MACHINE_PUT;
    m->json = good ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    m->at_us = (now + m->at_us) * 1000000;
    m->boot = 0x1234;
    machine_class(&machine, m->class);
    set_text(m->node, sizeof(m->node), node);
    return good;
}

static bool read_trial(const char *line, struct store_op *op)
{
    char class[MACHINE_CLASS_SIZE], kernel[80], state[32], node[64], stage[24];
    struct trial *t = &op->trial;
    if (sscanf(line, "trial %12s %79s %31s %63s %23s", class, kernel, state, node, stage) != 5 ||
        !is_machine_class(class) || digest_parse(kernel, &t->kernel) < 0)
        return false;
    op->kind = STORE_TRIAL_PUT;
    t->state = str_eq(state, "proven")   ? TRIAL_PROVEN
               : str_eq(state, "failed") ? TRIAL_FAILED
                                         : TRIAL_RUNNING;
    t->begun_us = (now - 600) * 1000000;
    t->ended_us = t->state == TRIAL_RUNNING ? 0 : (now - 300) * 1000000;
    set_text(t->class, sizeof(t->class), class);
    set_text(t->node, sizeof(t->node), node);
    set_text(t->stage, sizeof(t->stage), stage);
    return true;
}

static int put_many(struct store *store, unsigned n)
{
    struct store_op *ops = xcalloc(GROUP, sizeof(*ops));
    int r = 0;
    for (unsigned i = 0; r == 0 && i < n; i += GROUP) {
        for (unsigned j = 0; j < GROUP; j++) {
            ipv4_t ip = 0x0a000000 + i + j;
            ops[j] = (struct store_op){.kind = STORE_LEASE_PUT,
                                       .lease = {.ip = ip,
                                                 .state = LEASE_BOUND,
                                                 .start = now,
                                                 .expires = now + 86400,
                                                 .client = {.size = 8}}};
            memcpy(ops[j].lease.mac.b + 2, &ip, sizeof(ip));
            memcpy(ops[j].lease.client.b + 2, &ip, sizeof(ip));
        }
        r = store_commit(store, ops, GROUP);
    }
    free(ops);
    return r;
}

int main(int argc, char **argv)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(store_close) struct store *store = NULL;
    char line[1024];
    int r = argc == 2 ? store_open(argv[1], &diags, &store) : -1;
    diags_print(&diags, stderr);
    now = time(NULL);
    while (r == 0 && fgets(line, sizeof(line), stdin)) {
        struct store_op op = {0};
        unsigned n;
        if (sscanf(line, "many %u", &n) == 1)
            r = put_many(store, n);
        else if (read_lease(line, &op) || read_candidate(line, &op) || read_machine(line, &op) ||
                 read_trial(line, &op))
            r = store_commit(store, &op, 1);
        else
            r = -1;
        store_op_clear(&op);
        if (r < 0)
            fprintf(stderr, "store-fill: %s", line);
    }
    return r < 0;
}
