/* All sockets of one served interface, and keeping them in step with the interfaces that there are (F6). */
#pragma once

#include "daemon/dhcp_service.h"
#include "daemon/http_service.h"
#include "daemon/iface.h"
#include "daemon/ndp_service.h"
#include "daemon/tftp_service.h"

/* What the sockets belong to. */
struct services {
    uv_loop_t *loop;
    struct dhcp_service *dhcp;
    struct tftp_service *tftp; /* NULL while all is being stopped: its sockets are closed already */
    struct http_service *http; /* the same */
    const struct generations *generations;
    int link_fd;
};

/* What an interface is served with. */
struct binding_key {
    struct served_iface iface;
    uint16_t dhcp_port, tftp_port, http_port, https_port; /* https_port 0: no TLS */
    bool router_advert;
};

struct binding {
    struct binding_key key;
    bool tftp;
    struct dhcp_listener *dhcp;
    struct http_listener *http, *https;
    struct ndp_listener *ndp;
};

struct bindings {
    struct services services;
    VEC(struct binding) list;
};

/* Closes what is not wanted any more and opens what is missing; what stays is not touched. 0, or the first
 * -errno with `diags`; then the interfaces that failed are not served, the others are. *ret_changed:
 * something was opened or closed. */
int bindings_update(struct bindings *bindings, const struct served_ifaces *served,
                    const struct server_settings *settings, struct diags *diags, bool *ret_changed);
void bindings_clear(struct bindings *bindings);
