/* Keeps the identity that TLS shows in step with the settings, the addresses and the calendar. */
#pragma once

#include "daemon/http_service.h"
#include "daemon/iface.h"

/* To be called at start, when settings or addresses change, and TLS_CHECK_MS after the last time. Reads the
 * files that `settings` names, or has the server's own in STATE/tls; when that is another than what is shown,
 * gives it to the service and says so in the log. Nothing to do without TLS. 0 or -errno with `diags`: what
 * was shown before is shown on, and *ret_serves says whether there is such. */
enum { TLS_CHECK_MS = 3600 * 1000 };
int tls_keep(struct http_service *service, const struct server_settings *settings, const char *state_dir,
             const struct served_ifaces *served, int64_t now, struct diags *diags, bool *ret_serves);
