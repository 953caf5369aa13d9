/* A report: what a node said of itself (`POST /v1/report`), parsed and checked. */
#pragma once

#include "base/addr.h"
#include "base/vec.h"
#include "model/machine.h"

#include <stdbool.h>

struct report_stage {
    char name[24]; /* init, mounts, devices, network, exec, ready, stopping, failed, shell */
    int64_t us;    /* CLOCK_BOOTTIME when it was reached, microseconds since the kernel's start */
    char detail[200];
};

struct report_interface {
    char name[16];
    bool up;
    struct mac mac;
    ipv4_t address; /* 0: none */
    unsigned prefix;
};

struct report_mount {
    char *source, *target, *type, *options;
};

/* H30: what the node shows after boot. */
struct report_facts {
    uint64_t mem_total_kb, mem_free_kb, mem_available_kb, mem_used_kb; /* used: as `free` counts it */
    uint64_t root_kb;                                                  /* disk usage of the root */
    unsigned modules, device_nodes;
    VEC(struct report_interface) interfaces;
    VEC(struct report_mount) mounts;
    char *kernel; /* uname -r */
    char *cmdline;
};

struct report {
    uint64_t boot; /* id, 0 when not given */
    char node[64];
    struct mac mac;
    VEC(struct report_stage) stages;
    bool has_facts;
    struct report_facts facts;
    bool has_hardware;
    struct machine hardware;
    char *hardware_json; /* machine_to_json of it, as text */
};
void report_clear(struct report *report);
