/* See init/dhcp_client.h. */
#include "init/dhcp_client.h"

#include <string.h>

#define SECOND         1000
#define FIRST_PAUSE    SECOND        /* §4.1 has 4 s, from when networks were slow and loaders were not */
#define REQUESTS       4             /* unanswered ones after which it looks for another server */
#define REFUSED_PAUSE  (2 * SECOND)  /* after a NAK */
#define RENEW_PAUSE    (60 * SECOND) /* §4.4.5: the shortest between two questions for more time */
#define NEVER          INT64_MAX
#define HTYPE_ETHERNET 1

/* xorshift: enough to keep a room full of nodes from asking all at once. */
static uint32_t draw(struct dhcp_client *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 17;
    c->random ^= c->random << 5;
    return c->random;
}

/* A pause, a quarter more or less. */
static int64_t about(struct dhcp_client *c, int64_t pause)
{
    return pause - pause / 4 + (int64_t)(draw(c) % 1024) * (pause / 2) / 1024;
}

static void enter(struct dhcp_client *c, enum dhcp_client_state state, int64_t when)
{
    c->state = state;
    c->sent = 0;
    c->next = when;
}

static void begin_at(struct dhcp_client *c, int64_t now, int64_t when)
{
    c->xid = draw(c);
    c->begun = now;
    enter(c, DHCP_SELECTING, when);
}

void dhcp_client_begin(struct dhcp_client *client, int64_t now)
{
    begin_at(client, now, now);
}

/* When the lease's `seconds` are over. */
static int64_t at(const struct dhcp_client *c, uint32_t seconds)
{
    return seconds == LEASE_FOREVER ? NEVER : c->bound + (int64_t)seconds * SECOND;
}

/* §4.1: twice as long after each message, as far as `slowest`. */
static int64_t pause_after(struct dhcp_client *c)
{
    int64_t pause = (int64_t)FIRST_PAUSE << (c->sent < 7 ? c->sent : 7);

    return about(c, pause < c->slowest ? pause : c->slowest);
}

/* §4.4.5: half of what is left until `end`, and no sooner than a minute, or than an eighth of a short lease.
 */
static int64_t renew_again(const struct dhcp_client *c, int64_t now, int64_t end)
{
    int64_t shortest = (int64_t)c->lease.seconds * SECOND / 8, pause = (end - now) / 2;

    if (shortest > RENEW_PAUSE)
        shortest = RENEW_PAUSE;
    if (pause < shortest)
        pause = shortest;
    return end - now > pause ? now + pause : end;
}

static void put_options(struct dhcp_writer *w, const struct dhcp_client *c, enum dhcp_type type)
{
    static const uint8_t wanted[] = {
        DHCP_SUBNET_MASK,      DHCP_ROUTER,     DHCP_DNS,       DHCP_HOST_NAME,    DHCP_DOMAIN_NAME,
        DHCP_INTERFACE_MTU,    DHCP_LEASE_TIME, DHCP_SERVER_ID, DHCP_RENEWAL_TIME, DHCP_REBINDING_TIME,
        DHCP_CLASSLESS_ROUTES,
    };

    dhcp_put_u8(w, DHCP_MESSAGE_TYPE, (uint8_t)type);
    dhcp_put_u16(w, DHCP_MAX_SIZE, c->mtu);
    if (c->state == DHCP_SELECTING && c->wanted)
        dhcp_put_u32(w, DHCP_REQUESTED_IP, c->wanted);
    if (c->state == DHCP_REQUESTING) {
        dhcp_put_u32(w, DHCP_REQUESTED_IP, c->offered);
        dhcp_put_u32(w, DHCP_SERVER_ID, c->server);
    }
    dhcp_put(w, DHCP_PARAMETER_LIST, wanted, sizeof(wanted));
    dhcp_put_text(w, DHCP_HOST_NAME, c->host);
}

/* Table 5 of RFC 2131: what stands where in which state. */
static enum dhcp_client_event send(struct dhcp_client *c, int64_t now, struct dhcp_client_message *ret)
{
    bool has_address = c->state == DHCP_RENEWING || c->state == DHCP_REBINDING;
    int64_t waited = (now - c->begun) / SECOND;
    struct dhcp_head head = {.xid = c->xid,
                             .htype = HTYPE_ETHERNET,
                             .hlen = sizeof(c->mac.b),
                             .ciaddr = has_address ? c->lease.address : 0};
    struct dhcp_writer w;

    memcpy(head.chaddr, c->mac.b, sizeof(c->mac.b));
    dhcp_begin_request(&w, ret->data, sizeof(ret->data), &head,
                       (uint16_t)(waited < UINT16_MAX ? waited : UINT16_MAX));
    put_options(&w, c, c->state == DHCP_SELECTING ? DHCP_DISCOVER : DHCP_REQUEST);
    int size = dhcp_end(&w);
    if (size < 0) /* cannot be: the buffer holds the longest */
        return DHCP_NOTHING;
    ret->size = (size_t)size;
    ret->source = head.ciaddr;
    ret->destination = c->state == DHCP_RENEWING ? c->lease.server : UINT32_MAX;
    return DHCP_SEND;
}

static enum dhcp_client_event ask(struct dhcp_client *c, int64_t now, struct dhcp_client_message *ret)
{
    if (c->state == DHCP_REQUESTING && c->sent >= REQUESTS)
        begin_at(c, c->begun, now);
    enum dhcp_client_event event = send(c, now, ret);
    /* The lease counts from the first request: whichever is answered, it ends no sooner (§4.4.1). */
    if (c->sent == 0)
        c->asked = now;
    c->next = now + pause_after(c);
    c->sent++;
    return event;
}

static enum dhcp_client_event ask_for_more(struct dhcp_client *c, int64_t now,
                                           struct dhcp_client_message *ret)
{
    if (now >= at(c, c->lease.seconds)) {
        c->wanted = c->lease.address;
        begin_at(c, now, now);
        return DHCP_LOST;
    }
    if (c->state != DHCP_REBINDING && now >= at(c, c->lease.rebind))
        enter(c, DHCP_REBINDING, now);
    enum dhcp_client_event event = send(c, now, ret);
    if (c->sent++ == 0)
        c->asked = now;
    c->next = renew_again(c, now, at(c, c->state == DHCP_RENEWING ? c->lease.rebind : c->lease.seconds));
    return event;
}

enum dhcp_client_event dhcp_client_due(struct dhcp_client *client, int64_t now,
                                       struct dhcp_client_message *ret)
{
    if (now < client->next)
        return DHCP_NOTHING;
    if (client->state == DHCP_SELECTING || client->state == DHCP_REQUESTING)
        return ask(client, now, ret);
    if (client->state == DHCP_BOUND) {
        client->xid = draw(client);
        client->begun = now;
        enter(client, DHCP_RENEWING, now);
    }
    return ask_for_more(client, now, ret);
}

static enum dhcp_client_event take_offer(struct dhcp_client *c, int64_t now, const struct dhcp_packet *p)
{
    ipv4_t server;

    if (!p->yiaddr || !dhcp_get_u32(p, DHCP_SERVER_ID, &server) || !server)
        return DHCP_NOTHING;
    c->offered = p->yiaddr;
    c->server = server;
    enter(c, DHCP_REQUESTING, now);
    return DHCP_NOTHING;
}

static enum dhcp_client_event take_ack(struct dhcp_client *c, const struct dhcp_packet *p)
{
    struct lease lease;

    if (lease_read(p, &lease) < 0)
        return DHCP_NOTHING;
    c->lease = lease;
    c->bound = c->asked;
    enter(c, DHCP_BOUND, at(c, lease.renew));
    return DHCP_GIVEN;
}

/* §3.1.5, §4.4.5: begin anew, and without the address where it was in use. */
static enum dhcp_client_event take_nak(struct dhcp_client *c, int64_t now)
{
    bool had = c->state != DHCP_REQUESTING;

    c->wanted = 0;
    begin_at(c, now, now + about(c, REFUSED_PAUSE));
    return had ? DHCP_LOST : DHCP_NOTHING;
}

enum dhcp_client_event dhcp_client_take(struct dhcp_client *client, int64_t now, const void *data,
                                        size_t size)
{
    struct dhcp_packet p;
    ipv4_t server = 0;

    if (client->state == DHCP_BOUND || dhcp_parse(data, size, &p) != DHCP_OK || p.op != DHCP_BOOTREPLY ||
        p.xid != client->xid || p.htype != HTYPE_ETHERNET || p.hlen != sizeof(client->mac.b) ||
        memcmp(p.chaddr, client->mac.b, sizeof(client->mac.b)) != 0)
        return DHCP_NOTHING;
    if (client->state == DHCP_SELECTING)
        return p.type == DHCP_OFFER ? take_offer(client, now, &p) : DHCP_NOTHING;
    /* Another server's word on what this one was asked does not count. */
    if (client->state == DHCP_REQUESTING &&
        (!dhcp_get_u32(&p, DHCP_SERVER_ID, &server) || server != client->server))
        return DHCP_NOTHING;
    if (p.type == DHCP_ACK)
        return take_ack(client, &p);
    return p.type == DHCP_NAK ? take_nak(client, now) : DHCP_NOTHING;
}
