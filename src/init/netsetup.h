/*
 * init's own set-up of the network, for kernels that have none (CONFIG_IP_PNP) and for what theirs cannot:
 * bonds, VLANs, several ip=, a choice by BOOTIF=.
 *
 * It waits for interfaces, then for their links, then for answers, each for as long as netspec.h says, and
 * says once that it waits. All interfaces with a link are asked at once where none is named; the first that
 * answers stays, the others are put down again, so that they do not speak for its address.
 */
#pragma once

#include "init/netspec.h"
#include "init/text.h"

struct netsetup {
    char host[64]; /* what the server called the node; empty: nothing */
    ipv4_t server; /* of the DHCP that answered, or of ip=: where the node boots from; 0: not known */
    unsigned done; /* interfaces that have their address */
};

/*
 * Does what `spec` says. `host` is the name to tell a server, or empty; both must live on, for a child keeps
 * the leases until the node ends. Returns 0 when each ip= has come to what it asks for, or -errno and in
 * `why` what the first did not; *ret is filled in both cases.
 */
int netsetup_run(const struct netspec *spec, const char *host, struct netsetup *ret, struct text *why);
