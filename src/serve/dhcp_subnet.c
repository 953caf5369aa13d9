/* Which subnet a message belongs to (RFC 2131 §4.3.1; RFC 3046, 3011 and 3527 for what relays add). */
#include "serve/dhcp_internal.h"

#include <string.h>

static bool lists_relay(const struct subnet *s, ipv4_t relay)
{
    VEC_EACH(listed, &s->relays)
        if (*listed == relay)
            return true;
    return false;
}

/* The address that stands for the client's network where it is not the relay's own: link selection, else
 * subnet selection. 0: neither. */
static ipv4_t selected(const struct dhcp_packet *p)
{
    struct reader link = dhcp_relay_option(p, DHCP_RELAY_LINK_SELECTION);
    ipv4_t address = 0;
    if (!link.failed && link.left == 4)
        return reader_u32(&link);
    return dhcp_get_u32(p, DHCP_SUBNET_SELECTION, &address) ? address : 0;
}

/* P13. A relay that is in none of the subnets, nor on a list, is a stranger: whoever can send us a packet
 * could claim to be one, and have addresses given out where nobody asked. */
static const struct subnet *of_relay(struct exchange *x)
{
    const struct site *site = x->generation->site;
    const struct dhcp_packet *p = x->packet;
    const struct subnet *by_relay = site_subnet_of_relay(site, p->giaddr);
    ipv4_t link = selected(p);
    char relay[IPV4_TEXT_MAX], text[IPV4_TEXT_MAX];
    ipv4_format(p->giaddr, relay);
    if (!link && !by_relay)
        silent(x, SILENCE_FOREIGN_RELAY,
               "relay %s is in none of the subnets and on no list: add it to \"relays\" of its subnet",
               relay);
    if (!link)
        return by_relay;
    const struct subnet *by_link = site_subnet_of(site, link);
    if (by_link && (by_relay || lists_relay(by_link, p->giaddr)))
        return by_link;
    silent(x, SILENCE_FOREIGN_RELAY, "relay %s asks for the network of %s, which %s", relay,
           ipv4_format(link, text), by_link ? "does not list it in \"relays\"" : "is in none of the subnets");
    return NULL;
}

/* Whether the subnet is served on the interface that the message came in by. */
static bool is_here(const struct exchange *x, const struct subnet *s)
{
    if (s->interface)
        return strcmp(s->interface, x->arrival->interface) == 0;
    return prefix_contains(&s->prefix, x->arrival->local);
}

/* Of the interface. One that names it comes before one that only has our address in it; best is one that does
 * both. */
static const struct subnet *of_interface(const struct exchange *x)
{
    const struct site *site = x->generation->site;
    const struct subnet *found = NULL;
    int best = 0;
    VEC_EACH(subnet, &site->subnets) {
        int rank = 1 + 2 * (subnet->interface != NULL) + prefix_contains(&subnet->prefix, x->arrival->local);
        if (!is_here(x, subnet) || rank <= best)
            continue;
        found = subnet;
        best = rank;
    }
    return found;
}

/* A network can carry several subnets: a node with an address goes where that is. */
static const struct subnet *of_node(const struct exchange *x)
{
    const struct site *site = x->generation->site;
    const struct node *node = exchange_node(x);
    const struct subnet *s = node && node->ip ? site_subnet_of(site, node->ip) : NULL;
    return s && s->interface && is_here(x, s) ? s : NULL;
}

const struct subnet *exchange_subnet(struct exchange *x)
{
    const struct site *site = x->generation->site;
    const struct dhcp_packet *p = x->packet;
    const struct dhcp_arrival *a = x->arrival;
    char text[IPV4_TEXT_MAX];
    if (p->giaddr)
        return of_relay(x);
    /* A client that renews from behind a router: by its address. */
    const struct subnet *s = p->ciaddr && p->ciaddr == a->from ? site_subnet_of(site, p->ciaddr) : NULL;
    if (s && (!s->interface || is_here(x, s)))
        return s;
    s = of_node(x);
    if (!s)
        s = of_interface(x);
    if (!s)
        silent(x, SILENCE_NO_SUBNET, "no subnet is served on %s (address %s)", a->interface,
               ipv4_format(a->local, text));
    return s;
}
