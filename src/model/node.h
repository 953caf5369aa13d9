/* A node: a machine known by its MAC address. */
#pragma once

#include "base/addr.h"
#include "base/diag.h"
#include "model/option.h"

#include <stdbool.h>

struct node {
    char *name; /* a host label */
    struct mac mac;
    ipv4_t ip;        /* H4: its fixed address; 0: one of its subnet's pool */
    char *profile;    /* name of its profile; never NULL (`default` unless said) */
    bool has_profile; /* it was said; else a class may say another */
    struct option_values options;
    bool has_uuid;
    uint8_t uuid[16]; /* SMBIOS UUID in the byte order of its text form; for pxelinux.cfg/UUID */
    char *cmdline;    /* appended after the profile's; may be NULL */
    struct pos pos;
};
