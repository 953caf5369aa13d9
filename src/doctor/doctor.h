/* rambox doctor: watches a network for a bounded time and says what is wrong and what to do.
 *
 * It runs on the server's machine, beside `rambox serve` or without it. It asks as nodes and as strangers
 * (DISCOVER alone: no address is taken), listens to every answer on the wire, fetches the boot file, and
 * looks at what the kernel counted and at what is published. It changes nothing.
 */
#pragma once

#include "base/diag.h"
#include "base/progress.h"
#include "doctor/finding.h"
#include "model/generation.h"
#include "publish/publish.h"

/* An address of an interface. */
struct doctor_iface {
    char name[16];
    int index;
    unsigned mtu;
    struct mac mac; /* all zero: no Ethernet */
    ipv4_t address;
    struct ipv4_prefix prefix;
};

/* What is looked at; all of it must outlive the run. */
struct doctor_request {
    unsigned seconds;                  /* how long to watch, 1..3600 */
    const struct doctor_iface *served; /* the interfaces that are served, one address each */
    size_t served_n;
    const struct doctor_iface *all; /* every address of this machine */
    size_t all_n;
    const struct site *site;         /* the configuration as it is in the folder; NULL: it is wrong, and */
    const struct diags *site_errors; /* why */
    const char *state_dir;
    const struct generation *generation;   /* the current one; NULL: there is none that can be served, and */
    const struct diags *generation_errors; /* why */
    const struct artifact_source *artifacts; /* what definitions build to now */
    const char *const *loader_folders;       /* where loaders are looked for, ends with NULL */
    const char *const *loaders;              /* the loaders that nodes need, ends with NULL */
    const char *dhcp_owner; /* who holds the DHCP port: `rambox (pid 812)`; empty: nobody that can be seen */
    struct progress *progress; /* may be NULL */
};

/* Runs every check. 0; -errno with `diags` when it could not watch at all (no permission for a packet
 * socket). *ret_findings are the caller's, also after an error. */
int doctor_run(const struct doctor_request *request, struct diags *diags, struct findings *ret_findings);
