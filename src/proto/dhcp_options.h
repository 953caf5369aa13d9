/* DHCP options as people write them: which there are (IANA's registry of BOOTP and DHCP parameters), what
 * they hold, and the way from text to bytes and back. Pure.
 *
 * An option holds values of one kind, one or several. Text that is no such value is refused with the place
 * and what was expected. Bytes that are not what the kind says are still shown, as hexadecimal digits,
 * because a server that answers beside us may send anything; so nothing is lost between bytes, text and
 * bytes.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_OPTION_DATA_MAX 1200 /* bytes of one option that a message can carry beside all else */

/* What one value is. In brackets: the text. */
enum dhcp_kind {
    DHCP_KIND_HEX,    /* bytes (`0a0b`, also `0a:0b`, `0a-0b` and `0a 0b`) */
    DHCP_KIND_TEXT,   /* UTF-8 without control characters, as it is; at least one byte */
    DHCP_KIND_BOOL,   /* one byte, 0 or 1 (`yes`, `no`, also true, false, on, off) */
    DHCP_KIND_U8,     /* numbers: decimal digits without leading zeros, which some read as octal */
    DHCP_KIND_U16,    /* in network order, as all that follow */
    DHCP_KIND_U32,    /* */
    DHCP_KIND_S32,    /* */
    DHCP_KIND_IPV4,   /* (`192.168.7.1`) */
    DHCP_KIND_PAIR,   /* two addresses (`192.168.7.1 255.255.255.0`): policy filters, classful routes */
    DHCP_KIND_DOMAIN, /* RFC 1035 §3.1 (`lab.example`): letters, digits, `-` and `_` */
    DHCP_KIND_SEARCH, /* the same with what repeats compressed (RFC 3397 §2) */
    DHCP_KIND_ROUTE,  /* RFC 3442 (`10.0.0.0/8 via 192.168.7.1`, `default via 192.168.7.1`) */
    DHCP_KIND_SIP,    /* RFC 3361: addresses or domains, not both */
    DHCP_KINDS
};
/* `hex`, `text`, `u16`, ...: the word for a kind in a definition. */
const char *dhcp_kind_name(enum dhcp_kind kind);
/* The kind of that name, or -ENOENT. */
int dhcp_kind_find(const char *name);

struct dhcp_option_spec {
    uint8_t code;
    enum dhcp_kind kind;
    bool list;           /* several values may be there */
    uint32_t min;        /* of a number: the least that makes sense */
    const char *name;    /* IANA's, as servers write it: `domain-name-servers`; NULL: none known */
    const char *instead; /* NULL: people may set it; else why not, or what to set instead */
};

/* The option with that code. One that is not registered has no name, and holds text. */
struct dhcp_option_spec dhcp_option_by_code(uint8_t code);
/* The option of that name; NULL: there is none. */
const struct dhcp_option_spec *dhcp_option_by_name(const char *name);
/* The name nearest to `name`, for "did you mean"; NULL: none is near. */
const char *dhcp_option_nearest(const char *name);
/* The option with that code as if it held values of another kind, which somebody names. */
struct dhcp_option_spec dhcp_option_as(uint8_t code, enum dhcp_kind kind);

/* What is wrong with a text. */
struct dhcp_option_fault {
    size_t index;     /* of the value; n: the values together */
    char reason[160]; /* behind `"TEXT" is ` or `the option is `: `no IPv4 address; expected four numbers like
                         192.168.7.11` */
};

/* Values to bytes. Returns how many; -EINVAL with *ret_fault, also for no value at all, and for several where
 * there can be one; -E2BIG, with *ret_fault, when they are more than `size` or DHCP_OPTION_DATA_MAX. Then
 * nothing is written. */
int dhcp_option_encode(const struct dhcp_option_spec *spec, const char *const *values, size_t n, void *data,
                       size_t size, struct dhcp_option_fault *ret_fault);

/* Texts of an option's values; {0} is none. */
struct dhcp_option_texts {
    VEC(char *) list;
};
void dhcp_option_texts_clear(struct dhcp_option_texts *texts);

/* Bytes to values, which encode to the same bytes again (domains: to the same names). Returns the kind of the
 * texts: that of `spec`, or DHCP_KIND_HEX when the bytes are not of it. The texts are the caller's. */
enum dhcp_kind dhcp_option_values(const struct dhcp_option_spec *spec, const void *data, size_t size,
                                  struct dhcp_option_texts *ret_texts);
/* The same as one line for people: `[192.168.7.1, 192.168.7.2]`; `0x0a0b` for bytes; `(empty)`. The caller's.
 */
char *dhcp_option_format(uint8_t code, const void *data, size_t size);
