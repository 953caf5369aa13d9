/* Firewall rules for exactly the ports in use (H8), as steps that a person can read and a program can run. */
#pragma once

#include "base/diag.h"
#include "base/vec.h"
#include "model/site.h"

struct firewall_ports {
    uint16_t dhcp, tftp, http;
    uint16_t https;                /* 0: not served */
    uint16_t pxe;                  /* 4011, where firmware asks for its boot file alone (P5) */
    const char *const *interfaces; /* ends with NULL; at least one */
};

/* One step: a command, and what it reads. */
struct firewall_step {
    char **argv;   /* ends with NULL; owned */
    char *input;   /* written to a file that is its last argument; NULL: none; owned */
    bool may_fail; /* its failure is the wanted state already */
};

struct firewall_plan {
    VEC(struct firewall_step) steps;
    VEC(char *) notes; /* for people; owned */
};
void firewall_plan_clear(struct firewall_plan *plan);
static inline void firewall_plan_cleanup(struct firewall_plan *plan)
{
    firewall_plan_clear(plan);
}
#define cleanup_firewall_plan __attribute__((cleanup(firewall_plan_cleanup)))

/* A kind of firewall. Both functions plan from what is set now: to have the rules exactly once (whatever was
 * there of ours goes), or to have none of them. 0 or -errno with `diags`. */
struct firewall_backend {
    const char *name;        /* nftables, iptables, firewalld */
    const char *program;     /* what it needs */
    const char *package;     /* the Debian package that has it */
    bool (*in_charge)(void); /* it is what filters on this machine now */
    int (*plan_set)(const struct firewall_ports *ports, struct diags *diags, struct firewall_plan *plan);
    int (*plan_remove)(const struct firewall_ports *ports, struct diags *diags, struct firewall_plan *plan);
};
extern const struct firewall_backend
    firewall_backends[]; /* in the order in which they are tried; ends with name NULL */

/* The named one, or with NULL the one in charge. NULL with `diags`. */
const struct firewall_backend *firewall_backend_of(const char *name, struct diags *diags);
