/* See daemon/tls_keeper.h. */
#include "daemon/tls_keeper.h"
#include "base/log.h"
#include "base/str.h"

#include <stdio.h>
#include <time.h>

static int get(const struct server_settings *settings, const char *state_dir,
               const struct served_ifaces *served, int64_t now, struct diags *diags,
               struct tls_identity **ret_identity, bool *ret_made)
{
    cleanup_free char *folder = xasprintf("%s/tls", state_dir);
    VEC(ipv4_t) addresses = {0};
    *ret_made = false;
    if (settings->tls_certificate)
        return tls_identity_read(settings->tls_certificate, settings->tls_key, now, diags, ret_identity);
    VEC_EACH(iface, &served->list)
        VEC_PUSH(&addresses, iface->address);
    int r = tls_identity_own(folder, addresses.items, addresses.n, now, diags, ret_identity, ret_made);
    VEC_FREE(&addresses);
    return r;
}

static void tell(const struct tls_identity *t, bool made)
{
    char until[16] = "";
    struct tm tm;
    time_t expires = (time_t)t->expires;
    if (gmtime_r(&expires, &tm))
        (void)strftime(until, sizeof(until), "%Y-%m-%d", &tm);
    log_info("tls: %s certificate until %s, SHA-256 fingerprint %s", made ? "made a" : "shows the", until,
             t->fingerprint);
}

int tls_keep(struct http_service *service, const struct server_settings *settings, const char *state_dir,
             const struct served_ifaces *served, int64_t now, struct diags *diags, bool *ret_serves)
{
    CLEANUP(tls_identity_free) struct tls_identity *t = NULL;
    const struct tls_identity *before = http_service_identity(service);
    bool made = false;
    *ret_serves = before != NULL;
    if (!settings->https_port)
        return 0;
    int r = get(settings, state_dir, served, now, diags, &t, &made);
    if (r < 0)
        return r;
    if (t->expires - TLS_RENEW_S < now)
        log_warning("tls: the certificate in %s ends in %lld days", settings->tls_certificate,
                    (long long)(t->expires - now) / 86400);
    if (before && tls_identity_equal(before, t))
        return 0;
    tell(t, made);
    r = http_service_set_identity(service, TAKE_PTR(t));
    if (r < 0)
        return diag_errno(diags, r, "cannot serve TLS");
    *ret_serves = true;
    return 0;
}
