/* Inside rambox doctor: what a run knows, and the checks. Only src/doctor includes this. */
#pragma once

#include "doctor/doctor.h"
#include "doctor/drops.h"
#include "doctor/lan.h"
#include "doctor/metrics.h"

struct doctor {
    const struct doctor_request *request;
    const struct site *site; /* what is served: of the generation, else of the folder; NULL: neither */
    bool own_runs;           /* rambox serve holds the DHCP port */
    char *metrics;           /* what it counts, as its text; NULL: it did not say */
    struct lan *lans;        /* one a served interface */
    size_t lans_n;
    struct udp_drops udp_before;
    struct link_drops *links_before; /* one a lan */
    struct findings *findings;
};

/* doctor/state.c: what is published, and the machine */
void check_configuration(struct doctor *d);
void check_generation(struct doctor *d);
void check_loaders(struct doctor *d);
void check_clock(struct doctor *d);
void check_disk(struct doctor *d);

/* doctor/links.c: interfaces */
void begin_links(struct doctor *d);
void check_links(struct doctor *d);
void check_addresses(struct doctor *d);
void check_bridges(struct doctor *d);
void check_mtu(struct doctor *d);
void check_full_packets(struct doctor *d);

/* doctor/counted.c: what the kernel and our server counted */
void begin_drops(struct doctor *d);
void check_drops(struct doctor *d);
void check_counters(struct doctor *d);
/* The names of the metrics that check_counters looks at; NULL beyond the last. */
const char *counted_metric(size_t i);

/* doctor/transfer.c */
void check_transfer(struct doctor *d);
