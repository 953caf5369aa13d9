/* See proto/dhcp_identity.h. */
#include "proto/dhcp_identity.h"
#include "base/hash.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MELLANOX 0x2c9 /* IANA's private enterprise number */

static bool is_guid_hardware(unsigned type)
{
    return type == DHCP_HW_EUI64 || type == DHCP_HW_INFINIBAND;
}

/* The last eight bytes: of an address of InfiniBand they are the port's GUID, behind its queue pair and its
 * subnet (RFC 4391 §9.1). */
static bool guid_at_the_end(struct reader r, struct guid *ret_guid)
{
    if (r.failed || r.left < sizeof(ret_guid->b))
        return false;
    memcpy(ret_guid->b, r.p + r.left - sizeof(ret_guid->b), sizeof(ret_guid->b));
    return true;
}

static bool is_address(struct reader r)
{
    enum { EUI64 = 8, IPOIB = 20 };
    return !r.failed && (r.left == EUI64 || r.left == IPOIB);
}

/* RFC 8415 §11. */
static bool guid_of_duid(struct reader r, struct guid *ret_guid)
{
    enum { LINK_LAYER_TIME = 1, ENTERPRISE = 2, LINK_LAYER = 3 };
    unsigned type = reader_u16(&r);
    if (type == ENTERPRISE)
        return reader_u32(&r) == MELLANOX && guid_at_the_end(r, ret_guid);
    if (type != LINK_LAYER && type != LINK_LAYER_TIME)
        return false;
    unsigned hardware = reader_u16(&r);
    if (type == LINK_LAYER_TIME)
        (void)reader_u32(&r);
    return is_guid_hardware(hardware) && is_address(r) && guid_at_the_end(r, ret_guid);
}

static bool guid_of_id(struct reader id, struct guid *ret_guid)
{
    enum { RFC_4361 = 255 };
    uint8_t type = reader_u8(&id);
    if (is_guid_hardware(type))
        return is_address(id) && guid_at_the_end(id, ret_guid);
    if (type != RFC_4361)
        return false;
    (void)reader_u32(&id); /* IAID */
    return guid_of_duid(id, ret_guid);
}

static bool identify_guid(const struct dhcp_packet *p, struct dhcp_identity *i)
{
    static const struct guid zero;
    if (!is_guid_hardware(p->htype))
        return false;
    if (p->hlen == sizeof(i->guid.b)) {
        memcpy(i->guid.b, p->chaddr, sizeof(i->guid.b));
        i->has_guid = true;
    } else {
        i->has_guid = guid_of_id(i->id, &i->guid);
    }
    i->has_guid = i->has_guid && !guid_equal(&i->guid, &zero);
    if (i->has_guid)
        guid_to_mac(&i->guid, &i->mac);
    else if (!i->id.failed && i->id.left >= CLIENT_ID_MIN)
        client_id_to_mac(i->id.p, i->id.left, &i->mac);
    else
        return false;
    return true;
}

bool dhcp_identify(const struct dhcp_packet *p, struct dhcp_identity *ret_identity)
{
    struct dhcp_identity i = {.id = dhcp_option(p, DHCP_CLIENT_ID)};
    i.ethernet = dhcp_mac(p, &i.mac);
    if (i.ethernet ? !mac_is_unicast(&i.mac) : !identify_guid(p, &i))
        return false;
    *ret_identity = i;
    return true;
}

void client_id_to_mac(const void *id, size_t size, struct mac *ret_mac)
{
    struct hash hash;
    struct digest digest;
    hash_init(&hash);
    hash_add(&hash, id, size);
    hash_end(&hash, &digest);
    memcpy(ret_mac->b, digest.b, sizeof(ret_mac->b));
    ret_mac->b[0] = (uint8_t)((ret_mac->b[0] & 0xfc) | 2); /* locally administered, one card's */
}

const char *dhcp_identity_format(const struct dhcp_identity *i, char buf[static DHCP_IDENTITY_TEXT_MAX])
{
    enum { SHOWN = 20 };
    char text[SHOWN * 3 + 1];
    buf[0] = '\0';
    if (i->ethernet)
        return buf;
    if (i->has_guid) {
        snprintf(buf, DHCP_IDENTITY_TEXT_MAX, "GUID %s", guid_format(&i->guid, text));
        return buf;
    }
    bool cut = i->id.left > SHOWN;
    client_id_format(i->id.p, cut ? SHOWN : i->id.left, text, sizeof(text));
    snprintf(buf, DHCP_IDENTITY_TEXT_MAX, "client id %s%s", text, cut ? ":..." : "");
    return buf;
}

int client_id_parse(const char *s, uint8_t ret_id[static CLIENT_ID_MAX], size_t *ret_size)
{
    uint8_t id[CLIENT_ID_MAX];
    size_t n = 0;
    for (char separator = s[0] && s[1] ? s[2] : '\0'; *s; n++) {
        int high = hex_value(s[0]), low = high < 0 ? -1 : hex_value(s[1]);
        if (low < 0 || n == sizeof(id))
            return -EINVAL;
        id[n] = (uint8_t)(high << 4 | low);
        s += 2;
        if (*s && (separator == ':' || separator == '-') && (*s++ != separator || !*s))
            return -EINVAL;
    }
    if (n < CLIENT_ID_MIN)
        return -EINVAL;
    memcpy(ret_id, id, n);
    *ret_size = n;
    return 0;
}

const char *client_id_format(const uint8_t *id, size_t size, char *buf, size_t room)
{
    buf[0] = '\0';
    for (size_t i = 0, used = 0; i < size && used + 4 <= room; i++)
        used += (size_t)snprintf(buf + used, room - used, "%s%02x", i ? ":" : "", id[i]);
    return buf;
}
