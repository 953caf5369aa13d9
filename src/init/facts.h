/*
 * What the node shows after boot (H30): memory, root, interfaces, mounts, modules, device nodes, kernel.
 *
 * The parsers of /proc texts are pure (facts_parse.c); facts_gather() asks the running system (facts.c).
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "init/cmdline.h"

#define FACTS_INTERFACES 16
#define FACTS_MOUNTS     8192

struct facts_memory {
    uint64_t total_kb;
    uint64_t free_kb;
    uint64_t available_kb;
    uint64_t used_kb; /* as free(1) counts: total - free - buffers - page cache - reclaimable slab */
};

struct facts_interface {
    char name[IFNAMSIZ];
    bool up;
    bool card; /* Ethernet or InfiniBand, and no bond: a kernel makes bonds and tunnels that nobody asked for
                */
    char mac[18];     /* empty: none, as on lo */
    char address[16]; /* IPv4; empty: none */
    int prefix;
};

struct facts {
    struct facts_memory memory;
    uint64_t root_kb; /* files of the root file system, by the blocks they take */
    unsigned interface_count;
    struct facts_interface interfaces[FACTS_INTERFACES];
    char mounts[FACTS_MOUNTS]; /* /proc/mounts as it is */
    unsigned modules;
    unsigned device_nodes;
    char kernel[128];
    char cmdline[CMDLINE_MAX];
};

/* Reads /proc/meminfo; what it does not name counts as 0. */
void facts_parse_memory(const char *meminfo, struct facts_memory *ret);

/* Takes the next interface's name off the text of /proc/net/dev. Returns 1 and the name, or 0 at the end. */
int facts_next_interface(const char **dev, char ret[static IFNAMSIZ]);

/* The lines of `text`, the last one with or without its newline. */
unsigned facts_count_lines(const char *text);

/* The length of a netmask in network byte order: 24 for 255.255.255.0. */
int facts_prefix(uint32_t netmask);

/* Reads the state of one interface by name. Absent values are empty. */
void facts_interface(const char *name, struct facts_interface *ret);

/* The interfaces of the system, up to FACTS_INTERFACES; returns how many. */
unsigned facts_interfaces(struct facts_interface ret[static FACTS_INTERFACES]);

/* The interface that speaks for the node: the first with an address that is not lo, else the first card.
 * NULL: there is none. */
const struct facts_interface *facts_main_interface(const struct facts_interface *interfaces, unsigned count);

/* Fills *ret from the running system; what cannot be read stays 0 or empty. */
void facts_gather(struct facts *ret);
