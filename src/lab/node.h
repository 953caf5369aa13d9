/* A virtual machine without a disk, in QEMU, with the firmware that a real machine would have. Its only way
 * to boot is the network.
 */
#pragma once

#include "base/addr.h"
#include "lab/accel.h"
#include "lab/child.h"
#include "lab/console.h"
#include "lab/firmware.h"
#include "lab/net.h"

enum lab_nic { LAB_NIC_VIRTIO, LAB_NIC_E1000 };
const char *lab_nic_name(enum lab_nic nic);
int lab_nic_parse(const char *name, enum lab_nic *ret_nic); /* 0 or -EINVAL */

struct lab_node_spec {
    const char *name;
    struct mac mac;
    enum lab_nic nic; /* UEFI has a driver for virtio alone */
    uint64_t memory;  /* bytes; whole megabytes are given */
    unsigned cpus;
    enum lab_accel accel; /* not LAB_ACCEL_AUTO */
    enum lab_firmware firmware;
    enum lab_method method;
    const char *variables; /* a file that its variable store begins as; NULL: the firmware's own */
};

enum lab_power {
    LAB_POWER_OFF,     /* not powered on yet */
    LAB_POWER_ON,      /* it runs */
    LAB_POWER_RESET,   /* it reset itself; it stays off then, so that a failed boot is one boot */
    LAB_POWER_DOWN,    /* it powered itself off */
    LAB_POWER_STOPPED, /* the virtual processor stopped for an internal error of the accelerator */
    LAB_POWER_GONE,    /* QEMU ended */
};
const char *lab_power_text(enum lab_power power); /* for people: `reset itself`, ... */

struct lab_node {
    struct lab_child qemu;
    int serial;  /* its console, both ways, non-blocking */
    int control; /* QMP */
    enum lab_power power;
    struct str control_text; /* of QMP, not yet a whole line */
    struct lab_console console;
};
#define LAB_NODE_NONE ((struct lab_node){.qemu = LAB_CHILD_NONE, .serial = -1, .control = -1})

/* QEMU's ends of what joins it to us: descriptors that it inherits. */
struct lab_node_ends {
    int tap, serial, control;
    int variables; /* -1: none */
};

/* The program and options of QEMU for a node: the same for every stack that we measure. Ends with NULL; free
 * with names_free. */
char **lab_node_arguments(const struct lab_node_spec *spec, const struct lab_node_ends *ends);

/* Builds the machine, powered off, with a tap on `net`. What its firmware needs is there
 * (lab_firmware_check). 0 or -errno with a diagnostic. */
int lab_node_start(const struct lab_node_spec *spec, struct lab_net *net, struct diags *diags,
                   struct lab_node *ret_node);
/* Turns the power on. */
int lab_node_power_on(struct lab_node *node);
/* Takes in what the console, the control channel and QEMU have to say, without waiting. Moves node->power. */
void lab_node_read(struct lab_node *node);
/* Types on the console. 0 or -errno. */
int lab_node_type(struct lab_node *node, const char *text);
/* Turns it off and frees everything. Harmless on LAB_NODE_NONE and when called twice. */
void lab_node_end(struct lab_node *node);
