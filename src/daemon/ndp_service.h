/* P14: answers IPv6 router solicitations of machines that boot here, so that an iPXE ROM does not wait 13 s
 * for a router. The answer goes to the solicitor's hardware address alone and says that there is no router
 * (proto/ ndp.h), so it changes nothing for anybody. Answered are nodes of the current generation, and any
 * machine on an interface whose subnet serves unknown ones; a machine that is no concern of ours hears
 * nothing from us. Works on interfaces where IPv6 is turned off, for it stands on packet sockets. */
#pragma once

#include "daemon/generations.h"
#include "daemon/iface.h"

#include <uv.h>

struct ndp_listener;

/* Begins on one interface. 0 or -errno with `diags`. What it points to must outlive the listener. */
int ndp_service_listen(uv_loop_t *loop, const struct served_iface *iface,
                       const struct generations *generations, int link_fd, struct diags *diags,
                       struct ndp_listener **ret_listener);
void ndp_service_unlisten(struct ndp_listener *listener);

/* Answers given since the start, for /metrics. */
uint64_t ndp_service_answers(void);
