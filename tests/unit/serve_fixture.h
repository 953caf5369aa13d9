/* What the tests of src/serve share: a site of one subnet, a generation of it, and a sink that remembers
 * events. */
#pragma once

#include "test.h"

#include "base/str.h"
#include "model/generation.h"
#include "serve/boot.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVER   0x0a070001u /* 10.7.0.1 */
#define N1_IP    0x0a070015u /* 10.7.0.21 */
#define POOL_1   0x0a070064u /* 10.7.0.100 .. 10.7.0.103 */
#define POOL_END 0x0a070067u

static const struct mac n1_mac
    __attribute__((unused)) = {{0x52, 0x54, 0, 0, 0, 1}}; /* n1: has an ip and a uuid */
static const struct mac n2_mac
    __attribute__((unused)) = {{0x52, 0x54, 0, 0, 0, 2}}; /* n2: has an entry without ip */
static const struct mac other_mac __attribute__((unused)) = {{0x52, 0x54, 0, 0, 0, 9}}; /* has none */

/* Events as text, the last of each: `dhcp-in DISCOVER`. */
struct events {
    struct event_sink sink;
    struct boot_table *boots; /* told of every event, as the daemon does; may be NULL */
    char log[65536];
    size_t used;
    unsigned n[EVENT_KINDS];
    struct event last[EVENT_KINDS]; /* strings are not kept */
    char detail[EVENT_KINDS][256];
};

static inline void events_emit(struct event_sink *sink, const struct event *event)
{
    struct events *e = (struct events *)sink;
    e->n[event->kind]++;
    e->last[event->kind] = *event;
    snprintf(e->detail[event->kind], sizeof(e->detail[0]), "%s", event->detail ? event->detail : "");
    if (e->used < sizeof(e->log))
        e->used +=
            (size_t)snprintf(e->log + e->used, sizeof(e->log) - e->used, "%s %s%s%s\n", event_name(event),
                             event->file ? event->file : "", event->file && event->detail ? " " : "",
                             event->detail ? event->detail : "");
    if (e->boots)
        boot_table_observe(e->boots, event);
}

static inline uint64_t counting_random(void *user)
{
    static uint64_t n = 0x1000;
    (void)user;
    return ++n;
}

static inline struct subnet *add_subnet(struct site *site, const char *name, const char *prefix)
{
    struct subnet *s = VEC_ADD(&site->subnets);
    *s = subnet_new(xstrdup(name));
    s->probe = false; /* a test of probes asks for them */
    assert_int_equal(prefix_parse(prefix, &s->prefix), 0);
    return s;
}

static inline struct node *add_node(struct site *site, const char *name, const struct mac *mac, ipv4_t ip)
{
    struct node *n = VEC_ADD(&site->nodes);
    n->name = xstrdup(name);
    n->mac = *mac;
    n->ip = ip;
    n->profile = xstrdup("default");
    return n;
}

static inline void add_profile(struct site *site, const char *name)
{
    struct profile *p = VEC_ADD(&site->profiles);
    p->name = xstrdup(name);
    p->kernel = xstrdup("smallest");
    p->image = xstrdup("smallest");
    p->cmdline = xstrdup("");
    p->console = xstrdup("ttyS0,115200");
}

static inline void add_artifact(struct generation *g, enum artifact_kind kind, uint8_t digest)
{
    struct generation_artifact *a = VEC_ADD(&g->artifacts);
    a->kind = kind;
    a->name = xstrdup("smallest");
    memset(a->digest.b, digest, sizeof(a->digest.b));
}

/* 10.7.0.0/24 `lab` with the pool above, router 10.7.0.254, one DNS server; n1 and n2; subnet
 * `far` 10.9.0.0/24 behind a relay. Call site_index when done with changes: fixture_generation does. */
static inline struct site *fixture_site(enum unknown_policy unknown)
{
    static const uint8_t uuid[16] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct site *site = site_new();
    struct subnet *lab = add_subnet(site, "lab", "10.7.0.0/24");
    VEC_PUSH(&lab->pools, ((struct pool){.first = POOL_1, .last = POOL_END}));
    VEC_PUSH(&lab->dns, 0x0a070035u);
    VEC_PUSH(&lab->ntp, 0x0a07007bu);
    lab->router = 0x0a0700feu;
    lab->domain = xstrdup("lab.example");
    lab->unknown = unknown;
    lab->unknown_profile = unknown == UNKNOWN_ALLOW ? xstrdup("guest") : NULL;
    struct subnet *far = add_subnet(site, "far", "10.9.0.0/24");
    VEC_PUSH(&far->pools, ((struct pool){.first = 0x0a090064u, .last = 0x0a0900c8u}));
    far->unknown = UNKNOWN_ALLOW;
    far->unknown_profile = xstrdup("guest");
    add_profile(site, "default");
    add_profile(site, "guest");
    struct node *n1 = add_node(site, "n1", &n1_mac, N1_IP);
    n1->has_uuid = true;
    memcpy(n1->uuid, uuid, sizeof(uuid));
    add_node(site, "n2", &n2_mac, 0);
    return site;
}

static inline struct generation *fixture_generation(unsigned number, struct site *site)
{
    struct diags diags = {0};
    assert_int_equal(site_index(site, &diags), 0);
    struct generation *g = generation_new(number, 0, site);
    add_artifact(g, ARTIFACT_KERNEL, 0xaa);
    add_artifact(g, ARTIFACT_IMAGE, 0xbb);
    return g;
}
