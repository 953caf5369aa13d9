/* See base/addr.h. */
#include "base/addr.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int mac_parse(const char *s, struct mac *ret_mac)
{
    struct mac mac;
    size_t n = strlen(s);
    if (n != 17 && n != 12)
        return -EINVAL;
    size_t step = n == 17 ? 3 : 2;
    for (size_t i = 0; i < 6; i++) {
        int high = hex_value(s[i * step]), low = hex_value(s[i * step + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        if (step == 3 && i < 5 && (s[i * 3 + 2] != s[2] || (s[2] != ':' && s[2] != '-')))
            return -EINVAL;
        mac.b[i] = (uint8_t)(high << 4 | low);
    }
    *ret_mac = mac;
    return 0;
}

const char *mac_format(const struct mac *mac, char buf[static MAC_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char *p = buf;
    for (size_t i = 0; i < sizeof(mac->b); i++) { /* by hand: it is in each line of the log */
        *p++ = digits[mac->b[i] >> 4];
        *p++ = digits[mac->b[i] & 15];
        *p++ = ':';
    }
    p[-1] = '\0';
    return buf;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool mac_is_unicast(const struct mac *mac)
{
    static const struct mac zero;
    return !(mac->b[0] & 1) && !mac_equal(mac, &zero);
}

int guid_parse(const char *s, struct guid *ret_guid)
{
    struct guid guid;
    size_t digits = 0, n = strlen(s);
    char separator = n == 23 ? s[2] : n == 19 ? s[4] : '\0';
    unsigned group = n == 23 ? 2 : 4;
    if (n == 18 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        s += 2;
        n = 16;
    }
    if ((n != 16 && n != 19 && n != 23) || (separator && separator != ':' && separator != '-'))
        return -EINVAL;
    for (; *s; s++) {
        if (separator && *s == separator && digits && digits % group == 0 && s[-1] != separator)
            continue;
        int value = hex_value(*s);
        if (value < 0 || digits == 16)
            return -EINVAL;
        guid.b[digits / 2] = (uint8_t)(digits % 2 ? guid.b[digits / 2] << 4 | value : value);
        digits++;
    }
    if (digits != 16)
        return -EINVAL;
    *ret_guid = guid;
    return 0;
}

const char *guid_format(const struct guid *guid, char buf[static GUID_TEXT_MAX])
{
    const uint8_t *b = guid->b;
    snprintf(buf, GUID_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
             b[5], b[6], b[7]);
    return buf;
}

bool guid_equal(const struct guid *a, const struct guid *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void guid_to_mac(const struct guid *guid, struct mac *ret_mac)
{
    struct mac mac;
    memcpy(mac.b, guid->b, 3);
    memcpy(mac.b + 3, guid->b + 5, 3);
    mac.b[0] &= 0xfe; /* no group's */
    if (!mac_is_unicast(&mac))
        mac.b[0] = 2;
    *ret_mac = mac;
}

int ipv4_parse(const char *s, ipv4_t *ret_address)
{
    ipv4_t address = 0;
    for (int i = 0; i < 4; i++) {
        char part[4];
        size_t n = strspn(s, "0123456789");
        uint64_t value;
        if (n < 1 || n > 3 || (n > 1 && s[0] == '0'))
            return -EINVAL;
        memcpy(part, s, n);
        part[n] = '\0';
        if (parse_u64(part, 0, 255, &value) < 0)
            return -EINVAL;
        address = address << 8 | (ipv4_t)value;
        s += n;
        if (i < 3 && *s++ != '.')
            return -EINVAL;
    }
    if (*s)
        return -EINVAL;
    *ret_address = address;
    return 0;
}

const char *ipv4_format(ipv4_t a, char buf[static IPV4_TEXT_MAX])
{
    char *p = buf;
    for (unsigned shift = 32; shift > 0;) { /* by hand, as above */
        shift -= 8;
        unsigned byte = a >> shift & 255;
        if (byte >= 100)
            *p++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *p++ = (char)('0' + byte / 10 % 10);
        *p++ = (char)('0' + byte % 10);
        *p++ = '.';
    }
    p[-1] = '\0';
    return buf;
}

const char *ipv4_hex(ipv4_t address, char buf[static HXIP_TEXT_MAX])
{
    snprintf(buf, HXIP_TEXT_MAX, "%08X", address);
    return buf;
}

int prefix_parse(const char *s, struct ipv4_prefix *ret_prefix)
{
    struct ipv4_prefix p;
    char address[IPV4_TEXT_MAX];
    uint64_t length;
    const char *slash = strchr(s, '/');
    if (!slash || (size_t)(slash - s) >= sizeof(address))
        return -EINVAL;
    memcpy(address, s, (size_t)(slash - s));
    address[slash - s] = '\0';
    if (ipv4_parse(address, &p.address) < 0 || parse_u64(slash + 1, 0, 32, &length) < 0)
        return -EINVAL;
    p.length = (uint8_t)length;
    if (p.address & ~prefix_mask(&p))
        return -EDOM;
    *ret_prefix = p;
    return 0;
}

const char *prefix_format(const struct ipv4_prefix *p, char buf[static PREFIX_TEXT_MAX])
{
    char address[IPV4_TEXT_MAX];
    snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", ipv4_format(p->address, address), p->length);
    return buf;
}

ipv4_t prefix_mask(const struct ipv4_prefix *p)
{
    return p->length == 0 ? 0 : UINT32_MAX << (32 - p->length);
}

ipv4_t prefix_broadcast(const struct ipv4_prefix *p)
{
    return p->address | ~prefix_mask(p);
}

bool prefix_contains(const struct ipv4_prefix *p, ipv4_t address)
{
    return (address & prefix_mask(p)) == p->address;
}

int uuid_parse(const char *s, uint8_t ret_uuid[static 16])
{
    uint8_t uuid[16];
    for (size_t i = 0; i < sizeof(uuid); i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
            return -EINVAL;
        int high = hex_value(s[0]), low = high < 0 ? -1 : hex_value(s[1]);
        if (low < 0)
            return -EINVAL;
        uuid[i] = (uint8_t)(high << 4 | low);
        s += 2;
    }
    if (*s)
        return -EINVAL;
    memcpy(ret_uuid, uuid, sizeof(uuid));
    return 0;
}

const char *uuid_format(const uint8_t uuid[static 16], char buf[static UUID_TEXT_MAX])
{
    char *p = buf;
    for (size_t i = 0; i < 16; i++)
        p += snprintf(p, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
    return buf;
}
