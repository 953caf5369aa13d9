/* A node: a machine known by its MAC address; on a network that has none (InfiniBand, RFC 4390) by the GUID
 * of its port or by the client identifier that it sends. */
#pragma once

#include "base/addr.h"
#include "base/diag.h"
#include "model/option.h"

#include <stdbool.h>
#include <stddef.h>

struct node {
    char *name;     /* a host label */
    struct mac mac; /* of a node named by something else: what stands for that (proto/dhcp_identity.h) */
    bool has_guid;
    struct guid guid;
    uint8_t *client_id; /* option 61, whole; NULL: not said */
    size_t client_id_size;
    ipv4_t ip;        /* H4: its fixed address; 0: one of its subnet's pool */
    char *profile;    /* name of its profile; never NULL (`default` unless said) */
    bool has_profile; /* it was said; else a class may say another */
    struct option_values options;
    bool has_uuid;
    uint8_t uuid[16]; /* SMBIOS UUID in the byte order of its text form; for pxelinux.cfg/UUID */
    char *cmdline;    /* appended after the profile's; may be NULL */
    struct pos pos;
};
