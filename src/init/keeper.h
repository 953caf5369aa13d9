/*
 * Keeps leases for as long as the node lives (RFC 2131 §4.4.5): asks for more time at T1 and T2, and where a
 * lease ends takes the address away and asks anew.
 */
#pragma once

#include "init/port.h"

/*
 * Starts a child that keeps the leases of these ports; those whose lease never ends need none. It ends with
 * SIGTERM, as all do when the node stops, and gives nothing back: the node will ask for the same address when
 * it boots again. Returns the child, 0 when none is needed, or -errno.
 */
int keeper_start(struct port *ports, unsigned count);
