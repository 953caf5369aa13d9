/* A boot: one attempt of one machine, from its first DISCOVER to ready, as a list of events. */
#pragma once

#include "base/addr.h"
#include "model/arch.h"

/* The stages in the order in which a boot goes through them. A boot's state is the last one seen. */
enum boot_stage {
    STAGE_DISCOVER, /* the firmware's first DHCP packet; begins the boot */
    STAGE_OFFER,
    STAGE_ACK,
    STAGE_LOADER, /* the boot program was asked for */
    STAGE_CONFIG, /* the boot program asked for its configuration */
    STAGE_KERNEL, /* the kernel was asked for */
    STAGE_IMAGE,  /* the ramdisk was asked for */
    STAGE_LOADED, /* the last file was delivered whole */
    STAGE_INIT,   /* init runs (from the node's own report, as are the following) */
    STAGE_READY,
    STAGE_STOPPING,
    STAGE_FAILED,
};
const char *boot_stage_name(enum boot_stage stage);

struct boot {
    uint64_t id; /* unique in the store; random, so that it is no oracle */
    struct mac mac;
    char node[64];      /* name; empty for a machine without an entry */
    char profile[64];   /* name of what it boots; empty: not known. Not kept in the store */
    enum cpu_arch arch; /* of its processor, as the firmware said. Not kept in the store */
    ipv4_t ip;
    unsigned generation; /* the one it was told to boot */
    int64_t started_us;  /* Unix time, microseconds */
};

/* One line of a boot's timeline. */
struct boot_event {
    uint64_t boot;
    int64_t at_us;    /* Unix time, microseconds */
    char what[24];    /* `discover`, `offer`, `ack`, `file`, or a stage of init */
    char detail[200]; /* file name, bytes, the reason of a failure; may be empty */
};
