/*
 * The node's network as far as init has a part in it: lo, and an address where the kernel has not got one,
 * and the host name.
 */
#pragma once

#include "init/cmdline.h"
#include "init/text.h"

/* Brings an interface up. Returns 0 or -errno. */
int network_up(const char *name);

/*
 * Sees to it that the node has an address. Where the kernel did that (CONFIG_IP_PNP and an ip= of its kind),
 * nothing happens; else init does what the command line says (netspec.h, netsetup.h). Without ip= the image's
 * renew_ip (H17) is run, if the image has it and udhcpc, and otherwise every interface asked by DHCP. Says
 * what failed. Returns 0 with an address; -ENODEV without an interface, or where no address is wanted
 * (ip=off); another -errno without an address, and why in `why`, which begins empty.
 */
int network_address(const struct cmdline *cmdline, struct text *why);

/*
 * The server that the node's DHCP, or its ip=, named as the one to boot from: as init found it, or as the
 * kernel did (/proc/net/pnp). Also in programs that init starts. Returns 0 or -ENOENT.
 */
int network_boot_server(char ret[static 16]);

/*
 * Pure: chooses the host name: rambox.node=, then ip='s, then the one that the kernel has from DHCP
 * (`kernel`), then the first word of /etc/hostname (`file`). The kernel's "(none)" and a bare IPv4 address,
 * which it sets for want of a name, do not count. Returns 0 and *ret, or -ENOENT.
 */
int network_choose_name(const struct cmdline *cmdline, const char *kernel, const char *file,
                        char ret[static 65]);

/* Sets the name that network_choose_name() finds. Returns 0 or -errno. */
int network_set_name(const struct cmdline *cmdline);
