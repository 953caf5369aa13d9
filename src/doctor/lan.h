/* One served network: who is asked on it, as whom, and what the servers answered. */
#pragma once

#include "doctor/answers.h"
#include "doctor/doctor.h"

/* The architectures that firmware asks with (P1), in the order in which they are asked. */
struct lan_arch {
    uint16_t arch;
    enum probe_kind kind;
};
enum { LAN_ARCHS = 9 };
extern const struct lan_arch lan_archs[LAN_ARCHS];

/* An answer from port 4011, or none. */
struct boot_server {
    const struct server_heard *server; /* who was asked; NULL: our own server, which gave no answer before */
    ipv4_t address;
    bool own;
    bool answered;
    uint64_t after_us;
    char file[129];
};

/* The numbers of the probes. */
enum {
    PROBE_STRANGER_SYSTEM, /* a machine that nobody knows, with its operating system's client, */
    PROBE_STRANGER_BIOS,   /* and with firmware */
    PROBE_STRANGER_UEFI,
    PROBE_KNOWN, /* the first of LAN_ARCHS, in the order of lan_archs, as somebody whom we answer */
};

struct lan {
    const struct doctor_iface *iface;
    const struct subnet *subnet; /* what is served on it; NULL: nothing */
    const struct node *node;     /* whom the known probes ask as; NULL: as a stranger */
    bool known;                  /* there are known probes: a node, or the subnet takes strangers */
    bool own_runs;
    bool no_link; /* nothing that is sent on it arrives, and nothing of it can be heard */
    struct answers *answers;
    struct boot_server boot_servers[SERVERS_MAX + 1];
    size_t boot_servers_n;
    int frames, loop; /* sockets; -1: not open */
};

/* Sets up who is asked: chooses subnet, node and probes. `xid`: that of the first probe; the others count up.
 * -ENOMEM. */
int lan_init(struct lan *lan, const struct doctor_iface *iface, const struct site *site, bool own_runs,
             uint16_t server_port, uint32_t xid);
void lan_clear(struct lan *lan);

/* This machine's server that answered a known probe; NULL: none did. */
const struct server_heard *lan_own(const struct lan *lan);

/* Opens the sockets. 0, or -errno with `diags`. */
int lan_open(struct lan *lan, struct diags *diags);
/* Asks, and listens for that long. Probes that nobody answered are sent once more after a third of the time.
 */
void lans_watch(struct lan *lans, size_t n, unsigned seconds, struct progress *progress);
/* Asks at port 4011 our own server, and each that makes firmware ask there, and waits for at most 2 s. */
void lan_ask_boot_servers(struct lan *lan);

/* What it all means. Pure: of what the lan holds. */
void judge_other_servers(const struct lan *lan, struct findings *findings);
void judge_own_server(const struct lan *lan, const char *dhcp_owner, struct findings *findings);
void judge_boot_servers(const struct lan *lan, struct findings *findings);
void judge_architectures(const struct lan *lan, struct findings *findings);
