/*
 * The node's network as far as init has a part in it: lo, and an address where the kernel has not got one,
 * and the host name.
 */
#pragma once

#include "init/cmdline.h"

/* Brings an interface up. Returns 0 or -errno. */
int network_up(const char *name);

/*
 * Sees to it that an interface has an address. The kernel did that if ip= was given; otherwise the image's
 * renew_ip (H17) is run, if the image has it and udhcpc. Says what failed. Returns 0 with an address, -ENODEV
 * without an interface or where none is wanted (ip=off), -EADDRNOTAVAIL without an address.
 */
int network_address(const struct cmdline *cmdline);

/*
 * Pure: chooses the host name: rambox.node=, then ip='s, then the one that the kernel has from DHCP
 * (`kernel`), then the first word of /etc/hostname (`file`). The kernel's "(none)" and a bare IPv4 address,
 * which it sets for want of a name, do not count. Returns 0 and *ret, or -ENOENT.
 */
int network_choose_name(const struct cmdline *cmdline, const char *kernel, const char *file,
                        char ret[static 65]);

/* Sets the name that network_choose_name() finds. Returns 0 or -errno. */
int network_set_name(const struct cmdline *cmdline);
