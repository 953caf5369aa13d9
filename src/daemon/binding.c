/* See daemon/binding.h. */
#include "daemon/binding.h"

#include <string.h>

static void binding_close(const struct services *s, struct binding *b)
{
    if (b->dhcp)
        dhcp_service_unlisten(b->dhcp);
    if (b->tftp && s->tftp)
        tftp_service_unlisten(s->tftp, b->key.iface.address, b->key.tftp_port);
    if (b->http && s->http)
        http_service_unlisten(b->http);
    if (b->https && s->http)
        http_service_unlisten(b->https);
    if (b->ndp)
        ndp_service_unlisten(b->ndp);
    *b = (struct binding){0};
}

static int binding_open(const struct services *s, const struct binding_key *key, struct diags *diags,
                        struct binding *ret_binding)
{
    struct binding b = {.key = *key};
    int r = dhcp_service_listen(s->dhcp, &key->iface, key->dhcp_port, diags, &b.dhcp);
    if (r == 0) {
        r = tftp_service_listen(s->tftp, key->iface.address, key->tftp_port, key->iface.mtu, diags);
        b.tftp = r == 0;
    }
    if (r == 0)
        r = http_service_listen(s->http, key->iface.address, key->http_port, false, diags, &b.http);
    if (r == 0 && key->https_port)
        r = http_service_listen(s->http, key->iface.address, key->https_port, true, diags, &b.https);
    if (r == 0 && key->router_advert)
        r = ndp_service_listen(s->loop, &key->iface, s->generations, s->link_fd, diags, &b.ndp);
    if (r < 0) {
        binding_close(s, &b);
        return r;
    }
    *ret_binding = b;
    return 0;
}

static struct binding_key key_of(const struct served_iface *iface, const struct server_settings *settings)
{
    return (struct binding_key){.iface = *iface,
                                .dhcp_port = settings->dhcp_port,
                                .tftp_port = settings->tftp_port,
                                .http_port = settings->http_port,
                                .https_port = settings->https_port,
                                .router_advert = settings->router_advert && mac_is_unicast(&iface->mac)};
}

static bool same(const struct binding_key *a, const struct binding_key *b)
{
    const struct served_iface *x = &a->iface, *y = &b->iface;
    return strcmp(x->name, y->name) == 0 && x->index == y->index && x->mtu == y->mtu &&
           mac_equal(&x->mac, &y->mac) && x->address == y->address && x->prefix.length == y->prefix.length &&
           a->dhcp_port == b->dhcp_port && a->tftp_port == b->tftp_port && a->http_port == b->http_port &&
           a->https_port == b->https_port && a->router_advert == b->router_advert;
}

static bool is_wanted(const struct binding *b, const struct served_ifaces *served,
                      const struct server_settings *settings)
{
    VEC_EACH(iface, &served->list) {
        struct binding_key key = key_of(iface, settings);
        if (same(&key, &b->key))
            return true;
    }
    return false;
}

static bool is_open(const struct bindings *bindings, const struct binding_key *key)
{
    VEC_EACH(b, &bindings->list)
        if (same(&b->key, key))
            return true;
    return false;
}

int bindings_update(struct bindings *bindings, const struct served_ifaces *served,
                    const struct server_settings *settings, struct diags *diags, bool *ret_changed)
{
    int result = 0;
    size_t kept = 0;
    for (size_t i = 0; i < bindings->list.n; i++) {
        struct binding *b = &bindings->list.items[i];
        if (is_wanted(b, served, settings))
            bindings->list.items[kept++] = *b;
        else
            binding_close(&bindings->services, b);
    }
    *ret_changed = kept != bindings->list.n;
    bindings->list.n = kept;
    VEC_EACH(iface, &served->list) {
        struct binding_key key = key_of(iface, settings);
        struct binding b;
        if (is_open(bindings, &key))
            continue;
        int r = binding_open(&bindings->services, &key, diags, &b);
        if (r == 0) {
            VEC_PUSH(&bindings->list, b);
            *ret_changed = true;
        } else if (result == 0) {
            result = r;
        }
    }
    return result;
}

void bindings_clear(struct bindings *bindings)
{
    VEC_EACH(b, &bindings->list)
        binding_close(&bindings->services, b);
    VEC_FREE(&bindings->list);
}
